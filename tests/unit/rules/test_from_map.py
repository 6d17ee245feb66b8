"""Regions from a map: 24 people whose maps differ at two places, from files to a ROI set and the folds' means."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import ndimage

from rsconn import cli
from rsconn.commands.leave_one_out import _list_lines
from rsconn.files.bids import Run
from rsconn.files.image_headers import ImageHeader
from rsconn.files.images import read_image
from rsconn.files.run_records import RunRecord, write_records
from rsconn.files.tables import read_tsv, write_tsv
from rsconn.files.writing import write_map
from rsconn.rules.maps import make_group_maps
from rsconn.settings.config import read_config
from rsconn.settings.roi_files import read_roi_set

SHAPE, N = (12, 11, 10), 24
AFFINE = np.array([[-4.0, 0, 0, 24], [0, 4.0, 0, -20], [0, 0, 4.0, -16], [0, 0, 0, 1]])
MORE, LESS = (3, 8, 6), (9, 3, 3)  # therapists have more at one place and less at the other
PEOPLE = [f"sub-{number:02d}" for number in range(1, N + 1)]
CONFIG = {
    "input": {"derivatives": "fmriprep", "participants": "participants.tsv"},
    "output_dir": "results",
    "rois": "rois.yaml",
    "seeds": ["LAI"],
    "groups": {"column": "group", "levels": {"therapist": "T", "control": "C"}},
    "scores": {"PT": {"column": "pt"}},
    "covariates": {"edge": ["age"]},
    "maps": {
        "n_permutations": 99,
        "cluster_forming_p": 0.01,
        "scores": ["PT"],
        "interaction": True,
        "tfce": False,
    },
}
ROIS = {
    "space": "MNI152NLin2009cAsym",
    "rois": [
        {"name": "LAI", "mask": "masks/lai.nii.gz", "source": "ours"},
        {"name": "dmPFC", "sphere": {"center_mm": [12, 12, 4], "radius_mm": 5}},
    ],
}


def make_header() -> ImageHeader:
    return ImageHeader(
        path=Path("x.nii.gz"), shape=SHAPE, n_volumes=1, dtype=np.dtype("<f4"), slope=1.0, intercept=0.0,
        affine=AFFINE, t_r=float("nan"), data_offset=352,
    )  # fmt: skip


def make_bump(place: tuple[int, int, int]) -> np.ndarray:
    bump = np.zeros(SHAPE)
    bump[place] = 1
    bump = ndimage.gaussian_filter(bump, 1.2)
    return bump / bump.max()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder with its results as far as the group maps."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(8)
    group, age = np.repeat([1.0, 0.0], N // 2), rng.normal(40, 9, N).round()
    records = []
    for index, person in enumerate(PEOPLE):
        values = 0.2 * rng.normal(size=SHAPE) + 0.3 + 0.004 * age[index]
        values += group[index] * (0.8 * make_bump(MORE) - 0.7 * make_bump(LESS))
        if index == 4:
            values[0] = np.nan  # what one person lacks
        path = folder / "results" / f"{person}.nii.gz"
        write_map(path, values.ravel(order="F").astype(np.float32), np.arange(values.size), make_header())
        quality = {"n_volumes": 240, "n_retained": 230, "minutes_retained": 7.6, "dof": 30, "mean_fd": 0.2}
        facts = {"quality": quality, "seed_maps": {"LAI": path.name}, "seed_maps_dof": 30}
        records.append(RunRecord(Run(person, None, person, {}), facts=facts))
    write_records(folder / "results" / "work" / "denoise" / "batch-001.json", records)
    write_tsv(
        folder / "results" / "group" / "cohort.tsv",
        {
            "participant_id": PEOPLE, "session": ["n/a"] * N, "group": ["therapist"] * 12 + ["control"] * 12,
            "sex": ["F", "M"] * 12, "age": age, "PT": rng.normal(18, 4, N).round(1),
            "mean_fd": rng.uniform(0.1, 0.3, N), "included": ["True"] * N,
        },
    )  # fmt: skip
    write_map(folder / "masks" / "lai.nii.gz", np.ones(1, np.float32), np.array([700]), make_header())
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    (folder / "rois.yaml").write_text(yaml.safe_dump(ROIS))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder / "results")
        make_group_maps(
            "LAI",
            [Path("work/denoise/batch-001.json")],
            settings=read_config(folder / "config.yaml"),
            cohort=Path("group/cohort.tsv"),
        )
    return folder


@pytest.fixture
def study(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with the user in its folder."""
    monkeypatch.chdir(finished)
    return finished


def run(*words: str) -> int:
    return cli.main(["rois", "from-map", "results", *words])


