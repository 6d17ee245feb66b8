"""Check: every problem at once, before any job, from config, tables, headers and confounds; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from rsconn.analysis.usability import RunQuality
from rsconn.commands.expectation import (
    ExpectedCohort,
    check_regions,
    check_share_lost,
    expect_cohort,
    find_shares_lost,
    list_copies,
)
from rsconn.commands.multiverse_outlook import describe_multiverse
from rsconn.files.bids import Run
from rsconn.files.left_out import find_left_out
from rsconn.files.writing import check_results_folder
from rsconn.rules.plan import (
    WorkflowPlan,
    describe_dense,
    find_config_runs,
    list_dense_problems,
    list_session_problems,
)
from rsconn.rules.prediction import Foretold, Prediction, count_processors, foretell, predict_runs
from rsconn.rules.report import list_truth_problems
from rsconn.settings.checks import find_braces, find_future, find_missing_files, list_warnings
from rsconn.settings.config import Config, read_config
from rsconn.settings.fields import show_path
from rsconn.settings.problems import collect_problems
from rsconn.study.claims.bounds import describe_original_bounds
from rsconn.study.claims.deviations import find_deviations
from rsconn.study.people.identity import (
    check_images_match,
    check_matches,
    describe_sessions,
    describe_strangers,
    find_twins,
)
from rsconn.study.people.ledger import keeps_run
from rsconn.study.people.odd_values import list_odd_values
from rsconn.study.people.own_names import check_own_names, list_shadowed
from rsconn.study.people.participants import (
    describe_outsiders,
    list_table_ids,
    read_outsiders,
    read_people,
)
from rsconn.study.people.same_people import find_same_people
from rsconn.study.people.scores import Scores, score_people
from rsconn.study.people.sites import find_sites, list_aliases
from rsconn.study.people.used_columns import check_used_columns, list_codes, list_unused_names

_SHOWN = 5
# Runs whose degrees of freedom are printed one by one: all of a usual study, the worst of a large one.
_SHOWN_RUNS = 40
# Seconds and memory of one run's image, measured on the demo: reading is most of it.
_SECONDS_PER_GIGABYTE = 3.0
_START_SECONDS = 15.0


@dataclass(frozen=True)
class CheckResult:
    """What the check found.

    Attributes
    ----------
    problems : tuple of str
        What must be mended before anything runs, one line each.
    lines : tuple of str
        What to print: what is there, warnings, problems, and "ready" if there is no problem.
    output_dir : Path
        Where results go; the current folder if the config could not be read.
    batches : dict of str to int
        Batch of runs to its number of people.
    inputs : tuple of Path
        The files of all runs.
    """

    problems: tuple[str, ...]
    lines: tuple[str, ...]
    output_dir: Path = field(default=Path())
    batches: Mapping[str, int] = field(default_factory=dict)
    inputs: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class _People:
    table: pd.DataFrame
    scores: Scores
    outsiders: Sequence[str] = ()


def check_config(path: Path) -> CheckResult:
    """Find every problem of a config and the data it names.

    Parameters
    ----------
    path : Path
        The config file.
    """
    problems: list[str] = []
    config = collect_problems(problems, lambda: read_config(path))
    if config is None:
        return _finish(problems, [], Path())
    deviations = _check_surroundings(config, problems)
    people = (
        collect_problems(problems, lambda: _read_scored_people(config))
        if _exist(config.input.tables)
        else None
    )
    runs = (
        collect_problems(problems, lambda: find_config_runs(config)) if _exist(config.input.folders) else None
    )
    lines, warnings = [_describe_config(config, runs or ())], list_warnings(config)
    if people is not None:
        warnings += [
            *list_unused_names(people.table, config),
            *list_shadowed(config),
            *list_odd_values(people.table, config),
            *list_codes(people.table, config),
            *people.outsiders,
            *list_aliases(people.table, {run.participant_id for run in runs or ()}, config),
        ]
        problems += find_same_people(people.table)
    lines += [
        *describe_original_bounds(config.claims, config.inference),
        *(f"differs from {config.registered}: {line}" for line in deviations),
    ]
    foretold = foretell((), config)
    if runs:
        plan = WorkflowPlan(config, runs)
        problems += [
            *list_dense_problems(config, runs),
            *list_session_problems(config, runs),
            *find_future(path for run in runs for path in run.files),
        ]
        lines += describe_dense(config, runs)
        predictions = predict_runs(runs, config, n_processes=count_processors())
        foretold = foretell(predictions, config)
        warnings += _list_oddities(predictions)
        regions = check_regions(plan, predictions)
        copies, repeated = list_copies(predictions)
        problems += [*regions.problems, *shorten_by_kind(copies)]
        warnings += [*regions.warnings, *repeated]
        lines += [*_describe_dof(predictions), *_describe_unusable(foretold), *_describe_lost(foretold)]
    if people is not None and runs is not None:
        problems += check_share_lost(
            find_shares_lost(foretold.lost, people.table), config.censoring.max_share_lost
        )
        identity = check_identity(people.table, runs, config)
        problems += identity.problems
        warnings += identity.warnings
        expected = collect_problems(
            problems, lambda: expect_cohort(people.table, people.scores, runs, foretold, config)
        )
        if expected is not None:
            lines += _describe_expected(expected, config)
            warnings += [*expected.strangers, *expected.oddities]
            problems += expected.problems
    lines += [
        *describe_multiverse(config, runs or (), people.table if people is not None else None),
        *(f"warning: {line}" for line in shorten_by_kind(warnings)),
    ]
    if not problems:
        lines.append(f"ready: {_estimate(runs or (), people)}")
    batches = WorkflowPlan(config, runs or ()).people_of_batches
    checked = _finish(problems, lines, config.output_dir, batches)
    return replace(checked, inputs=tuple(path for run in runs or () for path in run.files))


def _check_surroundings(config: Config, problems: list[str]) -> Sequence[str]:
    """Look at the files beside the data, add to the problems, and return what differs from what was registered."""
    problems += [*find_missing_files(config), *find_braces(config), *find_future(config.input.tables)]
    problems += collect_problems(problems, lambda: list_truth_problems(config)) or []
    collect_problems(problems, lambda: check_results_folder(config.output_dir, "output_dir"))
    return collect_problems(problems, lambda: find_deviations(config)) or []


@dataclass(frozen=True)
class _Identity:
    problems: tuple[str, ...]
    warnings: tuple[str, ...]


def check_identity(people: pd.DataFrame, runs: Sequence[Run], config: Config) -> _Identity:
    """Compare ids and sessions of every table with the images', and of further tables with the first."""
    problems, limit = check_ids(people, runs), config.censoring.max_share_lost
    with_runs = {run.participant_id for run in runs}
    warnings: list[str] = []
    tables = {
        path: [person for person in ids if person not in config.exclude]
        for path, ids in list_table_ids(config.input).items()
    }
    people = people[~people["participant_id"].isin(config.exclude.keys())]
    sources = config.input.table_sources
    mine = {person for source in sources if not source.further for person in tables[source.path]}
    sites = find_sites(people, runs, config)
    if runs and not problems:
        for source in sources:
            # nobody of one site is a misspelt somebody of another
            here = {person for person in with_runs if source.site is None or sites.get(person) == source.site}
            if not source.further:
                problems += check_images_match(set(tables[source.path]), here, limit) if source.site else []
                warnings += describe_strangers(
                    show_path(source.path), tables[source.path], here, "with images"
                )
        if not sites:
            problems += check_images_match(set(people["participant_id"]), with_runs, limit)
        warnings += _describe_left_out(mine - with_runs, config)
    for source in (source for source in sources if source.further):
        known = {
            person for person in mine | with_runs if source.site is None or sites.get(person) == source.site
        }
        where = f"in {config.input.participants.name}{' or with images' if runs else ''}"
        warnings += describe_strangers(show_path(source.path), tables[source.path], known, where)
        problems += check_matches(show_path(source.path), tables[source.path], known, limit)
    if config.sessions == "separate":
        sessions = {run.session for run in runs if run.session}
        found = describe_sessions(set(people["session"].dropna()), sessions)
        problems, warnings = [*problems, *found[0]], [*warnings, *found[1]]
    return _Identity(tuple(problems), tuple(warnings))


