"""The run chain equals an explicit least-squares computation, and keeps what a sound one must keep."""

from __future__ import annotations

import ast
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rsconn.analysis.run_chain import RunEdges, analyse_run, choose_columns, combine_edges, make_run_model
from rsconn.analysis.run_chain import predict_quality as predict
from rsconn.analysis.specification import (
    Censoring,
    Cleaning,
    ConfoundTerms,
    Estimation,
    RoiVariant,
    Specification,
    Usability,
)
from rsconn.analysis.usability import Threshold, is_usable
from rsconn.errors import RunError
from rsconn.signal.connectivity import Edges
from rsconn.signal.regressors import Confounds

N_VOLUMES, N_ROIS, T_R, N_NONSTEADY = 180, 6, 2.0, 2
PAIRS = np.array([[0, 1], [0, 2], [3, 1], [4, 5]])
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
ENDINGS = ("", "_derivative1", "_power2", "_derivative1_power2")
COVERAGE = np.array([1.0, 0.8, 0.55, np.nan, 0.7, 0.9])


@pytest.fixture
def rng():
    return np.random.default_rng(20260129)


@pytest.fixture
def confounds(rng):
    """Every column that a strategy may ask for, six components of each tissue, two volumes before steady state."""
    signals = (*MOTION, "white_matter", "csf", "global_signal")
    names = [signal + ending for ending in ENDINGS for signal in signals]
    columns = {name: rng.standard_normal(N_VOLUMES) for name in names}
    tissues = {f"a_comp_cor_{number:02d}": "WM" if number < 6 else "CSF" for number in range(12)}
    columns |= {name: rng.standard_normal(N_VOLUMES) for name in tissues}
    columns["framewise_displacement"] = rng.gamma(2.0, 0.1, N_VOLUMES)
    columns["framewise_displacement"][0] = np.nan
    columns["std_dvars"] = rng.gamma(9.0, 0.12, N_VOLUMES)
    for volume in range(N_NONSTEADY):
        columns[f"non_steady_state_outlier{volume:02d}"] = np.arange(N_VOLUMES) == volume
    metadata = {name: {"Mask": mask, "Retained": True} for name, mask in tissues.items()}
    return Confounds(tuple(columns), np.column_stack(list(columns.values())).astype(float), metadata)


@pytest.fixture
def series(rng, confounds):
    """Coupled series far from zero, with motion and the global signal in them."""
    shared = rng.standard_normal((N_VOLUMES, 1))
    spoilt = confounds.values[:, :9] @ rng.standard_normal((9, N_ROIS))
    return 800 + 3 * rng.standard_normal((N_VOLUMES, N_ROIS)) + 2 * shared + spoilt


def draw_specification(rng):
    """Draw every choice at random; some in-band dimensions are left whatever is drawn."""
    terms = ConfoundTerms(
        motion=int(rng.choice([0, 6, 12, 24])),
        acompcor_wm=int(rng.integers(6)),
        acompcor_csf=int(rng.integers(6)),
        wm_csf=int(rng.choice([0, 2, 4, 8])),
        global_signal=int(rng.choice([0, 1, 2, 4])),
    )
    band = (rng.choice([None, 0.008, 0.01]), rng.choice([None, 0.1, 0.15, 0.2]))
    censoring = Censoring(rng.choice([None, 0.4, 0.5]), rng.choice([None, 1.8]))
    estimation = Estimation(str(rng.choice(["pearson", "partial"])), float(rng.choice([0.0, 0.5, 0.6])))
    return Specification(Cleaning(terms, *band), censoring, Usability(2.0, 15, 0.5), estimation)


