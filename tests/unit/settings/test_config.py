"""The config: where paths start, what has a default, and the configs that come with rsconn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from rsconn.errors import SettingsError
from rsconn.settings.checks import find_braces, find_missing_files
from rsconn.settings.claims import Contrast
from rsconn.settings.config import Config, ConfigFile, parse_config, read_config
from rsconn.settings.fields import find_base, find_house, show_path
from rsconn.settings.sections import InputSettings

SMALLEST = {
    "input": {"derivatives": "fmriprep", "participants": "participants.tsv"},
    "rois": "rois.yaml",
}
ROIS = """
space: MNI152NLin2009cAsym
rois:
  - {name: A, sphere: {center_mm: [0, 0, 0]}}
  - {name: B, sphere: {center_mm: [9, 0, 0]}}
  - {name: C, mask: c.nii.gz}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "rois.yaml").write_text(ROIS)
    return tmp_path / "study"


def parse(folder: Path, **keys: Any) -> Config:
    return parse_config(SMALLEST | keys, folder / "config.yaml")


def test_defaults(folder: Path) -> None:
    config = parse(folder)
    assert [edge.name for edge in config.edges] == ["A-B", "A-C", "B-C"]
    assert (config.claims, config.claims_path, config.groups, config.scores) == ((), None, None, {})
    assert config.denoising.strategy.name == "acompcor"
    assert config.covariates.edge == ("age", "sex", "mean_fd")
    assert config.sessions == "combine"


def test_paths_count_from_the_config_without_a_snakefile(folder: Path) -> None:
    config = parse(folder)
    assert config.input.participants == folder / "participants.tsv"
    assert config.input.derivatives == (folder / "fmriprep",)


def test_paths_count_from_the_nearest_snakefile(folder: Path) -> None:
    (folder.parent / "Snakefile").touch()
    config = parse(folder, rois="study/rois.yaml")
    assert config.input.participants == folder.parent / "participants.tsv"
    assert config.rois.rois[2].mask == folder.parent / "c.nii.gz"