def _describe_left_out(without_run: Collection[str], config: Config) -> list[str]:
    """Return a line for everyone whose images the filters leave out."""
    if not without_run:
        return []
    left_out = find_left_out(
        config.input.folders,
        config.input.filters,
        without_run,
        parcellated=bool(config.input.parcellated),
        prefixes=config.input.prefixes,
    )
    return [
        f"{person}: has images that input.filters leave out ({unmet})"
        for person, unmet in sorted(left_out.items())
    ]


def check_ids(people: pd.DataFrame, runs: Sequence[Run]) -> list[str]:
    """Return a problem if nobody with images is in the tables: the ids are written in two ways."""
    in_tables, with_runs = set(people["participant_id"]), {run.participant_id for run in runs}
    if not with_runs or in_tables & with_runs:
        return []
    found = f"{_name_some(with_runs)} have images, {_name_some(in_tables)} are in the tables"
    twins = find_twins(in_tables, with_runs)
    pairs = ", ".join(f"{mine}: {theirs}" for mine, theirs in list(twins.items())[:2])
    hint = (
        f"or input.ids: {{{pairs}, ...}} or input.id_pattern"
        if twins
        else "or say input.ids, input.id_pattern"
    )
    return [
        f"participant_id: nobody is in both: {found}; rewrite the ids of the tables as the images' are, {hint}"
    ]


