"""Every reader against broken input: it may read it or refuse it in one line, and never read something else."""

from __future__ import annotations

import math
import random
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from attacks.inputs import (
    NASTY_CELLS,
    break_bytes,
    break_header,
    break_table,
    break_yaml,
    get_people,
    make_condition,
    make_json,
    make_name,
)
from rsconn.errors import UserError
from rsconn.files.bids import find_runs
from rsconn.files.cifti import read_dense_header, read_vertices, stream_dense
from rsconn.files.confounds import read_confounds
from rsconn.files.images import read_header, read_image
from rsconn.files.sidecars import get_t_r, read_dataset_description, read_json_object
from rsconn.files.tables import read_tsv, write_tsv
from rsconn.label_tables import read_label_table
from rsconn.naming import check_label, check_path_part, check_safe_name
from rsconn.published_tables import read_published_table
from rsconn.settings.config import read_config
from rsconn.settings.sample_grammar import parse_expression

SECONDS = 20  # more for one small input is as good as no end


class WrongAcceptanceError(Exception):
    """A reader took an input for something that it is not."""


@dataclass(frozen=True)
class Outcome:
    """What became of one input: read, refused, traceback, endless or wrong; `detail` names the error."""

    kind: str
    seed: int
    outcome: str
    detail: str = ""


Attack = Callable[[random.Random, Path], None]


def attack_image(rng: random.Random, folder: Path) -> None:
    """Read a volume series whose header or bytes are broken; nibabel is the oracle of what is in it."""
    path = folder / rng.choice(("a.nii.gz", "a.nii"))
    data = np.arange(4 * 5 * 3 * 6, dtype=np.int16).reshape(4, 5, 3, 6)
    image = nib.Nifti1Image(data, np.diag([3.0, 3, 3, 1]))
    image.header.set_zooms((3, 3, 3, 2))
    image.header["scl_slope"], image.header["scl_inter"] = 0.5, 1
    nib.save(image, path)
    path.write_bytes(break_header(path.read_bytes(), rng, compressed=path.suffix == ".gz"))
    header = read_header(path)
    if header.n_voxels * header.n_volumes > 1 << 22:  # honest files of this size are read elsewhere
        return
    found, affine = read_image(path)
    try:
        told = nib.load(path)
        expected = np.asanyarray(told.dataobj)
    except Exception:  # noqa: BLE001 - what the oracle cannot read says nothing
        return
    if told.shape[:3] == found.shape[:3] and expected.size == found.size:
        expected = expected.reshape(found.shape, order="F")
        same = np.array_equal(np.asarray(expected, float), found, equal_nan=True)
        if not same and not np.allclose(expected, found, rtol=1e-5, equal_nan=True):
            raise WrongAcceptanceError("other voxels than nibabel reads")
    if told.header["sform_code"] > 0 and not np.allclose(affine, told.affine, atol=1e-3):
        raise WrongAcceptanceError("another affine than nibabel reads")


def attack_dense(rng: random.Random, folder: Path) -> None:
    """Read a dense series (CIFTI) that is broken."""
    path = folder / "a.dtseries.nii"
    models = nib.cifti2.BrainModelAxis.from_mask(np.arange(20) % 3 != 0, name="CORTEX_LEFT")
    values = np.random.default_rng(1).normal(size=(5, len(models))).astype(np.float32)
    nib.save(nib.Cifti2Image(values, header=(nib.cifti2.SeriesAxis(0, 2, 5), models)), path)
    path.write_bytes(break_header(path.read_bytes(), rng, compressed=False, second=True))
    header = read_dense_header(path)
    found = np.array([row.copy() for row in stream_dense(header)])
    try:
        expected = np.asanyarray(nib.load(path).dataobj)
    except Exception:  # noqa: BLE001 - what the oracle cannot read says nothing
        return
    scaled = found * header.slope + header.intercept
    if expected.shape == found.shape and not np.allclose(scaled, expected, rtol=1e-5, equal_nan=True):
        raise WrongAcceptanceError("other values than nibabel reads")


