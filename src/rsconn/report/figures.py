"""Every figure by name; each takes the table of that name from `study.figure_data` and returns a Figure."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from rsconn.report.brains import plot_roi_positions
from rsconn.report.figures_claims import plot_claims_forest
from rsconn.report.figures_flow import plot_exclusion_flow
from rsconn.report.figures_groups import (
    plot_connectivity_by_group,
    plot_scores_by_group,
    plot_scores_by_group_sex,
)
from rsconn.report.figures_pictures import plot_claim
from rsconn.report.figures_quality import plot_motion_coverage
from rsconn.report.figures_slopes import plot_score_by_connectivity

__all__ = [
    "FIGURES",
    "plot_claim",
    "plot_claims_forest",
    "plot_connectivity_by_group",
    "plot_exclusion_flow",
    "plot_motion_coverage",
    "plot_roi_positions",
    "plot_score_by_connectivity",
    "plot_scores_by_group",
    "plot_scores_by_group_sex",
]

FIGURES: dict[str, Callable[..., Figure]] = {
    "claims_forest": plot_claims_forest,
    "scores_by_group": plot_scores_by_group,
    "scores_by_group_sex": plot_scores_by_group_sex,
    "connectivity_by_group": plot_connectivity_by_group,
    "score_by_connectivity": plot_score_by_connectivity,
    "roi_positions": plot_roi_positions,
    "motion_coverage": plot_motion_coverage,
    "exclusion_flow": plot_exclusion_flow,
}
