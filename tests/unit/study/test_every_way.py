"""What a way of analysing makes of a claim, and whom its rule for outliers leaves out."""

from __future__ import annotations

import numpy as np
import pytest

from rsconn.analysis.specification import Specification
from rsconn.settings.claims import Claim
from rsconn.settings.ways import Way
from rsconn.study.claims.every_way import change_claim, find_inliers

SEXES = {"column": "sex", "a": "F", "b": "M"}


def make_claim(**keys: object) -> Claim:
    told = {"id": "C", "family": "f", "text": "Something.", "outcome": "A-B", "expect": "greater"}
    return Claim.model_validate({**told, "contrast": SEXES, **keys})


def make_way(**keys: object) -> Way:
    return Way((), Specification(), (), **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (("site", "age"), ("site", "mean_fd")),
        (("age",), ("mean_fd",)),
        (None, None),
    ],
)
def test_a_claims_own_covariates_stay_and_what_it_is_about_is_not_added(own, expected) -> None:
    way = make_way(covariates=("sex", "mean_fd"))
    assert change_claim(make_claim(covariates=own), way, ("age", "sex", "mean_fd")).covariates == expected


def test_another_version_of_a_score_takes_its_place() -> None:
    claim = make_claim(contrast=None, predictor="PT", expect="positive")
    assert change_claim(claim, make_way(scores=(("PT", "PT_peer"),)), ()).predictor == "PT_peer"
    assert change_claim(claim, make_way(), ()) is claim


def test_people_far_from_their_own_side_are_left_out() -> None:
    z = np.array([0.0, 0.1, 0.2, 0.9, 1.0, 1.1, 1.2, 5.0, np.nan])
    columns = {"A-B": z, "sex": np.array(list("FFFMMMMMF"), dtype=object), "participant_id": np.arange(9)}
    keep = find_inliers(make_claim(), columns, ["A-B"], 3.0)
    assert keep.tolist() == [True] * 7 + [False, True]
