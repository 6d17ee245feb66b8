"""Denoising recipes as data: which confounds a strategy takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from rsconn.errors import SettingsError
from rsconn.settings.fields import Count, Probability, SafeName, Settings, read_yaml, show_path
from rsconn.settings.problems import describe_value, suggest, validate

_GLOBAL_TERMS = (0, 1, 2, 4)


def _read_count(value: Any) -> Any:
    """Return the text of a whole number as an int, which a choice of numbers needs."""
    return int(value) if isinstance(value, str) and value.strip().isdigit() else value


def _read_choice(value: Any) -> bool | int:
    choice = {"true": True, "false": False}.get(str(value).strip().lower(), _read_count(value))
    if not isinstance(choice, int) or choice not in _GLOBAL_TERMS:
        terms = ", ".join(map(str, _GLOBAL_TERMS))
        raise ValueError(f"{describe_value(value)} found, true, false or one of {terms} needed")
    return choice


MotionTerms = Annotated[Literal[0, 6, 12, 24], BeforeValidator(_read_count)]
TissueTerms = Annotated[Literal[0, 2, 4, 8], BeforeValidator(_read_count)]
GlobalChoice = Annotated[bool | int, BeforeValidator(_read_choice)]
GlobalTerms = Annotated[int, BeforeValidator(_read_choice)]


class Acompcor(Settings):
    """So many first components of each tissue, in the order of explained variance."""

    wm: Count = 5
    csf: Count = 5


class Strategy(Settings):
    """A named recipe.

    Parameters
    ----------
    motion : {0, 6, 12, 24}
        Realignment parameters; 12 adds their derivatives, 24 also the squares of both.
    acompcor : Acompcor or None
        A fixed number of aCompCor components of white matter and of CSF.
    acompcor_variance : float or None
        As many components of each tissue as explain this share of its variance (0.5: aCompCor50).
    wm_csf : {0, 2, 4, 8}
        Mean white matter and CSF signals; 4 adds their derivatives, 8 also the squares of both.
    global_signal : {0, 1, 2, 4}
        Global signal terms, counted likewise; true means 1, false 0.
    """

    name: SafeName
    motion: MotionTerms = 0
    acompcor: Acompcor | None = None
    acompcor_variance: Probability | None = None
    wm_csf: TissueTerms = 0
    global_signal: GlobalTerms = 0

    @model_validator(mode="after")
    def _check_acompcor(self) -> Self:
        if self.acompcor is not None and self.acompcor_variance is not None:
            raise ValueError("acompcor and acompcor_variance are both given; one of them needed")
        return self

    def get_terms(self) -> dict[str, Any]:
        """Return the recipe as keyword arguments of `rsconn.signal.regressors.select_confounds`."""
        return {
            "motion": self.motion,
            "acompcor_wm": self.acompcor.wm if self.acompcor else 0,
            "acompcor_csf": self.acompcor.csf if self.acompcor else 0,
            "acompcor_variance": self.acompcor_variance,
            "wm_csf": self.wm_csf,
            "global_signal": self.global_signal,
        }

    def describe(self) -> str:
        """Return the recipe in words, for the report.

        Examples
        --------
        >>> Strategy(name="acompcor", motion=6, acompcor=Acompcor()).describe()
        '6 realignment parameters; aCompCor components of white matter (5) and CSF (5); no global signal'
        """
        parts = [f"{self.motion} realignment parameters" if self.motion else "no realignment parameters"]
        if self.acompcor:
            parts.append(
                f"aCompCor components of white matter ({self.acompcor.wm}) and CSF ({self.acompcor.csf})"
            )
        if self.acompcor_variance:
            share = f"{100 * self.acompcor_variance:g} %"
            parts.append(f"the aCompCor components of white matter and of CSF that explain {share} of each")
        if self.wm_csf:
            parts.append(f"{self.wm_csf} terms of the mean white matter and CSF signals")
        terms = f"{self.global_signal} term" + ("s" if self.global_signal > 1 else "")
        parts.append(f"{terms} of the global signal" if self.global_signal else "no global signal")
        return "; ".join(parts)


def change_strategy(strategy: Strategy, changes: Mapping[str, Any]) -> Strategy:
    """Return the strategy with some of its terms replaced; None leaves a term as it is.

    ``global_signal: true`` keeps the strategy's own terms if it has any. Either way of choosing aCompCor
    replaces the other.

    Examples
    --------
    >>> change_strategy(Strategy(name="36P", global_signal=4), {"global_signal": True}).global_signal
    4
    """
    given = {key: value for key, value in changes.items() if value is not None}
    if given.get("global_signal") is True:
        given["global_signal"] = strategy.global_signal or 1
    elif given.get("global_signal") is False:
        given["global_signal"] = 0
    if "acompcor" in given:
        given["acompcor_variance"] = None
    elif "acompcor_variance" in given:
        given["acompcor"] = None
    return strategy.model_copy(update=given)


def read_strategy(name: str, folders: Sequence[Path], *, option: str = "denoising.strategy") -> Strategy:
    """Return the strategy of that name from the first folder that has it.

    Raises
    ------
    SettingsError
        If no folder has it (the message names the nearest one), or its file is wrong.
    """
    known = find_strategies(folders)
    if name not in known:
        nearest = suggest(name, known, what="there are")
        raise SettingsError(f"{option}: no strategy {name!r}; {nearest}")
    return read_strategy_file(known[name])


def find_strategies(folders: Sequence[Path]) -> dict[str, Path]:
    """Return strategy name to file; an earlier folder wins."""
    files = [path for folder in reversed(folders) for path in folder.glob("*.yaml")]
    return dict(sorted({path.stem: path for path in files}.items()))


def read_strategy_file(path: Path) -> Strategy:
    """Return the strategy of one file; its name is the file's stem.

    Raises
    ------
    SettingsError, ProblemsError
        If the file cannot be read or has a mistake.
    """
    content = read_yaml(path, option="denoising.strategy")
    if isinstance(content, dict):
        content = {"name": path.stem} | content
    strategy = validate(Strategy, content, path, base=path.parent)
    if strategy.name != path.stem:
        raise SettingsError(
            f"{show_path(path)}: name: {strategy.name!r} found, the file's name {path.stem!r} needed"
        )
    return strategy
