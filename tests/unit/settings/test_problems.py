"""The nearest valid name, and one line per mistake."""

from __future__ import annotations

import pytest

from rsconn.errors import ProblemsError, SettingsError
from rsconn.naming import check_label, check_safe_name
from rsconn.settings.problems import describe_value, list_problems, raise_problems, suggest


@pytest.mark.parametrize(
    ("found", "valid", "text"),
    [
        ("therapits", ["therapist", "control"], "did you mean 'therapist'?"),
        ("Therapist", ["therapist", "control"], "did you mean 'therapist'?"),
        ("lai-DMPFC", ["LAI-dmPFC"], "did you mean 'LAI-dmPFC'?"),
        ("zzz", ["a", "b", "a"], "valid: a, b"),
        ("zzz", [], "valid: none"),
        (3, ["a"], "valid: a"),
    ],
)
def test_nearest_name(found: object, valid: list[str], text: str) -> None:
    assert suggest(found, valid) == text


def test_long_lists_are_cut() -> None:
    text = suggest("zzz", [f"n{number}" for number in range(50)])
    assert text.endswith("n19 and 30 more")


def test_one_mistake_is_a_settings_error_and_several_come_together() -> None:
    with pytest.raises(SettingsError) as one:
        raise_problems(["a"])
    with pytest.raises(ProblemsError) as two:
        raise_problems(["a", "b"])
    assert list_problems(one.value) == ["a"]
    assert list_problems(two.value) == ["a", "b"]


def test_values_are_shown_on_one_short_line() -> None:
    assert describe_value("a\nb" * 100).count("\n") == 0
    assert len(describe_value("x" * 1000)) == 60
    assert describe_value({}) == "no keys"


@pytest.mark.parametrize("name", ["LAI", "AINS_ad", "7Networks_LH_Vis_1", "a.b", "R8S6", "PT+", "A-B"])
def test_safe_names(name: str) -> None:
    assert check_safe_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a/b",
        "../a",
        "a..b",
        ".a",
        "-a",
        "a\\b",
        "a\nb",
        "<a>",
        "a&b",
        "a'b",
        'a"b',
        "$a",
        "a;b",
        "a`b`",
        "a*",
        "é",
        "a\x00",
    ],
)
def test_unsafe_names(name: str) -> None:
    with pytest.raises(ValueError, match="is not a safe name"):
        check_safe_name(name)


@pytest.mark.parametrize("label", ["a_b", "a-b", "a.b", "", "---"])
def test_labels(label: str) -> None:
    with pytest.raises(ValueError, match="as a BIDS label"):
        check_label(label)
