"""The page: every number traced to its cell, every text escaped, nothing fetched."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
import zlib
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from rsconn.report.maps.map_pictures import write_map_figures
from rsconn.report.maps.map_section import build_map_section, hash_script, read_script
from rsconn.report.page import cards
from rsconn.report.page.html_page import build_context, flatten, render_page
from rsconn.report.page.results import read_results
from rsconn.report.page.wording import get_format
from rsconn.study.claims.flags import Flag

VOID = {"meta", "img", "br", "link", "hr", "input"}
# what is no result: the levels that intervals and power are stated at
CONSTANTS = re.compile(r"95 %|80 %|95 of 100")


class Reader(HTMLParser):
    """Collects the attributes of every ancestor of every text, and the start tags."""

    def __init__(self):
        super().__init__()
        self.stack, self.texts, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        opened, _ = self.stack.pop()
        assert opened == tag

    def handle_data(self, data):
        if data.strip():
            self.texts.append((data.strip(), list(self.stack)))


def read_html(html):
    reader = Reader()
    reader.feed(html)
    assert not reader.stack
    return reader


@pytest.fixture(scope="module")
def html(results_folder):
    return (results_folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(html):
    return read_html(html)


def read_rows(path):
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def is_rounded(text, value):
    """Say whether a text is a value rounded to the digits it shows."""
    if text.startswith("<"):
        return 0 <= value < float(text[1:])
    digits, _, raised = text.replace("−", "-").partition(" × 10")
    exponent = int(raised.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")) or 0)
    decimals = len(digits.partition(".")[2])
    return abs(float(digits) * 10.0**exponent - value) <= 0.5 * 10 ** (exponent - decimals) * (1 + 1e-9)


def test_every_printed_number_stands_in_its_cell(reader, results_folder):
    tables, found = {}, 0
    for text, stack in reader.texts:
        tag, attributes = stack[-1]
        if tag != "data":
            continue
        source = attributes["data-source"]
        if source.endswith(".json"):
            cell = json.loads((results_folder / source).read_text())[attributes["data-column"]]
            assert float(text) == cell
            continue
        rows = tables.setdefault(source, read_rows(results_folder / source))
        cell = float(rows[int(attributes["data-row"])][attributes["data-column"]])
        assert float(attributes["value"]) == cell
        assert text == get_format(attributes["data-style"])(cell)
        assert is_rounded(text, cell), (text, cell)
        found += 1
    assert found > 300


def test_no_number_stands_outside_a_named_source(reader):
    for text, stack in reader.texts:
        named = any("data-source" in attributes for _, attributes in stack)
        hidden = any(tag in {"style", "title", "script"} for tag, _ in stack)
        link = stack[-1][0] == "a"
        if not (named or hidden or link):
            assert not re.search(r"\d", CONSTANTS.sub("", text)), text


def test_quoted_texts_equal_their_cells(reader, results_folder):
    tables = {}
    for text, stack in reader.texts:
        tag, attributes = stack[-1]
        if tag == "span" and "data-column" in attributes:
            source = attributes["data-source"]
            rows = tables.setdefault(source, read_rows(results_folder / source))
            cell = rows[int(attributes["data-row"])][attributes["data-column"]]
            digits = re.findall(r"\d+", cell)
            assert [number for number in digits if number not in re.findall(r"\d+", text)] == []


def test_every_claim_has_its_card_with_sentence_verdict_and_picture(html, reader, builder):
    cards = [attributes for tag, attributes in reader.tags if tag == "article"]
    claims = builder.define_claims()
    assert len(cards) == len(claims) == 21
    for claim in claims:
        assert f'id="claim-{claim["id"]}"' in html
        assert claim["text"] in html
    pictures = [attributes for tag, attributes in reader.tags if tag == "img"]
    assert len(pictures) >= 21 + 8
    assert all(len(picture["alt"]) > 20 and picture["src"].startswith("data:") for picture in pictures)


def test_verdict_counts_of_the_strip_add_up(reader):
    strip = {
        attributes["data-column"]: int(text)
        for text, stack in reader.texts
        for tag, attributes in stack[-1:]
        if tag == "data" and attributes.get("data-source") == "figures/verdict_counts.tsv"
    }
    assert strip.pop("n_claims") == sum(strip.values()) == 21


def test_nothing_is_fetched_and_nothing_runs(html, reader):
    assert not [tag for tag, _ in reader.tags if tag in {"script", "link", "iframe", "object"}]
    for _, attributes in reader.tags:
        for name in ("src", "href"):
            target = attributes.get(name, "#")
            assert target.startswith(("data:", "#", "figures/", "group/", "citations.bib")), target
        assert not [name for name in attributes if name.startswith("on")]
    assert "default-src 'none'" in html
    assert not re.search(r"@import|url\((?!%23)", html)  # pictures name their own parts: url(#...)


def test_text_of_users_is_escaped(html):
    assert "odd &lt;on its face&gt;" in html
    assert "<on its face>" not in html


@pytest.fixture
def without_pictures(monkeypatch):
    """Leave out the claims' pictures, which take most of the time."""
    monkeypatch.setattr(cards, "_draw_picture", lambda *_: "data:,")


