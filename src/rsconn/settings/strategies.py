"""Denoising recipes as data: which confounds a strategy takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from rsconn.errors import SettingsError
from rsconn.settings.fields import Count, Probability, SafeName, Settings
from rsconn.settings.problems import suggest, validate
from rsconn.settings.yaml_text import read_yaml


def _read_count(value: Any) -> Any:
    """Return the text of a whole number as an int, which a choice of numbers needs."""
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return value


def _read_global_signal(value: Any) -> Any:
    """Return the number of terms; true is one term, false none."""
    text = str(value).strip().lower()
    return {"true": 1, "false": 0}.get(text, _read_count(value))


MotionTerms = Annotated[Literal[0, 6, 12, 24], BeforeValidator(_read_count)]
TissueTerms = Annotated[Literal[0, 2, 4, 8], BeforeValidator(_read_count)]
GlobalTerms = Annotated[Literal[0, 1, 2, 4], BeforeValidator(_read_global_signal)]


class Acompcor(Settings):
    """The first components of each tissue, in the order of explained variance."""

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
        Global signal terms, as above; true means 1, false 0.
    """

    name: SafeName
    description: str = ""
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

    def get_terms(self) -> dict[str, int | float | None]:
        """Return the recipe as the keyword arguments of `rsconn.signal.regressors.select_confounds`."""
        return {
            "motion": self.motion,
            "acompcor_wm": self.acompcor.wm if self.acompcor else 0,
            "acompcor_csf": self.acompcor.csf if self.acompcor else 0,
            "acompcor_variance": self.acompcor_variance,
            "wm_csf": self.wm_csf,
            "global_signal": self.global_signal,
        }


def read_strategy(name: str, folders: Sequence[Path]) -> Strategy:
    """Return the strategy of that name from the first folder that has it; a name in .yaml is a file.

    Raises
    ------
    SettingsError
        If no folder has it (the message names the nearest one), or its file is wrong.
    """
    if name.endswith((".yaml", ".yml")):
        return _read_file(folders[0] / name if folders else Path(name))
    for folder in folders:
        if (folder / f"{name}.yaml").is_file() and Path(name).name == name:
            return _read_file(folder / f"{name}.yaml")
    nearest = suggest(name, list_strategies(folders), what="there are")
    raise SettingsError(f"denoising.strategy: no strategy {name!r}; {nearest}")


def list_strategies(folders: Sequence[Path]) -> list[str]:
    """Return the names of the strategies in the folders."""
    return sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})


def _read_file(path: Path) -> Strategy:
    content = read_yaml(path, option="denoising.strategy")
    if isinstance(content, dict):
        content = {"name": path.stem} | content
    strategy = validate(Strategy, content, path, base=path.parent)
    if strategy.name != path.stem:
        raise SettingsError(f"{path}: name: {strategy.name!r} found, the file's name {path.stem!r} needed")
    return strategy
