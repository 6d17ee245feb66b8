"""docs/calibration.md, from the tallies and the rates alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from calibration.figure import save_figure
from calibration.judging import Results
from calibration.marks import COVERAGE, MARGIN, Rate
from calibration.page_maps import write_maps, write_regions, write_ways
from calibration.tables import compute_mc_error, mark, write_table
from calibration.tallies import VERDICTS, Tally
from calibration.texts import (
    ADOPTED,
    COSTS,
    FIGURE,
    IMAGES,
    INTRODUCTION,
    LIMITS,
    PLANTED,
    REAL,
    STRESS,
    TITLES,
    WARNINGS,
)
from rsconn.simulate.claims_truth import describe_claims
from rsconn.simulate.simulated_study import N_SCORED
from rsconn.simulate.truth import plan_study

_SCANNED_CLAIMS = ("F1", "F2", "B1", "B2", "B3", "B4", "B5")


def write_page(results: Results, folder: Path, *, n_permutations: int) -> None:
    """Write calibration.md and images/calibration.svg into a folder."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    save_figure(results, folder / "images" / "calibration.svg")
    tallies = results.tallies
    sections = (
        INTRODUCTION.format(margin=f"{MARGIN:g}", n_permutations=n_permutations),
        _write_guarantees(results),
        FIGURE,
        _write_over_coverage(results),
        write_maps(results) if "maps" in tallies else "",
        write_ways(results),
        write_regions(results) if "regions" in tallies else "",
        STRESS + _write_rates(results, guarantee=False),
        _write_warnings(results),
        _write_planted(tallies) if "planted" in tallies else "",
        REAL + _write_verdicts(tallies["shuffled"]) if "shuffled" in tallies else "",
        _write_images(tallies["images"]) if "images" in tallies else "",
        LIMITS,
        _write_costs(tallies),
    )
    (folder / "calibration.md").write_text("\n\n".join(filter(None, sections)) + "\n")


def _write_guarantees(results: Results) -> str:
    failed = [f"{name}: {rate.quantity}, {rate.subject}" for name, rate in results.list_failed()]
    said = f"**Not every guarantee holds** ({'; '.join(failed)})." if failed else "**Every guarantee holds.**"
    return f"## Guarantees\n\n{said}\n\n{_write_rates(results, guarantee=True)}"


def _write_rates(results: Results, *, guarantee: bool) -> str:
    rows = []
    names = [name for name in results.scenarios if results.is_guaranteed(name) == guarantee]
    for name in names:
        rates = results.rates[name]
        for quantity in dict.fromkeys(rate.quantity for rate in rates):
            counted = [rate for rate in rates if rate.quantity == quantity]
            rows += [[name, *_describe(counted, marked=guarantee)]]
    head = ["Scenario", "Rate", "Bound", "Worst", "Of", "All", "Cohorts", "MC error"]
    listed = "\n".join(f"- `{name}`: {TITLES[name]}." for name in names)
    return listed + "\n\n" + write_table([*head, "Mark"] if guarantee else head, rows)


def _describe(rates: Sequence[Rate], *, marked: bool) -> list[str]:
    """Summarise one quantity over its claims or families."""
    worst = max(rates, key=lambda rate: rate.excess)
    low, high = min(rate.value for rate in rates), max(rate.value for rate in rates)
    return [
        worst.quantity,
        f"{'≤' if worst.at_most else '≥'} {worst.bound:.1%}",
        f"{worst.value:.2%}",
        worst.subject,
        f"{low:.2%} to {high:.2%}",
        str(worst.n),
        f"{worst.mc_error:.2%}",
        *([mark(rates)] if marked else []),
    ]


def _write_over_coverage(results: Results) -> str:
    lines = []
    for name in results.scenarios:
        over = [
            f"{rate.subject} {rate.value:.1%}"
            for rate in results.rates[name]
            if rate.quantity == COVERAGE and rate.excess < -MARGIN
        ]
        lines.append(f"- `{name}`: {', '.join(over) or 'none'}.")
    return (
        "### Over-coverage\n\nClaims whose 95 % interval holds the truth more often than 95 % by more than "
        f"{MARGIN:g} Monte Carlo errors (HC3, of slopes and unequal sides, is careful in small samples):\n\n"
        + "\n".join(lines)
    )


def _write_warnings(results: Results) -> str:
    rows = []
    for name in results.scenarios:
        tally = results.tallies.get(f"warned-{name}")
        if tally is None:
            continue
        shares = (tally.numbers["warnings"] > 0).mean(axis=0)
        order = np.argsort(-shares, kind="stable")[:5]
        most = [f"{tally.ids[index]} {shares[index]:.0%}" for index in order if shares[index] > 0]
        rows.append([name, str(tally.n), f"{shares.mean():.1%}", ", ".join(most) or "none"])
    return WARNINGS + write_table(["Scenario", "Cohorts", "Claims warned of", "Most often"], rows)


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
            decided = sum(shares[:3])
            size = f"{truth[claim]['scale'].replace('_', ' ')} {truth[claim]['effect']:+.2f}"
            accuracy = f"{right / decided:.1%}" if decided else "n/a"
            rows.append([claim, size, truth[claim]["truth"], *(f"{share:.1%}" for share in shares), accuracy])
        head = ["Claim", "Effect", "True verdict", *VERDICTS, "Right among decided"]
        parts.append(f"### {title} ({tally.n} studies)\n\n{write_table(head, rows)}")
    return "\n\n".join(parts)


def _write_verdicts(tally: Tally) -> str:
    rows = [[claim, *(f"{share:.2%}" for share in _share(tally, claim))] for claim in tally.ids]
    error = compute_mc_error(tally.n)
    differ = [claim for claim in tally.ids if claim.endswith("-differ")]
    edges = [claim for claim in tally.ids if claim.startswith("edge")]
    any_differ = tally.has("supported", differ).any(axis=1).mean()
    any_edge = tally.has("supported", edges).any(axis=1).mean()
    return (
        f"{tally.n} shuffles (MC error of a rate of 5 %: {error:.2%}). Any of the {len(differ)} claims that the sites "
        f"differ supported: **{any_differ:.2%}**. Any of the {len(edges)} claims of an association of an edge with a "
        f"score supported: **{any_edge:.2%}**.\n\n" + write_table(["Claim", *VERDICTS], rows)
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
    error = compute_mc_error(tally.n)
    return (
        IMAGES
        + f"**{tally.n} null studies** (MC error of a rate of 5 %: {error:.1%}). Two-sided p < 5 %, over all seven: "
        f"{np.mean(p < 0.05):.1%}. Any false support: connectivity family {any_family['F']:.1%}, brain-behaviour "
        f"family {any_family['B']:.1%}.\n\n"
        + write_table(["Claim", "p < 5 %", "95 % interval holds 0", "supported"], rows)
    )


def _share(tally: Tally, claim: str) -> list[float]:
    return [float(tally.has(verdict, [claim]).mean()) for verdict in VERDICTS]


def _write_costs(tallies: Mapping[str, Tally]) -> str:
    costs: dict[str, float] = {}
    for name, tally in tallies.items():
        part = "warnings" if name.startswith("warned-") else name
        costs[part] = costs.get(part, 0.0) + tally.cpu_s / 60
    rows = [[name, f"{minutes:.1f}"] for name, minutes in costs.items()]
    table = write_table(["Part", "CPU minutes"], [*rows, ["all", f"{sum(costs.values()):.0f}"]])
    adopted = [name for name, tally in tallies.items() if tally.adopted and not name.startswith("warned-")]
    return COSTS + table + (ADOPTED.format(names=", ".join(adopted)) if adopted else "")
