"""docs/calibration.md, from the tallies and the rates alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.figure import save_figure
from calibration.marks import COVERAGE, MARGIN, Rate
from calibration.scenarios import SCENARIOS
from calibration.tallies import N_PERMUTATIONS, VERDICTS, Tally
from calibration.texts import FIGURE, IMAGES, INTRODUCTION, LIMITS, PLANTED, REAL, STRESS, WARNINGS
from rsconn.simulate.claims_truth import describe_claims
from rsconn.simulate.study import N_SCORED
from rsconn.simulate.truth import plan_study

_SCANNED_CLAIMS = ("F1", "F2", "B1", "B2", "B3", "B4", "B5")


@dataclass(frozen=True)
class Results:
    """Everything that was computed.

    Attributes
    ----------
    tallies : mapping of str to Tally
        By scenario, and ``planted``, ``planted-null``, ``shuffled``, ``images``.
    rates : mapping of str to list of Rate
        By scenario.
    """

    tallies: Mapping[str, Tally]
    rates: Mapping[str, list[Rate]]

    def is_guaranteed(self, name: str) -> bool:
        """Say whether a scenario's rates have a pass mark."""
        return any(scenario.guarantee for scenario in SCENARIOS if scenario.name == name)


def write_page(results: Results, folder: Path) -> None:
    """Write calibration.md and images/calibration.svg into a folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    save_figure(results.rates, folder / "images" / "calibration.svg")
    parts = [
        INTRODUCTION.format(margin=f"{MARGIN:g}", n_permutations=N_PERMUTATIONS),
        _write_guarantees(results),
        FIGURE,
        _write_over_coverage(results),
        STRESS + _write_rates(results, guarantee=False),
        _write_warnings(results.tallies),
        _write_planted(results.tallies),
    ]
    if "shuffled" in results.tallies:
        parts.append(REAL + _write_verdicts(results.tallies["shuffled"]))
    if "images" in results.tallies:
        parts.append(_write_images(results.tallies["images"]))
    (folder / "calibration.md").write_text("\n\n".join([*parts, LIMITS]) + "\n")


def _write_guarantees(results: Results) -> str:
    held = all(
        rate.passed
        for name, rates in results.rates.items()
        if results.is_guaranteed(name)
        for rate in rates
    )  # fmt: skip
    said = "**Every guarantee holds.**" if held else "**Not every guarantee holds; see the marks.**"
    return f"## Guarantees\n\n{said}\n\n{_write_rates(results, guarantee=True)}"


def _write_rates(results: Results, *, guarantee: bool) -> str:
    rows = []
    for scenario in SCENARIOS:
        if scenario.guarantee != guarantee:
            continue
        rates = results.rates[scenario.name]
        for quantity in dict.fromkeys(rate.quantity for rate in rates):
            counted = [rate for rate in rates if rate.quantity == quantity]
            rows += [[scenario.title, *_describe(counted, marked=guarantee)]]
    head = [
        "Scenario",
        "Rate",
        "Bound",
        "Worst",
        "Of",
        "All",
        "Cohorts",
        "MC error",
        *(["Mark"] if guarantee else []),
    ]
    return _write_table(head, rows)


def _describe(rates: Sequence[Rate], *, marked: bool) -> list[str]:
    """Summarise one quantity over its claims or families."""
    worst = max(rates, key=lambda rate: rate.excess)
    low, high = min(rate.value for rate in rates), max(rate.value for rate in rates)
    failed = [rate.subject for rate in rates if not rate.passed]
    mark = [f"**fail** ({', '.join(failed)})" if failed else "pass"] if marked else []
    return [
        worst.quantity,
        f"{'≤' if worst.at_most else '≥'} {worst.bound:.1%}",
        f"{worst.value:.2%}",
        worst.subject,
        f"{low:.2%} to {high:.2%}",
        str(worst.n),
        f"{worst.mc_error:.2%}",
        *mark,
    ]


def _write_over_coverage(results: Results) -> str:
    lines = []
    for scenario in SCENARIOS:
        over = [
            f"{rate.subject} {rate.value:.1%}"
            for rate in results.rates[scenario.name]
            if rate.quantity == COVERAGE and rate.excess < -MARGIN
        ]
        lines.append(f"- {scenario.title}: {', '.join(over) or 'none'}.")
    return (
        "### Over-coverage\n\nClaims whose 95 % interval holds the truth more often than 95 % by more than "
        f"{MARGIN:g} Monte Carlo errors (HC3 is careful in small samples):\n\n" + "\n".join(lines)
    )


def _write_warnings(tallies: Mapping[str, Tally]) -> str:
    rows = []
    for scenario in SCENARIOS:
        tally = tallies[f"warned-{scenario.name}"]
        shares = (tally.numbers["warnings"] > 0).mean(axis=0)
        order = np.argsort(-shares, kind="stable")[:5]
        most = [f"{tally.ids[index]} {shares[index]:.0%}" for index in order if shares[index] > 0]
        rows.append([scenario.title, str(tally.n), f"{shares.mean():.1%}", ", ".join(most) or "none"])
    return WARNINGS + _write_table(["Scenario", "Cohorts", "Claims warned of", "Most often"], rows)


def _write_planted(tallies: Mapping[str, Tally]) -> str:
    parts = [PLANTED]
    for name, effect, title in (
        ("planted", 1.0, "Planted effects"),
        ("planted-null", 0.0, "No effect at all"),
    ):
        tally = tallies[name]
        truth = describe_claims(plan_study(effect), N_SCORED)
        rows = []
        for claim in tally.ids:
            shares = _share(tally, claim)
            right = shares[VERDICTS.index(truth[claim]["truth"])]
            decided = shares[0] + shares[1]
            size = f"{truth[claim]['scale'].replace('_', ' ')} {truth[claim]['effect']:+.2f}"
            accuracy = f"{right / decided:.1%}" if decided else "n/a"
            rows.append([claim, size, truth[claim]["truth"], *(f"{share:.1%}" for share in shares), accuracy])
        head = ["Claim", "Effect", "True verdict", *VERDICTS, "Right among decided"]
        parts.append(f"### {title} ({tally.n} studies)\n\n{_write_table(head, rows)}")
    return "\n\n".join(parts)


def _write_verdicts(tally: Tally) -> str:
    rows = [[claim, *(f"{share:.2%}" for share in _share(tally, claim))] for claim in tally.ids]
    error = (0.05 * 0.95 / tally.n) ** 0.5
    differ = [claim for claim in tally.ids if claim.endswith("-differ")]
    edges = [claim for claim in tally.ids if claim.startswith("edge")]
    any_differ = tally.has("supported", differ).any(axis=1).mean()
    any_edge = tally.has("supported", edges).any(axis=1).mean()
    return (
        f"{tally.n} shuffles (MC error of a rate of 5 %: {error:.2%}). Any of the {len(differ)} claims that the sites "
        f"differ supported: **{any_differ:.2%}**. Any of the {len(edges)} claims of an association of an edge with a "
        f"score supported: **{any_edge:.2%}**.\n\n" + _write_table(["Claim", *VERDICTS], rows)
    )


def _write_images(tally: Tally) -> str:
    scanned = list(_SCANNED_CLAIMS)
    p = tally.get("p", scanned)
    inside = (tally.get("ci_low", scanned) <= 0) & (tally.get("ci_high", scanned) >= 0)
    rows = [
        [claim, f"{share:.1%}", f"{held:.1%}", f"{supported:.1%}"]
        for claim, share, held, supported in zip(
            scanned, (p < 0.05).mean(axis=0), inside.mean(axis=0), tally.has("supported", scanned).mean(axis=0),
            strict=True,
        )
    ]  # fmt: skip
    families = {name: [claim for claim in scanned if claim[0] == name] for name in "FB"}
    any_family = {
        name: tally.has("supported", members).any(axis=1).mean() for name, members in families.items()
    }
    error = (0.05 * 0.95 / tally.n) ** 0.5
    return (
        IMAGES
        + f"**{tally.n} null studies** (MC error of a rate of 5 %: {error:.1%}). Two-sided p < 5 %, over all seven: "
        f"{np.mean(p < 0.05):.1%}. Any false support: connectivity family {any_family['F']:.1%}, brain-behaviour "
        f"family {any_family['B']:.1%}.\n\n"
        + _write_table(["Claim", "p < 5 %", "95 % interval holds 0", "supported"], rows)
    )


def _share(tally: Tally, claim: str) -> list[float]:
    return [float(tally.has(verdict, [claim]).mean()) for verdict in VERDICTS]


def _write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
