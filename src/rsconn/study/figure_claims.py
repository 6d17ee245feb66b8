"""Tables behind the figures of claims: the forest of all, one picture each, and how many got which verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rsconn.study.claim_words import (
    BOUNDED,
    describe_claim,
    describe_condition,
    describe_sides,
    get_direction,
    get_effect_kind,
)
from rsconn.study.distributions import compute_line, tabulate_cell

VERDICTS = ("supported", "contradicted", "inconclusive", "not testable")
PICTURE_COLUMNS = (
    "claim", "kind", "shape", "side", "label", "participant_id", "x", "y", "density", "n",
    "ci_low", "ci_high", "ci_family_low", "ci_family_high", "sesoi_low", "sesoi_high",
    "x_label", "y_label", "estimate_label", "expect", "verdict",
)  # fmt: skip


def count_verdicts(claims: pd.DataFrame) -> pd.DataFrame:
    """Return how many claims of each family, and of all (`family` is ``all``), have each verdict.

    Returns
    -------
    DataFrame
        family, n_claims and one column per verdict (spaces as underscores).
    """
    families = [*dict.fromkeys(claims["family"]), "all"]
    rows = []
    for family in families:
        verdicts = claims.loc[claims["family"].eq(family) | (family == "all"), "verdict"]
        counts = {name.replace(" ", "_"): int((verdicts == name).sum()) for name in VERDICTS}
        rows.append({"family": family, "n_claims": len(verdicts), **counts})
    return pd.DataFrame(rows)


def tabulate_forest(claims: pd.DataFrame, definitions: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return each claim's effect size turned so that the claimed direction is positive.

    Parameters
    ----------
    claims : DataFrame
        group/claims.tsv.
    definitions : mapping
        Claim id to its definition (outcome, predictor, contrast, expect, sample).

    Returns
    -------
    DataFrame
        One row per claim, in the order of the claims. `aligned_*` are effect_size and its interval times
        `direction`; `effect_kind` is ``g`` or ``partial_r``; `bounded` says that the claim asks for an effect
        within plus or minus `sesoi`.
    """
    rows = []
    for _, claim in claims.iterrows():
        definition = definitions[str(claim["id"])]
        direction = get_direction(str(definition["expect"]))
        bounds = (direction * claim["effect_ci_low"], direction * claim["effect_ci_high"])
        rows.append({
            "id": claim["id"],
            "family": claim["family"],
            "label": describe_claim(definition),
            "outcome": definition["outcome"],
            "predictor": definition.get("predictor"),
            "side_a": describe_sides(definition)[0] or None,
            "side_b": describe_sides(definition)[1] or None,
            "sample": describe_condition(str(definition.get("sample") or "")) or None,
            "effect_kind": get_effect_kind(definition),
            "expect": definition["expect"],
            "bounded": str(definition["expect"]) in BOUNDED,
            "direction": direction,
            "effect_size": claim["effect_size"],
            "aligned_effect": direction * claim["effect_size"],
            "aligned_low": min(bounds),
            "aligned_high": max(bounds),
            "sesoi": claim["sesoi"],
            "n": claim["n"],
            "n_per_group": claim["n_per_group"],
            "verdict": claim["verdict"],
        })  # fmt: skip
    return pd.DataFrame(rows)


def tabulate_pictures(
    claims: pd.DataFrame,
    definitions: Mapping[str, Mapping[str, Any]],
    designs: Mapping[str, Any],
    labels: Mapping[str, str],
) -> pd.DataFrame:
    """Return what each claim's own small picture shows: its people, their means or line, and the estimate.

    Parameters
    ----------
    claims : DataFrame
        group/claims.tsv.
    definitions : mapping
        Claim id to its definition.
    designs : mapping
        Claim id to a `study.designs.Design`: `people` (ids) and `model` with `outcome`, `tested` and `kind`;
        a model of None (not testable) leaves the picture without people.
    labels : mapping
        Outcome or predictor name to its axis label.
    """
    parts = []
    for _, claim in claims.iterrows():
        definition, design = definitions[str(claim["id"])], designs.get(str(claim["id"]))
        rows = [_tabulate_estimate(claim, definition)]
        if design is not None and design.model is not None:
            draw = _tabulate_slope if design.model.kind == "slope" else _tabulate_contrast
            rows = [draw(definition, design), *rows]
        outcome, predictor = str(definition["outcome"]), str(definition.get("predictor") or "")
        rows[-1] = rows[-1].assign(
            x_label=labels.get(predictor, predictor) or None, y_label=labels.get(outcome, outcome)
        )
        parts.append(pd.concat(rows, ignore_index=True).assign(claim=claim["id"]))
    return pd.concat(parts, ignore_index=True).reindex(columns=list(PICTURE_COLUMNS))


def _tabulate_contrast(definition: Mapping[str, Any], design: Any) -> pd.DataFrame:
    """Return the two sides' people; a paired model's outcomes are differences and form one side."""
    first, second = describe_sides(definition)
    tested = np.asarray(design.model.tested, dtype=float)
    sides = [("a", f"{first} − {second}")] if design.model.kind == "paired" else [("a", first), ("b", second)]
    parts = []
    for side, label in sides:
        chosen = tested == (1.0 if side == "a" else 0.0)
        people = pd.DataFrame({
            "participant_id": np.asarray(design.people, dtype=object)[chosen],
            "y": np.asarray(design.model.outcome, dtype=float)[chosen],
        })  # fmt: skip
        rows = tabulate_cell(people, "y").rename(columns={"value": "y"})
        parts.append(rows.assign(side=side, label=label))
    return pd.concat(parts, ignore_index=True)


def _tabulate_slope(definition: Mapping[str, Any], design: Any) -> pd.DataFrame:
    x = np.asarray(design.model.tested, dtype=float)
    y = np.asarray(design.model.outcome, dtype=float)
    grid, fitted, low, high = compute_line(x, y)
    people = pd.DataFrame({"kind": "person", "participant_id": list(design.people), "x": x, "y": y})
    line = pd.DataFrame({"kind": "line", "x": grid, "y": fitted, "ci_low": low, "ci_high": high})
    return pd.concat([people, line.assign(n=x.size)], ignore_index=True).assign(side="a", label=None)


def _tabulate_estimate(claim: pd.Series, definition: Mapping[str, Any]) -> pd.DataFrame:
    first, second = describe_sides(definition)
    slope = bool(definition.get("predictor"))
    bound = abs(float(claim["sesoi_estimate"])) if pd.notna(claim["sesoi_estimate"]) else math.nan
    label = f"{definition['outcome']} per {definition['predictor']}" if slope else f"{first} − {second}"
    row = {
        "kind": "estimate", "label": label, "y": claim["estimate"], "n": claim["n"],
        "ci_low": claim["ci_low"], "ci_high": claim["ci_high"],
        "ci_family_low": claim["ci_family_low"], "ci_family_high": claim["ci_family_high"],
        "sesoi_low": -bound, "sesoi_high": bound, "estimate_label": "Slope" if slope else "Difference",
        "shape": "slope" if slope else "contrast", "expect": definition["expect"], "verdict": claim["verdict"],
    }  # fmt: skip
    return pd.DataFrame([row])


def index_claims(claims: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the claims' definitions by id."""
    return {str(claim["id"]): claim for claim in claims}
