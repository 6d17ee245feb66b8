"""Changes of the data that must change nothing, or a known thing, from the images to the verdict."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from rsconn.analysis.run_chain import analyse_run, check_dof, make_run_model, predict_quality
from rsconn.analysis.specification import Censoring, Cleaning, ConfoundTerms, Specification
from rsconn.errors import RunError
from rsconn.inference.edgewise import compare_edges
from rsconn.inference.permutation import adjust_step_down
from rsconn.settings.claims import Claim
from rsconn.settings.sections import MapsSettings, Sesoi
from rsconn.signal.connectivity import smooth_power
from rsconn.signal.extraction import extract_timeseries
from rsconn.signal.grids import make_filter
from rsconn.signal.regressors import Confounds
from rsconn.signal.weights import RoiWeights, make_mask_weights
from rsconn.study.claims.evaluation import evaluate_claims

few = settings(max_examples=8, deadline=None, derandomize=True)
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
SPECIFICATION = Specification(Cleaning(ConfoundTerms(motion=6), 0.01, 0.1), Censoring(None, None))
PAIRS = np.array([[0, 1], [0, 2], [1, 2]])


def make_confounds(rng, n=90):
    columns = {name: rng.standard_normal(n) for name in MOTION}
    columns["framewise_displacement"] = np.full(n, 0.1)
    return Confounds(tuple(columns), np.column_stack(list(columns.values())), {})


def make_weights() -> RoiWeights:
    masks = [np.zeros((4, 4, 4), bool) for _ in range(3)]
    for place, mask in enumerate(masks):
        mask[place] = True
    return make_mask_weights(["A", "B", "C"], masks, [16.0] * 3)


def extract(volumes, slope=1.0, intercept=0.0):
    mask = np.ones(64, bool)
    return extract_timeseries(lambda: iter(volumes), make_weights(), mask, slope=slope, intercept=intercept)


@few
@given(slope=st.floats(0.01, 100), intercept=st.floats(-1000, 1000), seed=st.integers(0, 99))
def test_scaling_an_image_changes_its_unit_and_no_edge(slope, intercept, seed):
    rng = np.random.default_rng(seed)
    volumes = rng.normal(500, 20, (90, 64)).astype(np.float32)
    plain, scaled = extract(volumes), extract(volumes, slope, intercept)
    assert_allclose(scaled.timeseries, plain.timeseries * slope + intercept, rtol=1e-9, atol=1e-6)
    confounds = make_confounds(rng)
    edges = [
        analyse_run(one.timeseries, confounds, 2.0, SPECIFICATION, PAIRS).connections.edges.r
        for one in (plain, scaled)
    ]
    assert_allclose(edges[1], edges[0], atol=1e-7)


@few
@given(seed=st.integers(0, 99), mix=st.lists(st.floats(-5, 5), min_size=6, max_size=6))
def test_a_confound_that_the_others_hold_already_changes_nothing(seed, mix):
    rng = np.random.default_rng(seed)
    confounds, series = make_confounds(rng), rng.standard_normal((90, 3))
    whole = confounds.values  # noqa: PD011 - no DataFrame
    mixed = whole[:, :6].copy()
    mixed[:, 0] = mixed @ np.array([1.0 + abs(mix[0]), *mix[1:]])
    other = Confounds(confounds.names, np.column_stack([mixed, whole[:, 6:]]), {})
    one, two = (analyse_run(series, table, 2.0, SPECIFICATION, PAIRS) for table in (confounds, other))
    assert one.quality.dof == two.quality.dof
    assert_allclose(two.connections.edges.z, one.connections.edges.z, atol=1e-8)


@few
@given(seed=st.integers(0, 99))
def test_another_confound_costs_one_degree_of_freedom_and_leaves_the_series(seed):
    rng = np.random.default_rng(seed)
    confounds, series = make_confounds(rng), rng.standard_normal((90, 3))
    more = Specification(
        Cleaning(ConfoundTerms(motion=6, global_signal=1), None, None), Censoring(None, None)
    )
    less = Specification(Cleaning(ConfoundTerms(motion=6), None, None), Censoring(None, None))
    added = rng.standard_normal(90)
    values = np.column_stack([confounds.values, added])  # noqa: PD011 - no DataFrame
    table = Confounds((*confounds.names, "global_signal"), values, {})
    spoilt = series + np.outer(added, [3.0, -2.0, 1.0])
    with_it, without = (analyse_run(data, table, 2.0, more, PAIRS) for data in (spoilt, series))
    assert with_it.quality.dof == analyse_run(series, table, 2.0, less, PAIRS).quality.dof - 1
    assert_allclose(with_it.connections.edges.z, without.connections.edges.z, atol=1e-8)


@pytest.mark.parametrize("share", [0.98, 1.0, 1.02])
def test_the_repetition_time_is_taken_to_the_percent(share):
    confounds = make_confounds(np.random.default_rng(1), 300)
    model = make_run_model(
        confounds, 2.0 * share, Cleaning(ConfoundTerms(motion=6), 0.01, 0.1), Censoring(None, None)
    )
    quality = predict_quality(model)
    assert quality.minutes_retained == pytest.approx(10 * share, rel=1e-12)
    frequencies = np.arange(1, 300) / (2 * 300 * 2.0 * share)
    in_band = int(((frequencies > 0.01) & (frequencies <= 0.1)).sum())
    assert in_band == {0.98: 106, 1.0: 108, 1.02: 110}[share]
    assert quality.dof == in_band - 6 - 1  # the linear trend is partly in the band


CONTRAST = {"column": "group", "a": "T", "b": "C"}


def make_claim(outcome="PT", **changes):
    content = {
        "id": "P1",
        "family": "f",
        "text": "t",
        "outcome": outcome,
        "contrast": CONTRAST,
        "expect": "greater",
    }
    return Claim(**{**content, **changes})


def evaluate(cohort, claim):
    config = SimpleNamespace(
        claims=(claim,), rois=SimpleNamespace(circular=None), edges=(SimpleNamespace(name="A-B"),), scores={},
        covariates=SimpleNamespace(edge=("age", "mean_fd"), score=()), categorical=(),
        groups=SimpleNamespace(column="group", levels={"T": "T", "C": "C"}),
        inference=SimpleNamespace(
            alpha=0.05, n_permutations=99, seed=1, sesoi=Sesoi(), exchange_within=None, exchange_whole=None
        ),
    )  # fmt: skip
    return evaluate_claims(cohort, config).claims.iloc[0]


def make_cohort(seed, n=40):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "participant_id": [f"sub-{number:03d}" for number in range(n)],
        "session": [None] * n,
        "group": ["T"] * (n // 2) + ["C"] * (n - n // 2),
        "sex": ["F", "M"] * (n // 2),
        "age": rng.normal(50, 8, n),
        "mean_fd": rng.uniform(0.05, 0.3, n),
        "PT": rng.normal(size=n) + 0.6 * (np.arange(n) < n // 2),
        "A-B": rng.normal(size=n),
    })  # fmt: skip


SAME = ["p", "p_contradict", "effect_size", "verdict", "n", "bayes_factor_10"]


@few
@given(seed=st.integers(0, 99), outcome=st.sampled_from(["PT", "A-B"]))
def test_relabelled_groups_give_the_same_answer_to_the_claim_turned_round(seed, outcome):
    cohort = make_cohort(seed)
    one = evaluate(cohort, make_claim(outcome))
    turned = {"column": "group", "a": "C", "b": "T"}
    two = evaluate(cohort, make_claim(outcome, contrast=turned, expect="less"))
    assert two["estimate"] == pytest.approx(-one["estimate"], rel=1e-9)
    assert (two["ci_low"], two["ci_high"]) == pytest.approx((-one["ci_high"], -one["ci_low"]), rel=1e-9)
    for name in ("p", "p_contradict", "bayes_factor_10"):
        assert two[name] == pytest.approx(one[name], rel=1e-6), name
    assert two["verdict"] == one["verdict"]


@few
@given(seed=st.integers(0, 99), unit=st.floats(0.01, 100), zero=st.floats(-50, 50))
def test_a_score_in_another_unit_gives_the_same_answer(seed, unit, zero):
    cohort = make_cohort(seed)
    one = evaluate(cohort, make_claim())
    two = evaluate(cohort.assign(PT=cohort["PT"] * unit + zero), make_claim())
    assert two["estimate"] == pytest.approx(one["estimate"] * unit, rel=1e-7)
    for name in SAME:
        assert two[name] == (one[name] if name in {"verdict", "n"} else pytest.approx(one[name], rel=1e-6)), (
            name
        )


@few
@given(seed=st.integers(0, 99))
def test_an_edge_claim_does_not_know_the_unit_or_zero_of_its_covariates(seed):
    cohort = make_cohort(seed)
    one = evaluate(cohort, make_claim("A-B"))
    two = evaluate(
        cohort.assign(age=cohort["age"] * 365.25 - 7, mean_fd=cohort["mean_fd"] * 1000), make_claim("A-B")
    )
    for name in ("estimate", "std_error", "p", "effect_size"):
        assert two[name] == pytest.approx(one[name], rel=1e-7), name


def test_one_bin_of_power_is_its_own_average():
    power = np.array([[1.0, 2.0, 6.0]])
    assert_allclose(smooth_power(power), power)


def test_null_p_values_as_small_as_the_observed_count():
    null = np.array([[0.02], [0.5]])
    assert_allclose(adjust_step_down(np.array([0.02]), null), [2 / 3])
    assert_allclose(adjust_step_down(np.array([0.02 * (1 - 1e-14)]), null), [2 / 3])  # a tie but for rounding


def test_defaults_of_the_code_are_those_of_the_settings():
    default = inspect.signature(compare_edges).parameters["forming_p"].default
    assert default == MapsSettings().cluster_forming_p


def test_one_degree_of_freedom_is_left_and_none_is_an_error():
    check_dof(1, 30)
    with pytest.raises(RunError, match=r"30 volumes retained, 30 taken"):
        check_dof(0, 30)


def test_a_filter_of_a_box_is_its_part_of_the_whole_grids():
    whole = make_filter(1.0, 20, 0, 20)
    assert_allclose(whole.sum(axis=1), 1)
    for low, high in ((5, 15), (0, 9), (11, 20)):
        assert_allclose(make_filter(1.0, 20, low, high), whole[low:high, low:high], atol=1e-15)
