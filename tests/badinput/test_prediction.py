"""Whoever a run loses, the check predicts: by the same rules, from headers, masks, confounds and given series."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rsconn.commands.check import check_config
from rsconn.commands.outcome import describe_outcome
from rsconn.files.run_records import read_records
from rsconn.files.tables import read_tsv
from rsconn.report.figures.catalogue import read_result_table
from rsconn.report.page.results import Results, build_page_tables
from rsconn.report.page.wording import Source
from rsconn.rules import prediction
from rsconn.rules.cohort import gather_cohort
from rsconn.rules.connect import connect
from rsconn.rules.denoise import denoise
from rsconn.rules.extract import extract
from rsconn.rules.plan import plan_workflow
from rsconn.rules.prediction import imagine_edges, predict_runs
from rsconn.study.people.run_edges import judge_records, tabulate_runs


def change_mask(path, change):
    image = nib.load(path)
    data = image.get_fdata()
    change(data)
    nib.save(nib.Nifti1Image(data.astype(np.float32), image.affine), path)


def shrink_mask(files):
    nib.save(nib.Nifti1Image(np.ones((5, 6, 6), np.uint8), np.eye(4)), files.mask)


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def cover_half(files):
    change_mask(files.mask, lambda data: data[1:2, 1:3, 1:2].fill(0))


def lose_one_region(files):
    change_mask(files.mask, lambda data: data[4:6, 1:3, 4:6].fill(0))


def lose_the_shared_region(files):
    change_mask(files.mask, lambda data: data[1:3, 1:3, 1:3].fill(0))


def move_much(files):
    header, first, *rows = files.confounds.read_text().splitlines()
    rows = [
        "\t".join([*row.split("\t")[:-1], "0.9" if number % 2 else "0.6"]) for number, row in enumerate(rows)
    ]
    files.confounds.write_text("\n".join([header, first, *rows]) + "\n")


def write_in_parts(files):
    content = gzip.decompress(files.bold.read_bytes())
    half = len(content) // 2
    files.bold.write_bytes(gzip.compress(content[:half]) + gzip.compress(content[half:]))


FAULTS = {
    "sound": lambda _: None,
    "empty mask": lambda files: change_mask(files.mask, lambda data: data.fill(0)),
    "mask that is not binary": lambda files: change_mask(files.mask, lambda data: data[:2].fill(0.3)),
    "mask of another grid": shrink_mask,
    "mask that ends early": lambda files: cut(files.mask, 0.6),
    "region half covered": cover_half,
    "one region outside the mask": lose_one_region,
    "the region of all edges outside the mask": lose_the_shared_region,
    "image that ends early": lambda files: cut(files.bold, 0.7),
    "image in two parts": write_in_parts,
    "image of zeros after its end": lambda files: files.bold.write_bytes(files.bold.read_bytes() + bytes(64)),
    "heavy mover": move_much,
    "confounds that end early": lambda files: cut(files.confounds, 0.5),
    "displacement n/a": lambda files: files.confounds.write_text(
        re.sub(r"0\.\d+$", "n/a", files.confounds.read_text(), flags=re.MULTILINE)
    ),
}


def run_stages(plan):
    stages = [Path(f"work/{name}.json") for name in ("extract", "denoise", "connect")]
    extract(stages[0], runs=plan.batches["batch-001"], job=plan.extract_job)
    denoise(stages[1], before=[stages[0]], runs=[], job=plan.denoise_job)
    connect(stages[2], before=stages[1], job=plan.connect_job)
    return read_records(stages[2:])


def list_edges(table):
    return {(row.participant_id, row.edge) for row in table.itertuples() if np.isfinite(row.z)}


def test_every_loss_is_predicted_with_its_reason(make_images, tmp_path):
    files = make_images(n=len(FAULTS))
    for spoil, of_run in zip(FAULTS.values(), files, strict=True):
        spoil(of_run)
    plan = plan_workflow([tmp_path / "config.yaml"])
    predictions = predict_runs(plan.runs, plan.config)
    judged = judge_records([entry.record for entry in predictions], plan.config)
    found = tabulate_runs(run_stages(plan), plan.config)
    assert [row.reason for row in judged.ledger] == [row.reason for row in found.ledger]
    assert [row.decision for row in judged.ledger] == [row.decision for row in found.ledger]
    assert list_edges(imagine_edges(predictions, judged.usable, plan.config)) == list_edges(found.edges)
    lost = {fault for fault, usable in zip(FAULTS, judged.usable, strict=True) if not usable}
    assert lost == {
        "empty mask", "mask that is not binary", "mask of another grid", "mask that ends early",
        "image that ends early", "heavy mover", "confounds that end early", "displacement n/a",
    }  # fmt: skip
    assert all(re.search(r"sub-\d\d", row.reason) for row in judged.ledger if row.reason)


def damage(files):
    """Change the checksum: the file ends as it should and cannot be read."""
    content = bytearray(files.bold.read_bytes())
    content[-8] ^= 0xFF
    files.bold.write_bytes(bytes(content))


def test_what_came_otherwise_is_a_table_and_is_told(make_images, tmp_path):
    files = make_images()
    damage(files[1])
    FAULTS["empty mask"](files[2])
    plan = plan_workflow([tmp_path / "config.yaml"])
    run_stages(plan)
    gather_cohort([Path("work/connect.json")], settings=plan.config)
    table = read_tsv(Path("group/predicted.tsv"))
    assert table["predicted"] == ["kept", "kept", "lost", "kept"]
    assert table["found"] == ["kept", "lost", "lost", "kept"]
    lines = describe_outcome(tmp_path)
    assert "people: 2 of 4 with images kept" in lines
    (surprise,) = [line for line in lines if "predicted kept, lost" in line]
    assert surprise.strip().startswith("sub-02 (pat): predicted kept, lost: sub-02/func/")
    assert "corrupt" in surprise
    source = Source("group/predicted.tsv", read_result_table(Path("group/predicted.tsv")))
    page = Results({"predicted": source}, {}, {}, {}, "", {})
    assert len(build_page_tables(page)["predicted"].rows) == 1


def test_empty_masks_stop_the_check(make_images, tmp_path):
    for files in make_images()[::2]:
        FAULTS["empty mask"](files)
    result = check_config(tmp_path / "config.yaml")
    assert any(
        line.startswith("con: 2 of 2 people with images would keep no usable run or edge")
        for line in result.problems
    )
    assert sum("the mask is empty" in line for line in result.lines) == 2


def test_regions_outside_the_masks_cost_people_too(make_images, tmp_path):
    for files in make_images(n=8)[:6:2]:
        lose_the_shared_region(files)
    result = check_config(tmp_path / "config.yaml")
    (line,) = result.problems
    assert line.startswith("con: 3 of 4 people")
    assert "regions that the masks cover, or a smaller quality.min_coverage (for 3)" in line
    assert "  con: 4 in the tables, 4 with images, 4 with a usable run, 1 with a usable edge" in result.lines


def test_few_processes_say_what_one_says(make_images, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "_WORTH_A_POOL", 1)
    monkeypatch.setattr(prediction, "_can_fork", lambda: True)
    make_images()
    plan = plan_workflow([tmp_path / "config.yaml"])
    alone, shared = (predict_runs(plan.runs, plan.config, n_processes=n) for n in (1, 2))
    assert [entry.record for entry in alone] == [entry.record for entry in shared]


def blank_rows(rows):
    for row in (4, 8):
        rows[row] = "n/a\tn/a\tn/a"


def blank_region(rows):
    rows[1:] = ["n/a\t" + row.split("\t", 1)[1] for row in rows[1:]]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            blank_rows,
            r"2 of 60 rows are n/a in every region \(line 5, 9\), and every row counts: take such rows out",
        ),
        (blank_region, r"sub-02_task-rest: n/a or constant in region A; no edge with it"),
    ],
)
def test_gaps_of_given_series_are_told_with_lines_and_remedy(make_study, tmp_path, spoil, said):
    config = make_study()
    for number in (2, 4, 6):
        path = tmp_path / f"given/sub-{number:02d}/func/sub-{number:02d}_task-rest_timeseries.tsv"
        rows = path.read_text().splitlines()
        spoil(rows)
        path.write_text("\n".join(rows) + "\n")
    result = check_config(config)
    assert any(re.search(said, line) for line in result.lines)
    assert any(
        line.startswith("pat: 3 of 10 people with images would keep no usable run")
        for line in result.problems
    )


def test_a_run_that_cannot_be_read_is_told_by_name(make_images, tmp_path, monkeypatch):
    files = make_images()

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("rsconn.rules.prediction.read_run_mask", refuse)
    result = check_config(tmp_path / "config.yaml")
    assert any(f"{files[0].mask.name}: no permission to read it" in line for line in result.lines)


def test_runs_are_plain_values_to_the_prediction(make_images, tmp_path):
    make_images()
    plan = plan_workflow([tmp_path / "config.yaml"])
    (first, *_) = predict_runs(plan.runs, plan.config)
    assert first.record.run == plan.runs[0]


def copy_run(source, target):
    for old, new in ((source.bold, target.bold), (source.confounds, target.confounds)):
        new.write_bytes(old.read_bytes())


def test_one_image_for_two_people_is_refused(make_images, tmp_path):
    files = make_images()
    copy_run(files[0], files[3])
    (line,) = check_config(tmp_path / "config.yaml").problems
    assert line.startswith(
        "sub-01_task-rest and sub-04_task-rest hold the same data: one person under two ids"
    )


def test_one_series_in_two_sessions_is_told(make_study, tmp_path):
    config = make_study(sessions=("1", "2"), extra="sessions: combine\n")
    folder = tmp_path / "given/sub-03"
    first = (folder / "ses-1/func/sub-03_ses-1_task-rest_timeseries.tsv").read_bytes()
    (folder / "ses-2/func/sub-03_ses-2_task-rest_timeseries.tsv").write_bytes(first)
    result = check_config(config)
    assert result.problems == ()
    assert any(
        "sub-03_ses-1_task-rest and sub-03_ses-2_task-rest hold the same data" in line
        for line in result.lines
    )


def test_short_runs_are_not_helped_by_censoring_less(make_images, tmp_path):
    make_images()
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("min_retained_minutes: 1", "min_retained_minutes: 4"))
    (everybody, *_) = check_config(config).problems
    assert everybody.endswith("a smaller censoring.min_retained_minutes, the runs are short (for 4)")


def test_one_fault_of_several_regions_is_one_line(make_images, tmp_path):
    labels = zip("ABC", (7, 7, 1), strict=True)
    rois = [
        f"  - {{name: {name}, atlas: {{image: roi_A.nii.gz, label: {label}}}}}\n" for name, label in labels
    ]
    make_images(rois=f"name: Lab\nspace: MNI152NLin2009cAsym\nrois:\n{''.join(rois)}")
    (line,) = check_config(tmp_path / "config.yaml").problems
    assert "ROI 'A', 'B': label 7 is not in" in line
