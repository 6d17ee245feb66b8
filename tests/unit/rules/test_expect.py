"""What can be said of the cohort and of parcellated runs before anything is computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rsconn.commands.check import check_config, shorten_by_kind
from rsconn.commands.expectation import list_remedies
from rsconn.files.run_records import read_records
from rsconn.published_tables import read_numbers
from rsconn.rules.denoise import denoise
from rsconn.rules.plan import plan_workflow
from rsconn.study.people.losses import Loss
from rsconn.study.people.run_edges import tabulate_runs

CONFIG = """
input: {{parcellated: series, denoised: {denoised}, participants: people.tsv, t_r: 2}}
rois: rois.yaml
sessions: {sessions}
groups: {{column: group, levels: {{t: T, c: C}}}}
scores: {{empathy: {{column: empathy}}}}
denoising: {{strategy: motion6, low_pass_hz: null}}
censoring: {{min_retained_minutes: 1, max_share_lost: 1}}
covariates: {{edge: [], score: []}}
claims: claims.yaml
"""
CLAIMS = """
- {id: A, family: f, text: t, source: s, outcome: A-B, contrast: {column: group, a: t, b: c}, expect: greater}
- {id: P, family: f, text: t, source: s, outcome: A-B, paired: true, contrast: {column: session, a: '2', b: '1'},
   expect: greater}
- {id: E, family: f, text: t, source: s, outcome: empathy, contrast: {column: group, a: t, b: c}, expect: equivalent}
"""


@pytest.fixture
def write_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write ten people, five of each group, with two sessions of series each."""

    def write(*, sessions="separate", denoised="false", n_rows=120, claims=CLAIMS) -> Path:
        rng = np.random.default_rng(1)
        names = [f"sub-{number:02d}" for number in range(1, 11)]
        people = [f"{name}\t{'TC'[i % 2]}\t{i}\n" for i, name in enumerate(names)]
        (tmp_path / "people.tsv").write_text("participant_id\tgroup\tempathy\n" + "".join(people))
        (tmp_path / "rois.yaml").write_text("- {name: A, column: a}\n- {name: B, column: b}\n")
        (tmp_path / "claims.yaml").write_text(claims)
        (tmp_path / "config.yaml").write_text(CONFIG.format(sessions=sessions, denoised=denoised))
        columns = [
            *(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"),
            "framewise_displacement",
        ]
        for name in names:
            for session in "12":
                func = tmp_path / "series" / name / f"ses-{session}" / "func"
                func.mkdir(parents=True)
                run = f"{name}_ses-{session}_task-rest"
                write_table(func / f"{run}_timeseries.tsv", ["a", "b"], rng.standard_normal((n_rows, 2)))
                values = np.abs(rng.standard_normal((120, 7))) * 0.05
                write_table(func / f"{run}_desc-confounds_timeseries.tsv", columns, values)
        monkeypatch.chdir(tmp_path)
        return tmp_path / "config.yaml"

    return write


def write_table(path: Path, names: list[str], values: np.ndarray) -> None:
    np.savetxt(path, values, delimiter="\t", header="\t".join(names), comments="")


def test_sessions_apart_make_pairs(write_study):
    result = check_config(write_study())
    assert result.problems == ()
    assert "  t: 5 in the tables, 5 with images, 5 with a usable run, 5 with a usable edge" in result.lines
    assert "1 of 3 claims can be tested with these people" in result.lines
    two_rows, few = [line for line in result.lines if "not testable" in line]
    assert "not testable: A: 10 people (sub-01, ...) have several sessions" in two_rows
    assert "not testable: E" in few
    assert "power with n = 10" in few
    assert sum("120 of 120 volumes (4.0 min)" in line for line in result.lines) == 20


def test_denoised_series_have_no_degrees_of_freedom_and_count_as_usable(write_study):
    result = check_config(write_study(denoised="true"))
    assert result.problems == ()
    assert not any("degrees of freedom" in line for line in result.lines)
    assert "  c: 5 in the tables, 5 with images, 5 with a usable run, 5 with a usable edge" in result.lines


def test_series_with_other_rows_than_their_confounds_are_told(write_study):
    result = check_config(write_study(n_rows=118))
    assert "20 of 20 runs will be left out:" in result.lines
    assert any("confounds have 120 rows, the series 118; they must be equal" in line for line in result.lines)
    assert "  t: 5 in the tables, 5 with images, 0 with a usable run, 0 with a usable edge" in result.lines
    assert any("not testable: A" in line for line in result.lines)


def test_a_claim_on_an_unknown_column_is_a_problem(write_study):
    claims = CLAIMS.replace("outcome: empathy", "outcome: empathy, sample: \"handedness == 'R'\"")
    assert any(
        "no column 'handedness' in the tables" in line
        for line in check_config(write_study(claims=claims)).problems
    )


def test_a_heavy_mover_without_degrees_of_freedom_is_lost_for_the_motion(write_study, tmp_path: Path):
    plan = plan_workflow([write_study()])
    mover = plan.runs[0]
    names, values = read_numbers(mover.confounds)
    values[:, names.index("framewise_displacement")] = np.where(np.arange(120) < 5, 0.1, 2.0)
    write_table(mover.confounds, list(names), values)
    denoise(
        tmp_path / "record.json",
        before=[],
        runs=plan.runs[:2],
        job=plan.denoise_job,
    )
    tables = tabulate_runs(read_records([tmp_path / "record.json"])[:1], plan.config)
    [quality] = tables.quality.to_dict("records")
    assert quality["n_retained"] == 5
    assert quality["mean_fd"] > 1.9
    excluded = [row.rule for row in tables.ledger if row.decision == "excluded"]
    assert excluded == [
        "censoring.min_retained_minutes",
        "censoring.min_degrees_of_freedom",
        "quality.max_mean_fd_mm",
    ]
    [told] = [row.reason for row in tables.ledger if row.rule == "failed at denoise"]
    assert "no degrees of freedom left (5 volumes retained" in told


def test_no_kind_of_warning_hides_another():
    lines = [f"sub-{number:02d}_task-rest: header says TR 1 s" for number in range(12)]
    shown = shorten_by_kind([*lines, "sub-99: has a run, no row in the tables"])
    assert shown[5:] == ["... and 7 more like these", "sub-99: has a run, no row in the tables"]


def test_remedies_follow_the_reasons():
    failed = Loss("no permission to read it", frozenset({"failed at extract"}))
    files = list_remedies([failed, Loss("no edge with both of its ROIs")])
    assert files == "mend the files as their lines above say (for 2)"
    few = list_remedies([Loss("3 degrees of freedom left", frozenset({"censoring.min_degrees_of_freedom"}))])
    assert few == "denoising.low_pass_hz: null, or a leaner denoising.strategy (for 1)"
