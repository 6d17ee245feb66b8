"""Write docs/inputs.md: every kind of input that is tried, and what happened.

The layouts are the cases of tests/unit/files/test_bids.py; the tables, confounds and images are the real ones beside
the repository (../shared/data). Run: python docs/make_inputs.py [FILE]
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import yaml

from rsconn.analysis.run_chain import make_run_model, predict_quality
from rsconn.analysis.specification import Censoring, Cleaning, ConfoundTerms
from rsconn.commands.check import check_config
from rsconn.errors import UserError
from rsconn.files.bids import Run, find_parcellated_runs, find_runs
from rsconn.files.cifti import DenseHeader, read_dense_header
from rsconn.files.cifti_regions import build_run_weights
from rsconn.files.confounds import read_confounds
from rsconn.files.sidecars import settle_t_r
from rsconn.settings.config import parse_config
from rsconn.settings.strategies import change_strategy, read_strategy
from rsconn.signal.regressors import Confounds, select_confounds
from rsconn.study.people.participants import read_people
from rsconn.study.people.scores import score_people

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
EXAMPLES = ROOT / "config" / "examples"
Row = Sequence[str]

HEAD = """# Inputs that were tried

Made by `make inputs` (`python docs/make_inputs.py`): nothing here is written by hand. Layouts are trees of empty files
with the names that each program gives them, dense series small files made for the purpose; tables, confounds and other
images are real ones (`data/README.md` says where they are from). What is refused is refused with the line that is
shown, before any job. Inputs from bug reports are sound studies of a few people, spoiled as in the thread named
(project and number of the issue), or as others of the kind (*own*): `tests/badinput/odd_inputs.py` makes them, and a
test holds what is read to the numbers of its sound twin.
"""


def load_cases(name: str, folder: str = "unit/files") -> ModuleType:
    """Import a test module by its path, for the cases in it."""
    path = ROOT / "tests" / folder / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def main(target: Path) -> None:
    if not DATA.is_dir():
        sys.exit(f"{DATA}: the real data are not beside this checkout; they are needed to make the tables")
    os.chdir(ROOT)  # messages show paths below the working directory
    cases = load_cases("test_bids")
    tables = [
        ("fMRIPrep layouts", ("layout", "what happened"), list_layouts(cases)),
        ("Parcellated layouts", ("layout", "what happened"), list_parcellated(cases)),
        ("Trees that are refused", ("tree", "message"), list_refused(cases)),
        ("Regions on a dense series (CIFTI)", ("region", "what happened"), list_dense_regions()),
        ("Repetition times", ("JSON, s", "image header, s", "`input.t_r`, s", "what happened"), list_t_r()),
        (f"Confounds of three fMRIPrep generations: {DOF_HEAD}", ("run", *STRATEGIES), list_dof()),
        ("Tables as published", ("table", "declared as", "what happened"), list_tables()),
        ("Inputs from bug reports", ("kind", "input", "met in", "what happened"), list_odd_inputs()),
        ("Example configs", ("config", "`rsconn check`"), list_examples()),
    ]
    text = HEAD + "".join(f"\n## {title}\n{format_table(head, rows)}" for title, head, rows in tables)
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {sum(len(rows) for _, _, rows in tables)} rows")


def format_table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(clean(cell) for cell in line) + " |\n" for line in lines)


def clean(cell: str) -> str:
    return cell.replace("|", "\\|").replace("<", "&lt;").replace("\n", "<br>")


def describe(find: Callable[[], Sequence[Run]], folder: Path) -> str:
    """Return the runs that were found with their files, or the refusal."""
    try:
        return "\n".join(describe_run(run) for run in find())
    except UserError as error:
        return f"refused: {error}".replace(f"{folder}/", "")


def describe_run(run: Run) -> str:
    files = {"image": run.bold, "series": run.timeseries, "mask": run.mask, "confounds": run.confounds}
    found = ", ".join(f"{kind} `{path.name}`" for kind, path in files.items() if path)
    problems = f"; left out: {'; '.join(run.problems)}" if run.problems else ""
    return f"{run.name}: {found}{problems}"


def make_tree(folder: Path, files: Iterable[str], place: Callable[[str], str]) -> Path:
    """Write empty files; JSON files hold an empty object."""
    dataset = folder / "dataset"
    for file in files:
        path = dataset / (file if "/" in file else place(file))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}" if path.suffix == ".json" else "")
    return dataset


def try_trees(
    trees: Mapping[str, Any], place: Callable[[str], str], find: Callable[..., Sequence[Run]]
) -> list[Row]:
    rows = []
    for name, (files, filters, _) in trees.items():
        with tempfile.TemporaryDirectory() as folder:
            dataset = make_tree(Path(folder), files, place)
            chosen = f" ({format_filters(filters)})" if filters else ""
            rows.append((name + chosen, describe(lambda: find([dataset], filters), Path(folder))))  # noqa: B023
    return rows


def format_filters(filters: Mapping[str, Sequence[str]]) -> str:
    return "`filters: {" + ", ".join(f"{key}: {'/'.join(values)}" for key, values in filters.items()) + "}`"


def list_layouts(cases: ModuleType) -> list[Row]:
    return try_trees(cases.LAYOUTS, cases.place, find_runs)


def list_parcellated(cases: ModuleType) -> list[Row]:
    return try_trees(cases.PARCELLATED, cases.place, find_parcellated_runs)


def list_refused(cases: ModuleType) -> list[Row]:
    return try_trees(cases.REFUSED, cases.place, find_runs)


def list_dense_regions() -> list[Row]:
    """Try every kind of region on a small series: 257 + 257 vertices of the cortex, 96 voxels of two nuclei."""
    with tempfile.TemporaryDirectory() as folder:
        files = load_cases("dense_files").DenseFiles(Path(folder))
        header = read_dense_header(files.save_series())
        return [
            (name, describe_region(region, header, folder)) for name, region in files.make_examples().items()
        ]


def describe_region(region: Mapping[str, Any], header: DenseHeader, folder: str) -> str:
    """Return how many grayordinates a region has, and its coverage, or the refusal."""
    try:
        weights = build_run_weights([{"name": "A", **region}], header, region.get("smoothing_fwhm_mm", 0.0))
    except UserError as error:
        return f"refused: {error}".replace(f"{folder}/", "")
    return f"{len(weights.voxels)} grayordinates, coverage {weights.values.sum() / weights.totals[0]:.2f}"


T_R_CASES: tuple[tuple[float | None, float | None, float | None], ...] = (
    (2.0, 2.0, None),
    (2.0, 0.0, None),
    (2.0, 1.0, None),
    (2.0, 1500.0, None),
    (2.0, 2.1, None),
    (2.0, 2.1, 2.0),
    (2000.0, 2.0, None),
    (2000.0, 2.0, 2.0),
    (None, 2.0, None),
    (None, 1.0, None),
    (None, math.nan, None),
)


def list_t_r() -> list[Row]:
    rows = []
    for sidecar, header, configured in T_R_CASES:
        try:
            t_r, warning = settle_t_r(
                "run", sidecar_t_r=sidecar, header_t_r=header, configured_t_r=configured
            )
            happened = f"{t_r:g} s" + (f"; noted: {warning}" if warning else "")
        except UserError as error:
            happened = f"run left out: {error}"
        stated = [
            "none" if value is None or math.isnan(value) else f"{value:g}"
            for value in (sidecar, header, configured)
        ]
        rows.append((*stated, happened))
    return rows


STRATEGIES = tuple(sorted(path.stem for path in (ROOT / "config" / "strategies").glob("*.yaml")))
DOF_HEAD = "degrees of freedom per run, 0.01-0.08 Hz, FD 0.5 mm, without and with global signal"
# Folder -> repetition time, s. ds003798's is not in the files: five cosines say 2.4-2.8 s.
FOLDERS = {"fmriprep-1.4_ds002790": 2.0, "fmriprep-20.2.1_ds003798": 2.5}


def list_dof() -> list[Row]:
    rows = []
    for folder, t_r in FOLDERS.items():
        for path in sorted((DATA / "confounds" / folder).glob("*confounds*.tsv")):
            confounds = read_confounds(path, path.with_suffix(".json"))
            name = f"{folder.split('_')[0]}, {path.name.split('_desc')[0]} ({len(confounds.values)} volumes)"
            rows.append((name, *(describe_dof(confounds, t_r, strategy) for strategy in STRATEGIES)))
    return [*rows, list_components_by_json()]


def list_components_by_json() -> Row:
    """Say which components the sidecar of fMRIPrep 21 leads to; its table is not among the data."""
    (path,) = (DATA / "confounds").glob("fmriprep-21*/*_timeseries.json")
    metadata = json.loads(path.read_text(encoding="utf-8"))
    names = [*(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"), *metadata]
    cells = []
    for name in STRATEGIES:
        terms = read_strategy(name, [ROOT / "config" / "strategies"]).get_terms()
        if not (terms["acompcor_wm"] or terms["acompcor_variance"]):
            cells.append("no table")
            continue
        chosen = select_confounds(names, np.zeros((1, len(names))), metadata, **terms).names
        masks = [metadata[column]["Mask"] for column in chosen if column in metadata]
        cells.append(f"{masks.count('WM')} WM, {masks.count('CSF')} CSF chosen")
    return (f"fmriprep-21.0.2, {path.name.split('_desc')[0]} (sidecar only)", *cells)


def describe_dof(confounds: Confounds, t_r: float, name: str) -> str:
    strategy = read_strategy(name, [ROOT / "config" / "strategies"])
    both = []
    for global_signal in (False, True):
        terms = change_strategy(strategy, {"global_signal": global_signal}).get_terms()
        try:
            both.append(str(compute_dof(confounds, t_r, terms)))
        except UserError as error:
            both.append(f"refused: {error}")
    return " / ".join(both)


def compute_dof(confounds: Confounds, t_r: float, terms: Mapping[str, Any]) -> int:
    cleaning = Cleaning(ConfoundTerms(**terms), 0.01, 0.08)
    quality = predict_quality(make_run_model(confounds, t_r, cleaning, Censoring(fd_threshold_mm=0.5)))
    return int(quality.dof or 0)


ITEMS = {"instrument": "IRI", "items": "iri_{:02d}"}
IRI_ITEMS = {
    "input": {"participants": str(DATA / "questionnaires" / "iri_items.tsv")},
    "scores": {
        name: {**ITEMS, "subscale": name, "coding": "items_reversed"} for name in ("FS", "PT", "EC", "PD")
    },
}
ES = {"instrument": "ERQ", "subscale": "ES", "column": "erq-FR_suppression_w1"}
PT = {"instrument": "IRI", "subscale": "PT", "column": "IRI_PT", "coding": "mean", "range": [1, 5]}
# Example (or items) -> what is declared, and the keys that change
TABLES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "ds000201": [
        ("as in the example: item means on 1-5, decimal commas", {}),
        ("without `decimal: ','`", {"input/decimal": "."}),
        ("without `range: [1, 5]`", {"scores": {"PT": {**PT, "range": None}}}),
        ("as sums", {"scores": {"PT": {**PT, "coding": "sum", "range": None}}}),
        ("a group level that nobody has", {"groups/levels": {"young": "Young", "old": "Aged"}}),
        ("a column that is not there", {"scores": {"PT": {**PT, "column": "IRI_TP"}}}),
    ],
    "ds003823": [
        ("as in the example: ERQ sums", {}),
        ("as item means", {"scores": {"ES": {**ES, "coding": "mean"}}}),
        (
            "the other scale's column",
            {"scores": {"ES": {**ES, "column": "erq-FR_reappraisal_w1", "coding": "sum"}}},
        ),
    ],
    "iri_items": [
        ("28 items, reversed already", {}),
        ("28 items as answered", {f"scores/{name}/coding": "items" for name in ("FS", "PT", "EC", "PD")}),
        ("items on 1-5", {f"scores/{name}/range": [1, 5] for name in ("FS", "PT", "EC", "PD")}),
    ],
}  # fmt: skip


def list_tables() -> list[Row]:
    rows = []
    for name, cases in TABLES.items():
        for declared, changes in cases:
            content = (
                IRI_ITEMS if name == "iri_items" else yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
            )
            rows.append((name, declared, try_table(change(content, changes))))
    return rows


def change(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config with some places set; claims are left out."""
    changed = yaml.safe_load(yaml.safe_dump(dict(content)))
    changed.pop("claims", None)
    for place, value in changes.items():
        *parents, last = place.split("/")
        section = changed
        for key in parents:
            section = section[key]
        section[last] = value
    return changed


