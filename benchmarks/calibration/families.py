"""Cohorts of families, exchanged as wholes (`inference.exchange_whole`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rsconn.settings.claims import Claim, Contrast
from rsconn.settings.config import Config

# How many families have 1, 2, 3 and 4 members: 56 families, 114 people.
N_FAMILIES = (20, 20, 10, 6)
# Correlation of two members' errors, in every score, edge and mean FD.
CORRELATION = 0.6
OUTCOMES = ("FS", "PT", "EC", "ES", "LAI-dmPFC")


def make_families_config(config: Config) -> Config:
    """Return the study's config with families, and claims between and within them."""
    group = Contrast(column="group", a="therapist", b="control")
    sex = Contrast(column="sex", a="F", b="M")
    claims = (
        _claim("G1", "FS is higher in therapists.", outcome="FS", contrast=group, expect="greater"),
        _claim(
            "G2", "EC does not differ between the groups.", outcome="EC", contrast=group, expect="equivalent"
        ),
        _claim("G3", "ES differs between the sexes.", outcome="ES", contrast=sex, expect="different"),
        _claim("G4", "LAI-dmPFC goes with PT.", outcome="LAI-dmPFC", predictor="PT", expect="associated"),
        _claim(
            "G5", "LAI-dmPFC is higher in therapists.", outcome="LAI-dmPFC", contrast=group, expect="greater"
        ),
    )
    inference = config.inference.model_copy(update={"exchange_whole": "family"})
    return config.model_copy(update={"claims": claims, "inference": inference})


def _claim(name: str, text: str, **given: object) -> Claim:
    return Claim(id=name, family="families", text=text, **given)


def list_families_truth(g: float) -> Mapping[str, float]:
    """Return each claim's true estimate: 0, and of the equivalent one its smallest effect of interest."""
    return {"G1": 0.0, "G2": g, "G3": 0.0, "G4": 0.0, "G5": 0.0}


def draw_families(truth: Mapping[str, float], rng: np.random.Generator) -> pd.DataFrame:
    """Draw a cohort: whole families are therapists or controls, the sexes are drawn person by person."""
    sizes = np.repeat([1, 2, 3, 4], N_FAMILIES)
    family = np.repeat(np.arange(sizes.size), sizes)
    group = np.where(np.arange(sizes.size) % 2 == 0, "therapist", "control")[family]
    values = {name: _draw_alike(family, rng) for name in (*OUTCOMES, "fd")}
    values["EC"] = values["EC"] + truth["G2"] * (group == "therapist")
    people = {
        "participant_id": [f"sub-{index:03d}" for index in range(family.size)],
        "session": "n/a",
        "family": [f"f{index:02d}" for index in family],
        "group": group,
        "sex": np.where(rng.random(family.size) < 0.5, "F", "M"),
        "age": np.rint(rng.normal(54.5, 7.2, family.size)),
    }
    fd = values.pop("fd")
    return pd.DataFrame({**people, **values, "mean_fd": 0.2 + 0.04 * fd})


def _draw_alike(family: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    shared = rng.standard_normal(family.max() + 1)[family]
    return CORRELATION**0.5 * shared + (1 - CORRELATION) ** 0.5 * rng.standard_normal(family.size)
