import json
import shutil

import pandas as pd

from rsconn.report.figures.catalogue import read_result_table
from rsconn.report.hidden_people import hide_in_settings, hide_people
from rsconn.report.page.html_page import write_page


def test_tables_keep_their_rows_and_name_nobody():
    table = pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-02"],
            "run": ["sub-01_task-rest", None],
            "note": ["above: sub-01, sub-02", "sub-01_ses-2_task-rest: 41 of 120"],
            "x": [1.5, 2.0],
        }
    )
    hidden = hide_people(table, ["sub-01", "sub-02"])
    assert hidden["x"].tolist() == [1.5, 2.0]
    assert hidden["participant_id"].isna().all()
    assert hidden["run"].isna().all()
    assert hidden["note"].tolist() == ["above: one person, one person", "one person: 41 of 120"]


def test_settings_count_the_ids_that_they_name():
    settings = {"exclude": {"sub-01": "pregnant"}, "input": {"ids": {"C1": "sub-01"}, "decimal": "."}}
    hidden = hide_in_settings(settings)
    assert hidden == {"exclude": "1 hidden", "input": {"ids": "1 hidden", "decimal": "."}}


def make_page(results_folder, tmp_path, settings, reason="pregnant"):
    folder = tmp_path / "results"
    shutil.copytree(results_folder, folder)
    path = folder / "provenance.json"
    provenance = json.loads(path.read_text())
    provenance["config"] = {"settings": settings}
    path.write_text(json.dumps(provenance))
    ledger = read_result_table(folder / "group" / "exclusions.tsv")
    row = {"participant_id": "sub-001", "rule": "exclude", "decision": "excluded", "reason": reason}
    (pd.concat([ledger, pd.DataFrame([row])])[list(ledger.columns)]).to_csv(
        folder / "group" / "exclusions.tsv", sep="\t", na_rep="n/a", index=False
    )
    people = set(read_result_table(folder / "group" / "cohort.tsv")["participant_id"])
    return write_page(folder).read_text(), people


def test_the_page_never_prints_what_was_written_of_a_person_by_hand(results_folder, tmp_path):
    html, _ = make_page(results_folder, tmp_path, {"exclude": {"sub-001": "pregnant"}})
    assert "pregnant" not in html
    assert "<td>exclude</td>" in html or ">exclude<" in html


def test_a_page_with_hidden_ids_names_nobody(results_folder, tmp_path):
    html, people = make_page(results_folder, tmp_path, {"report": {"ids": "hidden"}, "exclude": "1 hidden"})
    assert len(people) > 10
    assert not [person for person in people if person in html]
    assert "Ids are hidden on this page" in html
    assert "Exclusion ledger" not in html
