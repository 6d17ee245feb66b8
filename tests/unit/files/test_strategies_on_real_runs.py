"""Every strategy that comes with rsconn, on three generations of real fMRIPrep confounds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from rsconn.errors import RunError
from rsconn.files.confounds import read_confounds
from rsconn.settings.strategies import read_strategy
from rsconn.signal.projection import NuisanceDesign, count_dof
from rsconn.signal.quality import count_nonsteady, make_sample_mask
from rsconn.signal.regressors import select_confounds

BAND = (0.01, 0.08)
OLD, NEW = "confounds/fmriprep-1.4_ds002790", "confounds/fmriprep-20.2.1_ds003798"
# Degrees of freedom with 0.01-0.08 Hz and FD 0.5 mm. ds003798's TR is not in the files: five cosines say 2.4-2.8 s.
# Run -> (file, t_r, dof of acompcor, 36P, simple6)
RUNS = {
    "0043": (f"{OLD}/sub-0043_task-restingstate_acq-seq_desc-confounds_regressors", 2.0, 35, 15, 43),
    "0060": (f"{OLD}/sub-0060_task-restingstate_acq-seq_desc-confounds_regressors", 2.0, 37, 16, 44),
    "0176": (f"{OLD}/sub-0176_task-restingstate_acq-seq_desc-confounds_regressors", 2.0, 6, 0, 14),
    "CC0005": (f"{NEW}/sub-CC0005_ses-core1p1_task-rest_run-1_desc-confounds_timeseries", 2.5, 37, 17, 45),
    "CC0018-1": (f"{NEW}/sub-CC0018_ses-core1p1_task-rest_run-1_desc-confounds_timeseries", 2.5, 39, 19, 47),
    "CC0018-2": (f"{NEW}/sub-CC0018_ses-core1p1_task-rest_run-2_desc-confounds_timeseries", 2.5, 34, 14, 42),
    "CC0026": (f"{NEW}/sub-CC0026_ses-core1p1_task-rest_run-2_desc-confounds_timeseries", 2.5, 23, 3, 31),
}


def select(confounds, strategy):
    return select_confounds(confounds.names, confounds.values, confounds.metadata, **strategy.get_terms())


@pytest.fixture
def folders(root):
    return [root / "config" / "strategies"]


@pytest.fixture
def read(shared_data):
    def read_run(run):
        path = shared_data / RUNS[run][0]
        return read_confounds(path.with_suffix(".tsv"), path.with_suffix(".json"))

    return read_run


@pytest.mark.parametrize("run", RUNS)
def test_every_strategy_loads(folders, read, run):
    confounds = read(run)
    strategies = [read_strategy(path.stem, folders) for path in folders[0].glob("*.yaml")]
    assert len(strategies) >= 6
    for strategy in strategies:
        chosen = select(confounds, strategy)
        assert np.isfinite(chosen.values).all()
        assert len(chosen.names) == len(set(chosen.names)) >= 6


@pytest.mark.parametrize("run", RUNS)
def test_degrees_of_freedom(folders, read, run):
    _, t_r, *expected = RUNS[run]
    confounds = read(run)
    n_nonsteady = count_nonsteady(confounds.names, confounds.values)
    fd = confounds.get("framewise_displacement")
    mask = make_sample_mask(fd, None, fd_threshold_mm=0.5, n_nonsteady=n_nonsteady)
    dof = []
    for name in ("acompcor", "36P", "simple6"):
        chosen = select(confounds, read_strategy(name, folders))
        dof.append(count_dof(NuisanceDesign(len(fd), t_r, BAND, chosen.values), mask))
    assert dof == expected


@pytest.mark.parametrize("run", RUNS)
def test_acompcor_takes_components_of_both_masks(folders, read, run):
    """The first five columns would be CSF alone in fMRIPrep 20.2, and combined ones in 1.4."""
    confounds = read(run)
    masks = [
        confounds.metadata[name]["Mask"]
        for name in select(confounds, read_strategy("acompcor", folders)).names
        if "comp_cor" in name
    ]
    assert masks == ["WM"] * 5 + ["CSF"] * (4 if run == "0060" else 5)
    first_five = {confounds.metadata[f"a_comp_cor_{number:02d}"]["Mask"] for number in range(5)}
    assert first_five == ({"CSF"} if run.startswith("CC") else {"combined"})


def test_fewer_components_than_asked_for_are_noted(folders, read):
    notes = select(read("0060"), read_strategy("acompcor", folders)).notes
    assert notes == ("aCompCor: 4 CSF components retained by fMRIPrep, 5 asked for",)


def test_components_by_the_json_of_fmriprep_21(shared_data, folders):
    path = (
        shared_data
        / "confounds/fmriprep-21.0.2_json-only/ds002748_sub-23_task-rest_desc-confounds_timeseries.json"
    )
    metadata = json.loads(path.read_text())
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    names += [name for name in metadata if not name.startswith("dropped")]
    values = np.random.default_rng(1).standard_normal((100, len(names)))
    chosen = select_confounds(names, values, metadata, **read_strategy("acompcor", folders).get_terms())
    components = [name for name in chosen.names if "comp_cor" in name]
    assert [metadata[name]["Mask"] for name in components] == ["WM"] * 5 + ["CSF"] * 5
    for mask in ("WM", "CSF"):
        shares = [
            metadata[name]["VarianceExplained"] for name in components if metadata[name]["Mask"] == mask
        ]
        retained = [
            entry["VarianceExplained"]
            for entry in metadata.values()
            if entry.get("Mask") == mask and entry.get("Retained")
        ]
        assert shares == sorted(retained, reverse=True)[:5]


def test_strategies_without_their_json_say_what_is_missing(shared_data, folders):
    path = (shared_data / RUNS["0043"][0]).with_suffix(".tsv")
    confounds = read_confounds(path, None)
    for name in ("acompcor", "acompcor50"):
        with pytest.raises(
            RunError, match=r"aCompCor WM, aCompCor CSF missing.*55 aCompCor whose mask no JSON tells"
        ):
            select(confounds, read_strategy(name, folders))
