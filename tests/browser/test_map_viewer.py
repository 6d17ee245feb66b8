"""The viewer of the seed maps in a real browser: it draws, answers to its controls and fetches nothing."""

from __future__ import annotations

import json

import pytest

# what every script below begins with; a moment passes before the viewer has drawn what was asked
TOOLS = """
const find = (name) => inside.getElementById("viewer-" + name);
const wait = () => new Promise((done) => setTimeout(done, 200));
const picture = (name) => find(name).toDataURL();
const set = async (name, value) => {
  find(name).value = value;
  find(name).dispatchEvent(new Event("input"));
  find(name).dispatchEvent(new Event("change"));
  await wait();
};
// pixels that are clearly orange or blue
const count = (name) => {
  const canvas = find(name);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let orange = 0, blue = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i] - data[i + 2] > 60) orange++;
    if (data[i + 2] - data[i] > 60) blue++;
  }
  return [orange, blue];
};
for (let i = 0; i < 50 && !find("readout").textContent; i++) await wait();
await wait();
"""


@pytest.fixture
def ask(ask_maps):
    return lambda script, width=1440: json.loads(ask_maps(width, TOOLS + script))


def test_three_slices_are_drawn_at_the_largest_value(ask):
    script = 'return ["x", "y", "z"].map((name) => [find(name).clientWidth, ...count(name)]);'
    for width, orange, _ in ask(script):
        assert width > 200
        assert orange > 100


def test_readout_tells_place_t_and_corrected_p(ask):
    [text] = ask('return [find("readout").textContent];')
    assert text == (
        "x 0, y 48, z 30 mm: t = 6.20, p (largest |t|) = 0.020, p (cluster extent) = 0.004, p (TFCE) = 0.794 (a > b); "
        "nearest landmark mPFC 4, 4 mm away"
    )


def test_the_slider_changes_what_is_shown(ask):
    script = """
    find("faint").checked = false;
    const rows = [];
    for (const value of [0.5, 3.9, 5.5, 6.19]) {
      await set("threshold", value);
      rows.push([...count("z"), find("threshold-value").textContent]);
    }
    return rows;
    """
    rows = ask(script)
    orange = [row[0] for row in rows]
    assert orange == sorted(orange, reverse=True)
    assert orange[0] > orange[1] > orange[2] > 0
    assert rows[0][1] > 0
    assert rows[1][1] == 0
    assert rows[1][2] == "|t| ≥ 3.90"


def test_faint_values_can_be_left_out(ask):
    script = """
    const before = picture("z");
    find("faint").click();
    await wait();
    return [before === picture("z")];
    """
    assert ask(script) == [False]


def test_another_map_brings_its_own_threshold(ask):
    script = """
    await set("map", 2);
    return [find("threshold-value").textContent, ...count("z"), find("middle").textContent];
    """
    text, orange, blue, unit = ask(script)
    assert text == "p ≤ 0.050"
    assert orange > 100
    assert blue == 0
    assert unit.startswith("−log10 p")


def test_keys_pointer_and_places_move_the_crosshair(ask):
    script = """
    const place = () => find("readout").textContent.split(" mm")[0];
    const press = async (key) => {
      find("z").dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
      await wait();
      return place();
    };
    const places = [await press("ArrowLeft"), await press("ArrowUp"), await press("PageDown")];
    const box = find("x").getBoundingClientRect();
    find("x").setPointerCapture = () => {};
    const middle = { clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, pointerId: 1 };
    find("x").dispatchEvent(new PointerEvent("pointerdown", middle));
    await wait();
    places.push(place());
    const names = [...find("jump").options].map((option) => option.text);
    await set("jump", names.indexOf("LAI"));
    places.push(place());
    await set("at-x", 12);
    return [...places, place()];
    """
    assert ask(script) == [
        "x −1, y 48, z 30", "x −1, y 49, z 30", "x −1, y 49, z 29", "x −1, y −16, z 6", "x −36, y 18, z 2",
        "x 12, y 18, z 2",
    ]  # fmt: skip


def test_outside_the_mask_nothing_is_claimed(ask):
    [text] = ask('await set("at-z", 86); await set("at-x", 76); return [find("readout").textContent];')
    assert "t =" in text or text.endswith("not tested")


def test_nothing_is_fetched_and_no_other_script_runs(ask):
    script = """
    await set("threshold", 1);
    await set("map", 1);
    const names = inside.defaultView.performance.getEntriesByType("resource").map((entry) => entry.name);
    const title = inside.title;
    const added = inside.createElement("script");
    added.textContent = "document.title = 'it ran'";
    inside.body.append(added);
    const image = inside.createElement("img");
    image.src = "http://127.0.0.1:9/x.png";
    const refused = await new Promise((done) => { image.onerror = () => done(true); inside.body.append(image); });
    return [names.filter((name) => !name.startsWith("data:")), inside.title === title, refused];
    """
    assert ask(script) == [[], True, True]


@pytest.mark.parametrize("width", [390, 1440])
def test_nothing_overflows_sideways(ask, width):
    script = """
    const box = find("x").closest(".viewer").getBoundingClientRect();
    const wide = [...inside.querySelectorAll(".viewer *")].filter((node) => {
      const own = node.getBoundingClientRect();
      return own.width && (own.right > box.right || own.left < box.left);
    });
    const page = inside.documentElement;
    return [page.scrollWidth, wide.map((node) => node.id || node.className)];
    """
    assert ask(script, width) == [width, []]
