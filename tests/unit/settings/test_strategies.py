"""The recipes that come with rsconn, and what a config may change in them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rsconn.settings.strategies import Acompcor, Strategy, change_strategy, find_strategies, read_strategy

# motion, aCompCor WM, CSF, variance, WM + CSF signals, global signal
BUILT_IN = {
    "motion6": (6, 0, 0, None, 0, 0),
    "motion12": (12, 0, 0, None, 0, 0),
    "motion24": (24, 0, 0, None, 0, 0),
    "simple6": (6, 0, 0, None, 2, 0),
    "simple12": (12, 0, 0, None, 2, 0),
    "simple24": (24, 0, 0, None, 2, 0),
    "acompcor": (6, 5, 5, None, 0, 0),
    "acompcor50": (6, 0, 0, 0.5, 0, 0),
    "36P": (24, 0, 0, None, 8, 4),
}


def test_every_built_in_strategy_is_listed(root: Path) -> None:
    assert set(find_strategies([root / "config" / "strategies"])) == set(BUILT_IN)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_strategy(root: Path, name: str) -> None:
    strategy = read_strategy(name, [root / "config" / "strategies"])
    assert tuple(strategy.get_terms().values()) == BUILT_IN[name]
    with_global = change_strategy(strategy, {"global_signal": True})
    assert with_global.global_signal == max(1, BUILT_IN[name][-1])
    assert change_strategy(strategy, {"global_signal": False}).global_signal == 0


def test_36_parameters_are_36(root: Path) -> None:
    terms = read_strategy("36P", [root / "config" / "strategies"]).get_terms()
    assert sum(value or 0 for value in terms.values()) == 36


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (6, 5, 5, None, 0, 0)),
        ({"motion": None, "global_signal": None}, (6, 5, 5, None, 0, 0)),
        ({"motion": 24}, (24, 5, 5, None, 0, 0)),
        ({"motion": 0}, (0, 5, 5, None, 0, 0)),
        ({"acompcor": Acompcor(wm=3, csf=0)}, (6, 3, 0, None, 0, 0)),
        ({"acompcor_variance": 0.5}, (6, 0, 0, 0.5, 0, 0)),
        ({"wm_csf": 4, "global_signal": 2}, (6, 5, 5, None, 4, 2)),
    ],
)
def test_config_keys_change_a_strategy(changes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    strategy = Strategy(name="acompcor", motion=6, acompcor=Acompcor())
    assert tuple(change_strategy(strategy, changes).get_terms().values()) == expected


def test_components_replace_a_share_of_variance() -> None:
    changed = change_strategy(Strategy(name="a", acompcor_variance=0.5), {"acompcor": Acompcor()})
    assert changed.acompcor_variance is None


def test_an_earlier_folder_wins(tmp_path: Path) -> None:
    for folder, motion in (("mine", 24), ("house", 6)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "motion6.yaml").write_text(f"motion: {motion}")
    assert read_strategy("motion6", [tmp_path / "mine", tmp_path / "house"]).motion == 24


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        (Strategy(name="none"), "no realignment parameters; no global signal"),
        (
            Strategy(name="g", motion=6, global_signal=1),
            "6 realignment parameters; 1 term of the global signal",
        ),
        (
            Strategy(name="a", acompcor_variance=0.5),
            (
                "no realignment parameters; the aCompCor components of white matter and of CSF that explain 50 % "
                "of each; no global signal"
            ),
        ),
        (
            Strategy(name="36P", motion=24, wm_csf=8, global_signal=4),
            "24 realignment parameters; 8 terms of the mean white matter and CSF signals; 4 terms of the global signal",
        ),
    ],
)
def test_recipes_in_words(strategy: Strategy, words: str) -> None:
    assert strategy.describe() == words
