"""Group maps from files to files: a study of 24 people whose maps differ at one place."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy import ndimage

from rsconn.errors import RunError
from rsconn.files.bids import Run
from rsconn.files.image_headers import ImageHeader
from rsconn.files.images import read_image
from rsconn.files.run_records import RunRecord, read_records, write_records
from rsconn.files.tables import read_tsv, write_tsv
from rsconn.files.writing import write_map
from rsconn.inference.voxelwise import apply_arrangements, permute_maps
from rsconn.report.maps.mosaics import read_descriptions
from rsconn.rules import maps
from rsconn.rules.maps import make_group_maps
from rsconn.settings.config import read_config
from rsconn.study.maps.across_maps_table import ACROSS_TEXTS, write_across
from rsconn.study.maps.seed_images import find_sources, read_seed_images

SHAPE = (12, 11, 10)
AFFINE = np.array([[-4.0, 0, 0, 24], [0, 4.0, 0, -20], [0, 0, 4.0, -16], [0, 0, 0, 1]])
N = 24
PLANTED = (3, 8, 6)  # 12, 12, 8 mm
PEOPLE = [f"sub-{number:02d}" for number in range(1, N + 1)]
LOST, CUT, UNCOVERED = "sub-05", "sub-20", "sub-21"

CONFIG = {
    "input": {"derivatives": "fmriprep", "participants": "participants.tsv"},
    "rois": "rois.yaml",
    "seeds": ["LAI"],
    "groups": {"column": "group", "levels": {"therapist": "T", "control": "C"}},
    "scores": {"PT": {"column": "pt"}},
    "maps": {"n_permutations": 99, "cluster_forming_p": 0.01, "scores": ["PT"], "interaction": True},
}
ROIS = {
    "space": "MNI152NLin2009cAsym",
    "rois": [
        {"name": "LAI", "sphere": {"center_mm": [-12, 0, 0], "radius_mm": 5}},
        {"name": "dmPFC", "sphere": {"center_mm": [12, 12, 4], "radius_mm": 5}},
    ],
}


def make_header(shape: tuple[int, int, int] = SHAPE) -> ImageHeader:
    return ImageHeader(
        path=Path("x.nii.gz"), shape=shape, n_volumes=1, dtype=np.dtype("<f4"), slope=1.0, intercept=0.0,
        affine=AFFINE, t_r=float("nan"), data_offset=352,
    )  # fmt: skip


def make_record(person: str, run: int, dof: int, path: Path, **quality: float) -> RunRecord:
    facts = {"n_volumes": 240, "n_retained": 230, "minutes_retained": 7.6, "dof": dof, "mean_fd": 0.2}
    return RunRecord(
        Run(person, None, f"{person}_run-{run}", {}),
        facts={
            "quality": facts | quality,
            "coverage": [{"roi": "LAI", "coverage": 0.2 if person == UNCOVERED else 1.0}],
            "seed_maps": {"LAI": str(path)},
            "seed_maps_dof": dof,
        },
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps, records, cohort and config; the first person has two runs, others lack some voxels."""
    folder = tmp_path_factory.mktemp("study")
    rng = np.random.default_rng(8)
    group = np.repeat([1.0, 0.0], N // 2)
    age, score = rng.normal(40, 9, N).round(), rng.normal(18, 4, N).round(1)
    bump = np.zeros(SHAPE)
    bump[PLANTED] = 1
    bump = ndimage.gaussian_filter(bump, 1.2)
    bump /= bump.max()
    records = []
    for index, person in enumerate(PEOPLE):
        noise = 0.2 * rng.normal(size=SHAPE) + 0.3 + group[index] * 0.7 * bump + 0.004 * age[index]
        noise[0] = 0  # outside everybody's mask
        if index in (3, 15):
            noise[-1] = np.nan
        if index in (2, 6, 9, 17, 18):
            noise[:, 0] = 0
        for run in (1, 2) if index == 0 else (1,):
            path = folder / f"{person}_run-{run}.nii.gz"
            values = (noise + 0.1 * run).ravel(order="F").astype(np.float32)
            values[noise.ravel(order="F") == 0] = 0
            write_map(path, values, np.arange(values.size), make_header())
            moved = {"mean_fd": 0.9} if person == LOST else {}
            records.append(make_record(person, run, 20 * run, path, **moved))
    failed = records[PEOPLE.index(CUT) + 1]
    position = records.index(failed)
    records[position] = RunRecord(failed.run, "seedmap", "cut short", {"quality": {}})
    write_records(folder / "record.json", records)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG, sort_keys=False))
    (folder / "rois.yaml").write_text(yaml.safe_dump(ROIS))
    write_tsv(
        folder / "cohort.tsv",
        {
            "participant_id": PEOPLE, "session": ["n/a"] * N, "group": ["therapist"] * 12 + ["control"] * 12,
            "sex": ["F", "M"] * 12, "age": age, "PT": score, "mean_fd": rng.uniform(0.1, 0.3, N),
            "included": ["True"] * N,
        },
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def results(study: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(study)
        make_group_maps(
            "LAI",
            [study / "record.json"],
            settings=read_config(study / "config.yaml"),
            cohort=study / "cohort.tsv",
        )
    return study / "group" / "maps"


def read(path: Path) -> np.ndarray:
    return read_image(path)[0]


def read_person(study: Path, person: str, run: int = 1) -> np.ndarray:
    return read(study / f"{person}_run-{run}.nii.gz")


USED = [person for person in PEOPLE if person not in (LOST, CUT, UNCOVERED)]


def test_people_with_failed_moved_or_uncovered_runs_are_left_out(results: Path) -> None:
    models = json.loads((results / "LAI_models.json").read_text())
    assert models["people"] == USED
    assert models["n_runs"] == len(USED) + 1
    [group, *_] = models["models"]
    assert group["n_per_group"] == {"a": 11, "b": 10}
    assert group["covariates"] == ["age", "sex", "mean_fd"]
    assert group["dof"] == 21 - 5


def test_runs_weigh_degrees_of_freedom_less_two(study: Path) -> None:
    config = read_config(study / "config.yaml")
    sources = find_sources(read_records([study / "record.json"]), "LAI", config)
    images = read_seed_images(sources, min_people_share=0.9)
    one, two = (
        read_person(study, "sub-01", run).ravel(order="F")[images.voxels].astype(float) for run in (1, 2)
    )
    np.testing.assert_allclose(images.maps[0], (18 * one + 38 * two) / 56, rtol=1e-6)


def test_coverage_is_counted_and_asked_for(results: Path) -> None:
    n = read(results / "LAI_n.nii.gz")
    assert (n[0] == 0).all()
    assert set(n[-1, 1:].ravel()) == {19}
    assert set(n[1:-1, 0].ravel()) == {16}
    assert (n[1:-1, 1:] == 21).all()
    t = read(results / "LAI_group_t.nii.gz")
    assert (t[0] == 0).all()
    assert (t[:, 0] == 0).all()  # 16 of 21 is below 90 %
    assert (t[-1, 1:] != 0).all()  # 19 of 21 is not


def test_means_are_of_the_people_who_cover_a_voxel(study: Path, results: Path) -> None:
    therapists = [person for person in USED[1:] if person <= "sub-12"]
    maps = [read_person(study, person) for person in therapists]
    one, two = read_person(study, "sub-01", 1), read_person(study, "sub-01", 2)
    expected = np.nanmean([(18 * one + 38 * two) / 56, *maps], axis=0)
    found = read(results / "LAI_mean-therapist.nii.gz")
    np.testing.assert_allclose(found[1:, 1:], expected[1:, 1:], rtol=1e-5)


def test_t_equals_nilearn_where_everybody_is(study: Path, results: Path) -> None:
    from nilearn.mass_univariate import permuted_ols

    cohort = {name: np.array(cells) for name, cells in read_tsv(study / "cohort.tsv").items()}
    rows = np.isin(cohort["participant_id"], USED)
    maps = np.array([read_person(study, person)[1:-1, 1:].ravel() for person in USED])
    one, two = (read_person(study, "sub-01", run)[1:-1, 1:].ravel() for run in (1, 2))
    maps[0] = (18 * one + 38 * two) / 56
    covariates = np.column_stack(
        [cohort["age"][rows].astype(float), cohort["sex"][rows] == "M", cohort["mean_fd"][rows].astype(float)]
    )
    group = (cohort["group"][rows] == "therapist").astype(float)
    expected = permuted_ols(group, maps, covariates.astype(float), n_perm=0)["t"][0]
    found = read(results / "LAI_group_t.nii.gz")[1:-1, 1:].ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_planted_difference_is_found_at_its_place_and_named(results: Path) -> None:
    clusters = read_tsv(results / "LAI_clusters.tsv")
    assert (clusters["seed"][0], clusters["model"][0], clusters["cluster"][0]) == ("LAI", "group", "1")
    assert clusters["direction"][0] == "therapist > control"
    peak = [float(clusters[f"peak_{axis}"][0]) for axis in "xyz"]
    assert np.linalg.norm(np.subtract(peak, (12, 12, 8))) <= 4 * np.sqrt(3)
    assert float(clusters["p_mass"][0]) <= 0.02
    assert clusters["nearest_roi"][0] == "dmPFC"
    assert float(clusters["size_mm3"][0]) == 64 * int(clusters["n_voxels"][0])
    assert float(clusters["region_distance_mm"][0]) < 60
    rois = read_tsv(results / "LAI_rois.tsv")
    row = rois["roi"].index("dmPFC")
    assert rois["nearest_cluster"][row] == "1"
    assert float(rois["peak_distance_mm"][row]) == pytest.approx(
        np.linalg.norm(np.subtract(peak, (12, 12, 4)))
    )
    assert float(rois["significant_voxel_distance_mm"][row]) <= 4


def test_p_maps_say_what_the_tables_say(results: Path) -> None:
    clusters = read_tsv(results / "LAI_clusters.tsv")
    labels = read(results / "LAI_group_labels.nii.gz")
    for column, name in (("p_size", "logpsize"), ("p_mass", "logpmass")):
        p = 10 ** -read(results / f"LAI_group_{name}.nii.gz")
        np.testing.assert_allclose(p[labels == 1], float(clusters[column][0]), rtol=1e-5)
        np.testing.assert_array_equal(p[labels == 0], 1)
    for column, name in (("p_fwe", "logpfwe"), ("p_tfce", "logptfce")):
        p = 10 ** -read(results / f"LAI_group_{name}.nii.gz")
        assert p[labels == 1].min() == pytest.approx(float(clusters[column][0]), rel=1e-5)
    assert (labels == 1).sum() == int(clusters["n_voxels"][0])


def test_models_name_files_that_exist_and_thresholds_that_hold(results: Path) -> None:
    models = json.loads((results / "LAI_models.json").read_text())["models"]
    assert [model["name"] for model in models] == ["group", "PT", "PT-by-group"]
    for model in models:
        assert all((results / name).exists() for name in model["files"].values())
        assert model["n_permutations"] == 99
    t = np.abs(read(results / "LAI_group_t.nii.gz")[1:-1])
    p = 10 ** -read(results / "LAI_group_logpfwe.nii.gz")[1:-1]
    np.testing.assert_array_equal(t > models[0]["critical"]["max_t"], p <= 0.05 + 1e-6)
    assert models[0]["n_significant_voxels"]["mass"] > 0
    assert models[1]["covariates"] == ["group", "age", "sex", "mean_fd"]
    assert models[2]["covariates"] == ["PT", "group", "age", "sex", "mean_fd"]


def test_every_column_is_described(results: Path) -> None:
    for name in ("LAI_clusters", "LAI_rois"):
        columns = read_tsv(results / f"{name}.tsv")
        described = json.loads((results / f"{name}.json").read_text())
        assert set(columns) == set(described)


def test_same_inputs_give_the_same_bytes(
    study: Path, results: Path, monkeypatch, tmp_path: Path, narrow_config
) -> None:
    monkeypatch.chdir(tmp_path)
    # the config of the second run has nothing but what the rule depends on
    make_group_maps(
        "LAI",
        [study / "record.json"],
        settings=narrow_config(read_config(study / "config.yaml"), "maps"),
        cohort=study / "cohort.tsv",
    )
    again = tmp_path / "group" / "maps"
    names = sorted(path.name for path in results.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert all((results / name).read_bytes() == (again / name).read_bytes() for name in names)


def test_people_are_exchanged_within_the_column_asked_for(study: Path, monkeypatch, tmp_path: Path) -> None:
    seen = []

    def permute(*arguments, **options):
        seen.append(options["blocks"])
        return permute_maps(*arguments, **options)

    monkeypatch.setattr(maps, "permute_maps", permute)
    monkeypatch.chdir(tmp_path)
    changed = CONFIG | {"inference": {"exchange_within": "sex"}}
    (study / "within.yaml").write_text(yaml.safe_dump(changed, sort_keys=False))
    make_group_maps(
        "LAI",
        [study / "record.json"],
        settings=read_config(study / "within.yaml"),
        cohort=study / "cohort.tsv",
    )
    assert len(seen) == 2  # the groups' contrast flips signs, which needs no blocks
    men = np.array([PEOPLE.index(person) % 2 for person in USED])
    assert len(set(seen[0])) == 4  # sexes within the groups that slopes are adjusted for
    assert not set(seen[0][men == 1]) & set(seen[0][men == 0])


def test_no_map_at_all(study: Path) -> None:
    with pytest.raises(RunError, match="nobody has a usable seed map"):
        read_seed_images({}, min_people_share=0.9)


def test_other_grid(study: Path, tmp_path: Path) -> None:
    path = tmp_path / "other.nii.gz"
    write_map(path, np.ones(8, np.float32), np.arange(8), make_header((2, 2, 2)))
    sources = {"sub-01": [(study / "sub-01_run-1.nii.gz", 1.0)], "sub-02": [(path, 1.0)]}
    with pytest.raises(RunError, match="one grid is needed"):
        read_seed_images(sources, min_people_share=0.9)


def test_no_voxel_that_enough_people_cover(tmp_path: Path) -> None:
    sources = {}
    for index in range(2):
        path = tmp_path / f"{index}.nii.gz"
        write_map(path, np.ones(1, np.float32), np.array([index]), make_header())
        sources[f"sub-{index}"] = [(path, 1.0)]
    with pytest.raises(RunError, match=r"smaller maps\.min_people_share needed"):
        read_seed_images(sources, min_people_share=0.9)


def test_a_person_has_the_same_signs_whoever_else_has_a_map(study: Path, monkeypatch, tmp_path: Path) -> None:
    seen = {}

    def apply(maps_given, *arguments, **options):
        seen[len(maps_given)] = arguments[3]
        return apply_arrangements(maps_given, *arguments, **options)

    monkeypatch.setattr(maps, "apply_arrangements", apply)
    monkeypatch.chdir(tmp_path)
    given = {"settings": read_config(study / "config.yaml"), "cohort": study / "cohort.tsv"}
    make_group_maps("LAI", [study / "record.json"], **given)
    records = [
        record for record in read_records([study / "record.json"]) if record.run.participant_id != PEOPLE[0]
    ]
    write_records(tmp_path / "fewer.json", records)
    make_group_maps("LAI", [tmp_path / "fewer.json"], **given)
    most, fewer = (seen[n] for n in sorted(seen, reverse=True))
    np.testing.assert_array_equal(most[:, 1:], fewer)


def test_maps_of_all_seeds_are_one_family(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    shutil.copytree(results, folder)
    described = json.loads((folder / "LAI_models.json").read_text())
    described["seed"] = "rACC"
    (folder / "rACC_models.json").write_text(json.dumps(described))
    for path in folder.glob("LAI_*_null.tsv"):  # another null, of the same statistics
        null = read_tsv(path)
        other = {name: values[1:] + values[:1] for name, values in null.items()}
        write_tsv(folder / path.name.replace("LAI", "rACC"), other)
    write_across(folder, "seeds", 0.05)
    table = read_tsv(folder / "across.tsv")
    assert set(table) == set(ACROSS_TEXTS)
    assert set(table["n_maps"]) == {"2"}
    assert len(table["seed"]) == 2 * 3 * 4
    for p, across, level in zip(table["smallest_p"], table["p_across"], table["level"], strict=True):
        assert float(p) <= float(across) <= 2 * float(p) + 1e-6
        assert float(level) < 0.056
    [model] = [model for model in read_descriptions(folder)[0]["models"] if model["name"] == "group"]
    assert (model["n_maps"], model["alpha_family"]) == (2, 0.05)
    assert model["alpha"] < 0.056
    alone = next(each for each in described["models"] if each["name"] == "group")
    assert model["n_significant_voxels"]["mass"] <= alone["n_significant_voxels"]["mass"]
    write_across(folder, "all", 0.05)
    assert set(read_tsv(folder / "across.tsv")["n_maps"]) == {"6"}
