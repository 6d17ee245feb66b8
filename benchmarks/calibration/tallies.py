"""What is kept of each evaluated cohort, and the store that lets an interrupted calibration go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from rsconn.study.evaluation import Evaluation

VERDICTS = ("supported", "contradicted", "inconclusive", "not testable")
NUMBERS = ("estimate", "ci_low", "ci_high", "p", "p_contradict", "p_permutation", "p_family_maxt")
CHUNK = 100
N_PERMUTATIONS = 499


@dataclass(frozen=True)
class Tally:
    """Results of many cohorts.

    Attributes
    ----------
    ids : tuple of str
        Claims.
    numbers : mapping of str to float array (n_cohorts, n_claims)
        `NUMBERS`, and ``verdict`` as an index into `VERDICTS`.
    """

    ids: tuple[str, ...]
    numbers: Mapping[str, np.ndarray]

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
        tallies[0].ids, {name: np.concatenate([tally.numbers[name] for tally in tallies]) for name in names}
    )


def digest(tally: Tally) -> str:
    """Digest results to 8 digits: stored ones are used only while the first cohort still gives the same."""
    rounded = {name: [f"{x:.8g}" for x in values.ravel()] for name, values in sorted(tally.numbers.items())}
    return hashlib.sha256(json.dumps([tally.ids, rounded]).encode()).hexdigest()[:12]


class Store:
    """Chunks of cohorts on disk, in a folder of their own for each code that gives other numbers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, chunk: int) -> Tally | None:
        """Return a stored chunk, or None."""
        path = self._name(chunk)
        if not path.is_file():
            return None
        with np.load(path, allow_pickle=False) as stored:
            return Tally(tuple(stored["ids"].tolist()), {key: stored[key] for key in stored if key != "ids"})

    def write(self, chunk: int, tally: Tally) -> None:
        """Store a chunk whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._name(chunk)
        partial = path.with_suffix(".partial.npz")
        np.savez_compressed(partial, ids=np.array(tally.ids), **tally.numbers)
        partial.replace(path)

    def _name(self, chunk: int) -> Path:
        return self.folder / f"chunk-{chunk:05d}.npz"


def gather(
    store: Store,
    evaluate: Callable[[Sequence[int], int], Tally],
    n_cohorts: int,
    *,
    pool: ProcessPoolExecutor,
    n_permuted: int = 0,
    chunk_size: int = CHUNK,
    report: Callable[[int], None] = lambda _: None,
) -> Tally:
    """Return the results of cohorts 0 to n_cohorts - 1, computing only what is not stored.

    Parameters
    ----------
    evaluate : callable
        Evaluates the cohorts of these numbers, with this many permutations; a module's function, or a partial of
        one, so that it can travel to a process.
    n_permuted : int
        So many of the first cohorts are permuted too.
    report : callable
        Told how many cohorts are done, each time a chunk is.
    """
    chunks = {
        chunk: range(start, min(start + chunk_size, n_cohorts))
        for chunk, start in enumerate(range(0, n_cohorts, chunk_size))
    }
    found = {chunk: store.read(chunk) for chunk in chunks}
    missing = [
        chunk
        for chunk, numbers in chunks.items()
        if not _is_enough(found[chunk], len(numbers), permuted=numbers[0] < n_permuted)
    ]
    jobs = {
        pool.submit(evaluate, chunks[chunk], N_PERMUTATIONS if chunks[chunk][0] < n_permuted else 0): chunk
        for chunk in missing
    }
    done = n_cohorts - sum(len(chunks[chunk]) for chunk in missing)
    for job in as_completed(jobs):
        chunk = jobs[job]
        found[chunk] = job.result()
        store.write(chunk, found[chunk])
        done += len(chunks[chunk])
        report(done)
    whole = join([tally for tally in found.values() if tally is not None])
    return Tally(whole.ids, {name: values[:n_cohorts] for name, values in whole.numbers.items()})


def read_stored(store: Store, n_cohorts: int) -> Tally:
    """Return what is stored of the first cohorts, up to the first gap."""
    found = []
    for chunk in count():
        tally = store.read(chunk)
        if tally is None:
            break
        found.append(tally)
    if not found:
        raise FileNotFoundError(f"{store.folder}: nothing is stored; run without --stored")
    whole = join(found)
    return Tally(whole.ids, {name: values[:n_cohorts] for name, values in whole.numbers.items()})


def _is_enough(held: Tally | None, n: int, *, permuted: bool) -> bool:
    if held is None or held.n < n:
        return False
    return not permuted or bool(np.isfinite(held.numbers["p_permutation"]).any())
