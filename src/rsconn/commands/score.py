"""Score: a questionnaire's items to scale scores, with their reliability."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from rsconn.errors import SettingsError
from rsconn.files.tables import write_tsv
from rsconn.files.writing import check_new_files
from rsconn.questionnaires import Instrument
from rsconn.settings.instruments import read_instrument
from rsconn.settings.sections import InputSettings, ScoreSettings
from rsconn.study.people.participants import read_people
from rsconn.study.people.scores import score_people


def score_table(
    table: Path,
    *,
    instrument: str,
    items: str,
    already_reversed: bool = False,
    answer_range: tuple[float, float] | None = None,
    output: Path | None = None,
) -> list[str]:
    """Score every subscale of an instrument.

    Parameters
    ----------
    table : Path
        Tab-separated, one row per person, with ``participant_id`` and the item columns.
    instrument : str
        The questionnaire: a name such as IRI, or a YAML file as in config/questionnaires.
    items : str
        Pattern of the item columns, such as ``iri_{:02d}``.
    already_reversed : bool
        Whether reversed items are stored already reversed.
    answer_range : (float, float) or None
        Lowest and highest possible answer as stored; None takes the instrument's own.
    output : Path or None
        Where the scores go, one column per subscale.

    Returns
    -------
    list of str
        A table to print: n, mean, SD, alpha and omega of each subscale.

    Raises
    ------
    TableError, ProblemsError
        If the table cannot be scored.
    """
    if output is not None:
        check_new_files([output], "--output")
    coding: Literal["items", "items_reversed"] = "items_reversed" if already_reversed else "items"
    people = read_people(InputSettings(derivatives=(table.parent,), participants=table))
    form = _find_form(instrument)
    settings = {
        name: ScoreSettings(
            instrument=instrument, subscale=name, items=items, coding=coding, range=answer_range
        )
        for name in form.subscales
    }
    scores = score_people(people, settings)
    if output is not None:
        columns = {name: scores.table[name].tolist() for name in scores.table.columns}
        write_tsv(output, {"participant_id": people["participant_id"].tolist(), **columns})
    lines = [f"{'scale':<6}{'n':>6}{'missing':>9}{'mean':>8}{'SD':>7}{'alpha':>7}{'omega':>7}"]
    lines += [
        f"{row['score']:<6}{row['n']:>6}{row['n_missing']:>9}{row['mean']:>8.2f}{row['sd']:>7.2f}"
        f"{row['alpha']:>7.2f}{row['omega']:>7.2f}"
        for row in scores.summary.to_dict(orient="records")
    ]
    return lines


def _find_form(instrument: str) -> Instrument:
    try:
        return read_instrument(instrument)
    except ValueError as error:
        raise SettingsError(f"--instrument: {error}") from None
