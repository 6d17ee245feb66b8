"""What a deviation log says, and what it does not mind."""

import json

import pytest

from rsconn.errors import SettingsError
from rsconn.settings.config import read_config
from rsconn.study.claims.deviations import list_deviations, register


@pytest.fixture(scope="module")
def config(root):
    return read_config(root / "config" / "config.yaml")


@pytest.fixture
def registered(config):
    return json.loads(json.dumps(register(config)))


def change_claim(config, name, **changes):
    claims = tuple(claim.model_copy(update=changes) if claim.id == name else claim for claim in config.claims)
    return config.model_copy(update={"claims": claims})


def test_nothing_changed(config, registered):
    assert list_deviations(registered, config) == []


def test_place_and_jobs_are_no_deviation(config, registered, tmp_path):
    moved = config.model_copy(
        update={
            "path": tmp_path / "other.yaml",
            "output_dir": tmp_path,
            "batch_size": 3,
            "rois_path": tmp_path / "rois.yaml",
            "input": config.input.model_copy(
                update={"derivatives": (tmp_path,), "participants": tmp_path / config.input.participants.name}
            ),
        }
    )
    assert list_deviations(registered, moved) == []


@pytest.mark.parametrize(
    ("section", "key", "value", "line"),
    [
        ("inference", "alpha", 0.1, "inference.alpha: registered 0.05, now 0.1"),
        ("censoring", "fd_threshold_mm", None, "censoring.fd_threshold_mm: registered 0.5, now null"),
        ("covariates", "score", ("age",), "covariates.score: registered [], now ['age']"),
        ("input", "decimal", ",", "input.decimal: registered '.', now ','"),
        ("input", "values", {"age": {"99": None}}, "input.values.age: registered nothing, now {'99': None}"),
        ("input", "t_r", 2.5, "input.t_r: registered null, now 2.5"),
    ],
)
def test_changed_threshold(config, registered, section, key, value, line):
    changed = config.model_copy(update={section: getattr(config, section).model_copy(update={key: value})})
    assert list_deviations(registered, changed) == [line]


def test_changed_roi_is_named(config, registered):
    first, *others = config.rois.rois
    moved = first.model_copy(update={"sphere": first.sphere.model_copy(update={"radius_mm": 8.0})})
    rois = config.rois.model_copy(update={"rois": (moved, *others)})
    (line,) = list_deviations(registered, config.model_copy(update={"rois": rois}))
    assert line == f"rois.rois.{first.name}.sphere.radius_mm: registered 6.0, now 8.0"


def test_changed_claims(config, registered):
    lines = list_deviations(registered, change_claim(config, "P1", expect="different", sesoi=0.2))
    assert lines == [
        "claim P1: expect: registered 'greater', now 'different'",
        "claim P1: sesoi: registered null, now 0.2",
    ]


def test_added_missing_and_reordered_claims(config, registered):
    first, *others = config.claims
    renamed = first.model_copy(update={"id": "P9"})
    assert list_deviations(registered, config.model_copy(update={"claims": (*others, renamed)})) == [
        "claim P1: registered, now missing",
        "claim P9: not registered",
    ]
    turned = config.model_copy(update={"claims": config.claims[::-1]})
    assert list_deviations(registered, turned) == ["claims: registered in another order"]


def test_edited_registration_is_refused(config, registered):
    registered["thresholds"]["inference"]["alpha"] = 0.1
    with pytest.raises(SettingsError, match="changed after it was written"):
        list_deviations(registered, config)
    with pytest.raises(SettingsError, match="no 'claims' found"):
        list_deviations({"thresholds": {}}, config)