def attack_surface(rng: random.Random, folder: Path) -> None:
    """Read a surface (GIFTI) that is broken."""
    path = folder / "a.surf.gii"
    points = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)
    array = nib.gifti.GiftiDataArray(points, intent="NIFTI_INTENT_POINTSET")
    nib.save(nib.GiftiImage(darrays=[array]), path)
    raw = path.read_bytes()
    words = (b"12", b"LittleEndian", b"RowMajorOrder", b"GZipBase64Binary", b"NIFTI_TYPE_FLOAT32", b"<Data>")
    others = (
        b"0",
        b"-1",
        b"999999999",
        b"BigEndian",
        b"ColumnMajorOrder",
        b"ASCII",
        b"NIFTI_TYPE_FLOAT64",
        b"<!ENTITY x>",
        b"",
    )
    changed = (
        raw.replace(rng.choice(words), rng.choice(others)) if rng.random() < 0.7 else break_bytes(raw, rng)
    )
    path.write_bytes(changed)
    found = read_vertices(path)
    if changed == raw and not np.array_equal(found, points):
        raise WrongAcceptanceError("other points than were written")


_TABLE = "participant_id\tgroup\tage\n" + "".join(f"sub-{k:02d}\t{'ab'[k % 2]}\t{20 + k}\n" for k in range(8))


def attack_people(rng: random.Random, folder: Path) -> None:
    """Read a table of people that is broken: nobody may be lost or made up."""
    path = folder / "participants.tsv"
    path.write_bytes(break_table(_TABLE.encode(), rng))
    table = read_published_table(path)
    text = path.read_bytes().decode("utf-8-sig")
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    if '"' not in text and len(table.lines) != len(lines) - 1:
        raise WrongAcceptanceError(f"{len(table.lines)} rows of {len(lines) - 1} lines")
    if '"' not in text and "participant_id" in table.columns and "\t" in lines[0]:
        at = [cell.strip() for cell in lines[0].split("\t")].index("participant_id")
        people = [line.split("\t")[at].strip() for line in lines[1:]]
        if table.columns["participant_id"] != people:
            raise WrongAcceptanceError(f"other people: {table.columns['participant_id']}, not {people}")


def attack_confounds(rng: random.Random, folder: Path) -> None:
    """Read confounds that are broken: a number is the one that stands there, or there is none."""
    path = folder / "a_timeseries.tsv"
    text = "framewise_displacement\ttrans_x\n" + "".join(
        f"{'n/a' if not k else k / 10}\t{k}.5\n" for k in range(12)
    )
    path.write_bytes(break_table(text.encode(), rng))
    found = read_confounds(path, None)
    rows = [line.split("\t") for line in path.read_bytes().decode("utf-8-sig").split("\n") if line.strip()][
        1:
    ]
    if len(rows) != len(found.values):
        raise WrongAcceptanceError(f"{len(found.values)} rows of {len(rows)} lines")
    for cells, values in zip(rows, found.values, strict=True):
        for cell, value in zip(cells, values, strict=False):
            plain = cell.strip().strip('"').strip()
            if np.isfinite(value) and float(plain) != value:
                raise WrongAcceptanceError(f"{value} of {cell!r}")


def attack_labels(rng: random.Random, folder: Path) -> None:
    """Read a table of labels that is broken."""
    path = folder / "labels.tsv"
    path.write_bytes(break_table(b"index\tname\themisphere\n1\tLAI\tL\n2\tRAI\tR\n-3\tx y\tL\n", rng))
    read_label_table(path)


def attack_own_tables(rng: random.Random, folder: Path) -> None:
    """Write cells of any text and read them back: the same, but for breaks of lines; cut files are refused."""
    cells = [rng.choice(NASTY_CELLS) for _ in range(rng.randrange(1, 6))]
    path = folder / "own.tsv"
    try:
        write_tsv(path, {"a": cells, "b": list(range(len(cells)))})
        table = read_tsv(path)
        write_tsv(path, {name: list(column) for name, column in table.items()})
        again = read_tsv(path)
    except UserError as error:
        raise WrongAcceptanceError(f"an own table is refused: {error}") from None
    if table["b"] != [str(k) for k in range(len(cells))] or again != table:
        raise WrongAcceptanceError("rows or cells are lost, added or changed")
    raw = path.read_bytes()
    path.write_bytes(raw[: rng.randrange(len(raw))])
    cut = read_tsv(path)
    if any(column != table[name][: len(column)] for name, column in cut.items()):
        raise WrongAcceptanceError("a cut file has other rows")


