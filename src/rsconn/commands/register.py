"""Register: write down claims and thresholds before the data are looked at; say later what differs."""

from __future__ import annotations

from pathlib import Path

from rsconn.errors import SettingsError
from rsconn.files.writing import write_json
from rsconn.settings.config import read_config
from rsconn.study.claims.deviations import register


def write_registration(config: Path, output: Path) -> list[str]:
    """Write the registration of a study and return the lines to print.

    Parameters
    ----------
    config : Path
        The config file.
    output : Path
        A new file; one that exists is never replaced, because a registration that can be changed is none.

    Raises
    ------
    SettingsError
        If the file exists, or the config cannot be used.
    """
    if output.exists():
        raise SettingsError(f"{output}: it exists already; a new file was needed (--output)")
    content = register(read_config(config))
    write_json(output, content)
    return [
        f"registered {len(content['claims'])} claims, SHA-256 {content['claims_sha256']}",
        f"thresholds, SHA-256 {content['thresholds_sha256']}",
        f"add to {config}:  registered: {output}",
    ]
