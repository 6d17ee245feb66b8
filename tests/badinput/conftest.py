"""A study of series that takes no time: every table and option of it can be spoiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

ROIS = ("A", "B", "C")
CLAIMS = """- {id: F1, family: f, text: Patients differ in A-B., source: made, outcome: A-B, expect: different,
   contrast: {column: group, a: pat, b: con}}
"""
CONFIG = """input:
  parcellated: given
  denoised: true
  participants: participants.tsv
  filters: {task: rest}
%(input)soutput_dir: out
rois: rois.yaml
edges: [A-B, A-C]
groups: {column: group, levels: {pat: pat, con: con}}
claims: claims.yaml
covariates: {edge: %(covariates)s, score: []}
inference: {n_permutations: 100}
%(extra)s"""


def write_table(path: Path, columns: Mapping[str, Sequence[str]]) -> None:
    rows = ["\t".join(columns), *("\t".join(row) for row in zip(*columns.values(), strict=True))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def write_series(path: Path, seed: int) -> None:
    values = np.random.default_rng(seed).standard_normal((60, len(ROIS)))
    write_table(
        path, {name: [f"{v:.6f}" for v in column] for name, column in zip(ROIS, values.T, strict=True)}
    )


def make_small_study(
    folder: Path,
    *,
    n: int = 20,
    ids: Sequence[str] | None = None,
    columns: Mapping[str, Sequence[str]] | None = None,
    sessions: Sequence[str] = (),
    **texts: str,
) -> Path:
    """Write n people with one series each (and session), half of them patients; return the config's path."""
    for index in range(n):
        subject = f"sub-{index + 1:02d}"
        for session in sessions or ("",):
            label = f"_ses-{session}" if session else ""
            path = folder / "given" / subject / label.strip("_") / "func"
            write_series(path / f"{subject}{label}_task-rest_timeseries.tsv", index)
    known = list(ids or (f"sub-{index + 1:02d}" for index in range(n)))
    groups = ["pat" if index % 2 else "con" for index in range(len(known))]
    write_table(folder / "participants.tsv", {"participant_id": known, "group": groups} | dict(columns or {}))
    (folder / "rois.yaml").write_text(
        "rois:\n" + "".join(f"  - {{name: {name}, source: made, column: {name}}}\n" for name in ROIS)
    )
    (folder / "claims.yaml").write_text(texts.pop("claims", CLAIMS))
    config = folder / "config.yaml"
    config.write_text(CONFIG % ({"input": "", "covariates": "[]", "extra": ""} | texts))
    return config


@pytest.fixture
def make_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Return `make_small_study` for a folder of the test's own, which is the working directory too."""
    monkeypatch.chdir(tmp_path)
    return lambda **options: make_small_study(tmp_path, **options)
