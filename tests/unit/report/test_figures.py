"""Figures draw every row of their table, inside their frame, the same bytes every time."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from rsconn.files.tables import write_tsv
from rsconn.report.figures.catalogue import (
    FIGURE_NAMES,
    FIGURES,
    build_figure_tables,
    plot_claim,
    read_result_table,
    render_svg,
    settle_layout,
    write_figures,
)
from rsconn.report.figures.style import SIMULATED, limit_panels, make_figure, spread_points, use_style


def list_points(figure):
    """Coordinates of every marker that stands for data."""
    lines = [line for axes in figure.axes for line in axes.lines if line.get_linestyle() == "None"]
    return np.concatenate([np.column_stack(line.get_data()) for line in lines])


def list_texts(figure):
    import matplotlib.text

    return [text.get_text() for text in figure.findobj(matplotlib.text.Text)]


def test_every_figure_has_a_plot_and_a_table(figure_tables):
    assert set(FIGURES) == set(FIGURE_NAMES) <= set(figure_tables)


@pytest.mark.parametrize("name", FIGURE_NAMES)
def test_simulated_is_written_in_the_figure_only_if_so(figure_tables, name):
    assert SIMULATED in list_texts(FIGURES[name](figure_tables[name], simulated=True))
    assert SIMULATED not in list_texts(FIGURES[name](figure_tables[name], simulated=False))


@pytest.mark.parametrize("name", FIGURE_NAMES)
def test_an_empty_table_says_that_there_is_nothing(figure_tables, name):
    figure = FIGURES[name](figure_tables[name].iloc[:0])
    assert any(len(text) > 10 for text in list_texts(figure))


@pytest.mark.parametrize("name", ["scores_by_group", "scores_by_group_sex", "connectivity_by_group"])
def test_every_person_is_a_point(figure_tables, name):
    table = figure_tables[name]
    people = table.loc[table["kind"] == "person", "value"].to_numpy(dtype=float)
    means = table.loc[table["kind"] == "mean", "value"].to_numpy(dtype=float)
    drawn = list_points(FIGURES[name](table))[:, 1]
    assert np.array_equal(np.sort(drawn), np.sort(np.concatenate([people, means])))


def test_points_of_a_cell_do_not_lie_on_each_other(figure_tables):
    points = list_points(FIGURES["scores_by_group"](figure_tables["scores_by_group"]))
    # six panels share coordinates, so a place may be taken once per panel
    _, counts = np.unique(points.round(9), axis=0, return_counts=True)
    assert counts.max() <= 6


def check_nothing_is_cut_off(figure):
    """Everything drawn ends inside the figure, every data point inside its axes."""
    with use_style():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01
    for axes in figure.axes:
        for line in axes.lines:
            if line.get_linestyle() == "None":
                y = np.asarray(line.get_ydata(), dtype=float)
                low, high = sorted(axes.get_ylim())
                assert ((y >= low) & (y <= high)).all()


@pytest.mark.parametrize("name", FIGURE_NAMES)
def test_nothing_is_cut_off(figure_tables, name):
    check_nothing_is_cut_off(FIGURES[name](figure_tables[name], simulated=True))


def test_nothing_is_cut_off_in_claims_pictures(figure_tables):
    for _, rows in figure_tables["claim_pictures"].groupby("claim"):
        check_nothing_is_cut_off(plot_claim(rows, simulated=True))


def test_forest_draws_effect_interval_and_verdict_of_every_claim(figure_tables):
    table = figure_tables["claims_forest"]
    figure = FIGURES["claims_forest"](table)
    squares = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "s"]
    drawn = sorted(float(line.get_xdata()[0]) for line in squares)
    assert drawn == sorted(table["aligned_effect"].dropna())
    texts = " ".join(list_texts(figure))
    for _, row in table.iterrows():
        assert f"{row['label']}   {row['id']}" in texts
    counts = table["verdict"].value_counts()
    assert all(texts.count(f" {verdict}") >= n for verdict, n in counts.items())
    assert "not estimated" in texts


def test_forest_turns_claims_of_less_round(figure_tables):
    table = figure_tables["claims_forest"].set_index("id")
    assert table.loc["P5", "aligned_effect"] == -table.loc["P5", "effect_size"]
    assert table.loc["P1", "aligned_effect"] == table.loc["P1", "effect_size"]
    assert (table["aligned_low"].dropna() <= table["aligned_high"].dropna()).all()


def test_flow_boxes_show_every_number_of_the_table(figure_tables):
    table = figure_tables["exclusion_flow"]
    texts = list_texts(FIGURES["exclusion_flow"](table))
    for _, row in table.iterrows():
        wanted = f"n = {row['n']}" if row["kind"] == "kept" else f"{row['n']}  "
        assert any(wanted in text for text in texts)


@pytest.mark.parametrize("claim", ["P1", "S4", "F1", "B1", "B5", "S1a"])
def test_a_claims_picture_draws_its_people_and_estimate(figure_tables, claim):
    rows = figure_tables["claim_pictures"].query("claim == @claim")
    figure = plot_claim(rows)
    people = rows[rows["kind"] == "person"]
    if people.empty:
        assert "Not testable" in " ".join(list_texts(figure))
        return
    drawn = list_points(figure)[:, 1]
    assert set(people["y"].astype(float)) <= set(drawn)
    assert len(figure.axes) == 2


def test_files_are_the_same_bytes_from_memory_and_from_disk(figure_tables, tmp_path):
    names = ("connectivity_by_group", "claims_forest", "exclusion_flow", "motion_coverage")
    chosen = {name: figure_tables[name] for name in names}
    first = write_figures(chosen, tmp_path / "first", simulated=True)
    again = {name: read_result_table(tmp_path / "first" / f"{name}.tsv") for name in names}
    second = write_figures(again, tmp_path / "second", simulated=True)
    assert [path.name for path in first] == [path.name for path in second]
    assert {path.suffix for path in first} == {".tsv", ".svg", ".png"}
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name


def test_svg_has_no_date(figure_tables):
    svg = render_svg(FIGURES["exclusion_flow"](figure_tables["exclusion_flow"]))
    assert "<dc:date>" not in svg
    assert "<text" not in svg


def test_group_names_that_look_like_numbers_stay_names(builder, tmp_path):
    frame = pd.DataFrame({"group": ["1", "2"], "n": [3, 4]})
    frame.to_csv(tmp_path / "flow.tsv", sep="\t", index=False)
    read = read_result_table(tmp_path / "flow.tsv")
    assert list(read["group"]) == ["1", "2"]
    assert read["n"].sum() == 7


def test_a_large_set_draws_the_first_panels_and_says_so():
    shown, remark = limit_panels([f"edge {number}" for number in range(190)])
    assert len(shown) == 12
    assert remark.startswith("12 of 190")
    assert limit_panels(["a"]) == (["a"], "")


def test_spread_points_is_centred_where_asked():
    offsets = spread_points(np.array([1.0, 1.0, 1.0, 5.0]), 0.3, centred=True)
    assert abs(offsets[:3].sum()) < 1e-12
    assert offsets[3] == 0
    assert len(set(offsets[:3])) == 3


@pytest.fixture(scope="module")
def long_tables(builder):
    """The study under the names that laboratories give things, with one score and one edge."""
    tables, settings, designs = builder.make_tables()
    names = {
        "therapist": "person-centred psychotherapists in practice",
        "control": "people of other professions",
        "LAI-dmPFC": "left_anterior_insula-dorsomedial_prefrontal_cortex",
        "PT": "perspective_taking_of_the_other",
    }
    tables = {name: table.rename(columns=names).replace(names) for name, table in tables.items()}
    text = json.dumps(settings)
    for old, new in names.items():
        text = text.replace(f'"{old}"', f'"{new}"').replace(f"'{old}'", f"'{new}'")
    settings = json.loads(text)
    settings["edges"][0] = {"first": "left_anterior_insula", "second": "dorsomedial_prefrontal_cortex"}
    designs = {name: design for name, design in designs.items() if name in {"P1", "F1", "B1", "S4"}}
    return build_figure_tables(tables, settings, designs=designs)


# The specification curve shortens its titles and has a test of its own.
@pytest.mark.parametrize("name", [name for name in FIGURE_NAMES if name != "specification_curve"])
def test_long_names_are_not_cut_off(long_tables, name):
    assert len(long_tables[name])
    check_nothing_is_cut_off(FIGURES[name](long_tables[name], simulated=True))


@pytest.mark.parametrize("claim", ["P1", "F1", "B1", "S4"])
def test_long_names_are_not_cut_off_in_claims_pictures(long_tables, claim):
    table = long_tables["claim_pictures"]
    check_nothing_is_cut_off(plot_claim(table[table["claim"] == claim], simulated=True))


def test_regions_lie_in_front_where_the_brain_faces(figure_tables):
    """In the view from the left the front is on the left: a frontal region must not be drawn at the back."""
    figure = FIGURES["roi_positions"](figure_tables["roi_positions"])
    numbers = [text for axes in figure.axes for text in axes.texts if text.get_text() in {"1", "2"}]
    first_panel = min({text.axes for text in numbers}, key=lambda axes: axes.get_position().x0)
    places = {
        text.get_text(): first_panel.transData.transform(text.get_position())[0]
        for text in numbers
        if text.axes is first_panel
    }
    # 1 is LAI (y 18), 2 is dmPFC (y 51)
    assert places["2"] < places["1"]


def test_left_is_left_from_behind_and_above(figure_tables):
    figure = FIGURES["roi_positions"](figure_tables["roi_positions"])
    panels = {
        axes for axes in figure.axes if len([text for text in axes.texts if text.get_text() in "1234"]) == 4
    }
    assert len(panels) == 2
    for axes in panels:
        places = {
            text.get_text(): text.get_transform().transform(text.get_position())[0] for text in axes.texts
        }
        assert places["L"] < places["1"] < places["3"] < places["R"]


def test_axes_stand_on_round_places_whatever_the_solver_says():
    """Constrained layout differs in its last digits from run to run; the bytes of a figure may not."""
    with use_style():
        figure = make_figure(6, 3, simulated=False)
        axes = figure.subplots(1, 2)
        axes[0].set_ylabel("a label that needs room")
    settle_layout(figure)
    places = [value for one in figure.axes for value in one.get_position(original=True).bounds]
    assert places == pytest.approx([round(value, 6) for value in places], abs=1e-14)
    assert (
        figure.get_layout_engine() is None
        or type(figure.get_layout_engine()).__name__ == "PlaceHolderLayoutEngine"
    )
    assert axes[0].get_position().x0 > 0.05  # the layout was made before it was fixed


def test_texts_that_start_with_a_quotation_mark_keep_every_row(tmp_path):
    texts = ['"Women feel more', "plain", 'and "so" do men', '"again']
    write_tsv(
        tmp_path / "claims.tsv", {"id": ["A", "B", "C", "D"], "text": texts, "estimate": [1.0, 2.0, 3.0, 4.0]}
    )
    table = read_result_table(tmp_path / "claims.tsv")
    assert table["text"].tolist() == texts
    assert table["estimate"].tolist() == [1, 2, 3, 4]
