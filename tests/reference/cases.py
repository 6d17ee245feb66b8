"""The models that rsconn and R both estimate: simulated people, and real tables where they are at hand.

Each real table is read as published; what is stored in the repository are only R's numbers.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rsconn.inference import alternatives, effect_sizes, estimators, influence
from rsconn.inference.model import Estimator, Kind, Model
from rsconn.inference.permutation import permute

HERE = Path(__file__).parent
Column = NDArray[np.float64]
Columns = dict[str, Column]

# Larger samples would keep R's n x n Satterthwaite dof and Bayes factors busy for minutes.
LARGEST_N_OF_EVERYTHING = 250
MOST_ARRANGEMENTS = 5000


@dataclass(frozen=True)
class Case:
    """One model, named, with its source table and the bound of its TOST."""

    name: str
    source: str
    model: Model
    bound: float


class Recipe(NamedTuple):
    """How a case is made of columns; ``where`` chooses rows, ``units`` is a column of families."""

    name: str
    outcome: str
    tested: str
    nuisance: str = ""
    kind: Kind = "contrast"
    estimator: Estimator = "welch"
    where: Callable[[Columns], NDArray[np.bool_]] | None = None
    units: str = ""


def _families(name: str, outcome: str, tested: str, nuisance: str, units: str, **more) -> Recipe:
    return Recipe(name, outcome, tested, nuisance, estimator="ols_cr2", units=units, **more)


def _adjusted(name: str, outcome: str, tested: str, nuisance: str = "", **more) -> Recipe:
    return Recipe(name, outcome, tested, nuisance, estimator="ols_hc3", **more)


def _slope(name: str, outcome: str, tested: str, nuisance: str = "", **more) -> Recipe:
    return Recipe(name, outcome, tested, nuisance, kind="slope", estimator="ols_hc3", **more)


def _paired(name: str, outcome: str, nuisance: str = "", **more) -> Recipe:
    return Recipe(name, outcome, "one", nuisance, kind="paired", estimator="ols_hc3", **more)


SIMULATED = (
    Recipe("bounded_score_by_group", "bounded", "group"),
    Recipe("skewed_score_by_group", "skewed", "group"),
    Recipe("unequal_spread_by_group", "spread", "group"),
    Recipe("three_against_four", "skewed", "group", where=lambda c: (c["row"] >= 21) & (c["row"] < 28)),
    Recipe("six_against_six", "skewed", "group", where=lambda c: (c["row"] >= 18) & (c["row"] < 30)),
    Recipe(
        "two_cells",
        "bounded",
        "group",
        where=lambda c: ((c["group"] == 1) & (c["sex"] == 1)) | ((c["group"] == 0) & (c["sex"] == 0)),
    ),
    _adjusted("edge_by_group_plain", "edge", "group"),
    _adjusted("edge_by_group_adjusted", "edge", "group", "age sex mean_fd"),
    _adjusted("edge_by_group_sites", "edge", "group", "site1 site2 age"),
    _adjusted("edge_by_group_small", "edge", "group", "age sex mean_fd", where=lambda c: (c["row"] % 4) == 1),
    _slope("score_on_edge", "bounded", "edge"),
    _slope("score_on_edge_adjusted", "bounded", "edge", "age sex mean_fd"),
    _slope("score_on_edge_within_groups", "bounded", "edge", "group age sex mean_fd"),
    _slope("score_on_edge_one_group", "bounded", "edge", "age sex mean_fd", where=lambda c: c["group"] == 1),
    _slope("score_on_outlying_edge", "bounded", "outlier", "age"),
    _slope("score_on_edge_far_units", "bounded", "edge", "age_far mean_fd_small"),
    _slope("interaction", "bounded", "group_x_edge", "group edge age"),
    _paired("change", "change"),
    _paired("change_adjusted", "change", "age_centred sex_centred"),
    _paired("change_of_eight", "change", where=lambda c: c["row"] < 8),
    _families("families_within_groups", "edge", "group", "age sex mean_fd", "by_two"),
    _families("families_across_groups", "bounded", "group", "", "mixed"),
    _families("families_of_many_sizes", "bounded", "edge", "age sex", "growing", kind="slope"),
    _families("families_on_edge_within_groups", "bounded", "edge", "group age", "mixed", kind="slope"),
    _families("families_change", "change", "one", "", "by_three", kind="paired"),
    _families("families_few", "edge", "group", "age", "by_six", where=lambda c: (c["row"] % 3) == 0),
)
ERQ = (
    Recipe("erq_suppression_by_age", "es", "old"),
    Recipe("erq_reappraisal_by_age", "cr", "old"),
    Recipe("erq_suppression_by_sex_young", "es", "women", where=lambda c: c["old"] == 0),
    _adjusted("tsnr_by_age_adjusted", "tsnr", "old", "women fd"),
    _slope("erq_suppression_on_reappraisal", "es", "cr", "old women"),
    _slope("tsnr_on_fd", "tsnr", "fd"),
)
IRI_MEANS = (
    Recipe("iri_fantasy_by_sex", "fs", "women"),
    Recipe("iri_perspective_by_sex", "pt", "women"),
    Recipe("iri_concern_by_sex", "ec", "women"),
    Recipe("iri_distress_by_sex", "pd", "women"),
    _slope("iri_perspective_on_concern", "pt", "ec", "women old"),
    _slope("trait_anxiety_on_distress", "stai", "pd", "women old"),
)
IRI_ITEMS = (
    Recipe("iri_items_fantasy_by_sex", "fs", "women"),
    Recipe("iri_items_perspective_by_sex", "pt", "women"),
    Recipe("iri_items_concern_by_sex", "ec", "women"),
    Recipe("iri_items_distress_by_sex", "pd", "women"),
)
RPN = (
    _adjusted("rpn_insula_edge_by_site", "insula", "bochum", "age women mean_fd"),
    _adjusted("rpn_cingulate_edge_by_site", "cingulate", "bochum", "age women mean_fd"),
    _adjusted("rpn_insula_edge_by_sex", "insula", "women", "bochum age mean_fd"),
    _slope("rpn_anxiety_on_insula_edge", "anxiety", "insula", "bochum age women mean_fd"),
    _slope("rpn_pain_on_cingulate_edge", "pain", "cingulate", "bochum age women mean_fd"),
    Recipe("rpn_pain_by_sex", "pain", "women"),
)


def list_cases(shared: Path | None) -> tuple[Case, ...]:
    """Return every case whose table is at hand; ``shared`` is the folder of real data."""
    cases = list(_make_cases("simulated", SIMULATED, read_people()))
    if shared is not None and shared.is_dir():
        cases += _make_cases("ds003823", ERQ, read_erq(shared))
        cases += _make_cases("ds000201", IRI_MEANS, read_iri_means(shared))
        cases += _make_cases("iri_items", IRI_ITEMS, sum_iri(read_iri_items(shared)))
        cases += _make_cases("rpn", RPN, read_rpn(shared))
    return tuple(cases)


def _make_cases(source: str, recipes: tuple[Recipe, ...], columns: Columns) -> Iterator[Case]:
    for recipe in recipes:
        nuisance = recipe.nuisance.split()
        values = np.column_stack([columns[name] for name in (recipe.outcome, recipe.tested, *nuisance)])
        keep = np.isfinite(values).all(axis=1)
        if recipe.where is not None:
            keep &= recipe.where(columns)
        rows = values[keep]
        constant = np.empty((len(rows), 0)) if recipe.kind == "paired" else np.ones((len(rows), 1))
        model = Model(
            rows[:, 0],
            rows[:, 1],
            np.hstack([constant, rows[:, 2:]]),
            recipe.kind,
            recipe.estimator,
            columns[recipe.units][keep].astype(np.int64) if recipe.units else np.flatnonzero(keep),
        )
        sesoi = 0.3 if recipe.kind == "slope" else 0.5
        yield Case(recipe.name, source, model, effect_sizes.convert_sesoi(model, sesoi))


def compute_values(case: Case) -> dict[str, float]:
    """Compute with rsconn everything that R was asked about a case."""
    model, bound = case.model, case.bound
    primary = estimators.estimate_model(model)
    values = {
        **_describe("primary", primary),
        "primary.p_greater": estimators.compute_p(primary, alternative="greater"),
        "primary.p_tost": estimators.compute_tost_p(primary, bound),
        "primary.p_bound": estimators.compute_p(primary, bound, "less"),
        "primary.p_beyond": _compute_p_beyond(model.kind, primary, bound),
        **_name_limits("primary.ci95", estimators.compute_interval(primary, 0.95)),
        **_name_limits("primary.ci99", estimators.compute_interval(primary, 0.99)),
        **_describe("ols", estimators.estimate_ols(model)),
    }
    effect = effect_sizes.estimate_effect_size(model)
    values |= {"effect.value": effect.value, **_name_limits("effect.ci95", (effect.low, effect.high))}
    if model.n <= LARGEST_N_OF_EVERYTHING:
        values |= _compute_sensitivity(model)
        values |= _compute_bayes(model)
    (test,) = permute([model], n_permutations=MOST_ARRANGEMENTS, seed=0)
    if test.exact and model.kind != "slope":
        values["permutation.p_exact"] = test.p
    return values


def _compute_p_beyond(kind: Kind, primary: estimators.Estimate, bound: float) -> float:
    """P of |theta| <= bound."""
    if kind == "slope":
        return estimators.compute_minimum_effect_p(primary, bound)
    return estimators.compute_minimum_size_p(primary, bound)


def _compute_sensitivity(model: Model) -> dict[str, float]:
    cooks = influence.compute_cooks_distance(model)
    values = {"cooks.max": float(cooks.max()), "cooks.sum": float(cooks.sum())}
    values |= _describe("hc2_bm", alternatives.estimate_hc2_bm(model))
    values |= _describe("huber", alternatives.estimate_huber(model))
    if model.kind == "contrast":
        values |= _describe("brunner_munzel", alternatives.estimate_brunner_munzel(model))
    if model.kind == "slope":
        values |= _describe("partial_spearman", alternatives.estimate_partial_spearman(model))
    return values


def _compute_bayes(model: Model) -> dict[str, float]:
    factor = alternatives.compute_bayes_factor(model)
    if np.isnan(factor):
        return {}
    greater = alternatives.compute_bayes_factor(model, "greater")
    plain = model.kind != "slope" and model.n_parameters == (1 if model.kind == "paired" else 2)
    if plain:
        return {"bayes.factor": factor, "bayes.factor_greater": greater}
    return {"bayes.factor": factor, "bayes.sampled_share": greater / factor / 2}


def _describe(name: str, estimate: estimators.Estimate) -> dict[str, float]:
    return {
        f"{name}.estimate": estimate.estimate,
        f"{name}.std_error": estimate.std_error,
        f"{name}.dof": estimate.dof,
        f"{name}.statistic": estimate.statistic,
        f"{name}.p": estimators.compute_p(estimate),
    }


def _name_limits(name: str, limits: tuple[float, float]) -> dict[str, float]:
    return {f"{name}_low": limits[0], f"{name}_high": limits[1]}


def read_people() -> Columns:
    """Columns of the simulated table, with those derived from it."""
    rows = _read_rows(HERE / "people.tsv")
    columns = {name: _to_numbers(rows, name) for name in rows[0]}
    columns |= {
        "row": np.arange(len(rows), dtype=float),
        "one": np.ones(len(rows)),
        "by_two": np.arange(len(rows)) // 2.0,
        "by_three": np.arange(len(rows)) // 3.0,
        "by_six": np.arange(len(rows)) // 6.0,
        "mixed": np.arange(len(rows)) % 23.0,
        "growing": np.floor(np.sqrt(2.0 * np.arange(len(rows)))),
        "site1": (columns["site"] == 1).astype(float),
        "site2": (columns["site"] == 2).astype(float),
        "age_far": columns["age"] * 1e4 + 1e6,
        "mean_fd_small": columns["mean_fd"] * 1e-5,
        "group_x_edge": columns["group"] * columns["edge"],
        "change": columns["after"] - columns["before"],
        "age_centred": columns["age"] - columns["age"].mean(),
        "sex_centred": columns["sex"] - columns["sex"].mean(),
    }
    return columns


def read_erq(shared: Path) -> Columns:
    """OpenNeuro ds003823: ERQ sums, age group, sex, mean FD and tSNR."""
    rows = _read_rows(shared / "phenotype" / "ds003823" / "participants_erq_fd.tsv")
    numbers = {"es": "erq-FR_suppression_w1", "cr": "erq-FR_reappraisal_w1", "fd": "fd_mean", "tsnr": "tsnr"}
    return {
        **{name: _to_numbers(rows, column) for name, column in numbers.items()},
        "old": _to_indicator(rows, "age_group", "OA", "YA"),
        "women": _to_indicator(rows, "gender", "F", "M"),
    }


def read_iri_means(shared: Path) -> Columns:
    """OpenNeuro ds000201: IRI item means on 1-5 with decimal commas, as sums on 0-28."""
    rows = _read_rows(shared / "phenotype" / "ds000201" / "participants.tsv")
    means = {"fs": "IRI_F", "pt": "IRI_PT", "ec": "IRI_EC", "pd": "IRI_PD"}
    return {
        **{name: 7 * (_to_numbers(rows, column) - 1) for name, column in means.items()},
        "stai": _to_numbers(rows, "STAI_T"),
        "women": _to_indicator(rows, "Sex", "Female", "Male"),
        "old": _to_indicator(rows, "AgeGroup", "Old", "Young"),
    }


def read_iri_items(shared: Path) -> Columns:
    """1,973 people's 28 IRI items, already reversed, and sex."""
    rows = _read_rows(shared / "questionnaires" / "iri_items.tsv")
    items = {f"iri_{i:02d}": _to_numbers(rows, f"iri_{i:02d}") for i in range(1, 29)}
    return {**items, "women": _to_indicator(rows, "sex", "F", "M")}


