"""What is kept of each evaluated cohort, and the store that lets an interrupted calibration go on."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace
from itertools import count, takewhile
from pathlib import Path

import numpy as np
import pandas as pd

from rsconn.settings.claims import Verdict
from rsconn.study.claims.evaluation import Evaluation

VERDICTS = tuple(Verdict)
NUMBERS = ("estimate", "ci_low", "ci_high", "p", "p_contradict", "p_permutation", "p_family_maxt")

_ADOPTED = "adopted"


@dataclass(frozen=True)
class Tally:
    """Results of many cohorts.

    Attributes
    ----------
    ids : tuple of str
        Claims, or statistics.
    numbers : mapping of str to float array (n_cohorts, n_claims)
        `NUMBERS`, and ``verdict`` as an index into `VERDICTS`.
    cpu_s : float
        What they cost.
    adopted : bool
        Results of other code, see `adopt`.
    """

    ids: tuple[str, ...]
    numbers: Mapping[str, np.ndarray]
    cpu_s: float = 0.0
    adopted: bool = False

    @property
    def n(self) -> int:
        """Number of cohorts."""
        return len(next(iter(self.numbers.values())))

    def get(self, name: str, claims: Sequence[str]) -> np.ndarray:
        """Return one quantity of some claims, (n_cohorts, len(claims))."""
        return self.numbers[name][:, [self.ids.index(claim) for claim in claims]]

    def has(self, verdict: str, claims: Sequence[str]) -> np.ndarray:
        """Return where claims got a verdict, bool (n_cohorts, len(claims))."""
        return self.get("verdict", claims) == VERDICTS.index(verdict)


def tabulate(evaluations: Sequence[Evaluation]) -> Tally:
    """Keep the numbers and the verdicts of some evaluations of the same claims."""
    tables: list[pd.DataFrame] = [evaluation.claims for evaluation in evaluations]
    values = {name: np.array([table[name].to_numpy(dtype=float) for table in tables]) for name in NUMBERS}
    values["verdict"] = np.array(
        [[VERDICTS.index(verdict) for verdict in table["verdict"]] for table in tables], dtype=float
    )
    return Tally(tuple(tables[0]["id"]), values)


def join(tallies: Sequence[Tally]) -> Tally:
    """Put tallies of the same claims behind one another."""
    names = tallies[0].numbers
    return Tally(
        tallies[0].ids,
        {name: np.concatenate([tally.numbers[name] for tally in tallies]) for name in names},
        sum(tally.cpu_s for tally in tallies),
    )


class Store:
    """Chunks of cohorts on disk, in a folder of their own for each code that could give other numbers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, chunk: int) -> Tally | None:
        """Return a stored chunk, or None."""
        path = self._name(chunk)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as stored:
            numbers = {key: stored[key] for key in stored if key not in {"ids", "cpu_s"}}
            return Tally(tuple(stored["ids"].tolist()), numbers, float(stored["cpu_s"]))

    def write(self, chunk: int, tally: Tally) -> None:
        """Store a chunk whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._name(chunk)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, ids=np.array(tally.ids), cpu_s=tally.cpu_s, **tally.numbers)
        partial.replace(path)

    @property
    def is_adopted(self) -> bool:
        """Whether the results were made by other code, see `adopt`."""
        return (self.folder / _ADOPTED).is_file()

    def _name(self, chunk: int) -> Path:
        return self.folder / f"chunk-{chunk:05d}.npz"


def gather(
    store: Store,
    evaluate: Callable[[Sequence[int]], Tally],
    n_cohorts: int,
    *,
    pool: Executor,
    chunk_size: int,
    report: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Return the results of cohorts 0 to n_cohorts - 1, computing only what is not stored.

    Parameters
    ----------
    evaluate : callable
        Evaluates the cohorts of these numbers; a module's function, or a partial of one, so that it can travel to
        a process.
    report : callable
        Told how many cohorts are done, each time a chunk is.
    """
    chunks = {
        chunk: range(start, min(start + chunk_size, n_cohorts))
        for chunk, start in enumerate(range(0, n_cohorts, chunk_size))
    }
    stored = {chunk: store.read(chunk) for chunk in chunks}
    found = {
        chunk: tally
        for chunk, tally in stored.items()
        if tally is not None and tally.n >= len(chunks[chunk])
    }  # fmt: skip
    jobs = {
        pool.submit(_measure, evaluate, numbers): chunk
        for chunk, numbers in chunks.items()
        if chunk not in found
    }
    done = sum(len(chunks[chunk]) for chunk in found)
    for job in as_completed(jobs):
        chunk = jobs[job]
        found[chunk] = job.result()
        store.write(chunk, found[chunk])
        done += len(chunks[chunk])
        report(done)
    return _cut([found[chunk] for chunk in chunks], n_cohorts, adopted=store.is_adopted)


def adopt(store: Store, others: Sequence[Path], evaluate: Callable[[Sequence[int]], Tally]) -> None:
    """Take over the results of other code if their first chunk comes out the same, to 8 digits.

    Parameters
    ----------
    store : Store
        Empty; else nothing is done.
    others : sequence of Path
        Folders of the same part.
    """
    held = {folder: tally for folder in others if (tally := Store(folder).read(0)) is not None}
    if store.read(0) is not None or not held:
        return
    same = evaluate(range(next(iter(held.values())).n))
    for folder, tally in held.items():
        if same.ids == tally.ids and all(
            _is_same(same.numbers[name], tally.numbers.get(name)) for name in same.numbers
        ):
            shutil.copytree(folder, store.folder)
            (store.folder / _ADOPTED).touch()
            return


def _is_same(one: np.ndarray, other: np.ndarray | None) -> bool:
    return (
        other is not None
        and one.shape == other.shape
        and np.allclose(one, other, rtol=1e-8, atol=1e-12, equal_nan=True)
    )


def read_stored(store: Store, n_cohorts: int) -> Tally:
    """Return what is stored of the first cohorts, up to the first gap."""
    found = list(takewhile(lambda tally: tally is not None, map(store.read, count())))
    if not found:
        raise FileNotFoundError(f"{store.folder}: nothing is stored; run without --stored")
    return _cut(found, n_cohorts, adopted=store.is_adopted)


def _measure(evaluate: Callable[[Sequence[int]], Tally], numbers: Sequence[int]) -> Tally:
    started = time.process_time()
    tally = evaluate(numbers)
    return replace(tally, cpu_s=time.process_time() - started)


def _cut(tallies: Sequence[Tally], n: int, *, adopted: bool) -> Tally:
    whole = join(tallies)
    return replace(
        whole, adopted=adopted, numbers={name: values[:n] for name, values in whole.numbers.items()}
    )
