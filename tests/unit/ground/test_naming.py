import pytest

from rsconn.naming import (
    check_path_part,
    check_safe_name,
    format_edge,
    format_name,
    format_participant_id,
    format_run,
    parse_entities,
)


def test_parse_keeps_every_entity_and_the_whole_extension():
    entities, suffix, extension = parse_entities(
        "sub-01_ses-b_task-rest_run-02_space-X_desc-preproc_bold.nii.gz"
    )
    assert entities == {"sub": "01", "ses": "b", "task": "rest", "run": "02", "space": "X", "desc": "preproc"}
    assert (suffix, extension) == ("bold", ".nii.gz")


@pytest.mark.parametrize(
    ("entities", "name"),
    [
        ({"task": "rest", "sub": "01"}, "sub-01_task-rest_bold.nii"),
        ({"desc": "x", "seg": "s", "sub": "1", "run": "2"}, "sub-1_run-2_seg-s_desc-x_bold.nii"),
        ({"sub": "1", "foo": "z", "space": "M"}, "sub-1_foo-z_space-M_bold.nii"),
    ],
)
def test_names_come_in_bids_order(entities, name):
    assert format_name(entities, "bold", ".nii") == name


def test_format_name_inverts_parse_entities():
    name = "sub-01_ses-1_task-rest_acq-a_dir-AP_run-1_echo-2_space-S_res-2_desc-preproc_bold.nii.gz"
    assert format_name(*parse_entities(name)) == name


def test_run_name_leaves_out_what_describes_the_image():
    entities, _, _ = parse_entities("sub-01_ses-1_task-rest_run-2_space-S_res-2_desc-preproc_bold.nii.gz")
    assert format_run(entities) == "sub-01_ses-1_task-rest_run-2"


def test_participant_ids_and_edges():
    assert format_participant_id(" 007 ") == "sub-007" == format_participant_id("sub-007")
    assert format_edge("LAI", "dmPFC") == "LAI-dmPFC"


@pytest.mark.parametrize(
    "name", ["x/../../owned", "..", "a..b", "a\\b", "C:x", ".hidden", "-x", " x", "a\nb", "\0", "", "a" * 101]
)
def test_no_name_leaves_its_folder(name):
    for check in (check_path_part, check_safe_name):
        with pytest.raises(ValueError, match="needed"):
            check(name)


@pytest.mark.parametrize("name", ["therapist", "45+", "Übung (früh)", "治療師", "high empathy", "1"])
def test_levels_may_be_words_of_any_script(name):
    assert check_path_part(name) == name