def attack_json(rng: random.Random, folder: Path) -> None:
    """Read sidecars and descriptions of odd JSON: a repetition time is a finite number, or refused."""
    (folder / "dataset_description.json").write_text(make_json(rng), encoding="utf-8", errors="surrogatepass")
    read_dataset_description(folder)
    try:
        t_r = get_t_r(read_json_object(folder / "dataset_description.json"))
    except ValueError:  # its callers name the file
        return
    if t_r is not None and not math.isfinite(t_r):
        raise WrongAcceptanceError(f"a repetition time of {t_r}")


def attack_settings(rng: random.Random, folder: Path) -> None:
    """Read a config, ROI set and claims of which one is broken: an unknown key is never taken."""
    tiny = Path(__file__).resolve().parents[2] / "tests" / "reference" / "tiny"
    for name in ("config.yaml", "rois.yaml", "claims.yaml"):
        (folder / name).write_bytes((tiny / name).read_bytes())
    path = folder / rng.choice(("config.yaml", "config.yaml", "rois.yaml", "claims.yaml"))
    path.write_bytes(break_yaml(path.read_bytes(), rng))
    config = read_config(folder / "config.yaml")
    unknown = [
        line
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("inputx:", "roisx:", "outputx:"))
    ]
    if unknown and config is not None:
        raise WrongAcceptanceError(f"an unknown key is taken: {unknown[0]}")


def attack_condition(rng: random.Random, _: Path) -> None:
    """Parse and evaluate a condition; its columns are the table's."""
    text, expected = make_condition(rng)
    chosen = parse_expression(text).evaluate(get_people())
    if expected is not None and chosen.tolist() != expected:
        raise WrongAcceptanceError(f"{text} chooses {chosen.tolist()}, not {expected}")


def attack_name(rng: random.Random, folder: Path) -> None:
    """Check names that become parts of paths: one that is taken stays in its folder."""
    name = make_name(rng)
    for check in (check_safe_name, check_label, check_path_part):
        try:
            taken = check(name)
        except ValueError:
            continue
        place = (folder / f"x_{taken}.tsv").resolve()
        if (
            place.parent != folder.resolve()
            or any(sign in taken for sign in '/\\\x00\n:*?"<>|$`')
            or len(taken) > 100
        ):
            raise WrongAcceptanceError(f"{check.__name__} takes {name!r}")


def attack_tree(rng: random.Random, folder: Path) -> None:
    """Find runs among files with odd names."""
    stems = [
        "sub-01_task-rest_space-X_desc-preproc_bold.nii.gz",
        "sub-01_task-rest_desc-confounds_timeseries.tsv",
    ]
    func = folder / "sub-01" / "func"
    func.mkdir(parents=True)
    (folder / "dataset_description.json").write_text("{}")
    for stem in [*stems, *stems]:
        letters = list(stem)
        for _ in range(rng.randrange(3)):
            letters[rng.randrange(len(letters))] = rng.choice("_-.aZ0é \n%{}")
        (func / "".join(letters)).touch()
    for run in find_runs([folder], {"task": ["rest"]}):
        if run.participant_id != "sub-01":
            raise WrongAcceptanceError(f"{run.participant_id} in the folder of sub-01")


ATTACKS: dict[str, Attack] = {
    "NIfTI": attack_image,
    "CIFTI": attack_dense,
    "GIFTI": attack_surface,
    "tables of people": attack_people,
    "confounds": attack_confounds,
    "label tables": attack_labels,
    "own tables": attack_own_tables,
    "JSON": attack_json,
    "settings (YAML)": attack_settings,
    "sample grammar": attack_condition,
    "names": attack_name,
    "file names": attack_tree,
}


class _TooLongError(BaseException):
    pass


@contextmanager
def _stop_after(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise _TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def try_input(kind: str, seed: int) -> Outcome:
    """Give a reader one broken input."""
    rng = random.Random(f"{kind} {seed}")  # noqa: S311 - which input is made
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), _stop_after(SECONDS):
        warnings.simplefilter("ignore")
        try:
            ATTACKS[kind](rng, Path(folder))
        except UserError as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            return Outcome(kind, seed, "refused" if lines else "traceback", "" if lines else "an empty line")
        except WrongAcceptanceError as error:
            return Outcome(kind, seed, "wrong", str(error)[:200])
        except _TooLongError:
            return Outcome(kind, seed, "endless")
        except Exception as error:  # noqa: BLE001 - what is looked for
            place = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
            return Outcome(kind, seed, "traceback", told.replace("\n", " ").replace("\t", " ")[:200])
    return Outcome(kind, seed, "read")
