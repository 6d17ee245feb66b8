"""Many regions at once: atlases and columns, all or by pattern, in a file or in the config."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rsconn.errors import UserError
from rsconn.settings.config import read_config
from rsconn.settings.roi_files import list_series_columns, read_roi_set

SCHAEFER = """index\tname\tcolor
0\tBackground\t#000000
1\t7Networks_LH_Vis_1\t#781286
2\t7Networks_LH_Default_PFC_1\t#cd3e4e
3\t7Networks_RH_Default_PFC_1\t#cd3e4e
"""
MIST = "\tindex\tlabels\tmodules\n1\t9\tCER6-p\tCER\n2\t108\tL (x)\tDMN\n3\t7\tL (x)\tDMN\n"


def write_set(folder: Path, table: str, **keys: object) -> Path:
    (folder / "labels.tsv").write_text(table)
    (folder / "atlas.nii.gz").write_bytes(b"")
    content = {"space": "MNI", "atlas": {"image": "atlas.nii.gz", "labels_tsv": "labels.tsv"}, **keys}
    path = folder / "rois.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_all_labels_of_schaefers_atlas_know_their_network_and_hemisphere(tmp_path: Path) -> None:
    rois = read_roi_set(write_set(tmp_path, SCHAEFER, labels="all"))
    assert [(roi.name, roi.network, roi.hemisphere) for roi in rois.rois] == [
        ("LH_Vis_1", "Vis", "LH"),
        ("LH_Default_PFC_1", "Default", "LH"),
        ("RH_Default_PFC_1", "Default", "RH"),
    ]
    assert [roi.atlas.label for roi in rois.rois if roi.atlas] == [1, 2, 3]


@pytest.mark.parametrize("labels", ["*H_Default_*", ["LH_Default_PFC_1", "7Networks_RH_Default_*"]])
def test_patterns_choose_in_the_tables_order(tmp_path: Path, labels: object) -> None:
    rois = read_roi_set(write_set(tmp_path, SCHAEFER, labels=labels))
    assert rois.names == ("LH_Default_PFC_1", "RH_Default_PFC_1")


def test_networks_come_from_a_column_and_names_become_safe_and_unique(tmp_path: Path) -> None:
    rois = read_roi_set(write_set(tmp_path, MIST, labels="all", name="MIST"))
    assert [(roi.name, roi.network) for roi in rois.rois] == [
        ("CER6_p", "CER"),
        ("L_x", "DMN"),
        ("L_x_2", "DMN"),
    ]
    assert rois.name == "MIST"


def test_regions_of_an_atlas_stand_beside_others(tmp_path: Path) -> None:
    own = {"name": "LAI", "sphere": {"center_mm": [-36, 18, 2]}}
    rois = read_roi_set(write_set(tmp_path, SCHAEFER, labels="LH_Vis_1", rois=[own]))
    assert rois.names == ("LAI", "LH_Vis_1")


def test_a_pattern_with_an_exclamation_mark_leaves_out(tmp_path: Path) -> None:
    rois = read_roi_set(write_set(tmp_path, SCHAEFER, labels=["all", "!*_Vis_*"]))
    assert rois.names == ("LH_Default_PFC_1", "RH_Default_PFC_1")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"labels": "LH_Defalt_PFC_1"}, "'LH_Defalt_PFC_1' matches nothing in labels.tsv; did you mean"),
        ({}, "labels: missing; all, names, or patterns"),
        ({"labels": "all", "atlas": None}, "labels: go with atlas"),
        ({"labels": "all", "atlas": {"image": "atlas.nii.gz"}}, "atlas.labels_tsv: missing"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, keys: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read_roi_set(write_set(tmp_path, SCHAEFER, **keys))
    assert "\n" not in str(caught.value)


def write_series(folder: Path, name: str, header: str) -> None:
    folder.mkdir(exist_ok=True)
    width = header.count("\t") + 1
    (folder / name).write_text(header + "\n" + "\t".join(["1"] * width) + "\n")


def test_columns_are_those_of_the_first_series_that_filters_let_through(tmp_path: Path) -> None:
    write_series(tmp_path / "s", "sub-01_seg-A_timeseries.tsv", "x\ty\ty")
    write_series(tmp_path / "s", "sub-01_seg-B_timeseries.tsv", "z")
    write_series(tmp_path / "s", "sub-01_desc-confounds_timeseries.tsv", "fd")
    assert list_series_columns([tmp_path / "s"], {"seg": ["A"]}) == ("x", "y", "y")
    with pytest.raises(UserError, match=r"series of A, B found; choose with input\.filters"):
        list_series_columns([tmp_path / "s"], {})


def write_config(folder: Path, rois: object, n_columns: int) -> Path:
    write_series(folder / "s", "sub-01_seg-A_timeseries.tsv", "\t".join(f"r{i}" for i in range(n_columns)))
    (folder / "people.tsv").write_text("participant_id\tgroup\nsub-01\ta\n")
    claim = {
        "id": "C1", "family": "f", "text": "t", "outcome": "r0-r1", "expect": "greater",
        "contrast": {"column": "group", "a": "a", "b": "b"},
    }  # fmt: skip
    (folder / "claims.yaml").write_text(yaml.safe_dump([claim]))
    content = {
        "input": {"parcellated": "s", "denoised": True, "participants": "people.tsv"},
        "rois": rois, "claims": "claims.yaml", "covariates": {"edge": []},
        "groups": {"column": "group", "levels": {"a": "a", "b": "b"}},
    }  # fmt: skip
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_config_may_hold_the_set_itself(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path, {"name": "A", "columns": "all"}, 4))
    assert config.rois.names == ("r0", "r1", "r2", "r3")
    assert len(config.edges) == 6


def test_a_large_set_lists_the_edges_that_claims_name(tmp_path: Path) -> None:
    path = write_config(tmp_path, {"columns": "all"}, 60)
    assert [edge.name for edge in read_config(path).edges] == ["r0-r1"]
    path.write_text(path.read_text() + "edges: all\n")
    assert len(read_config(path).edges) == 60 * 59 / 2


def test_a_mistake_in_the_configs_own_set_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config.yaml: rois.column: unknown key; did you mean 'columns'"):
        read_config(write_config(tmp_path, {"column": "all"}, 4))
