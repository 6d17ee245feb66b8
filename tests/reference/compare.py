"""Compare rsconn with R afresh, and R with the values frozen in r_values.tsv.

    python tests/reference/compare.py [--shared DIR] [--install] [--freeze]

``--install`` installs what is missing of R and its packages with apt-get (as root, Debian or Ubuntu); ``--freeze``
rewrites r_values.tsv from R's answers, but for those that agree already. Exits with 1 when a value disagrees.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import cases as case_list
import numpy as np

from rsconn import questionnaires
from rsconn.inference import estimators, noncentral, verdict_power

HERE = Path(__file__).parent
FROZEN = HERE / "r_values.tsv"
SHARED = HERE.parents[2] / "shared" / "data"
PACKAGES = ("sandwich", "lmtest", "car", "emmeans", "BayesFactor", "effectsize", "coin", "psych")
PACKAGES += ("clubSandwich", "MASS")

Values = dict[tuple[str, str], float]

# Relative, but for the exceptions.
TOLERANCE = 1e-8
EXCEPTIONS = {
    "bayes.factor": 1e-6,  # both integrate
    "bayes.factor_greater": 1e-3,  # R integrates a noncentral t of its own, to about 1e-5
}
ABSOLUTE = {"bayes.sampled_share": 0.02}  # 20,000 autocorrelated draws
HOLM_P = (0.012, 0.03, 0.0004, 0.2, 0.03, 0.9)


def get_tolerance(quantity: str) -> tuple[float, float]:
    """Relative and absolute tolerance of a quantity."""
    if quantity in ABSOLUTE:
        return 0.0, ABSOLUTE[quantity]
    # the absolute part lets a limit that happens to lie near zero pass
    return EXCEPTIONS.get(quantity, TOLERANCE), 1e-12


def list_missing() -> list[str]:
    """Debian's packages of R that this machine lacks."""
    if shutil.which("Rscript") is None:
        return ["r-base-core", *(f"r-cran-{package.lower()}" for package in PACKAGES)]
    quoted = ", ".join(f'"{package}"' for package in PACKAGES)
    script = f"for (p in c({quoted})) if (!nzchar(system.file(package = p))) cat(p, '')"
    found = subprocess.run(["Rscript", "-e", script], check=True, capture_output=True, text=True)
    return [f"r-cran-{package.lower()}" for package in found.stdout.split()]


def install(names: list[str]) -> None:
    """Install Debian packages, if any, without asking."""
    if not names:
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "--yes", "--no-install-recommends", *names]):
        subprocess.run(["apt-get", *command], check=True, env=environment)


def compute_all(shared: Path | None) -> Values:
    """Everything R was asked, by rsconn; cases without their table are left out."""
    values: Values = {}
    for case in case_list.list_cases(shared):
        values |= {(case.name, name): value for name, value in case_list.compute_values(case).items()}
    return values | _compute_scalars() | _compute_reliability(shared)


def _compute_scalars() -> Values:
    holm = estimators.adjust_holm(HOLM_P)
    values = {("holm", f"holm.{i + 1}"): float(p) for i, p in enumerate(holm)}
    equal = verdict_power.plan_contrast(18, 18)
    named = {
        "two_18_18_g08": verdict_power.compute_power(equal, 0.8, alpha=0.05, rule="two-sided"),
        "two_52_52_g05": verdict_power.compute_power(
            verdict_power.plan_contrast(52, 52), 0.5, alpha=0.05 / 6, rule="two-sided"
        ),
        "detectable_18_18": verdict_power.find_min_detectable(equal, alpha=0.05, rule="two-sided"),
        "n_g05": (verdict_power.find_n(equal, 0.5, alpha=0.05, rule="two-sided") or 0) / 2,
        "cdf": noncentral.compute_noncentral_cdf(2.1, 13, 2.9),
    }
    return values | {("power", f"power.{name}"): value for name, value in named.items()}


def _list_items(shared: Path | None) -> dict[str, np.ndarray]:
    if shared is None or not shared.is_dir():
        return {}
    columns = case_list.read_iri_items(shared)
    return {f"items_{name}": case_list.select_items(columns, name) for name in case_list.IRI_KEY}


def _compute_reliability(shared: Path | None) -> Values:
    values: Values = {}
    for name, items in _list_items(shared).items():
        values[name, "reliability.alpha"] = questionnaires.compute_alpha(items)
        values[name, "reliability.omega"] = questionnaires.compute_omega(items)
    return values


