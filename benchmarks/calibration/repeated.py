"""Cohorts of people who were measured twice, for paired claims."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from rsconn.settings.claims import Claim, Contrast
from rsconn.settings.config import Config

N_PAIRS = 40
# SD of the second session relative to the first, and the correlation of the two.
SD_RATIO, CORRELATION = 1.5, 0.5
OUTCOMES = {"FS": "greater", "PT": "different", "EC": "equivalent", "LAI-dmPFC": "greater"}


def make_pairs_config(config: Config) -> Config:
    """Return the study's config with paired claims only: session 2 - session 1, three scores and an edge."""
    contrast = Contrast(column="session", a="2", b="1")
    claims = tuple(
        Claim(
            id=f"D{number}", family="paired", text=f"{outcome} of session 2 is {expect} to that of session 1.",
            outcome=outcome, contrast=contrast, expect=expect, paired=True,
        )
        for number, (outcome, expect) in enumerate(OUTCOMES.items(), start=1)
    )  # fmt: skip
    return config.model_copy(update={"claims": claims})


def list_pairs_truth(g: float) -> Mapping[str, float]:
    """Return each claim's true mean difference: 0, and of the equivalent one its smallest effect of interest."""
    bound = g * ((1 + SD_RATIO**2) / 2) ** 0.5
    return {
        f"D{number}": bound if expect == "equivalent" else 0.0
        for number, expect in enumerate(OUTCOMES.values(), start=1)
    }


def draw_pairs(truth: Mapping[str, float], rng: np.random.Generator) -> pd.DataFrame:
    """Draw a cohort: one row per person and session, normal values, mean FD that moves the edge in both."""
    session = np.tile(["1", "2"], N_PAIRS)
    fd = rng.standard_normal(2 * N_PAIRS)
    columns = {}
    for outcome, shift in zip(OUTCOMES, truth.values(), strict=True):
        shared = np.repeat(rng.standard_normal(N_PAIRS), 2)
        own = rng.standard_normal(2 * N_PAIRS)
        values = CORRELATION**0.5 * shared + (1 - CORRELATION) ** 0.5 * own
        columns[outcome] = np.where(session == "2", SD_RATIO * values + shift, values)
    columns["LAI-dmPFC"] = columns["LAI-dmPFC"] - 0.5 * fd
    person = np.repeat(np.arange(N_PAIRS), 2)
    people = {
        "participant_id": [f"sub-{index:03d}" for index in person],
        "session": session,
        "group": "therapist",
        "sex": np.array(["F", "M"])[person % 2],
        "age": 40.0 + person,
    }
    return pd.DataFrame({**people, **columns, "mean_fd": 0.2 + 0.04 * fd})