def _name_some(people: Iterable[str]) -> str:
    names = sorted(people)
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _exist(paths: Iterable[Path]) -> bool:
    return all(path.exists() for path in paths)


def _read_scored_people(config: Config) -> _People:
    check_own_names(config)
    people = read_people(config.input, config.groups, sessions=config.sessions)
    scores = score_people(people, config.scores)
    check_used_columns(people, scores.table.columns, config)
    outsiders = read_outsiders(config.input, config.groups, sessions=config.sessions)
    return _People(people, scores, describe_outsiders(outsiders, config.groups) if config.groups else ())


def _describe_config(config: Config, runs: Sequence[Run]) -> str:
    claims = f"{len(config.claims)} claims"
    if not config.input.has_runs:
        return f"no images: {len(config.scores)} scores, {claims}"
    people = len({run.participant_id for run in runs})
    rois = f"{len(config.rois.rois)} ROIs"
    n_variants = len(config.rois.list_rows()) - len(config.rois.rois)
    rois += f" and {n_variants} variants of them" if n_variants else ""
    return f"{people} people with images, {len(runs)} runs, {rois}, {len(config.edges)} edges, {claims}"


def _list_oddities(predictions: Sequence[Prediction]) -> list[str]:
    """Return what is odd about runs and no obstacle."""
    odd = [line for entry in predictions for line in entry.record.facts.get("warnings", ())]
    unread = [
        entry.run.name for entry in predictions if not entry.ends_well and not entry.record.failed_stage
    ]
    if unread:
        odd.append(
            f"{len(unread)} images end otherwise than their headers announce ({', '.join(unread[:_SHOWN])}); read as "
            "they are, whether they are whole shows in the run"
        )
    return odd


def _describe_dof(predictions: Sequence[Prediction]) -> list[str]:
    known = {entry.run.name: entry.quality for entry in predictions if entry.quality.dof is not None}
    if not known:
        return []
    dof = {name: quality.dof or 0 for name, quality in known.items()}
    spread = f"median {np.median(list(dof.values())):g}, from {min(dof.values())} to {max(dof.values())}"
    lowest = set(sorted(known, key=dof.__getitem__)[:_SHOWN_RUNS])
    shown = [name for name in known if name in lowest]
    which = "" if len(shown) == len(known) else f"; the {len(shown)} lowest"
    return [
        f"predicted degrees of freedom per run: {spread} (n = {len(dof)} runs{which}):",
        *(f"  {name}: {_describe_quality(known[name])}" for name in shown),
    ]


