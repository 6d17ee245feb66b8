"""Permutations within blocks: who may be exchanged with whom."""

import numpy as np
import pandas as pd

from rsconn.settings.claims import Claim
from rsconn.study.columns import make_columns
from rsconn.study.designs import Terms, build_model

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
    from rsconn.inference.permutation import permute

    (within,) = permute([_build(_claim(), "site")], n_permutations=999, seed=1)
    (freely,) = permute([_build(_claim(), None)], n_permutations=999, seed=1)
    assert within.p != freely.p
