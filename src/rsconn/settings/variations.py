"""The multiverse section: other defensible values of the options, each an axis."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from rsconn.settings.fields import (
    NotNegative,
    OneOrMore,
    Permutations,
    Positive,
    SafeName,
    Settings,
    Text,
    find_twice,
)
from rsconn.settings.rois import Radius
from rsconn.settings.strategies import GlobalChoice, Strategy

NONE = "none"
OWN = "own"


def label_value(value: object) -> str:
    """Return an axis value as the tables show it: ``none`` for no limit or no covariate, numbers without zeros.

    Examples
    --------
    >>> [label_value(value) for value in (None, False, 0.080, "36P", ("age", "sex"), ())]
    ['none', 'false', '0.08', '36P', 'age+sex', 'none']
    """
    if value is None or value == ():
        return NONE
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return f"{value:g}"
    return "+".join(value) if isinstance(value, (list, tuple)) else str(value)


def _read_choice(value: Any) -> Any:
    """Read what an exclusion names as the label that the axis has."""
    if isinstance(value, (list, tuple)):
        return tuple(_read_choice(each) for each in value)
    try:
        return label_value(float(value))
    except (TypeError, ValueError):
        return label_value(value)


def _read_choices(value: Any) -> Any:
    return _read_choice(value if isinstance(value, (list, tuple)) else (value,))


def _split_lists(value: Any) -> Any:
    """Ask for a list of lists: of one list, nobody could say whether it is one set or several."""
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)) or any(not isinstance(each, (list, tuple)) for each in value):
        raise ValueError("a list of lists needed, such as [[age, sex], []]; each is one set of covariates")
    return tuple(tuple(each) for each in value)


Choices = Annotated[tuple[Text, ...], BeforeValidator(_read_choices)]


class MultiverseSettings(Settings):
    """Other defensible values of the config's options; the config's own value is always among them.

    Parameters
    ----------
    strategy : tuple of str
        Names as for `denoising.strategy`; each as its file says.
    global_signal : tuple
        For every strategy.
    high_pass_hz, low_pass_hz, fd_threshold_mm, min_retained_minutes, smoothing_fwhm_mm : tuple
        As the options of `denoising` and `censoring`.
    radius_mm : tuple of float
        Of the spheres; regions of another kind stay as they are.
    roi : dict of str to tuple of str
        ROI to those alternatives of the ROI file that stand in for it.
    connectivity : tuple of str
        Kinds of correlation.
    covariates : tuple of tuple of str
        Sets that replace `covariates.edge`.
    outlier_sd : tuple of float or None
        People whose edge lies further than so many robust SDs from the middle of their side are left out.
    score : dict of str to tuple of str
        Score to other scores of the config that measure the same.
    exclude : tuple of dict
        Combinations that make no sense: axis to the value, or values, that do not go together.
    n_flips : int
        Sign flips of the joint tests.
    """

    strategy: OneOrMore[Text] = ()
    global_signal: OneOrMore[GlobalChoice] = ()
    high_pass_hz: OneOrMore[Positive | None] = ()
    low_pass_hz: OneOrMore[Positive | None] = ()
    fd_threshold_mm: OneOrMore[Positive | None] = ()
    min_retained_minutes: OneOrMore[NotNegative] = ()
    radius_mm: OneOrMore[Radius] = ()
    smoothing_fwhm_mm: OneOrMore[NotNegative] = ()
    roi: dict[SafeName, OneOrMore[SafeName]] = Field(default_factory=dict)
    connectivity: OneOrMore[Literal["pearson", "partial"]] = ()
    covariates: Annotated[tuple[tuple[Text, ...], ...], BeforeValidator(_split_lists)] = ()
    outlier_sd: OneOrMore[Positive | None] = ()
    score: dict[SafeName, OneOrMore[SafeName]] = Field(default_factory=dict)
    exclude: tuple[dict[Text, Choices], ...] = ()
    n_flips: Annotated[Permutations, Field(ge=1)] = 1000

    @model_validator(mode="after")
    def _check_once(self) -> Self:
        for key, values in self.list_choices().items():
            twice = find_twice(map(label_value, values))
            if twice:
                raise ValueError(f"{key}: {twice[0]} occurs twice")
        return self

    def list_choices(self) -> dict[str, tuple[Any, ...]]:
        """Return axis to the values that are listed for it; a ROI and a score have an axis each."""
        plain = {name: getattr(self, name) for name in AXIS_OPTIONS}
        own = {f"roi_{name}": names for name, names in self.roi.items()}
        own |= {f"score_{name}": names for name, names in self.score.items()}
        return {name: values for name, values in (plain | own).items() if values}


# In the order in which they act.
AXIS_OPTIONS = (
    "strategy", "global_signal", "high_pass_hz", "low_pass_hz", "fd_threshold_mm", "min_retained_minutes",
    "radius_mm", "smoothing_fwhm_mm", "connectivity", "covariates", "outlier_sd",
)  # fmt: skip


class Multiverse(MultiverseSettings):
    """The section with the files of its strategies read."""

    recipes: dict[str, Strategy] = Field(default_factory=dict)
