"""The words of docs/calibration.md."""

TITLES = {
    "normal": "Normal, equal variances",
    "unequal": "Normal, SD of therapists twice, of women 1.5 times",
    "skew": "Skew 1 of the same shape, equal n (52 and 52)",
    "sesoi": "Normal, every effect on its bound",
    "pairs": "40 people twice, SD of the second session 1.5 times",
    "families": "56 families of 1 to 4 people, exchanged as wholes, correlation 0.6 within a family",
    "comparisons": "Slopes, differences and changes compared, one mean, three levels; SD of one side 1.5 times",
    "comparisons-sesoi": "The same, equal variances, every effect on its bound",
    "stress-cells": "Skew 2, SD of 12 therapists three times that of 40 controls",
    "stress-cells-small-sd": "Skew 2, SD of 40 controls three times that of 12 therapists",
    "stress-motion": "Therapists move 1 SD more, motion lowers both edges (0.5 SD per SD)",
    "stress-noisy-fd": "The same, and half of the variance of mean FD is error",
}
MAP_TITLES = {
    "maps": "Equal variances",
    "maps-tfce": "Equal variances",
    "maps-unequal": "SD of one group twice the other's",
}

INTRODUCTION = """# Calibration: how often the verdicts are wrong

Written by `make calibrate` (`benchmarks/calibrate.py`); every number on this page is computed, none is typed. Each
cohort goes through `rsconn.study.claims.evaluation.evaluate_claims`, the one way to a verdict that the workflow
uses, with the study's own 21 claims in their Holm families (and one added claim, U1, because none of the 21 says
"unrelated"); people measured twice have four paired claims of their own, D1 to D4, families five, G1 to G5, and
claims that compare, of one mean and of three levels are K1 to K13.

A verdict is easiest to get wrong at the edge of its null hypothesis, so that is where the cohorts are drawn: every
claim of a difference or an association has an effect of exactly zero, and every claim of no difference lies exactly
on its smallest effect of interest. Then *any* "supported" is false. In the scenario `sesoi` each effect lies on the
smallest effect of interest, in the claimed direction, and any "negligible" or "contradicted" is false.

A rate passes when it keeps its bound within {margin} Monte Carlo (MC) errors, the standard error of a simulated rate
at the bound. Permutation p values have {n_permutations} permutations in every cohort. "Any false support" includes
claims of both kinds; permutation and sign-flip p values never decide a verdict, and they assume exchangeable errors:
unequal variances break that, and studentising repairs it in large samples only (a slope that adjusts for the group
is permuted within the groups)."""

FIGURE = """![Rates against their bounds, by scenario](images/calibration.svg)

Each mark is a claim, a family or a statistic; the line is its bound, the band what chance alone explains."""

STRESS = """## Stress scenarios

No pass mark: these lie outside what any of the tests promises, and the rates say how far one may be misled. The
report flags a claim whose design resembles one of them.

"""

WARNINGS = """### How often the report warns

Share of claims whose design `rsconn.study.claims.covariates.find_stress` calls stressed: small cells of unequal n and
variance, strong skew where it does not cancel, a slope that hangs on one person. It sees one sample and not the
population, so it warns now and then where nothing is wrong, and misses some of what is. Motion that goes with a
contrast has a flag of its own, `motion`, which is not counted here.

"""

PLANTED = """## Power and accuracy on the simulated study

The demo's own cohorts (52 and 92 people with scores, 18 and 18 scanned; bounded, skewed sums, people who are lost to
motion or have missing answers), through the same code. The true verdict is the one that unlimited data would give.
Of an effect that has the claimed direction but is smaller than the smallest effect of interest (S4, B5) it is
"negligible", flagged "in the claimed direction"; "supported" says less and is true as well."""

MAPS = """## Seed maps

Maps without any effect through `rsconn.inference.voxelwise.flip_maps`, the test of the groups' difference in seed
maps: {n} people ({n_group} and {n_group}), the simulated brain at {mm} mm ({n_voxels} voxels), stationary Gaussian
fields of {fwhm} mm FWHM, the difference adjusted for age, sex and mean FD. Counted is whether *anything* is found: any
voxel's or cluster's corrected p ≤ 5 %. {n_permutations} sign flips per cohort, {n_tfce} with TFCE: p = (b + 1) /
(B + 1) is at most 5 % in 5 % of cohorts for any B for which 0.05 (B + 1) is a whole number, ties aside; more flips
gain power and no validity. Cluster sizes are small whole numbers with many ties, so extent is careful. Flips are
nearly exact, for unequal variances less so, and the last rows have no pass mark.

"""

MAP_WAYS = """Both ways of making null maps in small ones ({shape} voxels, FWHM {fwhm} voxels, {n_null} null maps,
cluster-forming p {forming}, three covariates; a slope's score is skewed, its permutations stay within the groups):
flips / permutation, in cohorts without any effect; MC error {error}. Maps flip signs for the groups' difference and
permute for slopes.

"""

REGIONS = """## Circular regions

A region that was chosen for its difference between the groups shows that difference, whether or not there is any.
{n} null cohorts of {n_group} and {n_group} people with three covariates and smooth fields of {shape} voxels; the
region is every voxel that exceeds in one direction (cluster-forming p {forming}, two-sided). *Same data*: the usual t
test of the people's means over the region. *Without each person*: the region is found in all others, and the person's
mean taken there; the usual t test of these means is still wrong, as every person takes part in finding all others'
regions. *Selection repeated*: `rsconn.inference.folds.permute_left_out` repeats folds, regions, means and model in
each of {n_permutations} permutations; counted is whether the region of either
direction has p ≤ 5 %. Cohorts without a region have no p; MC error {error}.

"""

REAL = """## Real data, shuffled

Real people of two sites (`config/examples/rpn.yaml`), those of 70 whom the published study kept: the site and each
score are shuffled over the people, so that neither goes with anything, while the real distributions stay. The claims
that the sites do *not* differ, and that the scores are unrelated, are then true; to each claim on the sites one is
added that they do differ (`-differ`), which is false. `edge1` to `edge4`, `sex3` and `sex4` are false too. Sex is not
shuffled against the edges, so `sex1` and `sex2` have no known truth.

"""

IMAGES = """## From images on

Null studies of 18 and 18 people, simulated as 4-D images of 8 mm voxels (150 volumes, TR 2 s) with confounds, then
extracted, denoised (aCompCor, motion, 0.01-0.08 Hz, FD censoring), connected, joined and evaluated by the same steps
that the workflow runs, without Snakemake. All share one head; everything else is drawn anew. The scores' claims take
no part, as no image touches them. No pass mark: with this many studies chance alone is too large.

"""

LIMITS = """## What this does not show

- The smallest effect of interest is turned into raw units by the sample's own SDs. Their error is not in the tests'
  standard errors, which makes tests at the bound slightly liberal; the rows of TOST and of p_contradict include it.
- The sexes are balanced by design, as the study's are, and where they differ within a group the test between groups
  is careful: part of what it takes for chance is fixed (P1 to P4).
- Sites with effects of their own are not simulated.
- With unequal variances verdicts keep their bounds (`unequal`), maps nearly: see the last rows of their table.
- Maps are stationary Gaussian fields, not fMRI; so are the regions found in them.
- Nothing here says that a preprocessing is right: images are simulated as rsconn expects them."""

COSTS = """## What was computed

CPU minutes on the machine that wrote this page; results are kept by a digest of the code that they depend on.

"""

ADOPTED = """

Computed before a later change of the code, and kept because the first stored chunk of each comes out the same to 8
digits after it: {names}."""
