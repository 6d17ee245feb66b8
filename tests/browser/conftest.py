"""A headless Chromium and a report to open in it."""

from __future__ import annotations

import html
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--hide-scrollbars",
    "--disable-background-networking", "--no-first-run", "--virtual-time-budget=8000",
)  # fmt: skip
# Chromium's windows are at least 500 wide, so the page stands in a frame of the width asked for. The page forbids
# scripts; the frame's parent may look inside because `srcdoc` shares its origin.
_FRAME = """<!DOCTYPE html><body style="margin:0"><iframe id="page" style="border:0;display:block" width="{width}"
height="4000" srcdoc="{page}"></iframe><script>onload = async () => {{
const inside = document.getElementById("page").contentDocument;
const answer = await (async () => {{ {script} }})();
document.body.innerHTML = ""; document.title = JSON.stringify(answer); }}</script>"""


@pytest.fixture(scope="session")
def chromium():
    """Path of a Chromium; the tests skip without one."""
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    if not found:
        pytest.skip("no Chromium on this machine (apt-get install chromium)")
    return found


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """Folder of a plausible study with its report.html."""
    module = load_report_builders()
    return module.fill_folder(module.load_builder(), tmp_path_factory.mktemp("report"), simulated=True)


@pytest.fixture(scope="session")
def map_report(report, tmp_path_factory):
    """Folder of the same study with seed maps, and so with a viewer."""
    module = load_report_builders()
    folder = tmp_path_factory.mktemp("map_report") / "results"
    shutil.copytree(report, folder)
    return module.add_maps(module.load_builder("maps_builder"), folder, simulated=True)


def load_report_builders():
    """Import the unit tests' conftest, which makes results folders."""
    path = Path(__file__).parents[1] / "unit" / "report" / "conftest.py"
    spec = importlib.util.spec_from_file_location("report_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ask_page(chromium, report, tmp_path):
    """Return a function that runs JavaScript over the page, `inside`, at a width and returns its JSON answer."""
    return make_asker(chromium, report, tmp_path)


@pytest.fixture
def ask_maps(chromium, map_report, tmp_path):
    """Return the same for the page with seed maps."""
    return make_asker(chromium, map_report, tmp_path)


def make_asker(chromium, report, tmp_path):
    def ask(width: int, script: str) -> str:
        page = html.escape((report / "report.html").read_text(encoding="utf-8"))
        frame = tmp_path / "frame.html"
        frame.write_text(_FRAME.format(width=width, page=page, script=script), encoding="utf-8")
        shown = run_chromium(chromium, tmp_path, "--dump-dom", frame.as_uri(), width=width)
        title = re.search("<title>(.*?)</title>", shown, re.DOTALL)
        assert title, shown[-500:]
        return html.unescape(title[1])

    return ask


def run_chromium(chromium: str, folder: Path, *arguments: str, width: int = 1440) -> str:
    """Run Chromium once with a profile of its own and return what it prints."""
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    command = [chromium, *_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},1200", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