def compute_explicitly(series, confounds, specification):
    """Return sample mask, dof, residuals and relmat, by least squares and nothing of the package."""
    terms, censoring = specification.cleaning.terms, specification.censoring
    table = dict(zip(confounds.names, confounds.values.T, strict=True))
    kept = np.arange(N_VOLUMES) >= N_NONSTEADY
    for column, limit in (
        ("framewise_displacement", censoring.fd_threshold_mm),
        ("std_dvars", censoring.dvars_threshold),
    ):
        if limit is not None:
            kept &= ~(np.nan_to_num(table[column]) > limit)
    names = [signal + ending for ending in ENDINGS[: terms.motion // 6] for signal in MOTION]
    names += [f"a_comp_cor_{number:02d}" for number in range(terms.acompcor_wm)]
    names += [f"a_comp_cor_{number:02d}" for number in range(6, 6 + terms.acompcor_csf)]
    names += [s + ending for ending in ENDINGS[: terms.wm_csf // 2] for s in ("white_matter", "csf")]
    names += ["global_signal" + ending for ending in ENDINGS[: terms.global_signal]]
    time = np.arange(N_VOLUMES)
    columns = [np.ones(N_VOLUMES), time - time.mean(), *(table[name] for name in names)]
    high_pass, low_pass = specification.cleaning.band
    for k in range(1, N_VOLUMES):
        frequency = k / (2 * N_VOLUMES * T_R)
        if (high_pass is not None and frequency <= high_pass) or (
            low_pass is not None and frequency > low_pass
        ):
            columns.append(np.cos(np.pi * k * (2 * time + 1) / (2 * N_VOLUMES)))
    design = np.column_stack(columns)[kept]
    design /= np.linalg.norm(design, axis=0)
    left = fit_residuals(series[kept], design)
    return kept, len(left) - np.linalg.matrix_rank(design), left, correlate(left, specification.estimation)


def fit_residuals(outcome, design):
    """Fit twice: the rounding errors of the first fit have the size of the mean."""
    for _ in range(2):
        outcome = outcome - design @ np.linalg.lstsq(design, outcome, rcond=None)[0]
    return outcome


def correlate(left, estimation):
    """Correlate pairwise, or what all other usable ROIs leave of each pair; NaN without coverage."""
    usable = [roi for roi in range(N_ROIS) if not COVERAGE[roi] < estimation.min_coverage]
    relmat = np.full((N_ROIS, N_ROIS), np.nan)
    for i in usable:
        for j in usable:
            others = [roi for roi in usable if roi not in {i, j}] if estimation.kind == "partial" else []
            design = np.column_stack([np.ones(len(left)), left[:, others]])
            pair = fit_residuals(left[:, [i, j]], design)
            relmat[i, j] = np.corrcoef(pair.T)[0, 1]
    return relmat


@pytest.mark.parametrize("seed", range(20))
def test_random_specifications_equal_explicit_least_squares(series, confounds, seed):
    specification = draw_specification(np.random.default_rng(seed))
    result = analyse_run(series, confounds, T_R, specification, PAIRS, coverage=COVERAGE)
    kept, dof, left, relmat = compute_explicitly(series, confounds, specification)
    assert np.array_equal(result.model.sample_mask, kept)
    assert (result.quality.n_retained, result.quality.dof) == (kept.sum(), dof)
    assert_allclose(result.cleaned, left, rtol=0, atol=1e-10)
    assert_allclose(result.connections.relmat, relmat, rtol=0, atol=1e-10)
    r = relmat[PAIRS[:, 0], PAIRS[:, 1]]
    edges = result.connections.edges
    assert_allclose(edges.r, r, rtol=0, atol=1e-10)
    assert_allclose(edges.z, np.arctanh(r), rtol=0, atol=1e-10)
    uncovered = np.sum(specification.estimation.min_coverage > COVERAGE)
    conditioned = N_ROIS - uncovered - 2 if specification.estimation.kind == "partial" else 0
    assert_allclose(edges.z_variance, np.where(np.isnan(r), np.nan, 1 / (dof - conditioned - 2)), rtol=1e-12)


def test_the_twenty_specifications_differ(series, confounds):
    """Else the test above would try less than it says."""
    drawn = [draw_specification(np.random.default_rng(seed)) for seed in range(20)]
    assert len(set(drawn)) == 20
    assert {spec.estimation.kind for spec in drawn} == {"pearson", "partial"}
    assert len({make_run_model(confounds, T_R, s.cleaning, s.censoring).n_retained for s in drawn}) > 3


SPECIFICATION = Specification(
    Cleaning(ConfoundTerms(motion=6, acompcor_wm=5, acompcor_csf=5, global_signal=1), 0.01, 0.1),
    Censoring(0.4),
    Usability(4.0, 15, 0.5),
)
PARTIAL = replace(SPECIFICATION, estimation=Estimation("partial", 0.6))


def analyse(series, confounds, specification=SPECIFICATION, pairs=PAIRS, coverage=None):
    return analyse_run(series, confounds, T_R, specification, pairs, coverage=coverage)


def assert_same_edges(edges, expected):
    for name in ("r", "z", "z_variance", "z_variance_ac"):
        assert_allclose(getattr(edges, name), getattr(expected, name), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("specification", [SPECIFICATION, PARTIAL], ids=["full", "partial"])
def test_the_order_of_rois_does_not_matter(rng, series, confounds, specification):
    order = rng.permutation(N_ROIS)
    place = np.argsort(order)
    plain = analyse(series, confounds, specification, coverage=COVERAGE)
    moved = analyse(series[:, order], confounds, specification, place[PAIRS], COVERAGE[order])
    assert_same_edges(moved.connections.edges, plain.connections.edges)
    expected = plain.connections.relmat[np.ix_(order, order)]
    assert_allclose(moved.connections.relmat, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-3, 7.0, 1e4])
def test_the_unit_of_the_images_does_not_matter(series, confounds, scale):
    expected = analyse(series, confounds).connections.edges
    assert_same_edges(analyse(scale * series + 50, confounds).connections.edges, expected)


def test_confounds_added_to_the_series_leave_again(rng, series, confounds):
    model = make_run_model(confounds, T_R, SPECIFICATION.cleaning, SPECIFICATION.censoring)
    added = 5 * model.regressors.values @ rng.standard_normal((model.regressors.values.shape[1], N_ROIS))
    expected = analyse(series, confounds).connections.edges
    assert_same_edges(analyse(series + added, confounds).connections.edges, expected)


def test_censored_volumes_have_no_say(series, confounds):
    result = analyse(series, confounds)
    spoilt = np.where(result.model.sample_mask[:, np.newaxis], series, 1e6)
    assert not result.model.sample_mask.all()
    assert np.array_equal(analyse(spoilt, confounds).cleaned, result.cleaned)


def test_an_uncovered_roi_is_as_if_it_were_not_there(series, confounds):
    """Where others are held constant, it must not be among them."""
    without = analyse(np.delete(series, 2, axis=1), confounds, PARTIAL, np.array([[0, 1], [3, 4]]))
    edges = analyse(series, confounds, PARTIAL, coverage=COVERAGE).connections.edges
    assert np.isnan(edges.z).tolist() == [False, True, False, False]
    assert_allclose(edges.z[[0, 3]], without.connections.edges.z, rtol=1e-10)
    assert_allclose(edges.z_variance[[0, 3]], without.connections.edges.z_variance, rtol=1e-12)


def test_the_prediction_is_what_becomes_of_the_run(series, confounds):
    result = analyse(series, confounds)
    assert predict(result.model) == result.quality


def test_thresholds_are_met_at_their_value(series, confounds):
    quality = analyse(series, confounds).quality
    just = Usability(quality.minutes_retained, quality.dof, quality.mean_fd)
    assert is_usable(analyse(series, confounds, replace(SPECIFICATION, usability=just)).judgements)
    more = replace(SPECIFICATION, usability=replace(just, min_degrees_of_freedom=quality.dof + 1))
    failed = [row.threshold for row in analyse(series, confounds, more).judgements if not row.met]
    assert failed == [Threshold.DOF]


def make_run(z, dof, n_volumes=200.0):
    z = np.array(z, dtype=float)
    variance = np.where(np.isnan(z), np.nan, 1 / (dof - 2))
    return RunEdges(Edges(np.tanh(z), z, variance, 1.1 * variance), float(dof), n_volumes)


def test_one_run_combines_to_itself(series, confounds):
    result = analyse(series, confounds)
    combined = combine_edges([RunEdges(result.connections.edges, result.quality.dof, N_VOLUMES)])
    assert_same_edges(combined.edges, result.connections.edges)
    assert combined.n_runs.tolist() == [1] * len(PAIRS)
    assert combined.dof.tolist() == [result.quality.dof] * len(PAIRS)


def test_runs_combine_in_any_order_and_grouping_as_their_degrees_of_freedom_say():
    runs = [make_run([0.2, 0.5], 22), make_run([0.5, np.nan], 32), make_run([-0.1, 0.1], 12)]
    combined, turned = combine_edges(runs), combine_edges(runs[::-1])
    assert_same_edges(turned.edges, combined.edges)
    assert_allclose(combined.edges.z, [(20 * 0.2 + 30 * 0.5 - 10 * 0.1) / 60, (20 * 0.5 + 10 * 0.1) / 30])
    assert_allclose(combined.edges.z_variance, [1 / 60, 1 / 30])
    assert combined.dof.tolist() == [66, 34]
    assert combined.n_runs.tolist() == [3, 2]


def test_a_run_split_into_equal_halves_is_the_mean_of_the_halves():
    halves = combine_edges([make_run([0.2], 22), make_run([0.4], 22)])
    assert_allclose(halves.edges.z, 0.3)
    assert_allclose(halves.between_run_sd, 0.1 * np.sqrt(2))
    assert_allclose(halves.edges.z_variance, make_run([0.3], 42).edges.z_variance)


def test_runs_of_unknown_dof_weigh_their_volumes():
    combined = combine_edges([make_run([0.2], np.nan, 100.0), make_run([0.5], np.nan, 200.0)])
    assert_allclose(combined.edges.z, 0.4)
    assert np.isnan(combined.dof).all()
    assert np.isnan(combined.edges.z_variance).all()


def test_a_variant_of_the_rois_is_asked_for_by_size():
    names = ["LAI", "dmPFC", "LAI_R4", "dmPFC_R4", "LAI_R4S6", "dmPFC_R4S6"]
    assert choose_columns(names, ["dmPFC", "LAI"], RoiVariant()) == [1, 0]
    assert choose_columns(names, ["dmPFC", "LAI"], RoiVariant(4.0, 6.0)) == [5, 4]
    with pytest.raises(RunError, match=r"no series 'dmPFC_R8' among 6"):
        choose_columns(names, ["dmPFC"], RoiVariant(radius_mm=8))


def test_nothing_is_left_says_what_to_do(series, confounds):
    narrow = replace(SPECIFICATION, cleaning=replace(SPECIFICATION.cleaning, low_pass_hz=0.012))
    with pytest.raises(RunError, match=r"no degrees of freedom left .* remedies"):
        analyse(series, confounds, narrow)


def test_another_mode_needs_what_cleans(series, confounds):
    other = replace(SPECIFICATION, cleaning=replace(SPECIFICATION.cleaning, mode="nilearn"))
    with pytest.raises(ValueError, match="needs a cleaner"):
        analyse(series, confounds, other)


def test_short_series_are_the_runs_error(series, confounds):
    with pytest.raises(RunError, match="confounds have 180 rows, the series 100; they must be equal"):
        analyse(series[:100], confounds)


STEPS = {
    "rsconn.signal.projection": {"project_out", "count_dof"},
    "rsconn.signal.quality": {"make_sample_mask"},
    "rsconn.signal.regressors": {"select_confounds"},
    "rsconn.signal.connectivity": {
        "combine_runs",
        "combine_variances",
        "compute_edges",
        "compute_partial_relmat",
        "compute_band_power",
        "compute_relmat",
    },
}


def test_there_is_no_second_way_from_series_to_edges(root):
    """The steps are called by the chain alone; everything else calls the chain."""
    users = {
        path.relative_to(root / "src/rsconn").as_posix()
        for path in (root / "src/rsconn").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
        and STEPS.get(node.module or "", set()) & {alias.name for alias in node.names}
    }
    assert users == {"analysis/run_chain.py"}


def test_nothing_is_changed_in_place(series, confounds):
    before = series.copy(), confounds.values.copy()
    analyse(series, confounds, PARTIAL, coverage=COVERAGE)
    assert np.array_equal(series, before[0])
    assert np.array_equal(confounds.values, before[1], equal_nan=True)
