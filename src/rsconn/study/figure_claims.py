"""Tables behind the figures of claims: the forest of all, one picture each, and how many got which verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rsconn.study.claims.claim_table import (
    BOUNDED,
    describe_condition,
    describe_sides,
    get_direction,
    get_effect_kind,
    label_claim,
)

VERDICTS = ("supported", "contradicted", "inconclusive", "not testable")


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


def tabulate_forest(
    claims: pd.DataFrame,
    definitions: Mapping[str, Mapping[str, Any]],
    designs: Mapping[str, Any],
    units: Mapping[str, str],
) -> pd.DataFrame:
    """Return each claim's effect size turned so that the claimed direction is positive.

    Parameters
    ----------
    claims : DataFrame
        group/claims.tsv.
    definitions : mapping
        Claim id to its definition (outcome, predictor, contrast, expect, sample).
    designs : mapping
        Claim id to its `study.claims.designs.Design`, which knows the covariates used; may lack claims.
    units : mapping
        Unit of each outcome and predictor.

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
            "label": label_claim(definition),
            "outcome": definition["outcome"],
            "predictor": definition.get("predictor"),
            "side_a": describe_sides(definition)[0] or None,
            "side_b": describe_sides(definition)[1] or None,
            "unit": _name_unit(definition, units),
            "covariates": ", ".join(getattr(designs.get(str(claim["id"])), "covariates", ())) or None,
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


def _name_unit(definition: Mapping[str, Any], units: Mapping[str, str]) -> str:
    """Return the unit of a claim's estimate, such as ``points`` or ``Fisher z per point``."""
    outcome = units.get(str(definition["outcome"]), "units")
    if not definition.get("predictor"):
        return outcome
    predictor = units.get(str(definition["predictor"]), "units")
    return f"{outcome} per {predictor.removesuffix('s')}"


def index_claims(claims: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the claims' definitions by id."""
    return {str(claim["id"]): claim for claim in claims}