IRI_KEY = {
    "fs": (1, 5, 7, 12, 16, 23, 26),
    "pt": (3, 8, 11, 15, 21, 25, 28),
    "ec": (2, 4, 9, 14, 18, 20, 22),
    "pd": (6, 10, 13, 17, 19, 24, 27),
}


def select_items(columns: Columns, subscale: str) -> NDArray[np.float64]:
    """Items of one subscale; shape (n, 7)."""
    return np.column_stack([columns[f"iri_{i:02d}"] for i in IRI_KEY[subscale]])


def sum_iri(columns: Columns) -> Columns:
    """Subscale sums and sex."""
    return {"women": columns["women"]} | {name: select_items(columns, name).sum(axis=1) for name in IRI_KEY}


def read_rpn(shared: Path) -> Columns:
    """70 people at two sites: two edges (Fisher z of plain correlations), sex, age, mean FD, anxiety, pain."""
    folder = shared / "rpn"
    rows = _read_rows(folder / "participants.tsv")
    edges = [_read_edges(folder, row["participant_id"]) for row in rows]
    names = {"age": "age", "mean_fd": "mean_fd", "anxiety": "anx_trait", "pain": "pain_sensitivity"}
    return {
        **{name: _to_numbers(rows, column) for name, column in names.items()},
        "insula": np.array([edge[0] for edge in edges]),
        "cingulate": np.array([edge[1] for edge in edges]),
        "bochum": _to_indicator(rows, "site", "bochum", "szeged"),
        "women": _to_indicator(rows, "sex", "F", "M"),
    }


def _read_edges(folder: Path, participant: str) -> tuple[float, float]:
    (path,) = sorted(
        (folder / participant / "func").glob("*_timeseries.tsv"), key=lambda p: "seg-" not in p.name
    )[:1]
    rows = _read_rows(path)
    series = {name: _to_numbers(rows, name) for name in ("AINS_ad", "DMPFcor_ac", "PGACcor", "MORBgyr")}
    insula = np.corrcoef(series["AINS_ad"], series["DMPFcor_ac"])[0, 1]
    cingulate = np.corrcoef(series["PGACcor"], series["MORBgyr"])[0, 1]
    return float(np.arctanh(insula)), float(np.arctanh(cingulate))


def _read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _to_numbers(rows: list[dict[str, str]], name: str) -> Column:
    return np.array([_to_number(row[name]) for row in rows])


def _to_number(text: str | None) -> float:
    return float("nan") if text in {None, "", "n/a"} else float(text.replace(",", "."))


def _to_indicator(rows: list[dict[str, str]], name: str, one: str, zero: str) -> Column:
    codes = {one: 1.0, zero: 0.0}
    return np.array([codes.get(row[name], np.nan) for row in rows])
