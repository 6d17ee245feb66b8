"""Claims files, and the study's 24 claims against the table of the scientific brief."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rsconn.settings.claims import Claim, Contrast, Where, hash_claims, read_claims

# id, family, sample, outcome, what it is compared by, expectation: read off the sentences of the study.
STUDY = """
P1  psychometric    -          FS         group     greater
P2  psychometric    -          PT         group     greater
P3  psychometric    -          EC         group     equivalent
P4  psychometric    -          PD         group     equivalent
P5  psychometric    -          ES         group     less
P6  psychometric    -          CR         group     equivalent
S1a sex             therapist  FS         sex       equivalent
S1b sex             therapist  PT         sex       equivalent
S1c sex             therapist  EC         sex       equivalent
S1d sex             therapist  PD         sex       equivalent
S2  sex             control    EC         sex       greater
S3  sex             control    ES         sex       less
S4  sex             -          ES         MT-FC     less
S5  sex             -          ES         MT-MC     less
F1  connectivity    -          LAI-dmPFC  group     greater
F2  connectivity    -          rACC-oPFC  group     less
B1  brain-behaviour therapist  LAI-dmPFC  PT        negative
B2  brain-behaviour therapist  rACC-oPFC  PT        negative
B3  brain-behaviour -          LAI-dmPFC  FS        associated
B4  brain-behaviour -          rACC-oPFC  PT        negative
B5  brain-behaviour -          rACC-oPFC  ES        negative
S2x sex             -          EC         sex-by-group greater
S3x sex             -          ES         sex-by-group less
B3x brain-behaviour -          LAI-dmPFC  FS-by-group equivalent
"""
CELLS = {
    "group == 'therapist' and sex == 'M'": "MT",
    "group == 'control' and sex == 'F'": "FC",
    "group == 'control' and sex == 'M'": "MC",
}
SIDES = {"group": ("therapist", "control"), "sex": ("F", "M")}


@pytest.fixture(scope="module")
def claims(root: Path) -> tuple[Claim, ...]:
    return read_claims(root / "config" / "studies" / "olalde-mathieu-2022" / "claims.yaml")


def describe_comparison(claim: Claim) -> str:
    if claim.exploratory and claim.contrast is not None:
        assert claim.between is None or (claim.between.a, claim.between.b) == ("control", "therapist")
        return f"{claim.predictor or claim.contrast.column}-by-group"
    if claim.contrast is None:
        return str(claim.predictor)
    if claim.contrast.column is None:
        return "-".join(
            CELLS[side.where] for side in (claim.contrast.a, claim.contrast.b) if isinstance(side, Where)
        )
    assert (claim.contrast.a, claim.contrast.b) == SIDES[claim.contrast.column]
    return claim.contrast.column


def test_the_study_has_its_24_claims(claims: tuple[Claim, ...]) -> None:
    samples = {"": "-", "group == 'therapist'": "therapist", "group == 'control'": "control"}
    found = [
        [
            claim.id,
            claim.family,
            samples[claim.sample],
            claim.outcome,
            describe_comparison(claim),
            claim.expect,
        ]
        for claim in claims
    ]
    assert found == [line.split() for line in STUDY.strip().splitlines()]


def test_every_claim_has_a_sentence_and_a_source(claims: tuple[Claim, ...]) -> None:
    for claim in claims:
        assert claim.text.endswith(".")
        assert claim.source


def test_notes_stand_where_the_sources_are_silent(claims: tuple[Claim, ...]) -> None:
    noted = {claim.id for claim in claims if claim.notes}
    assert noted == {
        "P3",
        "P4",
        "P6",
        "S1a",
        "S1b",
        "S1c",
        "S1d",
        "B1",
        "B2",
        "B3",
        "B4",
        "B5",
        "S2x",
        "S3x",
        "B3x",
    }


def test_pooled_claims_adjust_for_group(claims: tuple[Claim, ...]) -> None:
    own = {claim.id: claim.covariates for claim in claims if claim.covariates is not None}
    assert own == dict.fromkeys(("B3", "B4", "B5"), ("group", "age", "sex", "mean_fd"))


def write(path: Path, **changes: object) -> tuple[Claim, ...]:
    claim = {
        "id": "X",
        "family": "f",
        "text": "t",
        "outcome": "A-B",
        "contrast": {"column": "group", "a": "1", "b": "0"},
        "expect": "greater",
    }
    path.write_text(yaml.safe_dump([claim | changes]))
    return read_claims(path)


def test_levels_may_be_written_as_numbers(tmp_path: Path) -> None:
    (claim,) = write(tmp_path / "c.yaml", contrast={"column": "group", "a": 1, "b": 0})
    assert claim.contrast == Contrast(column="group", a="1", b="0")


def test_defaults(tmp_path: Path) -> None:
    (claim,) = write(tmp_path / "c.yaml")
    assert (claim.sample, claim.covariates, claim.alpha, claim.sesoi, claim.notes) == (
        "",
        None,
        None,
        None,
        (),
    )
    assert not claim.exploratory
    assert not claim.paired


def test_an_empty_list_of_covariates_is_not_the_default(tmp_path: Path) -> None:
    assert write(tmp_path / "c.yaml", covariates=[])[0].covariates == ()


def test_hash_is_of_the_content_not_of_the_layout(tmp_path: Path) -> None:
    first = hash_claims(write(tmp_path / "a.yaml"))
    (tmp_path / "b.yaml").write_text(
        "# a comment\n- {text: t, expect: greater, family: f, id: X, outcome: A-B, exploratory: no,\n"
        "   contrast: {b: 0, a: 1, column: group}}\n"
    )
    assert hash_claims(read_claims(tmp_path / "b.yaml")) == first
    assert hash_claims(write(tmp_path / "c.yaml", alpha=0.01)) != first
    assert hash_claims(write(tmp_path / "d.yaml", expect="less")) != first
    assert len(first) == 64
