"""What can go wrong because of the input; everything else is a bug and keeps its traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class UserError(Exception):
    """A mistake that the user can mend: one line with the file, what was found and needed, and the option.

    The command line prints it without a traceback and exits with code 2.
    """


class SettingsError(UserError):
    """A config, ROI, claims or strategy file asks for something impossible."""


class TableError(UserError):
    """A participants, phenotype or confounds table cannot be used as it stands."""


class DatasetError(UserError):
    """The derivatives as a whole cannot be used: nothing found, duplicates, an image in another space."""


class RunError(UserError):
    """One run cannot be used; it becomes a row of the exclusion ledger and stops no other run.

    Parameters
    ----------
    message : str
        One line.
    facts : mapping, optional
        What was known of the run before it failed, such as its motion; its record keeps them.
    """

    def __init__(self, message: str, *, facts: Mapping[str, Any] | None = None) -> None:
        self.facts = dict(facts or {})
        super().__init__(message)


class SystemTroubleError(UserError):
    """The machine is at its end, not the data: no space, a quota, a read-only disk; it stops everything."""


class ProblemsError(UserError):
    """Several mistakes found at once, one line each.

    Parameters
    ----------
    problems : list of str
        One line per mistake.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


_POINTER_MARKS = (b"/annex/objects/", b"version https://git-lfs")
# No fault of any file that is read: nobody may be left out for it.
_OF_THE_MACHINE = frozenset({
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
})  # fmt: skip
_CAUSES = {
    errno.EACCES: "no permission to read it; ask its owner, or chmod u+r (u+rx for a folder)",
    errno.EPERM: "no permission to read it; ask its owner, or chmod u+r (u+rx for a folder)",
    errno.ELOOP: "links that go round in a circle; remove the link",
    errno.ENOSPC: "no space left on the disk; free some and run again",
    errno.EDQUOT: "the quota of the disk is used up; free some and run again",
    errno.EROFS: "the disk is read-only; choose another output_dir",
    errno.ENAMETOOLONG: "the name is too long for this disk",
    errno.EFBIG: "a file may not grow further here; raise ulimit -f, or write to another disk",
    errno.EISDIR: "a folder, a file was needed",
    errno.ENOTDIR: "a file, a folder was needed",
    errno.ENFILE: "too many files are open on this machine; close programs, or use fewer --cores",
    errno.ENOMEM: "no memory left; close programs, or use fewer --cores",
    errno.EMFILE: "too many files are open; raise ulimit -n or use fewer --cores",
    errno.EIO: "the disk cannot read it (input/output error); copy it from another place",
    errno.ESTALE: "the network disk lost it; mount it again",
}


def describe_unreadable(path: Path | str, error: Exception | None = None) -> str:
    """Say in one line why a file cannot be used and what mends it.

    Parameters
    ----------
    path : Path or str
        The file or folder.
    error : Exception, optional
        What reading it raised.

    Examples
    --------
    >>> describe_unreadable("a.nii.gz", PermissionError(13, "Permission denied"))
    'a.nii.gz: no permission to read it; ask its owner, or chmod u+r (u+rx for a folder)'
    """
    number = error.errno if isinstance(error, OSError) else None
    if number in _CAUSES:
        return f"{path}: {_CAUSES[number]}"
    if isinstance(error, FileNotFoundError) or not os.path.lexists(path):
        link = Path(path).is_symlink()
        return f"{path}: " + ("a link whose content is absent; `datalad get` it" if link else "no such file")
    if is_pointer(path):
        return f"{path}: a pointer of git-annex or git-lfs in place of its content; `datalad get` it"
    if isinstance(error, UnicodeDecodeError):
        return f"{path}: not UTF-8 text from byte {error.start} on; save it as UTF-8, or fetch the file again"
    return f"{path}: not readable ({error}); fetch the file again"


def is_pointer(path: Path | str) -> bool:
    """Say whether a file holds the name of its content instead of the content, as git-annex and git-lfs leave it."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a path or its text
            start = stream.read(200)
    except OSError:
        return False
    return start.startswith(_POINTER_MARKS) or start.startswith(b"../.git/annex/objects/")


@contextmanager
def refuse_unreadable(subject: Path | str = "", *, of_job: bool = False) -> Iterator[None]:
    """Turn what the system or a text's encoding raises into a line for the user; a bug passes as it is.

    Parameters
    ----------
    subject : Path or str
        The file, or the run, that the error is told of; where the system names a file, that file is told too.
    of_job : bool
        Whether relative paths are results, so that one that is not there is a bug.

    Raises
    ------
    SystemTroubleError
        If the machine is at its end: no space left, for instance.
    RunError
        In place of any other `OSError` that names a file, or that a file was given for, or a `UnicodeDecodeError`.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        named = getattr(error, "filename", None)
        if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
            told = describe_unreadable(named or subject or "output_dir", error)
            raise SystemTroubleError(told) from error
        if not named and not subject:
            raise  # nothing that a user named: a bug
        if of_job and isinstance(error, FileNotFoundError) and not Path(named or "").is_absolute():
            raise
        told = describe_unreadable(named or subject, error)
        raise RunError(
            told if not named or str(named) == str(subject) else f"{subject}: {told}".lstrip(": ")
        ) from error