def run_r(shared: Path | None) -> Values:
    """Write the cases to a temporary folder and let R answer them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_cases(folder, shared)
        answers = folder / "answers.out"
        subprocess.run(["Rscript", str(HERE / "oracle.R"), str(folder), str(answers)], check=True)
        return read_values(answers)


def _write_cases(folder: Path, shared: Path | None) -> None:
    index = []
    for case in case_list.list_cases(shared):
        model = case.model
        nuisance = model.nuisance if model.kind == "paired" else model.nuisance[:, 1:]
        header = ["outcome", "tested", "unit", *(f"z{i + 1}" for i in range(nuisance.shape[1]))]
        columns = np.column_stack([model.outcome, model.tested, model.units, nuisance])
        _write_table(folder / f"{case.name}.tsv", header, columns)
        everything = int(model.n <= case_list.LARGEST_N_OF_EVERYTHING)
        index.append([case.name, model.kind, model.estimator, case.bound, everything])
    _write_table(folder / "cases.tsv", ["name", "kind", "estimator", "bound", "everything"], index)
    for name, items in _list_items(shared).items():
        _write_table(folder / f"{name}.tsv", [f"i{i}" for i in range(items.shape[1])], items)


def _write_table(path: Path, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    lines = ["\t".join(header)]
    lines += ["\t".join(repr(float(x)) if isinstance(x, float) else str(x) for x in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_values(path: Path) -> Values:
    """Read a table of case, quantity, value."""
    with path.open(encoding="utf-8") as file:
        return {
            (row["case"], row["quantity"]): float(row["value"])
            for row in csv.DictReader(file, delimiter="\t")
        }


def write_values(path: Path, values: Mapping[tuple[str, str], float]) -> None:
    """Write a table of case, quantity, value with 17 digits."""
    lines = [
        "case\tquantity\tvalue",
        *(f"{case}\t{name}\t{value:.17g}" for (case, name), value in values.items()),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def keep_agreed(fresh: Values, frozen: Values) -> Values:
    """Fresh values, those that agree with a frozen one as they were: last digits differ from machine to machine."""
    return {
        key: frozen[key] if key in frozen and _agrees(key[1], value, frozen[key]) else value
        for key, value in fresh.items()
    }


def _agrees(quantity: str, found: float, expected: float) -> bool:
    relative, absolute = get_tolerance(quantity)
    return bool(np.isclose(found, expected, rtol=relative, atol=absolute))


def find_differences(found: Values, expected: Values) -> list[str]:
    """One line per quantity on which two sides disagree or which only one of them has."""
    lines = []
    for key in sorted(found.keys() | expected.keys()):
        if key not in found or key not in expected:
            lines.append(f"{key[0]}\t{key[1]}\tonly in {'the second' if key in expected else 'the first'}")
            continue
        if not _agrees(key[1], found[key], expected[key]):
            lines.append(f"{key[0]}\t{key[1]}\t{found[key]!r}\t{expected[key]!r}")
    return lines


def main() -> int:
    """Run the comparison and print what disagrees."""
    parser = argparse.ArgumentParser(description="Compare rsconn's inference with R.")
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder of the real tables")
    parser.add_argument(
        "--install", action="store_true", help="install R and its packages with apt-get first"
    )
    parser.add_argument("--freeze", action="store_true", help="rewrite r_values.tsv")
    options = parser.parse_args()
    if options.install:
        install(list_missing())
    shared = options.shared if options.shared.is_dir() else None
    fresh, ours = run_r(shared), compute_all(shared)
    if options.freeze:
        write_values(FROZEN, keep_agreed(fresh, read_values(FROZEN)))
    frozen = read_values(FROZEN)
    if shared is None:
        frozen = {key: value for key, value in frozen.items() if key in ours}
    reports = {
        "rsconn and R": find_differences(ours, fresh),
        "R now and R frozen": find_differences(fresh, frozen),
    }
    for title, lines in reports.items():
        sys.stdout.write(f"{title}: {len(lines)} of {len(fresh)} values differ\n")
        sys.stdout.writelines(f"  {line}\n" for line in lines)
    n_cases = len({case for case, _ in fresh})
    sys.stdout.write(f"{n_cases} cases{'' if shared else ' (real tables absent: simulated cases only)'}\n")
    return int(any(reports.values()))


if __name__ == "__main__":
    sys.exit(main())
