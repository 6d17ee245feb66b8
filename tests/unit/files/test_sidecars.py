"""Which repetition time is believed, and what is said about it."""

from __future__ import annotations

import pytest

from rsconn.errors import DatasetError, RunError
from rsconn.files.sidecars import get_t_r, read_dataset_description, read_json_object, settle_t_r

NAN = float("nan")


@pytest.mark.parametrize(
    ("sidecar", "header", "configured", "t_r", "warning"),
    [
        (2.0, 2.0, None, 2.0, None),
        (0.8, 0.800000011920929, None, 0.8, None),  # a header holds float32
        (2.0, NAN, None, 2.0, None),
        (2.0, None, None, 2.0, None),
        (2.0, 0.0, None, 2.0, "sub-01: image header says TR 0 s, JSON says 2 s; JSON used"),
        (2.0, 1.0, None, 2.0, "sub-01: image header says TR 1 s, JSON says 2 s; JSON used"),
        (1.0, 1.0, None, 1.0, None),
        (None, 2.0, None, 2.0, "no RepetitionTime in any JSON sidecar; TR 2 s taken from the image header"),
        (2.0, 2.0, 2.0, 2.0, None),
        (2.0, 3.0, 2.0, 2.0, "input.t_r 2 s used; image header says 3 s"),
        (3.0, 1.0, 2.0, 2.0, "input.t_r 2 s used; JSON says 3 s, image header says 1 s"),
        (None, NAN, 2.0, 2.0, None),
        (2000.0, 2.0, 2.0, 2.0, "input.t_r 2 s used; JSON says 2000 s"),
        (None, 0.0, 2.0, 2.0, None),
    ],
)
def test_the_repetition_time_that_is_believed(sidecar, header, configured, t_r, warning):
    settled, said = settle_t_r("sub-01", sidecar_t_r=sidecar, header_t_r=header, configured_t_r=configured)
    assert settled == t_r
    assert said is None if warning is None else warning in said


@pytest.mark.parametrize(
    ("sidecar", "header", "message"),
    [
        (2.0, 3.0, "sub-01: image header says TR 3 s, JSON says 2 s; set input.t_r to the right one"),
        (2.0, 1500.0, "image header says TR 1500 s, JSON says 2 s"),
        (2.0, 2.1, r"image header says TR 2.1 s, JSON says 2 s"),
        (2000.0, 2.0, "JSON says TR 2000 s, image header 2 s; a TR lies between 0 and 30 s; set input.t_r"),
        (0.0, None, "JSON says TR 0 s, image header nothing; a TR lies"),
        (-2.0, 2.0, "JSON says TR -2 s"),
        (None, 0.0, "no RepetitionTime in any JSON sidecar, and the image header says 0 s; set input.t_r"),
        (None, 1.0, "the image header says 1 s"),
        (None, NAN, "the image header says nothing"),
        (None, None, "the image header says nothing"),
        (None, 1500.0, "the image header says 1500 s"),
        (None, -2.0, "the image header says -2 s"),
    ],
)
def test_what_cannot_be_settled_is_refused(sidecar, header, message):
    with pytest.raises(RunError, match=message):
        settle_t_r("sub-01", sidecar_t_r=sidecar, header_t_r=header)


@pytest.mark.parametrize("value", ["2", True, NAN, [2]])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(ValueError, match=r"RepetitionTime is .*; a number was needed"):
        get_t_r({"RepetitionTime": value})


@pytest.mark.parametrize(
    ("metadata", "t_r"),
    [
        ({"RepetitionTime": None, "SamplingFrequency": 2}, 0.5),
        ({"RepetitionTime": 3, "SamplingFrequency": 2}, 3.0),
        ({"SamplingFrequency": 0}, 0.0),
        ({"RepetitionTime": 2000}, 2000.0),
    ],
)
def test_a_number_is_passed_on_as_it_stands(metadata, t_r):
    assert get_t_r(metadata) == t_r


def test_dataset_description(tmp_path, shared_data):
    assert "rapidtide" in read_dataset_description(shared_data / "rapidtide")["Name"]
    assert read_dataset_description(tmp_path) == {}
    (tmp_path / "dataset_description.json").write_text("[]")
    with pytest.raises(DatasetError, match="object was needed, found list"):
        read_dataset_description(tmp_path)


@pytest.mark.parametrize("value", ["1" + "0" * 400, "NaN", "Infinity", "-Infinity", "1e999", "[2]", "{}"])
def test_a_repetition_time_that_is_no_number_is_one_line(tmp_path, value):
    path = tmp_path / "bold.json"
    path.write_text(f'{{"RepetitionTime": {value}}}')
    with pytest.raises(ValueError, match=r"RepetitionTime is .*; a number was needed") as told:
        get_t_r(read_json_object(path))
    assert len(str(told.value)) < 120


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": ' * 100_000, '{"RepetitionTime": ' + "1" * 9000 + "}", "\x00", ""]
)
def test_json_that_cannot_be_read_is_one_line(tmp_path, text):
    path = tmp_path / "bold.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=r"bold\.json: not readable as JSON"):
        read_json_object(path)


def test_half_a_surrogate_pair_becomes_a_question_mark(tmp_path):
    path = tmp_path / "bold.json"
    path.write_text(r'{"Name": "a\ud800b", "Good": "\ud83d\ude00", "\udc00": ["\udfff"]}')
    assert read_json_object(path) == {"Name": "a?b", "Good": "\U0001f600", "?": ["?"]}


def test_even_volume_timing_gives_the_repetition_time():
    assert get_t_r({"VolumeTiming": [0, 2.0, 4.0005, 6]}) == 2.0
    assert get_t_r({"VolumeTiming": [0, 1, 5], "RepetitionTime": 2}) == 2.0


@pytest.mark.parametrize("timing", [[0, 2, 5, 7], [0, 2, 2.5], "even", [1], [0, "a"], [0, None], {}])
def test_uneven_volume_timing_is_named(timing):
    with pytest.raises(ValueError, match="VolumeTiming"):
        get_t_r({"VolumeTiming": timing})


def test_a_key_that_is_written_twice_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"RepetitionTime": 2, "RepetitionTime": 3}')
    with pytest.raises(DatasetError, match="'RepetitionTime' is written twice"):
        read_json_object(tmp_path / "x.json")