@pytest.mark.parametrize("correction", ["mass", "extent", "max-t"])
def test_set_holds_the_seed_and_the_significant_clusters(
    study: Path, tmp_path: Path, correction: str, capsys
) -> None:
    assert run("--seed", "LAI", "--correction", correction, "--output", str(tmp_path / "new")) == 0
    found = read_roi_set(tmp_path / "new" / "rois.yaml")
    assert found.names[:2] == ("LAI", "LAI_group_1")
    assert len(found.names) >= 3
    assert found.circular is not None
    assert (found.circular.contrast, found.circular.data) == ("group", "this")
    assert found.space == "MNI152NLin2009cAsym"
    assert found.rois[0].mask == study / "masks" / "lai.nii.gz"
    name = {"mass": "logpmass", "extent": "logpsize", "max-t": "logpfwe"}[correction]
    log_p = read_image(study / "results" / "group" / "maps" / f"LAI_group_{name}.nii.gz")[0]
    masks = [read_image(roi.mask)[0] for roi in found.rois[1:]]
    np.testing.assert_array_equal(sum(masks), log_p >= -np.log10(0.05) - 1e-6)
    assert {np.flatnonzero([mask[place] for mask in masks]).size for place in (MORE, LESS)} == {1}
    more = next(roi for roi, mask in zip(found.rois[1:], masks, strict=True) if mask[MORE])
    for words in ("group/maps/LAI_group_t.nii.gz", "seed LAI", "therapist > control", "alpha 0.05"):
        assert words in more.source
    assert ("|t| > 2.83" in more.source) == (correction != "max-t")
    assert "claims on it are not testable here" in capsys.readouterr().out


def test_set_lies_in_the_results_by_default(study: Path) -> None:
    assert run("--seed", "LAI") == 0
    file = study / "results" / "rois" / "LAI_group_mass" / "rois.yaml"
    assert read_roi_set(file).rois[0].mask == study / "masks" / "lai.nii.gz"
    shutil.rmtree(file.parents[1])


def test_paths_start_where_the_set_is_read_from(study: Path, tmp_path: Path) -> None:
    """In a checkout, paths in a ROI file start at the folder with the Snakefile."""
    (tmp_path / "Snakefile").touch()
    assert run("--seed", "LAI", "--output", str(tmp_path / "deep" / "er")) == 0
    found = read_roi_set(tmp_path / "deep" / "er" / "rois.yaml")
    assert found.rois[0].mask.resolve() == study / "masks" / "lai.nii.gz"
    assert all(roi.mask.exists() for roi in found.rois)


def test_slopes_name_their_score(study: Path, tmp_path: Path) -> None:
    for model in ("PT", "PT-by-group"):
        assert (
            run("--seed", "LAI", "--model", model, "--alpha", "0.99", "--output", str(tmp_path / model)) == 0
        )
        content = yaml.safe_load((tmp_path / model / "rois.yaml").read_text())
        assert content["circular"]["contrast"] == "PT"
        assert content["rois"][1]["name"] == f"LAI_{model.replace('-', '_')}_1"


@pytest.fixture
def left_out(study: Path, tmp_path: Path, capsys) -> tuple[Path, str]:
    assert (
        run("--seed", "LAI", "--leave-one-out", "--config", "config.yaml", "--output", str(tmp_path / "new"))
        == 0
    )
    return tmp_path / "new", capsys.readouterr().out


