"""The one way from a cohort table to verdicts: the workflow, power and calibration all come through here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from rsconn.inference.estimators import adjust_holm
from rsconn.inference.permutation import PermutationTest, permute, sign_flip_maxt
from rsconn.settings.claims import Verdict
from rsconn.study.claims.claim_table import FamilyResult, judge, tabulate_claims
from rsconn.study.claims.covariates import find_stress
from rsconn.study.claims.designs import Design, Terms, build_model, read_terms
from rsconn.study.claims.flags import Flag
from rsconn.study.claims.verdicts import ClaimTest, get_rule, run_claim_test
from rsconn.study.people.used_columns import Columns, make_columns
from rsconn.study.second_looks.fragility import DesignSource, Fragility, find_fragility
from rsconn.study.second_looks.motion_checks import check_motion
from rsconn.study.second_looks.slopes import compare_slopes

if TYPE_CHECKING:
    from rsconn.settings.config import Config
    from rsconn.settings.sections import InferenceSettings

FLOW_COLUMNS = ("claim", "step", "rule", "n", "n_excluded")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a cohort says of every claim.

    Attributes
    ----------
    claims : DataFrame
        One row per claim, in the order of the claims (`rsconn.study.claims.claim_table.CLAIM_COLUMNS`).
    flow : DataFrame
        Per claim, how many people were left after each condition; the numbers add up.
    designs : dict of str to Design
        Claim id to its model and people.
    tests, results
        Per claim, what was computed of it alone and of its family.
    fragility : dict of str to Fragility
        Claim id to its leave-one-out results; testable claims only.
    """

    claims: pd.DataFrame
    flow: pd.DataFrame
    designs: Mapping[str, Design] = field(repr=False)
    tests: tuple[ClaimTest, ...] = field(repr=False)
    results: tuple[FamilyResult, ...] = field(repr=False)
    fragility: Mapping[str, Fragility] = field(repr=False)


def evaluate_claims(cohort: pd.DataFrame, config: Config, *, describe: bool = True) -> Evaluation:
    """Test every claim on a cohort.

    Parameters
    ----------
    cohort : DataFrame
        One row per person (and session): participant_id, group, scores, edges and whatever claims name.
    config : Config
        Claims, covariates, groups, edges, inference and circularity.
    describe : bool
        Fill in what decides nothing. Without it (power, calibration) estimates, p, verdicts and their own flags
        are the same and come several times faster.

    Returns
    -------
    Evaluation
        The same cohort and config give the same bytes; the order of the cohort's rows does not matter.

    Raises
    ------
    TableError
        If a claim names a column that the cohort lacks, or needs numbers where it has words.
    """
    columns, terms = sort_columns(cohort), read_terms(config)
    designs = {claim.id: build_model(claim, columns, terms) for claim in config.claims}
    tests = tuple(run_claim_test(claim, designs[claim.id], config.inference) for claim in config.claims)
    results = correct_families(tests, config.inference)
    fragility: dict[str, Fragility] = {}
    warnings: dict[str, list[str]] = {}
    if describe:
        fragility = _leave_out(tests, results, DesignSource(columns, terms, config.inference))
        warnings = {
            test.claim.id: _list_warnings(test, result, fragility, columns, terms)
            for test, result in zip(tests, results, strict=True)
        }
    table = tabulate_claims(tests, results, warnings, describe=describe)
    return Evaluation(table, _list_flow(designs), designs, tests, results, fragility)


def sort_columns(cohort: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the cohort's columns (`rsconn.study.people.used_columns.make_columns`), sorted by person and session."""
    keys = [name for name in ("participant_id", "session") if name in cohort]
    return make_columns(cohort.sort_values(keys, kind="stable"))


def correct_families(tests: Sequence[ClaimTest], inference: InferenceSettings) -> tuple[FamilyResult, ...]:
    """Correct both sets of p over each family's testable claims, and resample what can be.

    Parameters
    ----------
    tests : sequence of ClaimTest
        All claims, so that families are whole.
    inference : InferenceSettings
        Permutations; without any, what they would fill in stays NaN.
    """
    permuted, maxt = _resample(tests, inference)
    results: dict[str, FamilyResult] = {}
    for family in dict.fromkeys(test.family for test in tests):
        members = [test for test in tests if test.family == family]
        findings = [test.finding for test in members]
        supporting = adjust_holm([finding.p if finding else math.nan for finding in findings])
        contradicting = adjust_holm([finding.p_contradict if finding else math.nan for finding in findings])
        m = sum(finding is not None for finding in findings)
        for test, p, p_contradict in zip(members, supporting, contradicting, strict=True):
            own = permuted.get(test.claim.id)
            results[test.claim.id] = FamilyResult(
                m,
                float(p),
                float(p_contradict),
                own.p if own else math.nan,
                maxt.get(test.claim.id, math.nan),
                own.exact if own else False,
            )
    return tuple(results[test.claim.id] for test in tests)


def _resample(
    tests: Sequence[ClaimTest], inference: InferenceSettings
) -> tuple[dict[str, PermutationTest], dict[str, float]]:
    """Permute each testable claim of a difference, and flip signs over each family; by claim id."""
    found = [
        (test, test.finding.model)
        for test in tests
        if test.finding is not None and get_rule(test.claim.expect) != "equivalence"
    ]
    if not found or inference.n_permutations == 0:
        return {}, {}
    ids, models = [test.claim.id for test, _ in found], [model for _, model in found]
    settings = {"n_permutations": inference.n_permutations, "seed": inference.seed}
    permuted = permute(models, **settings)
    maxt = sign_flip_maxt(models, [test.family for test, _ in found], **settings)
    return dict(zip(ids, permuted, strict=True)), dict(zip(ids, map(float, maxt), strict=True))


def _leave_out(
    tests: Sequence[ClaimTest], results: Sequence[FamilyResult], source: DesignSource
) -> dict[str, Fragility]:
    found: dict[str, Fragility] = {}
    for family in dict.fromkeys(test.family for test in tests):
        members = [place for place, test in enumerate(tests) if test.family == family]
        found |= find_fragility([tests[i] for i in members], [results[i] for i in members], source)
    return found


def _list_warnings(
    test: ClaimTest,
    result: FamilyResult,
    fragility: Mapping[str, Fragility],
    columns: Columns,
    terms: Terms,
) -> list[str]:
    """Return the flags that the claim's sensitivity analyses raise."""
    warnings: list[str] = []
    own = fragility.get(test.claim.id)
    # a claim that cannot be tested has no fragility
    if own is not None and own.changed and judge(test, result).verdict is not Verdict.INCONCLUSIVE:
        warnings.append(Flag.FRAGILE)
    slopes = compare_slopes(test.claim, test.design, columns, terms)
    if slopes is not None and slopes.signs_differ:
        warnings.append(Flag.SLOPES_DIFFER)
    motion = check_motion(test.claim, test.design, columns, terms)
    if motion is not None and motion.is_threat:
        warnings.append(Flag.MOTION)
    if test.finding is not None:
        warnings += [stress.flag for stress in find_stress(test.finding.model)]
    return warnings


def _list_flow(designs: Mapping[str, Design]) -> pd.DataFrame:
    rows = [
        (claim, number, step.rule, step.n, step.n_excluded)
        for claim, design in designs.items()
        for number, step in enumerate(design.flow, start=1)
    ]
    return pd.DataFrame(rows, columns=list(FLOW_COLUMNS))
