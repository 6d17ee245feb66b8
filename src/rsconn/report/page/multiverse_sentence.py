"""What a claim's card says of the other ways to analyse it, in a sentence or two."""

from __future__ import annotations

from markupsafe import Markup

from rsconn.report.page.wording import Source

# Of the variance of the estimates; below it no choice alone decides.
_DECISIVE = 0.3
_CHOICES = {
    "strategy": "the denoising strategy",
    "global_signal": "the global signal",
    "high_pass_hz": "the high-pass",
    "low_pass_hz": "the low-pass",
    "fd_threshold_mm": "the censoring of motion",
    "min_retained_minutes": "the minutes needed",
    "radius_mm": "the radius",
    "smoothing_fwhm_mm": "the smoothing",
    "connectivity": "the kind of correlation",
    "covariates": "the covariates",
    "outlier_sd": "the rule for outliers",
}


def tell_multiverse(source: Source | None, claim: str) -> Markup:
    """Return how the claim fares when it is analysed otherwise; empty where nothing was tried.

    Parameters
    ----------
    source : Source or None
        group/multiverse_joint.tsv.
    claim : str
        Claim id.
    """
    if source is None or "claim" not in source.table:
        return Markup("")
    rows = source.table.index[(source.table["claim"] == claim) & (source.table["curve"] == "primary")]
    if not len(rows):
        return Markup("")
    row = int(rows[0])
    parts = [_tell_counts(source, row), _tell_joint(source, row), _tell_choice(source, row)]
    told = Markup("; ").join(part for part in parts if part) + "."
    if source.is_given(row, "primary_is_outlier") and bool(source.table.loc[row, "primary_is_outlier"]):
        told += Markup(" <strong>The primary estimate is an outlier among them.</strong>")
    return told


def _tell_counts(source: Source, row: int) -> Markup:
    supported, total = (
        source.print_number(row, column, "count") for column in ("n_supported", "n_specifications")
    )
    counts = Markup("Supported in {} of {} ways to analyse it").format(supported, total)
    if float(source.table.loc[row, "n_contradicted"]) > 0:
        counts += Markup(", contradicted in {}").format(source.print_number(row, "n_contradicted", "count"))
    return counts


def _tell_joint(source: Source, row: int) -> Markup:
    if not source.is_given(row, "p_joint"):
        return Markup("")
    return Markup("joint p {}").format(source.print_number(row, "p_joint", "p"))


def _tell_choice(source: Source, row: int) -> Markup:
    """Say which choice moves the estimate most, if one does."""
    if not source.is_given(row, "decisive_axis"):
        return Markup("")
    if not float(source.table.loc[row, "decisive_share"]) >= _DECISIVE:
        return Markup("no choice alone moves the estimate much")
    return Markup("{} moves the estimate most ({} of its variance)").format(
        _name_choice(str(source.table.loc[row, "decisive_axis"])),
        source.print_number(row, "decisive_share", "d2"),
    )


def _name_choice(axis: str) -> str:
    for prefix, words in (("roi_", "the place of"), ("score_", "the version of")):
        if axis.startswith(prefix):
            return f"{words} {axis.removeprefix(prefix)}"
    return _CHOICES.get(axis, axis)
