"""Every choice of one analysis of a run, as frozen values that can be compared, hashed and looped over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rsconn.signal.projection import Band

Mode = Literal["projection", "nilearn"]
ConnectivityKind = Literal["pearson", "partial"]


@dataclass(frozen=True)
class ConfoundTerms:
    """Which confounds leave the series; see `rsconn.signal.regressors.select_confounds` for each number.

    Attributes
    ----------
    motion : {0, 6, 12, 24}
    acompcor_wm, acompcor_csf : int
    acompcor_variance : float or None
    wm_csf : {0, 2, 4, 8}
    global_signal : {0, 1, 2, 4}
    """

    motion: int = 0
    acompcor_wm: int = 0
    acompcor_csf: int = 0
    acompcor_variance: float | None = None
    wm_csf: int = 0
    global_signal: int = 0


@dataclass(frozen=True)
class Cleaning:
    """What leaves the series.

    Attributes
    ----------
    terms : ConfoundTerms
        Confounds.
    high_pass_hz, low_pass_hz : float or None
        Edges of the band that stays, Hz; None leaves that side open.
    mode : {"projection", "nilearn"}
        One projection, or what nilearn does one after the other.
    """

    terms: ConfoundTerms = ConfoundTerms()
    high_pass_hz: float | None = None
    low_pass_hz: float | None = None
    mode: Mode = "projection"

    @property
    def band(self) -> Band:
        """High-pass and low-pass, Hz."""
        return self.high_pass_hz, self.low_pass_hz


@dataclass(frozen=True)
class Censoring:
    """Above which framewise displacement (mm) or standardised DVARS a volume is left out; None: never."""

    fd_threshold_mm: float | None = None
    dvars_threshold: float | None = None


@dataclass(frozen=True)
class Usability:
    """What a run must have to count.

    Attributes
    ----------
    min_retained_minutes : float
        Time left after censoring, minutes.
    min_degrees_of_freedom : int
        Left after denoising.
    max_mean_fd_mm : float or None
        Mean framewise displacement, mm; None: any.
    """

    min_retained_minutes: float = 0.0
    min_degrees_of_freedom: int = 0
    max_mean_fd_mm: float | None = None


@dataclass(frozen=True)
class Estimation:
    """How edges are estimated, and how much of a ROI must have signal (0 to 1) for it to have any."""

    kind: ConnectivityKind = "pearson"
    min_coverage: float = 0.0


@dataclass(frozen=True)
class RoiVariant:
    """In which size, and of which smoothed images, the ROIs are taken; None, None is the set as it stands.

    Examples
    --------
    >>> RoiVariant(radius_mm=4, smoothing_fwhm_mm=6).name("dmPFC"), RoiVariant().name("dmPFC")
    ('dmPFC_R4S6', 'dmPFC')
    """

    radius_mm: float | None = None
    smoothing_fwhm_mm: float | None = None

    def name(self, roi: str) -> str:
        """Return what the series of a ROI in this variant is called: R for the radius, S for the smoothing, mm."""
        size = "" if self.radius_mm is None else f"R{self.radius_mm:g}"
        size += "" if self.smoothing_fwhm_mm is None else f"S{self.smoothing_fwhm_mm:g}"
        return f"{roi}_{size}" if size else roi


@dataclass(frozen=True)
class Specification:
    """One analysis of a run: the primary one is the config's, a multiverse is a loop over others.

    Each step of `rsconn.analysis.run_chain` takes the part that it needs and nothing else.

    Examples
    --------
    >>> from dataclasses import replace
    >>> primary = Specification(censoring=Censoring(fd_threshold_mm=0.5))
    >>> primary == replace(primary), len({primary, replace(primary, estimation=Estimation("partial"))})
    (True, 2)
    """

    cleaning: Cleaning = Cleaning()
    censoring: Censoring = Censoring()
    usability: Usability = Usability()
    estimation: Estimation = Estimation()
    roi_variant: RoiVariant = RoiVariant()
