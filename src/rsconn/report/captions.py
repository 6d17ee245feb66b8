"""What stands under each figure, and what stands for it where it cannot be seen."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caption:
    """A figure's title, what to know when reading it, and the text for those who cannot see it."""

    title: str
    text: str
    alt: str


CAPTIONS = {
    "claims_forest": Caption(
        title="Every claim against its smallest effect of interest",
        text=(
            "Effects are signed so that the claimed direction is to the right. A claim of no difference asks for "
            "an effect inside its grey zone. The intervals describe (95 %, equal variances assumed); the "
            "corrected p values decide."
        ),
        alt=(
            "All claims in rows: effect size with its interval against zero and the smallest effect of interest, "
            "and the verdict. The cards below give the same numbers in words."
        ),
    ),
    "scores_by_group": Caption(
        title="Scores by group",
        text="Every person is a point; the shape is the distribution, the bar the mean with its 95 % interval.",
        alt="One panel per score: every person a point, by group, with density, mean and interval.",
    ),
    "scores_by_group_sex": Caption(
        title="Scores by group and sex",
        text="As above, women and men apart.",
        alt="One panel per score: every person a point, by group and sex, with density, mean and interval.",
    ),
    "connectivity_by_group": Caption(
        title="Connectivity by group",
        text="Each person's Fisher z (right axis: Pearson r), as measured; the claims adjust for covariates.",
        alt="One panel per edge: every person's Fisher z a point, by group, with density, mean and interval.",
    ),
    "score_by_connectivity": Caption(
        title="Scores against connectivity",
        text=(
            "Lines are plain least squares without covariates. Where the dashed line (group ignored) and the "
            "groups' own lines differ in sign, the difference between the groups makes the slope (Simpson's "
            "paradox)."
        ),
        alt="One panel per score and edge: people, each group's line with its band, and one line for all.",
    ),
    "roi_positions": Caption(
        title="Where the regions are",
        text="Circles have the true size of the spheres; lines are the edges tested.",
        alt="The regions as circles on a glass brain from the left, back, right and top.",
    ),
    "motion_coverage": Caption(
        title="Motion, retained data, coverage and signal",
        text="Every run is a point; dashed lines are the limits of the config.",
        alt=(
            "Panels of mean framewise displacement, retained minutes and degrees of freedom by group, and of "
            "coverage and signal-to-noise by region; every run a point."
        ),
    ),
    "exclusion_flow": Caption(
        title="From the table to the analysis",
        text="People kept at each stage, and who left by which rule.",
        alt=(
            "Boxes from top to bottom, one column per group: people kept at each stage; boxes to the right: "
            "people who left, by rule."
        ),
    ),
}
