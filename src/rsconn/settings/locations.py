"""Where relative paths start, and where the workflow's own files are."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


def show_path(path: Path) -> str:
    """Return a path as messages show it: relative where it is below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def find_base(file: Path) -> Path:
    """Return the folder that the relative paths in a settings file are counted from.

    It is the nearest folder at or above the file that holds a `Snakefile`, else the file's own folder.
    """
    folder = file.absolute().parent.resolve()
    return next((parent for parent in (folder, *folder.parents) if (parent / "Snakefile").is_file()), folder)


def find_house() -> Path:
    """Return the folder that holds `Snakefile`, `workflow/` and `config/`, in a wheel or a checkout."""
    inside = _PACKAGE / "house"
    return inside if inside.is_dir() else _PACKAGE.parents[1]