def test_left_out_means_are_of_the_clusters_without_the_person(
    study: Path, left_out: tuple[Path, str]
) -> None:
    from rsconn.inference.clusters import find_neighbours
    from rsconn.inference.voxelwise import apply_arrangements

    table = read_tsv(left_out[0] / "left_out.tsv")
    assert table["participant_id"] == PEOPLE
    person, everybody = 7, slice(1, None)
    maps = np.array([read_image(study / "results" / f"{each}.nii.gz")[0][everybody] for each in PEOPLE])
    maps = maps.reshape(N, -1, order="F")
    group, others = np.repeat([1.0, 0.0], N // 2), np.arange(N) != person
    age = np.array(read_tsv(study / "results" / "group" / "cohort.tsv")["age"], float)
    neighbours = find_neighbours(np.arange(maps.shape[1]), (SHAPE[0] - 1, *SHAPE[1:]))
    found = apply_arrangements(
        maps[others], group[others], np.column_stack([np.ones(N), age])[others], neighbours,
        np.arange(N - 1)[None], cluster_forming_p=0.01, tfce=False,
    )  # fmt: skip
    model = json.loads((study / "results/group/maps/LAI_models.json").read_text())["models"][0]
    kept = 1 + np.flatnonzero(found.masses > model["critical"]["mass"])
    inside = np.isin(found.labels, kept) & (found.t > 0)
    assert inside.any()
    assert float(table["mean_positive"][person]) == pytest.approx(maps[person, inside].mean(), rel=1e-5)


def test_left_out_says_what_it_may(study: Path, left_out: tuple[Path, str]) -> None:
    folder, printed = left_out
    content = json.loads((folder / "left_out.json").read_text())
    more, less = content["directions"]
    assert (more["direction"], more["n"]) == ("therapist > control", N)
    assert more["estimate"] > 0.2
    assert less["estimate"] < -0.2
    assert more["p_repeated_selection"] <= 0.05
    assert content["n_permutations"] == 99
    assert content["n_voxels_not_covered_by_all"] == 110
    # the usual t or p of the means is nowhere
    assert set(more) == {"direction", "n", "n_without_region", "estimate", "p_repeated_selection"}
    assert set(read_tsv(folder / "left_out.tsv")) == {
        "participant_id",
        "tested",
        "mean_positive",
        "mean_negative",
    }
    assert "therapist > control: estimate" in printed
    # a negative estimate in clusters of control > therapist is what these clusters promise
    [line] = [line for line in printed.splitlines() if "control > therapist: estimate -" in line]
    assert f"(Fisher z, above 0 is therapist > control; descriptive) of {N} people, p " in line


def test_people_without_a_region_are_counted() -> None:
    row = {
        "direction": "a > b",
        "estimate": 0.1,
        "n": 19,
        "n_without_region": 15,
        "p_repeated_selection": 1.0,
    }
    line, _ = _list_lines({"directions": [row], "n_permutations": 99}, "left_out.tsv")
    assert "of 19 people (15 more have no region), p 1 by 99" in line


def test_folds_are_counted_voxel_by_voxel(left_out: tuple[Path, str]) -> None:
    folder, printed = left_out
    assert "99 permutations that repeat the selection" in printed
    folds = read_image(folder / "left_out_folds-positive.nii.gz")[0]
    assert folds[MORE] == N
    assert folds[LESS] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--seed rACC", "--seed rACC: no maps of it in results; LAI found"),
        ("--model ES", "--model ES: no such model of LAI; group, PT, PT-by-group found"),
        ("--alpha 0.0001", "no cluster is significant by cluster mass at alpha 0.0001 (smallest p 0.01)"),
        ("--alpha 1.5", "--alpha 1.5: a number above 0 and below 1 needed"),
        ("--correction tfce", "--correction tfce: LAI group has no TFCE map; extent, mass or max-t needed"),
        ("--leave-one-out", "--leave-one-out: the config of the run needed (--config FILE)"),
        ("--leave-one-out --config config.yaml --alpha 0.5", "the folds have the run's threshold, for alpha 0.05;"),
        ("--leave-one-out --config other.yaml", "other.yaml: model group of LAI has other people or covariates"),
    ],
)  # fmt: skip
def test_a_users_mistake_is_one_line(study: Path, capsys, words: str, message: str) -> None:
    other = CONFIG | {"covariates": {"edge": ["age", "sex"]}}
    (study / "other.yaml").write_text(yaml.safe_dump(other, sort_keys=False))
    assert run("--seed", "LAI", *words.split()) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not (study / "results" / "rois").exists()


def test_results_without_maps(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("--seed", "LAI") == 2
    assert capsys.readouterr().err == (
        "rsconn: results: no group maps found; the output_dir of a finished run with seeds needed\n"
    )


def test_dense_series_have_no_group_maps(tmp_path: Path, monkeypatch, capsys) -> None:
    func = tmp_path / "results" / "sub-01" / "ses-1" / "func"
    func.mkdir(parents=True)
    (func / "sub-01_ses-1_task-rest_seed-LAI_stat-fisherz_boldmap.dscalar.nii").touch()
    monkeypatch.chdir(tmp_path)
    assert run("--seed", "LAI") == 2
    assert capsys.readouterr().err == (
        "rsconn: results: seed maps of dense series (CIFTI) found, and no group maps, which are made of volumes only; "
        "a run on volumes needed (input.filters.space)\n"
    )


def test_models_of_other_kinds_are_refused(study: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    shutil.copytree(study / "results" / "group", tmp_path / "results" / "group")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "results" / "group" / "maps" / "LAI_models.json"
    described = json.loads(path.read_text())
    described["models"][0]["reason"] = "n = 3 is too small for 3 parameters"
    path.write_text(json.dumps(described))
    assert run("--seed", "LAI") == 2
    assert "--model group: LAI has no such map: n = 3 is too small" in capsys.readouterr().err
    del described["roi"]
    path.write_text(json.dumps(described))
    assert run("--seed", "LAI") == 2
    assert "written by an earlier version, without the seed's region; run again" in capsys.readouterr().err


def test_folds_have_no_tfce(study: Path, monkeypatch) -> None:
    from dataclasses import replace

    from rsconn.commands.leave_one_out import write_left_out
    from rsconn.commands.rois_from_map import find_set
    from rsconn.errors import SettingsError

    found = replace(find_set(Path("results"), seed="LAI"), correction="tfce")
    with pytest.raises(SettingsError, match="TFCE of every fold and permutation would take days"):
        write_left_out(found, Path("config.yaml"))
