"""What each column of the tables in group/ means: the text of their JSON sidecars."""

from __future__ import annotations

from collections.abc import Sequence

_IDENTITY = {
    "participant_id": "Person, with sub-.",
    "session": "Session label; n/a where sessions are combined or absent.",
    "run": "Run: the entities that tell acquisitions apart.",
}
_CLAIMS = {
    "id": "Claim.",
    "family": "Claims corrected together; exploratory claims form families of their own.",
    "text": "The claim's sentence.",
    "n": "People whose data the claim uses.",
    "n_per_group": "a=..;b=..: people on each side of a contrast, or by name of each cell of several; n/a for slopes.",
    "estimator": "max_t: every edge, corrected by the largest |t|; "
    "welch: difference of means, Welch; ols_hc2: least squares with HC2 standard errors and "
    "Bell-McCaffrey dof (pairs, sides of about one size); "
    "ols_hc3: least squares with HC3 standard errors and t(n - k); "
    "ols_cr2: least squares with CR2 standard errors of families and Satterthwaite's dof; welch_anova, wald_hc3: "
    "F tests of several levels.",
    "estimate": "Contrast a - b (adjusted for covariates), slope per unit, a difference of two of these, a mean "
    "minus its value, or the standard deviation of several levels' means; in the outcome's units.",
    "std_error": "Standard error of the estimate.",
    "dof": "Degrees of freedom of its t distribution.",
    "ci_low": "Lower end of the 95 % interval of the estimate.",
    "ci_high": "Upper end of the 95 % interval of the estimate.",
    "ci_family_low": "Lower end of the 1 - alpha/m interval, m the family's testable claims.",
    "ci_family_high": "Upper end of the 1 - alpha/m interval.",
    "effect_size": "Hedges g (contrasts), partial r (slopes and their differences) or Cohen's f (several levels); "
    "describes, decides nothing.",
    "effect_ci_low": "Lower end of its 95 % interval, assuming equal variances and unrelated people.",
    "effect_ci_high": "Upper end of its 95 % interval, assuming equal variances and unrelated people.",
    "p": "Two-sided p of no effect; for equivalent and unrelated the p of two one-sided tests.",
    "p_contradict": "p against the claim: of an effect of sesoi or more in the claimed direction; for different and "
    "associated of one beyond sesoi, for equivalent and unrelated of one within sesoi.",
    "p_permutation": "Freedman-Lane permutation p of the studentised statistic (paired: sign flips), (b + 1)/(B + 1), "
    "b/B where every arrangement was counted; n/a for equivalent and unrelated.",
    "p_family": "p after Holm over the family.",
    "p_contradict_family": "p_contradict after Holm over the family.",
    "p_family_maxt": "Step-down p over the family from shared sign flips; supplementary.",
    "bayes_factor_10": "JZS Bayes factor of an effect against none, assuming equal variances and unrelated people; "
    "decides nothing.",
    "sesoi": "Smallest effect size of interest, on the scale of effect_size.",
    "sesoi_estimate": "The same on the scale of the estimate.",
    "min_detectable": "Smallest effect size that this verdict rule finds with 80 % power at alpha/m and this n; for "
    "equivalent and unrelated the smallest bound that it shows so if there is no effect.",
    "verdict": "supported, negligible, contradicted, inconclusive or not testable.",
    "flags": "Remarks on the verdict, joined by ;.",
    "reason": "Why it is not testable or inconclusive, the n that could decide, covariates left out.",
}
_EDGES = {
    **_IDENTITY,
    "edge": "Pair of ROIs.",
    "r": "tanh(z).",
    "z": "Fisher z of the correlation of the cleaned series; runs weigh dof - 2.",
    "z_variance": "1 / (dof - 2), runs combined.",
    "z_variance_ac": "The same with degrees of freedom for autocorrelated series.",
    "dof": "Degrees of freedom after denoising, summed over the runs that have the edge; n/a if unknown.",
    "n_runs": "Runs that have the edge.",
    "z_between_run_sd": "SD of the runs' z; n/a for fewer than two runs.",
}
_COHORT = {
    **_IDENTITY,
    "group": "Group, by the name that the claims use.",
    "sex": "As in the participants table, after input.values.",
    "age": "Years.",
    "mean_fd": "Mean framewise displacement, mm, over steady-state volumes before censoring.",
    "included": "Whether the person has a usable edge.",
}
_QUALITY = {
    **_IDENTITY,
    "n_volumes": "Volumes of the run.",
    "n_retained": "Volumes retained after non-steady state and censoring.",
    "minutes_retained": "Minutes retained.",
    "t_r": "Repetition time, s.",
    "mean_fd": "Mean framewise displacement, mm, over steady-state volumes before censoring.",
    "max_fd": "Largest framewise displacement, mm, over steady-state volumes.",
    "mean_dvars": "Mean DVARS in the confounds file's unit.",
    "rank": "Rank of everything projected out, on the retained volumes.",
    "dof": "n_retained - rank; n/a if the series came denoised.",
    "mean_fd_source": "Where the cohort's mean_fd comes from: participants table or confounds.",
    "site": "Site of the dataset (input.datasets).",
}
_COVERAGE = {
    **_IDENTITY,
    "roi": "ROI.",
    "coverage": "Share (0 to 1) of the ROI's weight inside the brain mask, with finite and varying signal.",
    "n_voxels": "Voxels that the mean is over.",
    "n_nonfinite": "Voxels inside the mask left out because a value was not finite.",
    "tsnr": "Mean over voxels of temporal mean / temporal SD.",
}
_EXCLUSIONS = {
    **_IDENTITY,
    "rule": "Rule that was applied; thresholds by their config key.",
    "value": "What was found.",
    "threshold": "What was needed.",
    "unit": "Unit of both.",
    "stage": "Stage that decided: index, extract, denoise, connect, cohort or claim.",
    "decision": "excluded, kept or flagged.",
    "reason": "In a sentence.",
    "site": "Site of the dataset (input.datasets).",
}
_FLOW = {
    "stage": "What people had to have.",
    "group": "Group.",
    "n": "People left after the stage.",
    "n_excluded": "People whom this rule took away at this stage; n plus the stage's n_excluded is the n before.",
    "rule": "The rule.",
}
_SCORES = {
    "score": "Score.",
    "instrument": "IRI or ERQ; n/a for columns taken as they stand.",
    "subscale": "Subscale.",
    "n": "People with the score.",
    "n_missing": "People without it.",
    "mean": "Mean.",
    "sd": "Standard deviation.",
    "min": "Smallest value.",
    "max": "Largest value.",
    "possible_min": "Smallest possible value.",
    "possible_max": "Largest possible value.",
    "alpha": "Cronbach's alpha; n/a without items.",
    "omega": "McDonald's omega of one factor; n/a without items.",
}
_PREDICTED = {
    "participant_id": "Person with a run.",
    "group": "Group, by the name that the claims use.",
    "predicted": "kept or lost, as the check tells it from headers, masks, confounds and given series.",
    "found": "kept (a usable edge) or lost, after the images were read.",
    "predicted_reason": "Why lost, as predicted.",
    "reason": "Why lost.",
}
_SENSITIVITY = {
    "claim": "Claim.",
    "analysis": "What was done differently; none of these decides a verdict.",
    "n": "People used.",
    "estimate": "Estimate, in the unit of the analysis.",
    "std_error": "Standard error.",
    "dof": "Degrees of freedom.",
    "ci_low": "Lower end of the 95 % interval.",
    "ci_high": "Upper end of the 95 % interval.",
    "p": "Two-sided p.",
    "effect_size": "Hedges g, partial r, or the effect size that the analysis names.",
    "note": "Remark.",
}
_CLAIM_FLOW = {
    "claim": "Claim.",
    "step": "Order of the condition.",
    "rule": "What people had to have for this claim.",
    "n": "Rows of the cohort left.",
    "n_excluded": "Rows that the condition took away; n plus n_excluded is the n of the step before.",
}
_AXES = {
    "strategy": "Denoising strategy.",
    "global_signal": "Whether, or with how many terms, the global signal leaves the series.",
    "high_pass_hz": "High-pass, Hz; none: no limit.",
    "low_pass_hz": "Low-pass, Hz; none: no limit.",
    "fd_threshold_mm": "Framewise displacement above which a volume is left out, mm; none: no censoring.",
    "min_retained_minutes": "Minutes that must remain in a run.",
    "radius_mm": "Radius of the spheres, mm; own: as in the ROI file.",
    "smoothing_fwhm_mm": "Kernel with which the image was smoothed, mm.",
    "connectivity": "Kind of correlation.",
    "covariates": "Covariates of edges, joined by +; none: no covariate.",
    "outlier_sd": "Robust SDs beyond which people are left out; none: nobody is.",
}
_SAME_IN_CLAIMS = (
    "n", "n_per_group", "estimate", "std_error", "dof", "effect_size", "p", "ci_family_low", "ci_family_high", "reason",
)  # fmt: skip
_MULTIVERSE = {
    **_AXES,
    **{name: _CLAIMS[name] for name in _SAME_IN_CLAIMS},
    "specification": "Number of the combination; 1 is the primary analysis.",
    "primary": "Whether this is the analysis that decides the claim.",
    "claim": "Claim.",
    "p_family": "p after Holm over the family under the same specification.",
    "verdict": "What the verdict would be under this specification; the claim's own verdict is the primary's.",
    "qc_fc": "Correlation of the edge with mean FD among the claim's people: motion that stayed in.",
    "curve": "primary, or the axes by which this specification asks another question.",
}
_MULTIVERSE_JOINT = {
    "claim": "Claim.",
    "curve": "primary, or the axes by which these specifications ask another question than the primary analysis.",
    "n_specifications": "Specifications that differ for the claim.",
    "n_supported": "Those under which it is supported.",
    "n_negligible": "Those under which it is negligible.",
    "n_contradicted": "Those under which it is contradicted.",
    "n_inconclusive": "Those under which it is inconclusive.",
    "n_not_testable": "Those under which it cannot be tested.",
    "estimate_median": "Median of the estimates.",
    "estimate_low": "Smallest estimate.",
    "estimate_high": "Largest estimate.",
    "estimate_primary": "The primary analysis's estimate.",
    "share_below_primary": "Share of the other estimates below it.",
    "primary_is_outlier": "Whether it lies further out than 97.5 % of the others, or beyond Tukey's fences.",
    "median_t": "Median studentised estimate, the claimed direction positive; absolute for two-sided claims.",
    "p_median": "p of a median as large, from shared sign flips; n/a for claims of no difference.",
    "share_significant": "Share of specifications with p < alpha, in the claimed direction.",
    "p_share": "p of a share as large, from the same flips.",
    "p_joint": "The smaller of the two after Holm.",
    "n_flips": "Sign flips.",
    "decisive_axis": "The choice that moves the estimate most.",
    "decisive_share": "Its share of the variance of the estimates.",
}
_MULTIVERSE_AXES = {
    "claim": "Claim.",
    "curve": "As in multiverse_joint.tsv.",
    "axis": "Choice.",
    "with_axis": "Second choice of a pair; n/a for a choice alone.",
    "share": "Share of the variance of the estimates: of a choice what the additive model loses without it, of a pair "
    "what it gains by its combinations.",
}
_MATRIX = {
    "roi_1": "Region.",
    "roi_2": "Region.",
    "network_1": "Network of roi_1; n/a where the ROI set does not say.",
    "network_2": "Network of roi_2.",
    "n": "People who have the edge.",
    "estimate": "Contrast a - b (adjusted for covariates), or slope per unit, in Fisher z.",
    "std_error": "Its HC3 standard error.",
    "dof": "Degrees of freedom of t; 0 where the edge cannot be tested.",
    "t": "Classical t; n/a where the edge cannot be tested.",
    "p": "Two-sided p of t, uncorrected.",
    "p_fwe": "Corrected over the claim's edges by the largest |t| of each null outcome.",
    "q_fdr": "False discovery rate by Benjamini and Hochberg; beside the verdict.",
    "q_fdr_by": "The same by Benjamini and Yekutieli, which holds whatever edges depend on each other.",
    "component": "Component of edges beyond the forming threshold that share regions; 0 for none.",
}
_COMPONENTS = {
    "component": "Number, the largest intensity first.",
    "sign": "Of t: positive or negative.",
    "n_edges": "Extent.",
    "intensity": "Sum of |t| - threshold.",
    "p_extent": "Corrected by the largest extent of each null outcome (network-based statistic); beside the verdict.",
    "p_intensity": "The same by the largest intensity.",
    "n_rois": "Regions.",
    "rois": "Their names, parted by spaces.",
}
COLUMN_TEXTS = {
    "matrix": _MATRIX,
    "components": _COMPONENTS,
    "edge_claims": _CLAIMS,
    "cohort": _COHORT,
    "edges": _EDGES,
    "exclusions": _EXCLUSIONS,
    "flow": _FLOW,
    "quality": _QUALITY,
    "coverage": _COVERAGE,
    "scores": _SCORES,
    "predicted": _PREDICTED,
    "claims": _CLAIMS,
    "claim_flow": _CLAIM_FLOW,
    "sensitivity": _SENSITIVITY,
    "multiverse": _MULTIVERSE,
    "multiverse_joint": _MULTIVERSE_JOINT,
    "multiverse_axes": _MULTIVERSE_AXES,
}


def describe_columns(table: str, columns: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return the sidecar of a table: column to its description.

    Parameters
    ----------
    table : str
        Stem of the file in group/.
    columns : sequence of str
        Its columns. In the cohort, columns named by the user (scores, edges, covariates) are described as such.
    """
    if table.startswith("matrix_"):
        table = "components" if table.endswith("_components") else "matrix"
    texts = COLUMN_TEXTS[table]
    own = "Named in the config: a score, the Fisher z of an edge, or a column that a claim or covariate uses."
    return {name: {"Description": texts.get(name, own)} for name in columns}
