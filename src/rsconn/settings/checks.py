"""Mistakes that only show when sections are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rsconn.settings.config import Config


def check_config(config: Config) -> list[str]:
    """Return one line per contradiction between sections; an empty list means none."""
    return []
