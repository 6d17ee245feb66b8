"""What the simulated study plants: one table of constants, and what each claim's truth then is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

GROUPS = ("therapist", "control")
SEXES = ("F", "M")
SCORES = ("FS", "PT", "EC", "PD", "ES", "CR")


@dataclass(frozen=True)
class ScorePlan:
    """One questionnaire scale.

    Attributes
    ----------
    name, instrument : str
    items : tuple of str
        Columns of participants.tsv, in the order of the sheet.
    reversed_items : frozenset of str
    answer_range : (int, int)
        Lowest and highest answer to one item.
    mean, sd : float
        Of the sum, for controls, before the sexes are told apart.
    group_g, sex_g : float
        Standardised differences: therapists - controls, and women - men among controls.
        Therapists have no sex difference.
    loadings : mapping of str to float
        Correlation with each edge's true z within a group and sex.
    """

    name: str
    instrument: str
    items: tuple[str, ...]
    reversed_items: frozenset[str]
    answer_range: tuple[int, int]
    mean: float
    sd: float
    group_g: float
    sex_g: float
    loadings: Mapping[str, float]

    @property
    def sum_range(self) -> tuple[float, float]:
        """Smallest and largest possible sum."""
        return len(self.items) * self.answer_range[0], len(self.items) * self.answer_range[1]


@dataclass(frozen=True)
class EdgePlan:
    """One edge: what couples two ROIs, in Fisher z of the true series.

    Attributes
    ----------
    name, first, second : str
        The edge and its two ROIs.
    mean, difference : float
        True z at the middle between the groups; therapists - controls.
    sd : float
        True SD between people of a group.
    attenuation, offset, error_sd : float
        Measured z after the primary denoising is about offset + attenuation x true z, with this error SD.
        Found by simulation (tests/unit/simulate/measure_edges.py); the images do not use them.
    """

    name: str
    first: str
    second: str
    mean: float
    difference: float
    sd: float
    attenuation: float
    offset: float
    error_sd: float

    @property
    def reliability(self) -> float:
        """Share of the measured variance within a group that is true."""
        true = (self.attenuation * self.sd) ** 2
        return true / (true + self.error_sd**2)

    @property
    def observed_g(self) -> float:
        """Standardised difference of the groups expected of the measured z."""
        return self.attenuation * self.difference / math.hypot(self.attenuation * self.sd, self.error_sd)

    def get_group_mean(self, group: str) -> float:
        """Return the true mean z of a group."""
        return self.mean + (0.5 if group == "therapist" else -0.5) * self.difference


@dataclass(frozen=True)
class Place:
    """Where an edge's coupling is planted round its second region: a plateau that a map can find.

    The pattern is strength x 2**-(distance / radius)**4 outside white matter, so that it neither ends abruptly nor
    enters what aCompCor measures in white matter.

    Attributes
    ----------
    radius_mm : float
        Where half of the strength is left.
    strength : float
        SD of the signal at the centre, in units of the seeds' own.
    """

    radius_mm: float
    strength: float


@dataclass(frozen=True)
class StudyPlan:
    """Everything planted: scores and edges, at full effect, scaled, or null."""

    effect: float
    scores: tuple[ScorePlan, ...]
    edges: tuple[EdgePlan, ...]


# Published MNI centres (STUDY.md section 4). Seeds are smooth blobs, what they are coupled to are plateaus.
ROI_CENTERS_MM: Mapping[str, tuple[float, float, float]] = {
    "LAI": (-36.0, 18.0, 2.0),
    "dmPFC": (0.0, 51.0, 32.0),
    "rACC": (9.0, 39.0, 20.0),
    "oPFC": (-12.0, 36.0, -21.0),
}

# Strengths keep the measured edges as `_EDGES` says; oPFC's reaches beyond the core of the drop-out.
PLACES: Mapping[str, Place] = {"dmPFC": Place(14.0, 0.9), "oPFC": Place(17.0, 1.6)}

# The keys are written out here again, beside rsconn.questionnaires, on purpose: the demo checks that scoring
# by the one gives back the sums that were planted by the other.
_IRI_KEYS: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "FS": ((1, 5, 7, 12, 16, 23, 26), (7, 12)),
    "PT": ((3, 8, 11, 15, 21, 25, 28), (3, 15)),
    "EC": ((2, 4, 9, 14, 18, 20, 22), (4, 14, 18)),
    "PD": ((6, 10, 13, 17, 19, 24, 27), (13, 19)),
}
_ERQ_KEYS: Mapping[str, tuple[int, ...]] = {"ES": (2, 4, 6, 9), "CR": (1, 3, 5, 7, 8, 10)}

# mean, sd: rounded from the norms that data/ gives; group_g, sex_g and the loadings are the plan.
_SCORES: Mapping[str, tuple[float, float, float, float, tuple[float, float]]] = {
    #      mean   sd   group_g sex_g  loadings on LAI-dmPFC, rACC-oPFC
    "FS": (17.0, 5.2, 0.8, 0.0, (-0.70, 0.0)),
    "PT": (16.7, 4.5, 0.8, 0.0, (-0.66, -0.66)),
    "EC": (19.3, 4.3, 0.0, 0.8, (0.0, 0.0)),
    "PD": (12.3, 4.5, -1.3, 0.0, (0.0, 0.0)),
    "ES": (15.5, 5.0, -0.8, -0.7, (0.0, -0.25)),
    "CR": (29.8, 5.8, 0.0, 0.0, (0.0, 0.0)),
}

# Last three: measured over 60 studies; `difference` follows from them and from the g of 1.4 that is to be observed.
_EDGES = (
    EdgePlan("LAI-dmPFC", "LAI", "dmPFC", 0.50, 0.466, 0.25, attenuation=0.796, offset=0.022, error_sd=0.175),
    EdgePlan("rACC-oPFC", "rACC", "oPFC", 0.55, -0.608, 0.30, attenuation=0.624, offset=0.0, error_sd=0.190),
)


def plan_study(effect: float = 1.0) -> StudyPlan:
    """Return the plan with every difference and association multiplied by `effect`; 0 is the null study."""
    scores = tuple(_scale_score(_make_score(name), effect) for name in SCORES)
    edges = tuple(replace(edge, difference=effect * edge.difference) for edge in _EDGES)
    return StudyPlan(effect, scores, edges)


def _make_score(name: str) -> ScorePlan:
    instrument = "IRI" if name in _IRI_KEYS else "ERQ"
    numbers, turned = _IRI_KEYS[name] if instrument == "IRI" else (_ERQ_KEYS[name], ())
    prefix = instrument.lower()
    mean, sd, group_g, sex_g, loadings = _SCORES[name]
    return ScorePlan(
        name,
        instrument,
        tuple(f"{prefix}_{number:02d}" for number in numbers),
        frozenset(f"{prefix}_{number:02d}" for number in turned),
        (0, 4) if instrument == "IRI" else (1, 7),
        mean,
        sd,
        group_g,
        sex_g,
        dict(zip((edge.name for edge in _EDGES), loadings, strict=True)),
    )


def _scale_score(plan: ScorePlan, effect: float) -> ScorePlan:
    loadings = {edge: effect * value for edge, value in plan.loadings.items()}
    return replace(plan, group_g=effect * plan.group_g, sex_g=effect * plan.sex_g, loadings=loadings)


def describe_maps(plan: StudyPlan) -> list[dict[str, Any]]:
    """Return what was planted in space, as JSON values; an empty list for the null study.

    Returns
    -------
    list of dict
        ``seed``, ``model`` (``group`` or a score), ``direction`` as the analysis words it, ``region``, ``center_mm``
        and ``radius_mm``: within it at least half of the coupling's strength was planted.

    Examples
    --------
    >>> from rsconn.simulate.truth import plan_study
    >>> [(each["seed"], each["model"], each["direction"]) for each in describe_maps(plan_study())][:2]
    [('LAI', 'group', 'therapist > control'), ('LAI', 'FS', 'lower with FS')]
    """
    planted = []
    for edge in plan.edges:
        for model, direction in _list_directions(plan, edge):
            planted.append({
                "seed": edge.first, "model": model, "direction": direction, "region": edge.second,
                "center_mm": list(ROI_CENTERS_MM[edge.second]), "radius_mm": PLACES[edge.second].radius_mm,
            })  # fmt: skip
    return planted


def _list_directions(plan: StudyPlan, edge: EdgePlan) -> list[tuple[str, str]]:
    first, second = GROUPS
    found = []
    if edge.difference:
        more, less = (first, second) if edge.difference > 0 else (second, first)
        found.append(("group", f"{more} > {less}"))
    for score in plan.scores:
        loading = score.loadings[edge.name]
        if loading:
            found.append((score.name, f"{'higher' if loading > 0 else 'lower'} with {score.name}"))
    return found