def test_markup_in_ids_sentences_and_cells_stays_text(results_folder, without_pictures):
    results = read_results(results_folder)
    attack = "<script>alert(1)</script>"
    for source in (results.group["claims"], results.group["exclusions"]):
        source.table["reason"] = attack
    results.figures["claims_forest"].table["label"] = attack
    results.study["claims"][0]["text"] = attack
    results.study["claims"][0]["notes"] = [attack]
    results.provenance["<b>name</b>"] = attack
    html = render_page(build_context(results))
    assert "<script" not in html
    assert "<b>name" not in html
    assert html.count("&lt;script&gt;") > 20


def test_simulated_is_said_on_page_and_figures(html):
    assert 'class="banner"' in html
    assert html.count("(simulated data)") > 8
    assert "<title>Simulated data" in html


def test_real_data_carry_no_simulated_mark(results_folder, without_pictures):
    results = read_results(results_folder)
    results.study["simulated"] = False
    assert "imulated" not in re.sub(r'src="data:[^"]*"', "", render_page(build_context(results)))


def test_headings_do_not_skip_a_level(reader):
    levels = [int(tag[1]) for tag, _ in reader.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_links_inside_the_page_lead_somewhere(reader):
    ids = [attributes["id"] for _, attributes in reader.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = {
        attributes["href"][1:] for _, attributes in reader.tags if attributes.get("href", "").startswith("#")
    }
    assert inside <= set(ids)


def test_links_to_files_lead_to_files(reader, results_folder):
    links = {attributes.get("href", "#") for _, attributes in reader.tags}
    files = {link for link in links if not link.startswith("#")}
    assert files
    assert all((results_folder / file).is_file() for file in files)


def test_page_is_the_same_every_time(html, results_folder):
    assert render_page(build_context(read_results(results_folder))) == html


def test_flatten_keeps_every_leaf():
    assert flatten({"a": [{"b": None}, {"b": 2}]}) == [("a.1.b", "n/a"), ("a.2.b", "2")]


@pytest.fixture(scope="module")
def map_page(maps_builder, results_folder, tmp_path_factory):
    """Return the folder and the page of the study with seed maps."""
    folder = tmp_path_factory.mktemp("map_page") / "results"
    shutil.copytree(results_folder, folder)
    maps_builder.make_maps(folder / "group" / "maps")
    write_map_figures(
        folder / "group" / "maps", folder / "figures", maps_builder.SETTINGS, simulated=True,
        places=maps_builder.PLACES,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cards, "_draw_picture", lambda *_: "data:,")
        return folder, render_page(build_context(read_results(folder)))


def test_numbers_and_links_of_seed_maps_are_traced_too(map_page):
    folder, html = map_page
    reader = read_html(html)
    test_every_printed_number_stands_in_its_cell(reader, folder)
    test_no_number_stands_outside_a_named_source(reader)
    test_quoted_texts_equal_their_cells(reader, folder)
    test_links_to_files_lead_to_files(reader, folder)
    test_links_inside_the_page_lead_somewhere(reader)
    test_headings_do_not_skip_a_level(reader)
    sources = {attributes.get("data-source") for _, attributes in reader.tags}
    names = {"figures/map_models.tsv", "group/maps/LAI_clusters.tsv", "group/maps/LAI_rois.tsv"}
    assert names | {"figures/map_planted.tsv"} <= sources
    assert "Planted and found (simulated data)" in html
    assert "n = 3 is too small" in html


def test_a_claim_in_regions_chosen_from_the_same_contrast_is_named(map_page):
    folder, html = map_page
    assert "were chosen by the same contrast" not in html
    results = read_results(folder)
    claims = results.group["claims"].table
    claims.loc[claims["id"] == "F1", "flags"] = f"{Flag.CIRCULAR};{Flag.EXPLORATORY}"
    section = build_map_section(results.maps, results.group["claims"])
    assert [re.sub("<.*?>", "", str(each)) for each in section["circular"]] == ["F1"]


def test_the_primary_correction_leads_and_the_others_are_closed(map_page):
    _, html = map_page
    section = html[html.index('id="maps"') :]
    text = re.sub(r"\s+", " ", re.sub("<.*?>", "", section))
    assert "is the one by cluster mass: what it lets pass is the result" in text
    assert "27 voxels pass by cluster mass, the primary correction" in text
    closed = section[section.index("Secondary corrections") :]
    closed = closed[: closed.index("</details>")]
    for words in ("cluster extent", "largest |t|", "TFCE"):
        assert f'<th scope="row">{words}</th>' in closed
    assert '<th scope="row">cluster mass</th>' not in section


def test_nothing_survived_is_said_as_a_result(map_page):
    folder, _ = map_page
    results = read_results(folder)
    models = results.maps.models.table
    models.loc[models["model"] == "group", "n_significant_mass"] = 0
    page = re.sub(r"\s+", " ", render_page(build_context(results)))
    assert "Nothing survives" in page
    assert "That is the result of this map" in page
    assert "it shows no difference between the groups" in page


def test_a_family_of_maps_is_said(map_page):
    folder, _ = map_page
    results = read_results(folder)
    models = results.maps.models.table
    for name, value in {"alpha": 0.0275, "alpha_family": 0.05, "n_maps": 2, "p_across": 0.011}.items():
        models.loc[models["model"] == "group", name] = value
    page = re.sub(r"\s+", " ", re.sub("<.*?>", "", render_page(build_context(results))))
    assert "at a corrected p of 0.0275, which is 0.05 over the family of 2 maps" in page
    assert "judged over the maps of a family" in page


def test_only_the_viewers_own_script_may_run(map_page):
    _, html = map_page
    reader = read_html(html)
    scripts = [attributes for tag, attributes in reader.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "viewer-data"}, {}]
    assert f"<script>{read_script()}</script>" in html
    assert f"script-src '{hash_script(read_script())}'\"" in html
    assert not re.search(r"fetch|XMLHttp|import\(|http|eval", read_script())


def test_viewer_gives_back_the_map_within_its_scale(map_page):
    _, html = map_page
    data = json.loads(re.search(r'id="viewer-data">(.*?)</script>', html, re.DOTALL)[1])
    [model] = data["models"]
    assert [each["kind"] for each in model["maps"]] == ["t", "logpmass", "logpfwe", "logpsize", "logptfce"]
    assert model["lead"] == 1
    assert "cluster mass (primary)" in model["maps"][1]["label"]
    assert "(secondary)" in model["maps"][2]["label"]
    inflated = zlib.decompress(base64.b64decode(model["maps"][0]["data"]), -zlib.MAX_WBITS)
    stored = np.frombuffer(inflated, "<i2") * model["maps"][0]["scale"]
    assert abs(stored.max() - 6.2) < 1e-3
    assert np.isclose(stored, 5.0, atol=1e-3).sum() == 26
