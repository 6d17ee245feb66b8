"""Infer: every claim's estimate, interval, p values and verdict, from the cohort table."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from rsconn.arrays import drop_nan
from rsconn.files.sidecars import list_makers, read_dataset_description
from rsconn.files.tables import MISSING, read_tsv
from rsconn.files.writing import write_json
from rsconn.rules.cohort import write_table
from rsconn.rules.columns import describe_columns
from rsconn.settings.claims import hash_claims
from rsconn.settings.config import Config
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.people.cohort_table import read_cohort
from rsconn.study.second_looks.sensitivity import evaluate_sensitivity


def infer(cohort: Path, *, settings: Config) -> None:
    """Test every claim of a config and write claims.tsv, claims.json and sensitivity.tsv beside the cohort.

    Parameters
    ----------
    cohort : Path
        ``group/cohort.tsv``.
    settings : Config
        All options, of which the step's job in `rsconn.rules.jobs` holds what it reads.
    """
    folder = cohort.parent
    people = read_cohort(cohort)
    evaluation = evaluate_claims(people, settings)
    reliability = _read_reliability(folder / "scores.tsv")
    sensitivity = evaluate_sensitivity(people, settings, evaluation, reliability=reliability)
    claims = evaluation.claims
    if settings.edge_claims:
        found = read_edge_claims_table(folder / "edge_claims.tsv")
        claims = pd.concat([claims, found], ignore_index=True) if len(claims) else found
    write_table(folder / "claims.tsv", claims)
    write_table(folder / "sensitivity.tsv", sensitivity)
    write_table(folder / "claim_flow.tsv", evaluation.flow)
    write_json(folder / "claims.json", _describe_claims(claims, settings))


def find_simulated(config: Config) -> bool:
    """Say whether any input dataset states that it is simulated.

    The dataset says so itself, in its ``dataset_description.json`` (`rsconn simulate` writes it), so that no
    option of the analysis can make simulated people look real.
    """
    folders = (*config.input.derivatives, *config.input.parcellated)
    makers = [maker for folder in folders for maker in list_makers(read_dataset_description(folder))]
    return any(f"{maker} ".startswith("rsconn simulate ") for maker in makers)


def _read_reliability(path: Path) -> dict[str, float]:
    """Return each score's alpha, of those that have one."""
    table = read_tsv(path)
    alphas = zip(table["score"], table["alpha"], strict=True)
    return {score: float(alpha) for score, alpha in alphas if alpha != MISSING}


def _describe_claims(table: pd.DataFrame, settings: Config) -> dict[str, Any]:
    definitions = {claim.id: claim.model_dump(mode="json") for claim in settings.all_claims}
    rows = [
        {
            **definitions[row["id"]],
            **{name: _to_plain(value) for name, value in row.items()},
            "definition": definitions[row["id"]],
        }
        for row in table.to_dict(orient="records")
    ]
    return {
        "simulated": find_simulated(settings),
        "alpha": settings.inference.alpha,
        "claims_sha256": hash_claims(settings.all_claims),
        "columns": describe_columns("claims", list(table.columns)),
        "claims": rows,
    }


def read_edge_claims_table(path: Path) -> pd.DataFrame:
    """Read the rows that the rule matrices made of claims on many edges."""
    columns = {
        name: [None if cell == MISSING else cell for cell in cells]
        if name in _TEXTS
        else [float(cell) if cell != MISSING else math.nan for cell in cells]
        for name, cells in read_tsv(path).items()
    }
    table = pd.DataFrame(columns)
    return table.astype({"n": int})


# Columns of claims that hold words.
_TEXTS = frozenset({"id", "family", "text", "n_per_group", "estimator", "verdict", "flags", "reason"})


def _to_plain(value: Any) -> Any:
    if isinstance(value, float):
        return drop_nan(value)
    return value.item() if hasattr(value, "item") else value
