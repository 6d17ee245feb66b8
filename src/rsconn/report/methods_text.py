"""The methods section that belongs to these settings, with the works it cites."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rsconn.report.citations import CITATIONS, format_bibtex

Values = Mapping[str, Any]


def write_methods(settings: Values, versions: Mapping[str, str]) -> str:
    """Return the methods section as Markdown: what was done, with the values that were set.

    Parameters
    ----------
    settings : mapping
        Plain values of the config (``Config.model_dump(mode="json")``).
    versions : mapping
        Package name to version.
    """
    sections: tuple[tuple[str, Callable[[Values], str]], ...] = (
        ("Data", _describe_input),
        ("Regions and edges", _describe_rois),
        ("Denoising", _describe_denoising),
        ("Exclusions", _describe_exclusions),
        ("Scores", _describe_scores),
        ("Claims and tests", _describe_tests),
    )
    blocks = [f"## {title}\n\n{describe(settings)}" for title, describe in sections]
    software = ", ".join(f"{name} {version}" for name, version in versions.items())
    return "\n\n".join(["# Methods", *blocks, f"## Software\n\n{software}."]) + "\n"


def write_citations(methods: str) -> str:
    """Return the BibTeX of every work that a methods text cites.

    Examples
    --------
    >>> write_citations("corrected by Holm [@holm1979]").startswith("@article{holm1979,")
    True
    """
    cited = {key for key in re.findall(r"@(\w+)", methods) if key in CITATIONS}
    return format_bibtex(cited) if cited else ""


def join_words(words: Sequence[object]) -> str:
    """Join words with commas and a last ``and``.

    Examples
    --------
    >>> join_words(["a"]), join_words(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    texts = [str(word) for word in words]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""


def _describe_input(settings: Values) -> str:
    given = settings["input"]
    filters = join_words(
        [
            f"{key} {join_words([value] if isinstance(value, str) else value)}"
            for key, value in (given.get("filters") or {}).items()
        ]
    )
    chosen = f" with {filters}" if filters else ""
    if given.get("parcellated"):
        state = (
            "already denoised, so nothing was censored or filtered"
            if given.get("denoised")
            else "not yet denoised"
        )
        text = (
            f"Regional time series were taken from an already parcellated dataset{chosen}; they were {state}."
        )
    else:
        text = f"Preprocessed images were taken from BIDS derivatives in the layout of fMRIPrep [@esteban2019]{chosen}."
    runs = "were kept apart" if settings.get("sessions") == "separate" else "of one person were combined"
    return f"{text} Sessions {runs}."


def _describe_rois(settings: Values) -> str:
    rois, edges = settings["rois"], settings.get("edges") or ()
    parts = [_describe_roi(roi) for roi in rois["rois"]]
    space = f" in {rois['space']}" if rois.get("space") else ""
    names = [
        f"{edge['first']}-{edge['second']}" if isinstance(edge, Mapping) else str(edge) for edge in edges
    ]
    kind = (settings.get("connectivity") or {}).get("kind", "pearson")
    how = "Partial correlation among the set" if kind == "partial" else "Pearson correlation"
    circular = rois.get("circular")
    warning = (
        f" The regions were defined by a contrast of {circular['contrast']} in: {circular['data']}."
        if circular
        else ""
    )
    shown = f"Edges: {join_words(names)}." if len(names) <= 12 else f"{len(names)} edges were computed."
    return (
        f"Region set *{rois['name']}*{space}: {'; '.join(parts)}. A region's series is the mean over its voxels inside "
        f"the run's brain mask.{warning} {shown} An edge is the {how} of two cleaned series, Fisher-transformed."
    )


def _describe_roi(roi: Values) -> str:
    sphere = roi.get("sphere")
    if sphere:
        centre = ", ".join(f"{value:g}" for value in sphere["center_mm"])
        place = f"sphere of {sphere['radius_mm']:g} mm at ({centre}) mm"
    else:
        place = {"atlas": "atlas region", "map": "weighted map", "column": "column of the input"}.get(
            roi["kind"], "mask"
        )
    source = f", {roi['source']}" if roi.get("source") else ""
    return f"{roi['name']} ({place}{source})"


def _describe_denoising(settings: Values) -> str:
    if settings["input"].get("denoised"):
        return "The series were used as they came: no confounds, no filter, no censoring."
    denoising, censoring = settings["denoising"], settings["censoring"]
    strategy = denoising["strategy"]
    how = (
        "One least-squares projection on the retained volumes removed a constant, a linear trend, "
        if denoising["mode"] == "projection"
        else "With nilearn's `signal.clean`, the series were cleaned of a constant, a linear trend, "
    )
    smoothing = denoising["smoothing_fwhm_mm"]
    smooth = (
        f" Series were extracted from images smoothed with {smoothing:g} mm FWHM."
        if smoothing
        else " Images were not smoothed."
    )
    return (
        f"{how}{_describe_confounds(strategy)}{_describe_band(denoising)} (strategy *{strategy['name']}*). "
        f"{_describe_censoring(censoring)} Non-steady-state volumes were left out.{smooth} The degrees of freedom of "
        "an edge are the retained volumes minus the rank of what was removed."
    )


def _describe_confounds(strategy: Values) -> str:
    parts = []
    if strategy.get("motion"):
        source = " [@friston1996]" if strategy["motion"] == 24 else ""
        parts.append(f"{strategy['motion']} motion parameters{source}")
    components = strategy.get("acompcor")
    if components:
        parts.append(
            f"{components['wm']} white-matter and {components['csf']} CSF aCompCor components [@behzadi2007; @chai2012]"
        )
    if strategy.get("acompcor_variance"):
        share = 100 * strategy["acompcor_variance"]
        parts.append(
            f"the aCompCor components that explain {share:g} % of the variance of each tissue [@behzadi2007]"
        )
    if strategy.get("wm_csf"):
        parts.append(f"{strategy['wm_csf']} terms of the mean white-matter and CSF signals")
    terms = int(strategy.get("global_signal") or 0)
    removed = join_words(parts) if parts else "no confounds"
    return (
        f"{removed}, and the global signal ({terms} terms)"
        if terms
        else f"{removed}, without the global signal"
    )


def _describe_band(denoising: Values) -> str:
    high, low = denoising.get("high_pass_hz"), denoising.get("low_pass_hz")
    if high and low:
        return f", and all cosines outside {high:g} to {low:g} Hz"
    if high:
        return f", and all cosines below {high:g} Hz"
    return f", and all cosines above {low:g} Hz" if low else ", without a temporal filter"


def _describe_censoring(censoring: Values) -> str:
    limits = []
    if censoring.get("fd_threshold_mm"):
        limits.append(f"framewise displacement above {censoring['fd_threshold_mm']:g} mm [@power2012]")
    if censoring.get("dvars_threshold"):
        limits.append(f"standardised DVARS above {censoring['dvars_threshold']:g}")
    return (
        f"Volumes with {' or '.join(limits)} were left out, not replaced."
        if limits
        else "No volume was censored."
    )


def _describe_exclusions(settings: Values) -> str:
    censoring, quality = settings["censoring"], settings["quality"]
    rules = [
        f"fewer than {censoring['min_retained_minutes']:g} minutes were retained",
        f"fewer than {censoring['min_degrees_of_freedom']} degrees of freedom were left",
    ]
    if quality.get("max_mean_fd_mm"):
        rules.append(f"mean framewise displacement exceeded {quality['max_mean_fd_mm']:g} mm")
    return (
        f"A run was left out if {join_words(rules).replace(' and ', ' or ')}. A region counted as missing in a run if less "
        f"than {100 * quality['min_coverage']:g} % of it lay inside the brain mask with signal. The ledger names every "
        "person, rule, value and limit."
    )


def _describe_scores(settings: Values) -> str:
    scores = settings.get("scores") or {}
    if not scores:
        return "No questionnaire scores were used."
    cited = {"IRI": " [@davis1980]", "ERQ": " [@gross2003]"}
    parts = [
        f"{name}{_describe_score(score)}{cited.get(score.get('instrument') or '', '')}"
        for name, score in scores.items()
    ]
    return f"Scores: {'; '.join(parts)}."


def _describe_score(score: Values) -> str:
    codings = {
        "items": "sum of items, reversed here where the key says so",
        "items_reversed": "sum of items that were reversed already",
        "sum": "sum as given",
        "mean": "item mean, rescaled to the sum",
        None: "as given",
    }
    named = " ".join(str(score[key]) for key in ("instrument", "subscale") if score.get(key))
    missing = score.get("max_missing_items") or 0
    allowed = f", up to {missing} missing items replaced by the person's mean" if missing else ""
    return f" ({named + ': ' if named else ''}{codings.get(score.get('coding'), 'as given')}{allowed})"


def _describe_tests(settings: Values) -> str:
    inference, claims = settings["inference"], settings["claims"]
    sesoi, alpha = inference["sesoi"], inference["alpha"]
    sizes: dict[str, int] = {}
    for claim in claims:
        sizes[claim["family"]] = sizes.get(claim["family"], 0) + 1
    families = join_words([f"{name} ({size})" for name, size in sizes.items()])
    covariates = settings.get("covariates") or {}
    edge, score = (join_words(covariates.get(key) or ()) or "none" for key in ("edge", "score"))
    return (
        f"{len(claims)} claims in {len(sizes)} families: {families}. Contrasts of scores without covariates used Welch's test "
        "[@welch1947]; everything else ordinary least squares with HC3 standard errors [@mackinnon1985] and t(n - k). "
        f"Default covariates of claims with an edge: {edge}; of claims with scores only: {score}; a claim's own list "
        "replaces them. Claims of no difference were tested by two one-sided tests [@schuirmann1987] against the smallest "
        f"effect of interest: Hedges g {sesoi['g']:g} for contrasts, partial r {sesoi['partial_r']:g} for slopes, unless a "
        "claim sets its own. Each claim has a p for it and a p against it (that the effect is at least as large as the "
        "smallest effect of interest; for claims of no difference, that it is no larger); Holm's method [@holm1979] "
        f"corrected both over the testable claims of the family, at an error rate of {alpha:g}. The corrected p values "
        f"decide. {_describe_permutation(inference)}"
    )


def _describe_permutation(inference: Values) -> str:
    if not inference.get("n_permutations"):
        return "No permutations were made."
    return (
        f"Permutation p values (studentised Freedman-Lane [@freedman1983], {inference['n_permutations']} permutations, seed "
        f"{inference['seed']}) are supplementary."
    )
