"""What is true of each of the study's 24 claims in a simulated study, and which verdict to expect."""

from __future__ import annotations

from typing import Any

from rsconn.settings.claims import Verdict
from rsconn.simulate.simulated_people import compute_contrast_g, make_scales
from rsconn.simulate.truth import StudyPlan

SESOI_G = 0.5
SESOI_R = 0.3

Cells = dict[tuple[str, str], int]

# Claims on scores: outcome, cells of a, cells of b, what is claimed.
_T = (("therapist", "F"), ("therapist", "M"))
_C = (("control", "F"), ("control", "M"))
_CONTRASTS: dict[str, tuple[str, tuple[tuple[str, str], ...], tuple[tuple[str, str], ...], str]] = {
    "P1": ("FS", _T, _C, "greater"),
    "P2": ("PT", _T, _C, "greater"),
    "P3": ("EC", _T, _C, "equivalent"),
    "P4": ("PD", _T, _C, "equivalent"),
    "P5": ("ES", _T, _C, "less"),
    "P6": ("CR", _T, _C, "equivalent"),
    "S1a": ("FS", _T[:1], _T[1:], "equivalent"),
    "S1b": ("PT", _T[:1], _T[1:], "equivalent"),
    "S1c": ("EC", _T[:1], _T[1:], "equivalent"),
    "S1d": ("PD", _T[:1], _T[1:], "equivalent"),
    "S2": ("EC", _C[:1], _C[1:], "greater"),
    "S3": ("ES", _C[:1], _C[1:], "less"),
    "S4": ("ES", _T[1:], _C[:1], "less"),
    "S5": ("ES", _T[1:], _C[1:], "less"),
}
_EDGE_CONTRASTS = {"F1": ("LAI-dmPFC", "greater"), "F2": ("rACC-oPFC", "less")}
_SLOPES = {
    "B1": ("LAI-dmPFC", "PT", "negative"),
    "B2": ("rACC-oPFC", "PT", "negative"),
    "B3": ("LAI-dmPFC", "FS", "associated"),
    "B4": ("rACC-oPFC", "PT", "negative"),
    "B5": ("rACC-oPFC", "ES", "negative"),
}

# Women - men among controls minus women - men among therapists.
_COMPARED = {"S2x": ("EC", "greater"), "S3x": ("ES", "less")}

# Verdicts that the full study (52/92 scored, 18/18 scanned, effect 1) reaches with a power of 90 % or more.
_EXPECTED = {
    "P1": Verdict.SUPPORTED,
    "P2": Verdict.SUPPORTED,
    "P4": Verdict.CONTRADICTED,
    "P5": Verdict.SUPPORTED,
    "F1": Verdict.SUPPORTED,
    "F2": Verdict.SUPPORTED,
}


def describe_claims(
    plan: StudyPlan, n_scored: tuple[int, int], *, full: bool = True
) -> dict[str, dict[str, Any]]:
    """Return, for each claim, the planted population effect and the verdict that unlimited data would give.

    Parameters
    ----------
    plan : StudyPlan
    n_scored : (int, int)
        Therapists and controls; they weigh the pooled SD.
    full : bool
        False for a study of another size than the demo's, of which no verdict is expected.

    Returns
    -------
    dict of claim id to dict
        ``outcome``, ``predictor`` or None, ``scale`` (``g`` or ``partial_r``), ``effect`` (signed as a - b or as
        the slope; for edges after measurement error), ``expect`` as claimed, ``truth`` (the verdict of
        unlimited data) and ``expected`` (a verdict, or ``open`` where power is low).
    """
    scales = make_scales(plan, n_scored)
    described = {}
    for name, (outcome, a, b, expect) in _CONTRASTS.items():
        g = compute_contrast_g(scales[outcome], _count(a, n_scored), _count(b, n_scored))
        described[name] = _describe(outcome, None, "g", g, expect)
    edges = {edge.name: edge for edge in plan.edges}
    for name, (outcome, expect) in _EDGE_CONTRASTS.items():
        described[name] = _describe(outcome, None, "g", edges[outcome].observed_g, expect)
    scores = {score.name: score for score in plan.scores}
    for name, (outcome, predictor, expect) in _SLOPES.items():
        r = scores[predictor].loadings[outcome] * edges[outcome].reliability ** 0.5
        described[name] = _describe(outcome, predictor, "partial_r", r, expect)
    for name, (outcome, expect) in _COMPARED.items():
        first, second = (
            compute_contrast_g(scales[outcome], _count(cells[:1], n_scored), _count(cells[1:], n_scored))
            for cells in (_C, _T)
        )
        described[name] = _describe(outcome, None, "g", first - second, expect)
    # the loadings are those of everybody
    described["B3x"] = _describe("LAI-dmPFC", "FS", "partial_r", 0.0, "equivalent")
    for name, entry in described.items():
        entry["expected"] = _EXPECTED.get(name, "open") if full and plan.effect == 1 else "open"
    return described


def _count(cells: tuple[tuple[str, str], ...], n_scored: tuple[int, int]) -> Cells:
    """Return the n of each cell; the sexes halve a group, women first where it is odd."""
    sizes = dict(zip(("therapist", "control"), n_scored, strict=True))
    return {(group, sex): (sizes[group] + (sex == "F")) // 2 for group, sex in cells}


def _describe(outcome: str, predictor: str | None, scale: str, effect: float, expect: str) -> dict[str, Any]:
    sesoi = SESOI_G if scale == "g" else SESOI_R
    effect = round(effect, 6) + 0.0
    return {
        "outcome": outcome,
        "predictor": predictor,
        "scale": scale,
        "effect": effect,
        "expect": expect,
        "truth": _judge(expect, effect, sesoi),
    }


def _judge(expect: str, effect: float, sesoi: float) -> Verdict:
    """Return the verdict of unlimited data."""
    if expect in {"equivalent", "unrelated"}:
        return Verdict.SUPPORTED if abs(effect) < sesoi else Verdict.CONTRADICTED
    claimed = {"greater": effect, "positive": effect, "less": -effect, "negative": -effect}.get(expect)
    if claimed is not None and claimed < 0:
        return Verdict.CONTRADICTED
    return Verdict.NEGLIGIBLE if abs(effect) < sesoi else Verdict.SUPPORTED
