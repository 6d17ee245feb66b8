"""Power: how often each claim would be supported with a planned n, by simulation through the same verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rsconn.errors import SettingsError
from rsconn.files.tables import write_tsv
from rsconn.files.writing import check_new_files, write_json
from rsconn.settings.claims import Claim, Verdict
from rsconn.settings.config import Config, read_config
from rsconn.simulate.planned_cohorts import StudyDesign, draw_numbers, read_study_design, simulate_planned
from rsconn.study.claims.bounds import find_bound
from rsconn.study.claims.evaluation import evaluate_claims
from rsconn.study.claims.kinds import CONSTRUCTIONS
from rsconn.study.claims.verdicts import decide, get_rule, get_sign
from rsconn.study.people.used_columns import make_columns

DEFAULT_N = (20, 40, 60, 80, 120)
DEFAULT_SIMULATIONS = 400
COLUMNS = {
    "claim": "Id of the claim.",
    "family": "Its family.",
    "rule": "directional, two-sided or equivalence.",
    "n_per_group": "Planned people per group of the study.",
    "n": "People (paired: pairs) whom the claim's sample leaves of them.",
    "scale": "g or partial_r.",
    "effect": "True effect in the claimed direction; 0 for claims of no difference.",
    "multiple": "Effect / smallest effect of interest.",
    "alpha": "Level of the claim: its alpha over the number of claims in its family.",
    "power": "Share of the simulated cohorts in which the claim is supported.",
    "mc_error": "Monte Carlo standard error of the power.",
    "negligible": "Share in which it is negligible: an effect as large as the smallest one of interest is ruled out.",
    "contradicted": "Share in which it is contradicted.",
    "not_testable": "Share of the simulated cohorts in which it could not be tested.",
}


@dataclass(frozen=True)
class Target:
    """A claim with an effect to plant, under a name of its own; `m` claims are in its family."""

    name: str
    claim: Claim
    multiple: float
    effect: float
    alpha: float
    m: int
    sesoi: float

    @property
    def copy(self) -> Claim:
        """The claim on a column of its own, alone in its family."""
        names = {"id": self.name, "family": self.name, "outcome": self.name}
        return self.claim.model_copy(update={**names, "sesoi": self.sesoi})

    def judge(self, row: Mapping[str, Any]) -> Verdict:
        """Return the verdict on the copy, with its p corrected as in the first step of Holm."""
        if row["verdict"] == Verdict.NOT_TESTABLE:
            return Verdict.NOT_TESTABLE
        p, p_contradict = (min(1.0, self.m * row[name]) for name in ("p", "p_contradict"))
        return decide(
            self.claim.expect,
            row["estimate"],
            p_family=p,
            p_contradict_family=p_contradict,
            alpha=self.alpha,
        ).verdict


def compute_power_curves(
    config: Config,
    n_per_group: Sequence[int],
    *,
    multiples: Sequence[float] = (1.0,),
    n_simulations: int = DEFAULT_SIMULATIONS,
) -> pd.DataFrame:
    """Simulate every claim's power at each planned n.

    Each claim's effect is planted in a column of its own, normal with SD 1, nothing else having any effect; it is
    tested at alpha over the number of claims in its family (the first step of Holm), so power is what the claim has
    without help from the others. Claims of no difference get a true effect of zero.

    Parameters
    ----------
    config : Config
        Its claims, groups, covariates and inference; data need not exist.
    n_per_group : sequence of int
        People per group; the cells that claims name share them evenly.
    multiples : sequence of float
        Effects as multiples of each claim's smallest effect of interest.
    n_simulations : int
        Cohorts per n.

    Returns
    -------
    DataFrame
        One row per claim, multiple and n, with `COLUMNS`. The config's seed makes it the same every time.

    Raises
    ------
    SettingsError
        If there are no claims, or an effect that is asked for is impossible.
    """
    _check_request(config, n_per_group, multiples, n_simulations)
    targets, design = _list_targets(config, multiples), read_study_design(config)
    # planned people are independent: nothing is permuted, and of families nothing is known
    silent = {"n_permutations": 0, "exchange_within": None, "exchange_whole": None}
    inference = config.inference.model_copy(update=silent)
    edges = {edge.name for edge in config.edges}
    changes = {
        "claims": tuple(target.copy for target in targets),
        "inference": inference,
        "edges": (*config.edges, *(target.name for target in targets if target.claim.outcome in edges)),
    }
    planned = config.model_copy(update=changes)
    rows = []
    for n in n_per_group:
        rows += _simulate(planned, targets, design, n, n_simulations)
    order = {target.name: index for index, target in enumerate(targets)}
    table = pd.DataFrame(rows).sort_values("name", key=lambda names: names.map(order), kind="stable")
    return table[list(COLUMNS)].reset_index(drop=True)


def _check_request(
    config: Config, n_per_group: Sequence[int], multiples: Sequence[float], n_simulations: int
) -> None:
    if not config.claims:
        raise SettingsError("claims: none found; power needs a claims file (claims)")
    if not n_per_group or min(n_per_group) < 2:
        raise SettingsError(f"--n: {list(n_per_group)} found, numbers of people per group from 2 up needed")
    if not multiples or min(multiples) <= 0:
        raise SettingsError(f"--multiple: {list(multiples)} found, positive multiples of the sesoi needed")
    if n_simulations < 1:
        raise SettingsError(f"--simulations: {n_simulations} found, at least 1 needed")


def _list_targets(config: Config, multiples: Sequence[float]) -> list[Target]:
    sizes = Counter((claim.family, claim.exploratory) for claim in config.claims)
    targets = []
    for claim in config.claims:
        equivalence = get_rule(claim.expect) == "equivalence"
        sesoi = _find_planned_sesoi(claim, config)
        alpha = config.inference.alpha if claim.alpha is None else claim.alpha
        m = sizes[claim.family, claim.exploratory]
        for multiple in (0.0,) if equivalence else multiples:
            effect = multiple * sesoi
            if claim.form.scale == "partial_r" and effect >= 1:
                raise SettingsError(
                    f"--multiple {multiple:g}: claim {claim.id} would have a partial r of {effect:g}"
                )
            targets.append(Target(f"{claim.id}@{multiple:g}", claim, multiple, effect, alpha, m, sesoi))
    return targets


def _find_planned_sesoi(claim: Claim, config: Config) -> float:
    """Return a claim's g or partial r; planned people have no SD, so one in raw units gives way to the config's."""
    bound = find_bound(claim, config.inference)
    if bound.is_raw or bound.of_changes:
        bound = find_bound(claim.model_copy(update={"sesoi": None}), config.inference)
    return bound.value


def _simulate(
    config: Config, targets: Sequence[Target], design: StudyDesign, n_per_group: int, n_simulations: int
) -> list[dict[str, Any]]:
    """Return one row per target at one n."""
    rng = np.random.default_rng([config.inference.seed, n_per_group])
    verdicts: list[list[Verdict]] = []
    table = pd.DataFrame()
    for _ in range(n_simulations):
        cohort = _draw_cohort(targets, design, n_per_group, rng)
        table = evaluate_claims(cohort, config, describe=False).claims
        rows = table.to_dict(orient="records")
        verdicts.append([target.judge(row) for target, row in zip(targets, rows, strict=True)])
    found = np.array(verdicts)
    shares = {verdict: (found == verdict).mean(axis=0) for verdict in Verdict}
    return [
        {
            "name": target.name,
            "claim": target.claim.id,
            "family": target.claim.family,
            "rule": get_rule(target.claim.expect),
            "n_per_group": n_per_group,
            "n": int(n),
            "scale": target.claim.form.scale,
            "effect": target.effect,
            "multiple": target.multiple,
            "alpha": target.alpha / target.m,
            "power": power,
            "mc_error": float(np.sqrt(power * (1 - power) / n_simulations)),
            "negligible": float(shares[Verdict.NEGLIGIBLE][place]),
            "contradicted": float(shares[Verdict.CONTRADICTED][place]),
            "not_testable": float(shares[Verdict.NOT_TESTABLE][place]),
        }
        for place, (target, n, power) in enumerate(
            zip(targets, table["n"], shares[Verdict.SUPPORTED].tolist(), strict=True)
        )
    ]


def _draw_cohort(
    targets: Sequence[Target], design: StudyDesign, n_per_group: int, rng: np.random.Generator
) -> pd.DataFrame:
    columns = simulate_planned(design, n_per_group, rng=rng)
    coded = make_columns(pd.DataFrame(columns))
    person = np.unique(columns["participant_id"].astype(str), return_inverse=True)[1]
    planted = {target.name: _plant(target, coded, draw_numbers(person, rng=rng)) for target in targets}
    return pd.DataFrame({**columns, **planted})


def _plant(
    target: Target, columns: dict[str, NDArray[Any]], noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the outcome (n_rows,) of a claim: noise, and the effect in the claimed direction."""
    claim = target.claim
    effect = get_sign(claim.expect) * target.effect
    return CONSTRUCTIONS[claim.kind].plant(claim, columns, noise, effect)


