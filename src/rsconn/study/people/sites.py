"""Several datasets in one study: who is of which site, and whether sites and groups can be told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from rsconn.files.bids import Run
from rsconn.settings.checks import SITE

if TYPE_CHECKING:
    from rsconn.settings.config import Config

_SHOWN = 4


def find_sites(people: pd.DataFrame, runs: Iterable[Run], config: Config) -> dict[str, str]:
    """Return everyone's site, by their table or, for who is in none, by their images; empty without `input.datasets`.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    runs : iterable of Run
        All runs.
    config : Config
        ``input.datasets``.
    """
    if not config.input.datasets:
        return {}
    sites: dict[str, str] = {}
    for run in runs:
        path = run.bold or run.timeseries or Path()
        site = next((one.site for one in config.input.datasets if path.is_relative_to(one.path)), None)
        if site is not None:
            sites[run.participant_id] = site
    known = people.dropna(subset=SITE)
    return sites | dict(zip(known["participant_id"], known[SITE], strict=True))


def name_site(table: pd.DataFrame, sites: dict[str, str]) -> pd.DataFrame:
    """Return a table of people or runs with their site as last column; as it is where there are no sites."""
    if not sites:
        return table
    return table.assign(**{SITE: [sites.get(person) for person in table["participant_id"]]})


def list_aliases(people: pd.DataFrame, with_runs: Collection[str], config: Config) -> list[str]:
    """Return a warning if the site says who is in which group, so that no claim on the group can be tested.

    Parameters
    ----------
    people : DataFrame
        `rsconn.study.people.participants.read_people`.
    with_runs : collection of str
        Everyone with images; who has none cannot tell the two apart.
    config : Config
        Datasets and groups.
    """
    if config.groups is None or config.groups.column == SITE or len(set(config.input.sites)) < 2:
        return []
    here = people[people["participant_id"].isin(with_runs)] if with_runs else people
    counts = Counter(
        zip(*(here.dropna(subset=[SITE, "group"])[name] for name in (SITE, "group")), strict=True)
    )
    groups_of: dict[str, set[str]] = {}
    for site, group in counts:
        groups_of.setdefault(site, set()).add(group)
    every = {group for groups in groups_of.values() for group in groups}
    if len(every) < 2 or any(len(groups) > 1 for groups in groups_of.values()):
        return []
    shown = ", ".join(f"{group} at {site} ({n})" for (site, group), n in sorted(counts.items())[:_SHOWN])
    line = (
        f"site and group cannot be told apart: {shown}; their difference may be the sites', and claims on the "
        "group are not testable with the site as covariate"
    )
    return [line]
