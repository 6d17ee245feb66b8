"""The report in a real browser: nothing overflows, pictures load, text can be read, it prints."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

LIGHTNESS = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const channel = (value) => {
  value /= 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
};
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (node) => {
  for (; node; node = node.parentElement) {
    const colour = parse(inside.defaultView.getComputedStyle(node).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const faint = [];
for (const node of inside.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!own || !node.checkVisibility()) continue;
  const pair = [luminance(parse(inside.defaultView.getComputedStyle(node).color)), luminance(ground(node))].sort();
  const [dark, light] = pair[0] < pair[1] ? pair : [pair[1], pair[0]];
  const contrast = (light + 0.05) / (dark + 0.05);
  if (contrast < 4.5) faint.push([node.className, node.textContent.trim().slice(0, 30), contrast.toFixed(2)]);
}
return faint;
"""


def load_runner():
    path = Path(__file__).with_name("conftest.py")
    spec = importlib.util.spec_from_file_location("browser_conftest", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.run_chromium


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_page_is_never_wider_than_the_window(ask_page, width):
    script = """
    const wide = [...inside.querySelectorAll("body *")].filter((node) =>
      !node.closest(".scroll") && node.getBoundingClientRect().right > inside.documentElement.clientWidth + 1);
    const root = inside.documentElement;
    return [root.scrollWidth, root.clientWidth, wide.map((node) => node.outerHTML.slice(0, 80))];
    """
    scrolled, client, wide = json.loads(ask_page(width, script))
    assert (scrolled, client, wide) == (width, width, [])


def test_what_was_planted_is_not_cut_off_on_a_desktop(ask_maps):
    script = """
    const boxes = [...inside.querySelectorAll("#maps .tablebox")];
    const planted = boxes.filter((box) => box.querySelector("caption").textContent.startsWith("Planted and found"));
    // words as long as the demo's
    for (const cell of planted[0].querySelectorAll("tbody td, tbody th"))
      if (cell.textContent.trim() === "a > b") cell.textContent = "therapist > control";
    return planted.map((box) => box.scrollWidth - box.clientWidth);
    """
    assert json.loads(ask_maps(1280, script)) == [0]


def test_every_picture_loads(ask_page):
    script = "return [...inside.images].map((image) => [image.complete, image.naturalWidth]);"
    pictures = json.loads(ask_page(1440, script))
    assert len(pictures) >= 29
    assert all(complete and width > 50 for complete, width in pictures)


def test_texts_have_enough_contrast(ask_page):
    assert json.loads(ask_page(1440, LIGHTNESS)) == []


def test_simulated_banner_stays_in_view(ask_page):
    script = """
    const banner = inside.querySelector(".banner");
    inside.defaultView.scrollTo(0, 5000);
    return [inside.defaultView.getComputedStyle(banner).position, banner.getBoundingClientRect().top];
    """
    position, top = json.loads(ask_page(390, script))
    assert (position, top) == ("sticky", 0)


def test_verdicts_come_before_everything_else(ask_page):
    script = """
    const top = (selector) => inside.querySelector(selector).getBoundingClientRect().top;
    return [top(".tiles"), top(".chips"), top("article"), top("#data"), top("#methods")];
    """
    places = json.loads(ask_page(1440, script))
    assert places == sorted(places)
    assert places[0] < 500


def test_page_prints_to_pdf(chromium, report, tmp_path):
    pdf = tmp_path / "report.pdf"
    address = (report / "report.html").as_uri()
    load_runner()(chromium, tmp_path, f"--print-to-pdf={pdf}", "--no-pdf-header-footer", address)
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page") > 5
