"""What each step's digest covers, in the package as it is."""

from pathlib import Path

import pytest

import rsconn
from rsconn.code_graph import collect_code
from rsconn.rules.plan import CONFIG_READERS, STEPS

PACKAGE = Path(rsconn.__file__).parent


@pytest.fixture(scope="module")
def code() -> dict[str, set[str]]:
    return {
        step: set(collect_code([f"rsconn.rules.{step}.{name}"], PACKAGE, beyond=CONFIG_READERS))
        for step, name in STEPS.items()
    }


def test_a_message_of_the_settings_is_no_step_s_business(code):
    for step in ("extract", "seedmap", "denoise", "connect", "cohort", "infer"):
        assert "rsconn.settings.problems.describe_value" not in code[step]
        assert "rsconn.settings.config.parse_config" not in code[step]


@pytest.mark.parametrize("step", ["extract", "seedmap", "denoise", "connect"])
def test_steps_of_single_runs_know_no_settings_but_their_job(step):
    """With no config within reach, nothing can be read that the job, and so the rule's parameters, does not hold."""
    followed = collect_code([f"rsconn.rules.{step}.{STEPS[step]}"], PACKAGE)
    config = ("rsconn.settings.config.", "rsconn.settings.sections.", "rsconn.rules.jobs.")
    assert not [name for name in followed if name.startswith(config)]


def test_every_step_sees_what_computes_its_numbers(code):
    assert "rsconn.signal.extraction.extract_timeseries" in code["extract"]
    assert "rsconn.signal.projection.project_out" in code["denoise"]
    assert "rsconn.files.nilearn_mode.clean_like_nilearn" in code["denoise"]  # imported where it is needed
    assert "rsconn.signal.connectivity.compute_partial_relmat" in code["connect"]
    assert "rsconn.study.people.cohort_table.build_cohort" in code["cohort"]
    assert "rsconn.inference.voxelwise.permute_maps" in code["maps"]
    assert "report/templates/page.html.j2" in code["report"]


def test_reading_images_does_not_depend_on_the_statistics(code):
    for step in ("extract", "denoise", "connect"):
        assert not [name for name in code[step] if name.startswith(("rsconn.study", "rsconn.inference"))]
        assert not [name for name in code[step] if name.startswith("report/templates")]