def _describe_quality(quality: RunQuality) -> str:
    fd = f", mean FD {quality.mean_fd:.2f} mm" if quality.mean_fd is not None else ""
    minutes = f" ({quality.minutes_retained:.1f} min)" if quality.minutes_retained is not None else ""
    return (
        f"{quality.n_retained} of {quality.n_volumes} volumes{minutes}, {quality.dof} degrees of freedom{fd}"
    )


def _describe_unusable(foretold: Foretold) -> list[str]:
    """List the runs that the rules will leave out, each with every reason."""
    reasons: dict[str | None, list[str]] = {}
    for row in foretold.judged.ledger:
        if not keeps_run([row]):
            reasons.setdefault(row.run, []).append(str(row.reason))
    if not reasons:
        return []
    lines = ["; ".join(found) for found in reasons.values()]
    return [
        f"{len(lines)} of {len(foretold.judged.usable)} runs will be left out:",
        *(f"  {line}" for line in lines),
    ]


def _describe_lost(foretold: Foretold) -> list[str]:
    """List the people whose runs stay and give no edge."""
    unusable = {row.participant_id for row in foretold.judged.ledger if not keeps_run([row])}
    lost = [
        loss.reason for person, loss in foretold.lost.items() if loss is not None and person not in unusable
    ]
    if not lost:
        return []
    return [
        f"{len(lost)} of {len(foretold.lost)} people will have a usable run and no edge:",
        *(f"  {x}" for x in lost),
    ]


def _describe_expected(expected: ExpectedCohort, config: Config) -> list[str]:
    lines = ["people, by group:", *(f"  {group}: {counts}" for group, counts in expected.groups.items())]
    lines += [f"covariates missing: {line}" for line in shorten_by_kind(expected.missing)]
    if config.claims:
        n_testable = len(config.claims) - len(expected.untestable)
        lines.append(f"{n_testable} of {len(config.claims)} claims can be tested with these people")
        lines += [f"  not testable: {claim}: {reason}" for claim, reason in expected.untestable.items()]
    return lines


# What differs between two lines of one kind: names, numbers and paths.
_PARTICULARS = re.compile(r"'[^']*'|\S*[\d/]\S*")


def shorten_by_kind(lines: Sequence[str]) -> list[str]:
    """Return a few lines of every kind, so that none is hidden behind another's.

    Parameters
    ----------
    lines : sequence of str
        Lines of one kind differ in names, numbers and paths only.
    """
    kinds: dict[str, list[str]] = {}
    for line in lines:
        kinds.setdefault(_PARTICULARS.sub("#", line), []).append(line)
    return [line for alike in kinds.values() for line in _shorten_kind(alike)]


def _shorten_kind(lines: Sequence[str]) -> list[str]:
    more = [f"... and {len(lines) - _SHOWN} more like these"] if len(lines) > _SHOWN else []
    return [*lines[:_SHOWN], *more]


def _estimate(runs: Sequence[Run], people: _People | None) -> str:
    n_bytes = sum(run.bold.stat().st_size for run in runs if run.bold)
    seconds = _START_SECONDS + n_bytes / 1e9 * _SECONDS_PER_GIGABYTE * 4
    found = {run.participant_id for run in runs}
    if not runs and people is not None:
        found = set(people.table["participant_id"])
    what = f"{len(runs)} runs" if runs else "no images"
    return f"{len(found)} people, {what}, about {seconds:.0f} s on one core, 0.3 GB of memory"


def _finish(
    problems: Sequence[str], lines: Sequence[str], output_dir: Path, batches: Mapping[str, int] | None = None
) -> CheckResult:
    shown = [*lines, *(f"problem: {line}" for line in problems)]
    return CheckResult(tuple(problems), tuple(shown), output_dir, batches or {})