def plan_power(
    config: Path,
    *,
    n_per_group: Sequence[int] = DEFAULT_N,
    multiples: Sequence[float] = (1.0,),
    n_simulations: int = DEFAULT_SIMULATIONS,
    output: Path | None = None,
) -> list[str]:
    """Compute the power curves of a config, write them and return the lines to print.

    Parameters
    ----------
    config : Path
        The config file; only its claims, groups, covariates and inference matter.
    n_per_group, multiples, n_simulations
        See `compute_power_curves`.
    output : Path, optional
        Folder of power.tsv, its sidecar and the figure; default: ``power`` in the config's output_dir.

    Raises
    ------
    SettingsError, ProblemsError
        If the config or the request cannot be used.
    """
    from rsconn.report.figures.catalogue import write_figure
    from rsconn.report.figures.power_curves import plot_power

    settings = read_config(config)
    folder = settings.output_dir / "power" if output is None else output
    if not (folder / "power.json").exists():
        check_new_files([folder / f"power.{kind}" for kind in ("tsv", "svg", "png")], "--output")
    table = compute_power_curves(
        settings, sorted(set(n_per_group)), multiples=sorted(set(multiples)), n_simulations=n_simulations
    )
    write_tsv(folder / "power.tsv", {name: table[name].tolist() for name in table.columns})
    write_json(folder / "power.json", {name: {"Description": text} for name, text in COLUMNS.items()})
    write_figure(plot_power(table), folder / "power")
    whole = settings.inference.exchange_whole
    families = [f"people are independent here: families ({whole}) would change the power"] if whole else []
    bounds = {claim.id: find_bound(claim, settings.inference) for claim in settings.claims}
    raw = [name for name, bound in bounds.items() if bound.is_raw or bound.of_changes]
    if raw:
        families.append(f"sesoi in raw units: {', '.join(raw)} planned at the config's g or partial r")
    return [*format_table(table), *families, f"written: {folder / 'power.tsv'}, power.svg, power.png"]


def format_table(table: pd.DataFrame) -> list[str]:
    """Return the curves as lines: a row per claim and effect, a column per n."""
    sizes = sorted(table["n_per_group"].unique())
    head = f"{'claim':<10}{'rule':<13}{'true effect':<18}" + "".join(f"n={n:<7}" for n in sizes)
    lines = ["power: share of simulated cohorts in which the claim is supported; n: people per group", head]
    for (claim, _), rows in table.groupby(["claim", "multiple"], sort=False):
        first = rows.iloc[0]
        effect = f"{first['scale'].replace('_', ' ')} {first['effect']:g}"
        by_n = rows.set_index("n_per_group")
        cells = "".join(f"{_format_power(by_n.loc[n]):<9}" for n in sizes)
        lines.append(f"{claim:<10}{first['rule']:<13}{effect:<18}{cells}".rstrip())
    worst = table["mc_error"].max()
    return [*lines, f"Monte Carlo standard errors are at most {worst:.1%}; -: not testable with this n"]


def _format_power(row: pd.Series) -> str:
    return "-" if row["not_testable"] > 0.5 else f"{row['power']:.2f}"
