"""The words of docs/calibration.md."""

INTRODUCTION = """# Calibration: how often the verdicts are wrong

Written by `make calibrate` (`benchmarks/calibrate.py`); every number on this page is computed, none is typed. Each
cohort goes through `rsconn.study.evaluation.evaluate_claims`, the one way to a verdict that the workflow uses, with
the study's own 21 claims in their Holm families (and one added claim, U1, because none of the 21 says "unrelated").

A verdict is easiest to get wrong at the edge of its null hypothesis, so that is where the cohorts are drawn: every
claim of a difference or an association has an effect of exactly zero, and every claim of no difference lies exactly
on its smallest effect of interest. Then *any* "supported" is false. In the last guarantee scenario each effect lies
on the smallest effect of interest, in the claimed direction, and any "contradicted" is false.

A rate passes when it keeps its bound within {margin} Monte Carlo (MC) errors, the standard error of a simulated rate
at the bound. Permutation p values have {n_permutations} permutations and fewer cohorts where the table says so. "Any
false support" includes claims of both kinds; permutation and sign-flip p values never decide a verdict, and they
assume exchangeable errors: unequal variances break that, and studentising repairs it in large samples only."""

FIGURE = """![Rates per claim against their bounds](images/calibration.svg)

Each dot is a claim or a family; the line is the bound, the band what chance alone explains."""

STRESS = """## Stress scenarios

No pass mark: these lie outside what any of the tests promises, and the rates say how far one may be misled. The
report flags a claim whose design resembles one of them.

"""

WARNINGS = """### How often the report warns

Share of claims whose design `rsconn.study.design_warnings.find_stress` calls stressed: small cells of unequal n and
variance, strong skew where it does not cancel, a slope that hangs on one person. It sees one sample and not the
population, so it warns now and then where nothing is wrong, and misses some of what is. Motion that goes with a
contrast has a flag of its own, `motion`, which is not counted here.

"""

PLANTED = """## Power and accuracy on the simulated study

The demo's own cohorts (52 and 92 people with scores, 18 and 18 scanned; bounded, skewed sums, people who are lost to
motion or have missing answers), through the same code. The true verdict is the one that unlimited data would give.
Of an effect that has the claimed direction but is smaller than the smallest effect of interest (S4, B5), "contradicted"
because it is too small is true as well; unlimited data would say "supported" and flag it "smaller than sesoi"."""

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

- Paired claims are not simulated here; they are the same estimator on within-person differences.
- The smallest effect of interest is turned into raw units by the sample's own SDs. Their error is not in the tests'
  standard errors, which makes tests at the bound slightly liberal; the rows of TOST and of p_contradict include it.
- The sexes are balanced by design, as the study's are, and where they differ within a group the test between groups
  is careful: part of what it takes for chance is fixed (P1 to P4).
- Cohorts are independent people. Families and twins, or sites with effects of their own, are not simulated.
- Nothing here says that a preprocessing is right: images are simulated as rsconn expects them."""
