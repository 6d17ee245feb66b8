"""Where in the brain each model of a seed's map should find something, in a simulated study."""

from __future__ import annotations

from typing import Any

from rsconn.simulate.truth import GROUPS, PLACES, ROI_CENTERS_MM, EdgePlan, StudyPlan


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
