"""Permutations within blocks: who may be exchanged with whom."""

import numpy as np
import pandas as pd

from rsconn.inference.permutation import permute
from rsconn.settings.claims import Claim
from rsconn.study.claims.designs import Terms, build_model
from rsconn.study.people.used_columns import make_columns

SITES = np.repeat(["x", "y", "z"], 8)


def _claim(**changes):
    content = {
        "id": "X", "family": "f", "text": "t", "outcome": "PT",
        "contrast": {"column": "group", "a": "T", "b": "C"}, "expect": "greater",
    }  # fmt: skip
    return Claim(**(content | changes))


def _build(claim, exchange_within):
    rng = np.random.default_rng(1)
    cohort = pd.DataFrame({
        "participant_id": [f"sub-{number:02d}" for number in range(24)],
        "session": [None] * 24,
        "group": ["T", "C"] * 12,
        "site": SITES,
        "PT": rng.normal(size=24) + (SITES == "y") * 20,
    })  # fmt: skip
    cohort.loc[3, "site"] = None
    terms = Terms(frozenset(), exchange_within=exchange_within)
    return build_model(claim, make_columns(cohort), terms).model


def test_blocks_are_the_values_of_the_column_and_missing_is_one():
    model = _build(_claim(), "site")
    blocks = model.blocks
    assert len(set(blocks)) == 4
    assert len(set(blocks[[0, 1, 2, 4, 5, 6, 7]])) == 1
    assert (blocks == blocks[3]).sum() == 1


def test_without_the_option_everybody_may_be_exchanged():
    assert _build(_claim(), None).blocks is None


def test_a_contrast_of_the_blocks_themselves_is_permuted_freely():
    claim = _claim(contrast={"column": "site", "a": "x", "b": "z"})
    assert _build(claim, "site").blocks is None


def test_exchange_within_sites_keeps_their_difference_out_of_the_null():
    (within,) = permute([_build(_claim(), "site")], n_permutations=999, seed=1)
    (freely,) = permute([_build(_claim(), None)], n_permutations=999, seed=1)
    assert within.p != freely.p


def _build_slope(covariates, exchange_within=None, **columns):
    rng = np.random.default_rng(2)
    cohort = pd.DataFrame({
        "participant_id": [f"sub-{number:02d}" for number in range(24)],
        "session": [None] * 24,
        "group": ["T", "C"] * 12,
        "arm": ["1", "0"] * 12,
        "site": SITES,
        "PT": rng.normal(size=24),
        "EC": rng.normal(size=24),
    } | columns)  # fmt: skip
    claim = _claim(contrast=None, predictor="EC", expect="positive", covariates=covariates)
    terms = Terms(frozenset(), group_column="arm", exchange_within=exchange_within)
    return build_model(claim, make_columns(cohort), terms).model


def test_a_slope_adjusted_for_the_group_is_exchanged_within_the_groups():
    groups = np.array([1, 0] * 12)
    for name in ("group", "arm"):
        blocks = _build_slope([name]).blocks
        assert len(set(blocks)) == 2
        assert len(set(zip(blocks, groups, strict=True))) == 2
    assert _build_slope(["site"]).blocks is None


def test_a_slope_adjusted_for_the_group_is_exchanged_within_groups_and_sites():
    blocks = _build_slope(["group", "site"], exchange_within="site").blocks
    assert len(set(blocks)) == 6
    assert len(set(zip(blocks, SITES, ["T", "C"] * 12, strict=True))) == 6


def test_blocks_that_leave_nothing_to_exchange_are_coarsened():
    fixed = np.array([{"x": 1.0, "y": 2.0, "z": 3.0}[site] for site in SITES])
    blocks = _build_slope(["group"], exchange_within="site", EC=fixed).blocks
    assert len(set(blocks)) == 2


def test_exchange_within_groups_keeps_its_size_where_the_groups_spread_differs():
    # exchanged freely, 10 % of these cohorts have p <= 0.05
    group = np.repeat(["T", "C"], [28, 8])
    spread = np.where(group == "T", 0.25, 1.0)
    claim = _claim(contrast=None, predictor="EC", expect="positive", covariates=["group"])
    people = {"participant_id": [f"s{i:02d}" for i in range(36)], "session": [None] * 36, "group": group}
    rng, hits, n_cohorts = np.random.default_rng(20220401), 0, 1000
    for cohort in range(n_cohorts):
        scores = {"PT": spread * rng.normal(size=36), "EC": spread * rng.normal(size=36)}
        model = build_model(claim, make_columns(pd.DataFrame(people | scores)), Terms(frozenset())).model
        (test,) = permute([model], n_permutations=199, seed=cohort)
        hits += test.p <= 0.05
    assert abs(hits / n_cohorts - 0.05) < 3 * (0.05 * 0.95 / n_cohorts) ** 0.5
