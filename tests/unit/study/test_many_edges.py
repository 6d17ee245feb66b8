"""Claims on many edges: read, checked, tested and judged."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from rsconn.errors import UserError
from rsconn.report.figures.edge_matrix import order_regions, plot_edge_matrix
from rsconn.settings.claims import read_claims
from rsconn.settings.config import read_config
from rsconn.settings.edge_claims import ANY_EDGE, EdgeClaim, check_edge_claims, list_pairs, read_edge_claims
from rsconn.settings.rois import Roi, RoiSet
from rsconn.settings.sections import InferenceSettings
from rsconn.study.claims.designs import Terms
from rsconn.study.claims.many_edges import (
    ManyEdges,
    evaluate_edge_claim,
    tabulate_components,
    tabulate_edge_claims,
    tabulate_matrix,
)

N, N_ROIS = 40, 6
CLAIM = {
    "id": "N1", "family": "networks", "text": "Some edge differs.", "outcome": {"edges": "all"},
    "contrast": {"column": "group", "a": "t", "b": "c"}, "expect": "different",
}  # fmt: skip
ROIS = RoiSet(
    name="A",
    rois=tuple(Roi(name=f"r{i}", column=f"r{i}", network="X" if i < 4 else "Y") for i in range(N_ROIS)),
)
INFERENCE = InferenceSettings(n_permutations=199, seed=1)


def make_cohort() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "participant_id": np.array([f"sub-{i:02d}" for i in range(N)], dtype=object),
        "group": np.array(["t"] * 18 + ["c"] * 22, dtype=object),
        "age": rng.normal(40, 9, N),
        "PT": rng.normal(18, 4, N),
    }


def make_z(planted: float) -> np.ndarray:
    z = np.random.default_rng(1).normal(0.2, 0.2, (N, N_ROIS, N_ROIS))
    z = (z + z.transpose(0, 2, 1)) / np.sqrt(2)
    for first, second in ((0, 1), (1, 2)):
        z[:18, first, second] += planted
        z[:18, second, first] += planted
    z[:, range(N_ROIS), range(N_ROIS)] = np.nan
    return z


def evaluate(z: np.ndarray, **changed: object) -> ManyEdges:
    claim = EdgeClaim.model_validate({**CLAIM, **changed})
    terms = Terms(edges=frozenset({ANY_EDGE}), edge_covariates=("age",))
    return evaluate_edge_claim(claim, make_cohort(), z, ROIS, terms, INFERENCE)


def judge_all(*found: ManyEdges) -> pd.DataFrame:
    config = SimpleNamespace(inference=INFERENCE, rois=ROIS)
    return tabulate_edge_claims(found, config)  # type: ignore[arg-type]


def test_a_planted_component_is_found_and_supports_the_claim() -> None:
    found = evaluate(make_z(0.6), forming_p=0.01)
    [row] = judge_all(found).to_dict("records")
    assert (row["verdict"], row["n"], row["n_per_group"]) == ("supported", 40, "a=18;b=22")
    assert row["p"] == row["p_family"] == np.nanmin(found.test.p_fwe)  # type: ignore[union-attr]
    matrix = tabulate_matrix(found, ROIS)
    assert len(matrix) == 15
    strongest = matrix.loc[matrix["t"].abs().nlargest(2).index]
    assert set(strongest["roi_1"] + strongest["roi_2"]) == {"r0r1", "r1r2"}
    components = tabulate_components(found, ROIS)
    assert components.loc[0, "rois"].split()[:3] == ["r0", "r1", "r2"]
    assert components.loc[0, "p_intensity"] < 0.05


def test_the_covariates_are_those_of_edges() -> None:
    z = make_z(0.0)
    found, columns = evaluate(z), make_cohort()
    design = np.column_stack([columns["group"] == "t", np.ones(N), columns["age"]]).astype(float)
    coefficients, *_ = np.linalg.lstsq(design, z[:, 2, 4], rcond=None)
    place = list_pairs(found.claim.outcome, ROIS).index((2, 4))
    assert found.design.covariates == ("age",)
    assert found.estimates[place] == pytest.approx(coefficients[0])


def test_nothing_planted_is_inconclusive_with_the_n_that_could_decide() -> None:
    [row] = judge_all(evaluate(make_z(0.0))).to_dict("records")
    assert row["verdict"] == "inconclusive"
    assert "people needed for 80% power at g 0.5 (a default)" in row["reason"]
    # one edge of many needs a larger effect than a claim on one edge
    assert row["min_detectable"] > 0.9


def test_edges_that_hardly_differ_are_negligible_for_a_wide_bound() -> None:
    z = np.random.default_rng(3).permutation(np.linspace(0, 1, N))[:, np.newaxis, np.newaxis]
    [row] = judge_all(evaluate(0.01 * make_z(0.0) + z, sesoi=3.0)).to_dict("records")
    assert row["verdict"] == "negligible"


def test_claims_of_a_family_are_corrected_over_each_other() -> None:
    one, other = evaluate(make_z(0.6)), evaluate(make_z(0.0), id="N2")
    table = judge_all(one, other)
    assert table["p_family"].iloc[0] == pytest.approx(2 * one.p)


def test_people_without_any_edge_leave_by_a_row_of_the_flow() -> None:
    z = make_z(0.6)
    z[[3, 30]] = np.nan
    found = evaluate(z)
    assert found.design.n == N - 2
    assert [step.rule for step in found.design.flow if step.n_excluded] == [f"no {ANY_EDGE}"]


def test_a_side_of_few_people_is_not_tested() -> None:
    z = make_z(0.6)
    z[4:18] = np.nan
    found = evaluate(z)
    [row] = judge_all(found).to_dict("records")
    assert row["verdict"] == "not testable"
    assert "fewer than 5 people" in row["reason"]
    assert not len(tabulate_matrix(found, ROIS))


@pytest.mark.parametrize(
    ("edges", "count"),
    [("all", 15), ({"within": "X"}, 6), ({"within": ["X", "Y"]}, 7), ({"between": ["X", "Y"]}, 8)],
)
def test_networks_choose_edges(edges: object, count: int) -> None:
    claim = EdgeClaim.model_validate({**CLAIM, "outcome": {"edges": edges}})
    assert len(list_pairs(claim.outcome, ROIS)) == count


def write_claims(folder: Path, *claims: dict[str, object]) -> Path:
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump(list(claims)))
    return path


def test_both_sorts_of_claims_stand_in_one_file(tmp_path: Path) -> None:
    other = {**CLAIM, "id": "F1", "family": "f", "outcome": "r0-r1", "expect": "greater"}
    path = write_claims(tmp_path, CLAIM, other)
    assert [claim.id for claim in read_claims(path)] == ["F1"]
    assert [claim.id for claim in read_edge_claims(path)] == ["N1"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"expect": "greater"}, "expect: 'greater' found"),
        ({"expect": "associated"}, "does not go with a contrast; different needed"),
        ({"outcome": {"edges": {"within": "X", "between": ["X", "Y"]}}}, "one of within"),
        ({"outcome": {"edge": "all"}}, "unknown key; did you mean 'edges'"),
        ({"contrast": None}, "needed"),
    ],
)
def test_mistakes_name_claim_and_key(tmp_path: Path, changed: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match="claim N1") as caught:
        read_edge_claims(write_claims(tmp_path, {**CLAIM, **changed}))
    assert words in str(caught.value)


def test_contradictions_with_regions_and_other_claims(tmp_path: Path) -> None:
    other = {**CLAIM, "id": "N1", "outcome": "r0-r1", "expect": "greater"}
    claims = read_claims(write_claims(tmp_path, other))
    wrong = EdgeClaim.model_validate({**CLAIM, "outcome": {"edges": {"within": "Z"}}})
    lines = list(check_edge_claims([wrong], claims, ROIS, tmp_path / "claims.yaml"))
    assert len(lines) == 3
    assert "id occurs twice" in lines[0]
    assert "a family of its own" in lines[1]
    assert "no region belongs to network 'Z'" in lines[2]


def test_the_matrix_is_ordered_by_network_and_drawn() -> None:
    matrix = tabulate_matrix(evaluate(make_z(0.6)), ROIS)
    assert order_regions(matrix)["roi"].tolist() == [f"r{i}" for i in range(N_ROIS)]
    figure = plot_edge_matrix(matrix, alpha=0.05, simulated=True)
    image = np.ma.filled(figure.axes[0].images[0].get_array(), np.nan)
    assert np.isfinite(image[np.tril_indices(N_ROIS, -1)]).all()
    shown = np.isfinite(image[np.triu_indices(N_ROIS, 1)])
    assert shown.sum() == (matrix["p_fwe"] < 0.05).sum() > 0


def test_the_shipped_study_of_a_review_is_read() -> None:
    config = read_config(Path(__file__).parents[3] / "config" / "studies" / "kim-2018" / "config.yaml")
    assert not config.claims
    assert [claim.id for claim in config.edge_claims] == ["K1", "K2", "K3", "K4", "K5"]
    assert all(roi.source and roi.network for roi in config.rois.rois)
    assert all(len(list_pairs(claim.outcome, config.rois)) == 153 for claim in config.edge_claims)
