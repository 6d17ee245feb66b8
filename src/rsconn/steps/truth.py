"""What was planted in simulated data: read for the report alone, refused beside real data."""

from __future__ import annotations

from rsconn.errors import DatasetError
from rsconn.report.maps.found import read_planted_places
from rsconn.settings.config import Config
from rsconn.settings.fields import show_path
from rsconn.steps.infer import find_simulated
from rsconn.study.maps.found_regions import PlantedPlace


def read_truth(config: Config, *, simulated: bool) -> tuple[PlantedPlace, ...]:
    """Return where effects were planted; nothing without ``truth``, and nothing beside real data.

    Parameters
    ----------
    config : Config
        ``truth``.
    simulated : bool
        Whether the input says that it is simulated.
    """
    return read_planted_places(config.truth) if config.truth and simulated else ()


def list_truth_problems(config: Config) -> list[str]:
    """Return a line if ``truth`` names something that is no truth file, or stands beside real data.

    A file that does not exist is told with the others: `rsconn.settings.checks.find_missing_files`.
    """
    if config.truth is None or not config.truth.exists():
        return []
    if not find_simulated(config):
        line = (
            f"{show_path(config.path)}: truth: {show_path(config.truth)} found, and no input dataset says that it is "
            "simulated; for real data remove truth"
        )
        return [line]
    try:
        read_truth(config, simulated=True)
    except DatasetError as error:
        return [str(error)]
    return []
