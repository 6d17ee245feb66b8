"""nilearn mode equals nilearn, and holds where nilearn itself slips."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from rsconn.errors import RunError
from rsconn.files.confounds import read_confounds
from rsconn.files.nilearn_mode import clean_like_nilearn
from rsconn.signal.connectivity import compute_relmat
from rsconn.signal.projection import NuisanceDesign, project_out
from rsconn.signal.quality import count_nonsteady, make_sample_mask
from rsconn.signal.regressors import select_confounds

BAND = (0.01, 0.08)
N_VOLUMES, T_R = 160, 2.0


@pytest.fixture
def series(rng):
    return 10_000 + 40 * rng.standard_normal((N_VOLUMES, 4)).cumsum(axis=0)


@pytest.fixture
def confounds(rng):
    return rng.standard_normal((N_VOLUMES, 5)).cumsum(axis=0)


def censor(*volumes):
    mask = np.ones(N_VOLUMES, dtype=bool)
    mask[list(volumes)] = False
    return mask


def call_nilearn(series, confounds, sample_mask, band):
    from nilearn.signal import clean

    return clean(
        series.copy(),
        confounds=confounds.copy() if confounds.shape[1] else None,
        sample_mask=np.flatnonzero(sample_mask),
        standardize=None,
        filter="butterworth" if any(band) else False,
        high_pass=band[0],
        low_pass=band[1],
        t_r=T_R,
    )


@pytest.mark.parametrize(
    "band",
    [
        BAND,
        (0.01, None),
        (None, 0.08),
        (None, None),
    ],
)
@pytest.mark.parametrize("censored", [(), (40,), (0, 1, 40, 41, 90), (100, 158, 159)])
@pytest.mark.parametrize("n_confounds", [0, 5])
def test_it_equals_nilearn(series, confounds, band, censored, n_confounds):
    mask, chosen = censor(*censored), confounds[:, :n_confounds]
    result = clean_like_nilearn(series, NuisanceDesign(len(series), T_R, band, chosen), mask)
    expected = call_nilearn(series, chosen, mask, band)
    assert result.cleaned.shape == (mask.sum(), 4)
    np.testing.assert_allclose(result.cleaned, expected, rtol=0, atol=1e-9 * np.abs(series).max())


@pytest.mark.parametrize("censored", [(40, N_VOLUMES - 41), (0, N_VOLUMES - 1), (0, 1, 80, 79, 158, 159)])
def test_censored_volumes_have_no_influence(series, confounds, censored):
    """nilearn 0.14.1 lets them in where a volume and its mirror image in time are both censored."""
    mask = censor(*censored)
    expected = clean_like_nilearn(series, NuisanceDesign(len(series), T_R, BAND, confounds), mask)
    series[~mask], confounds[~mask] = 1e6, -50
    result = clean_like_nilearn(series, NuisanceDesign(len(series), T_R, BAND, confounds), mask)
    assert np.array_equal(result.cleaned, expected.cleaned)
    assert result.dof == expected.dof


def test_a_mirrored_pair_is_treated_like_any_other(series, confounds):
    """With the spline's own values at the censored volumes, nilearn's slip changes nothing: the results agree."""
    from scipy.interpolate import CubicSpline

    mask = censor(40, N_VOLUMES - 41)
    result = clean_like_nilearn(series, NuisanceDesign(len(series), T_R, BAND, confounds), mask)
    kept = np.flatnonzero(mask)
    for values in (series, confounds):
        values[~mask] = CubicSpline(kept, values[mask])(np.flatnonzero(~mask))
    expected = call_nilearn(series, confounds, mask, BAND)
    np.testing.assert_allclose(result.cleaned, expected, rtol=0, atol=1e-9 * np.abs(series).max())


def test_nothing_is_changed_in_place(series, confounds):
    mask = censor(0, 40)
    before = series.copy(), confounds.copy(), mask.copy()
    clean_like_nilearn(series, NuisanceDesign(len(series), T_R, BAND, confounds), mask)
    for values, kept in zip((series, confounds, mask), before, strict=True):
        assert np.array_equal(values, kept)


def test_dof_without_a_filter_is_that_of_the_projection(series, confounds):
    mask = censor(3, 40, 41)
    unfiltered = clean_like_nilearn(series, NuisanceDesign(len(series), T_R, (None, None), confounds), mask)
    projected = project_out(series, NuisanceDesign(N_VOLUMES, T_R, (None, None), confounds), mask)
    assert (unfiltered.dof, unfiltered.rank) == (projected.dof, projected.rank)


def test_dof_says_how_much_the_correlation_of_white_noise_spreads(rng, confounds):
    mask = censor(10, 50, 51, 52, 99)
    noise = rng.standard_normal((N_VOLUMES, 600))
    result = clean_like_nilearn(noise, NuisanceDesign(len(noise), T_R, BAND, confounds), mask)
    relmat = compute_relmat(result.cleaned)
    observed = np.arctanh(relmat[np.arange(0, 600, 2), np.arange(1, 600, 2)]).var()
    assert 20 < result.dof < 45
    assert observed == pytest.approx(1 / (result.dof - 2), rel=0.2)


def test_missing_and_constant_series_are_nan(series, confounds):
    series[:, 0] = np.nan
    series[:, 1] = 7.0
    cleaned = clean_like_nilearn(series, NuisanceDesign(len(series), T_R, BAND, confounds), censor(5)).cleaned
    assert np.isnan(cleaned[:, :2]).all()
    assert np.isfinite(cleaned[:, 2:]).all()


def test_a_value_missing_in_a_censored_volume_does_no_harm(series, confounds):
    series[40, 0] = np.nan
    assert np.isfinite(
        clean_like_nilearn(series, NuisanceDesign(len(series), T_R, BAND, confounds), censor(40)).cleaned
    ).all()


def test_too_few_volumes_are_the_runs_error(series, confounds):
    with pytest.raises(RunError, match=r"0 of 160 volumes retained \(censoring\)"):
        clean_like_nilearn(
            series, NuisanceDesign(len(series), T_R, BAND, confounds), np.zeros(N_VOLUMES, dtype=bool)
        )
    with pytest.raises(RunError, match="20 volumes are too few for nilearn's Butterworth filter"):
        clean_like_nilearn(
            series, NuisanceDesign(len(series), T_R, BAND, confounds), censor(*range(20, N_VOLUMES))
        )


def test_the_whole_way_on_a_real_run_equals_nilearns(shared_data, rng):
    """Our confounds, mask and cleaning against load_confounds and signal.clean."""
    from nilearn.interfaces.fmriprep import load_confounds
    from nilearn.signal import clean

    folder = shared_data / "rapidtide/sub-rapidtide/func"
    table = folder / "sub-rapidtide_task-rest_desc-confounds_timeseries.tsv"
    confounds = read_confounds(table, table.with_suffix(".json"))
    chosen = select_confounds(
        confounds.names, confounds.values, confounds.metadata, motion=6, acompcor_wm=5, acompcor_csf=5
    )
    mask = make_sample_mask(
        confounds.get("framewise_displacement"),
        None,
        fd_threshold_mm=0.2,
        n_nonsteady=count_nonsteady(confounds.names, confounds.values),
    )
    series = 8_000 + 30 * rng.standard_normal((len(mask), 3)).cumsum(axis=0)
    result = clean_like_nilearn(series, NuisanceDesign(len(series), 1.5, BAND, chosen.values), mask)
    theirs, kept = load_confounds(
        str(folder / "sub-rapidtide_task-rest_space-MNI152NLin2009cAsym_res-3_desc-preproc_bold.nii.gz"),
        strategy=["motion", "high_pass", "compcor", "scrub"],
        motion="basic",
        compcor="anat_separated",
        n_compcor=5,
        scrub=0,
        fd_threshold=0.2,
        std_dvars_threshold=1e9,
        demean=False,
    )
    expected = clean(
        series.copy(),
        confounds=theirs[[name for name in theirs.columns if "cosine" not in name]],
        sample_mask=kept,
        standardize=None,
        low_pass=0.08,
        high_pass=0.01,
        t_r=1.5,
    )
    assert len(expected) < len(mask) - 1
    np.testing.assert_allclose(result.cleaned, expected, rtol=0, atol=1e-9 * np.abs(series).max())


def test_importing_the_module_does_not_import_nilearn():
    code = "import sys, rsconn.files.nilearn_mode; print('nilearn' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