def try_table(content: dict[str, Any]) -> str:
    try:
        config = parse_config(content, EXAMPLES / "tried.yaml")
        people = read_people(config.input, config.groups)
        summary = score_people(people, config.scores).summary
    except UserError as error:
        return f"refused: {error}".replace(f"{ROOT.parent}/", "../")
    scores = "; ".join(describe_score(row) for row in summary.to_dict(orient="records"))
    return f"{len(people)} people; {scores}"


def describe_score(row: Mapping[str, Any]) -> str:
    alpha = f", alpha {row['alpha']:.2f}" if math.isfinite(row["alpha"]) else ""
    return f"{row['score']} n {row['n']}, mean {row['mean']:.2f}, SD {row['sd']:.2f}{alpha}"


def list_odd_inputs() -> list[Row]:
    """Try the inputs of tests/badinput/odd_inputs.py."""
    odd_inputs = load_cases("odd_inputs", "badinput").ODD_INPUTS
    return [(odd.kind, odd.name, odd.thread, try_input(odd)) for odd in odd_inputs]


def try_input(odd: Any) -> str:
    """Return the line that tells of an input, or that it is read."""
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        folder = Path(temporary).resolve()
        odd.make(folder)
        (config,) = folder.rglob("config.yaml")
        result = check_config(config)
    if odd.outcome == "read":
        read = (
            "read, each part once"
            if odd.kind == load_cases("odd_inputs", "badinput").SAME
            else "read as its sound twin"
        )
        return "refused: " + "; ".join(result.problems) if result.problems else read
    lines = [line for line in result.lines if odd.outcome != "refused" or line.startswith("problem: ")]
    line = next(line for line in lines if re.search(odd.said, line))
    told = {"refused": "refused", "told": "read, with a warning", "left out": "run left out"}[odd.outcome]
    text = line.strip().removeprefix("problem: ").removeprefix("warning: ")
    return f"{told}: {text}".replace(f"{folder}/", "").replace(str(folder), ".")


def list_examples() -> list[Row]:
    return [
        (path.name, "\n".join(line for line in check_config(path).lines if not line.startswith("  sub-")))
        for path in sorted(EXAMPLES.glob("*.yaml"))
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "inputs.md")
