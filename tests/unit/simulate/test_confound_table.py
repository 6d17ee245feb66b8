from __future__ import annotations

import numpy as np
import pytest

from rsconn.simulate.confound_table import compute_components, compute_confounds
from rsconn.simulate.simulated_runs import N_NONSTEADY, draw_run_plan, simulate_run
from rsconn.simulate.truth import plan_study

PLAN = plan_study()


@pytest.fixture(scope="module")
def run(anatomy):
    rng = np.random.default_rng(0)
    coupling = {edge.name: 0.5 for edge in PLAN.edges}
    return simulate_run(draw_run_plan(coupling, 150, rng=rng), anatomy, PLAN.edges, rng=rng)


@pytest.fixture(scope="module")
def table(run, anatomy):
    return compute_confounds(run, anatomy, n_components=7)


def test_fmriprep_columns_are_there(table):
    signals = ["global_signal", "csf", "white_matter"]
    motion = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    for name in signals + motion:
        for suffix in ("", "_derivative1", "_power2", "_derivative1_power2"):
            assert name + suffix in table.columns
    others = {"framewise_displacement", "rmsd", "dvars", "std_dvars", "cosine00"}
    others |= {f"non_steady_state_outlier{i:02d}" for i in range(N_NONSTEADY)}
    assert others <= set(table.columns)
    assert all(len(values) == 150 for values in table.columns.values())


def test_only_first_rows_are_missing(table):
    missing = {name for name, values in table.columns.items() if np.isnan(values).any()}
    assert all(
        "derivative1" in name or name in {"dvars", "std_dvars", "framewise_displacement", "rmsd"}
        for name in missing
    )
    for name in missing:
        assert np.isnan(table.columns[name][0])
        assert np.isfinite(table.columns[name][1:]).all()


def test_derivatives_and_squares(table):
    x, derivative = table.columns["rot_y"], table.columns["rot_y_derivative1"]
    np.testing.assert_allclose(derivative[1:], x[1:] - x[:-1])
    np.testing.assert_allclose(table.columns["rot_y_power2"], x**2)
    np.testing.assert_allclose(table.columns["rot_y_derivative1_power2"][1:], derivative[1:] ** 2)


def test_components_come_with_mask_and_retained(table):
    metadata = table.metadata
    kept = sorted(name for name in table.columns if name.startswith("a_comp_cor_"))
    assert [metadata[name]["Mask"] for name in kept] == ["CSF"] * 7 + ["WM"] * 7 + ["combined"] * 7
    assert all(metadata[name]["Retained"] for name in kept)
    dropped = [name for name in metadata if name.startswith("dropped_")]
    assert len(dropped) == 6
    assert not any(metadata[name]["Retained"] for name in dropped)
    assert not set(dropped) & set(table.columns)


def test_components_are_orthonormal_over_steady_volumes(table):
    names = [name for name in table.columns if name.startswith("a_comp_cor_")][:7]
    components = np.column_stack([table.columns[name] for name in names])
    assert not components[:N_NONSTEADY].any()
    np.testing.assert_allclose(components.T @ components, np.eye(7), atol=1e-10)


def test_components_equal_a_singular_value_decomposition():
    rng = np.random.default_rng(1)
    image = rng.standard_normal((40, 60)) * rng.uniform(1, 9, 60) + 1000
    components, singular = compute_components(image, np.empty((40, 0)))
    centred = image - image.mean(axis=0)
    u, s, _ = np.linalg.svd(centred / centred.std(axis=0), full_matrices=False)
    np.testing.assert_allclose(singular[:10], s[:10], rtol=1e-8)
    np.testing.assert_allclose(np.abs((components[:, :5] * u[:, :5]).sum(axis=0)), 1.0, rtol=1e-8)


def test_tissue_signals_are_those_of_the_image(table, run, anatomy):
    expected = run.image[:, anatomy.white_core].astype(float).mean(axis=1)
    np.testing.assert_allclose(table.columns["white_matter"], expected, rtol=1e-6)


def test_cosines_are_slower_than_128_s(table):
    cosines = [values for name, values in table.columns.items() if name.startswith("cosine")]
    assert len(cosines) == 4  # 2 * 150 * 2 s / 128 s = 4.7
    time = np.arange(150) + 0.5
    np.testing.assert_allclose(cosines[3], np.sqrt(2 / 150) * np.cos(4 * np.pi * time / 150), atol=1e-12)


def test_outliers_are_spikes_at_large_fd_or_dvars(table):
    fd, dvars = table.columns["framewise_displacement"], table.columns["std_dvars"]
    expected = np.flatnonzero((fd > 0.5) | (dvars > 1.5))
    spikes = [values for name, values in table.columns.items() if name.startswith("motion_outlier")]
    assert [int(spike.argmax()) for spike in spikes] == expected.tolist()
    assert all(spike.sum() == 1 for spike in spikes)