def test_output_counts_from_where_the_command_started(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse(folder).output_dir == tmp_path / "results"
    assert parse(folder, output_dir="/far/away").output_dir == Path("/far/away")
    launched = parse_config(dict(SMALLEST), folder / "config.yaml", launched=folder)
    assert launched.output_dir == folder / "results"


def test_home_and_absolute_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/lab")
    config = parse(folder, input={"derivatives": ["~/a", "/b", "../c"], "participants": "p.tsv"})
    assert config.input.derivatives == (Path("/home/lab/a"), Path("/b"), folder.parent / "c")


def test_lists_may_be_written_as_one_value(folder: Path) -> None:
    given = {
        "derivatives": "a",
        "participants": "p",
        "phenotype": "q",
        "filters": {"run": 1, "task": ["x", "y"]},
    }
    config = parse(folder, input=given, edges="A-B", covariates={"edge": "age"})
    assert config.input.phenotype == (folder / "q",)
    assert config.input.filters == {"run": ("1",), "task": ("x", "y")}
    assert config.covariates.edge == ("age",)


def test_a_key_with_nothing_behind_it_is_not_written(folder: Path) -> None:
    config = parse(
        folder, quality=None, edges=None, censoring={"fd_threshold_mm": None, "max_share_lost": None}
    )
    assert config.quality.min_coverage == 0.5
    assert len(config.edges) == 3
    # but nothing is what these two may say
    assert config.censoring.fd_threshold_mm is None
    assert config.censoring.max_share_lost == 0.1
    assert parse(folder, denoising={"low_pass_hz": None}).denoising.low_pass_hz is None


def test_values_may_be_renamed_to_missing(folder: Path) -> None:
    given = SMALLEST["input"] | {"values": {"sex": {"unknown": None, "female": "F", 2: "M"}}}  # type: ignore[operator]
    assert parse(folder, input=given).input.values == {"sex": {"unknown": "n/a", "female": "F", "2": "M"}}


def test_denoising_keys_change_the_strategy(folder: Path) -> None:
    denoising = parse(
        folder, denoising={"strategy": "36P", "global_signal": "false", "motion": "6"}
    ).denoising
    assert denoising.strategy.get_terms() == {
        "motion": 6,
        "acompcor_wm": 0,
        "acompcor_csf": 0,
        "acompcor_variance": None,
        "wm_csf": 8,
        "global_signal": 0,
    }


def test_strategies_of_ones_own(folder: Path) -> None:
    (folder / "config" / "strategies").mkdir(parents=True)
    (folder / "config" / "strategies" / "mine.yaml").write_text("motion: 12")
    (folder / "other.yaml").write_text("motion: 24")
    assert parse(folder, denoising={"strategy": "mine"}).denoising.strategy.motion == 12
    assert parse(folder, denoising={"strategy": "other.yaml"}).denoising.strategy.motion == 24
    assert parse(folder, denoising={"strategy": "motion6"}).denoising.strategy.motion == 6


def test_another_space_may_be_accepted(folder: Path) -> None:
    given = SMALLEST["input"] | {"filters": {"space": "MNI152NLin6Asym"}, "accept_space_mismatch": "true"}  # type: ignore[operator]
    assert parse(folder, input=given).input.accept_space_mismatch


def test_sessions_allow_paired_claims(folder: Path) -> None:
    claim = {
        "id": "X",
        "family": "f",
        "text": "Rises.",
        "outcome": "A-B",
        "paired": "true",
        "contrast": {"column": "session", "a": 2, "b": 1},
        "expect": "greater",
    }
    (folder / "claims.yaml").write_text(yaml.safe_dump([claim]))
    assert parse(folder, sessions="separate", claims="claims.yaml").claims[0].paired


def test_config_is_frozen_and_plain(folder: Path) -> None:
    config = parse(folder)
    with pytest.raises(ValidationError, match="frozen"):
        config.batch_size = 3  # type: ignore[misc]
    plain = config.model_dump(mode="json")
    assert json.loads(json.dumps(plain)) == plain


def test_missing_files_are_named_with_their_option(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "fmriprep").mkdir()
    assert find_missing_files(parse(folder)) == [
        "config.yaml: input.participants: participants.tsv does not exist",
        "rois.yaml: ROI 'C': c.nii.gz does not exist",
    ]
    (folder / "participants.tsv").touch()
    (folder / "c.nii.gz").touch()
    assert find_missing_files(parse(folder)) == []


def test_braces_that_the_workflow_would_read_are_told(folder: Path) -> None:
    config = parse(folder, output_dir="a {x} b")
    assert [line.split(":")[0] for line in find_braces(config)] == ["output_dir"]
    assert find_braces(parse(folder, output_dir="a {x")) == []


def test_paths_are_shown_short_below_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert show_path(tmp_path / "a" / "b") == "a/b"
    assert show_path(Path("/elsewhere")) == "/elsewhere"
    assert find_base(Path("config.yaml")) == tmp_path.resolve()


def test_house_holds_the_workflow(root: Path) -> None:
    assert find_house() == root


# --- the configs that come with rsconn
CONFIGS = ("config.yaml", "examples/rpn.yaml", "examples/rapidtide.yaml")


@pytest.mark.parametrize("name", CONFIGS)
def test_configs_of_the_repository_are_valid(root: Path, name: str) -> None:
    read_config(root / "config" / name)


@pytest.mark.parametrize("name", CONFIGS[1:])
def test_examples_find_the_real_data(root: Path, shared_data: Path, name: str) -> None:
    assert find_missing_files(read_config(root / "config" / name)) == []


def test_every_column_of_the_rpn_example_is_in_its_tables(root: Path, shared_data: Path) -> None:
    config = read_config(root / "config" / "examples" / "rpn.yaml")
    (series, *_) = (shared_data / "rpn").glob("sub-*/func/*_timeseries.tsv")
    columns = (
        next((shared_data / "rpn").glob("sub-*/func/*seg-MIST122*")).read_text().splitlines()[0].split("\t")
    )
    assert all(columns.count(str(roi.column)) == 1 for roi in config.rois.rois), series.name
    header = config.input.participants.read_text().splitlines()[0].split("\t")
    assert config.groups is not None
    named = {config.groups.column, *(str(score.column) for score in config.scores.values())}
    assert named <= set(header)


def test_demo_edges_are_those_of_the_study(root: Path) -> None:
    config = read_config(root / "config" / "config.yaml")
    assert [edge.name for edge in config.edges] == ["LAI-dmPFC", "rACC-oPFC"]
    centers = {roi.name: roi.sphere.center_mm for roi in config.rois.rois if roi.sphere}
    assert centers == {"LAI": (-36, 18, 2), "dmPFC": (0, 51, 32), "rACC": (9, 39, 20), "oPFC": (-12, 36, -21)}


def test_demo_says_what_the_defaults_are(root: Path) -> None:
    """config.yaml is where options are looked up; what it shows beside the study itself must be true."""
    text = (root / "config" / "config.yaml").read_text()
    shown = ConfigFile.model_validate(yaml.safe_load(text))
    default = ConfigFile.model_validate(SMALLEST)
    own = {"input", "rois", "edges", "seeds", "groups", "scores", "claims", "truth", "multiverse"}
    for name in set(ConfigFile.model_fields) - own:
        written, built_in = (getattr(config, name) for config in (shown, default))
        if name == "denoising":  # false is shown where none of the strategies but 36P differ
            written = written.model_copy(update={"global_signal": None})
        if name == "maps":  # the demo's smoothing names the default beside it; its scores are the study's
            written = written.model_copy(update={"smoothing_fwhm_mm": 6.0, "scores": ()})
        assert written == built_in, name
    assert "(left out: 6)" in text
    for name in ("phenotype", "values", "decimal", "t_r", "accept_space_mismatch"):
        assert getattr(shown.input, name) == getattr(default.input, name), name


def list_keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from list_keys(part)


def test_every_option_stands_in_the_demo_config(root: Path) -> None:
    text = (root / "config" / "config.yaml").read_text()
    missing = [key for key in list_keys(ConfigFile) if f"{key}:" not in text]
    assert missing == []


BURNS = """
- id: views
  family: alliance
  text: Self-rated perspective taking is unrelated to empathy as clients rate it.
  outcome: client_empathy
  predictor: PT
  expect: unrelated
- id: training
  family: alliance
  text: Empathy as clients rate it is higher after training.
  outcome: client_empathy
  contrast: {column: session, a: 2, b: 1}
  paired: true
  expect: greater
"""


def test_a_study_of_scores_by_other_raters_and_of_training(folder: Path) -> None:
    (folder / "claims.yaml").write_text(BURNS)
    scores = {
        "PT": {"instrument": "IRI", "subscale": "PT", "column": "iri_pt", "coding": "sum"},
        "client_empathy": {"column": "client_rating"},
    }
    views, training = parse(folder, sessions="separate", scores=scores, claims="claims.yaml").claims
    assert (views.outcome, views.predictor, views.expect) == ("client_empathy", "PT", "unrelated")
    assert training.paired
    assert training.contrast == Contrast(column="session", a="2", b="1")


@pytest.mark.parametrize("place", ["batch_size", "inference", "denoising"])
def test_true_is_no_number(folder: Path, place: str) -> None:
    # from Python, where True counts as 1
    keys = {"batch_size": True, "inference": {"alpha": True}, "denoising": {"high_pass_hz": True}}
    with pytest.raises(SettingsError, match="True found, a number needed"):
        parse(folder, **{place: keys[place]})


def test_variants_make_no_edges(folder: Path) -> None:
    (folder / "rois.yaml").write_text(ROIS.replace("0, 0]}}", "0, 0]}, variants: {radius_mm: 4}}"))
    config = parse(folder)
    assert [edge.name for edge in config.edges] == ["A-B", "A-C", "B-C"]
    assert len(config.rois.list_rows()) == 5


def test_a_study_of_scores_only_has_no_regions(folder: Path) -> None:
    config = parse_config(
        {"input": {"participants": "p.tsv"}, "scores": {"X": {"column": "x"}}}, folder / "config.yaml"
    )
    assert (config.rois.rois, config.edges, config.rois_path) == ((), (), None)
    assert not config.input.has_runs


def test_the_readme_explains_every_key_of_input(root: Path) -> None:
    text = (root / "config" / "README.md").read_text(encoding="utf-8")
    missing = [key for key in InputSettings.model_fields if f"\n| `{key}` | " not in text]
    assert missing == []
