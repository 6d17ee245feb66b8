"""Inputs that are nearly right: mutations that know the structure of what they break."""

from __future__ import annotations

import gzip
import json
import operator
import random
import struct

NASTY_CELLS = (
    "", " ", "n/a", "NaN", "inf", "-inf", "1e999", "1e-999", "-0", "0x10", "1_0", "1,5", "1.5.2", "--1",
    "+", "=cmd|' /C calc'!A0",
    "'", '"', '""', '"a', 'a"b', "a\x00b", "\ufeff", "\u202e", "é", "日本", "\u2028", "a\rb", "\x1b[31m",
    "9" * 400, "x" * 5000,
    "../../x", "sub-01", "true", "None", "{}", "[1]", "<script>", "%s", "{x}", "$(id)",
)  # fmt: skip
NASTY_YAML = (
    "null", "[]", "{}", "-1", "0", "1e400", ".nan", ".inf", "'x'", "[1, 2", "{a: b", "*a", "&a [*a]",
    "!!python/object:os.system x",
    "!!binary aGk=", "2020-01-01", "yes", "~", "'\\0'", '"\\ud800"', "|", "? a", "../../etc",
    "/dev/zero", "[[[[[[[[[[]]]]]]]]]]",
    "true", "99999999999999999999999999", "-.5", "[a, a, a]", "{x: {y: {z: 1}}}",
    "'" + "x" * 3000 + "'", "\t", "a: b: c",
)  # fmt: skip
_NUMBERS = (
    0.0,
    -1.0,
    1.0,
    1e-40,
    1e38,
    float("nan"),
    float("inf"),
    -float("inf"),
    347.0,
    348.0,
    351.5,
    2.0**31,
    1e10,
)
_SHORTS = (-32768, -1, 0, 1, 2, 3, 5, 7, 8, 16, 128, 512, 1024, 2304, 32767)


def break_bytes(raw: bytes, rng: random.Random) -> bytes:
    """Return bytes with some of them changed, lost, doubled or moved."""
    data = bytearray(raw)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not data:
            break
        at = rng.randrange(len(data))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            del data[at : at + rng.choice((1, 2, 64))]
        elif kind == 2:
            data[at:at] = data[at : at + rng.choice((1, 16, 256))]
        elif kind == 3:
            del data[at:]
        elif kind == 4:
            data[at:at] = rng.randbytes(rng.choice((1, 4, 32)))
        else:
            data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


# Field of a NIfTI-1 header: where, code.
_NIFTI1 = (
    *((40 + 2 * k, "h") for k in range(8)), (70, "h"), (72, "h"), *((76 + 4 * k, "f") for k in range(8)),
    (108, "f"), (112, "f"),
    (116, "f"), (123, "b"), (252, "h"), (254, "h"), *((256 + 4 * k, "f") for k in range(18)), (0, "i"), (344, "i"),
)  # fmt: skip
_NIFTI2 = (
    (12, "h"), (14, "h"), *((16 + 8 * k, "q") for k in range(8)), (168, "q"), (176, "d"), (184, "d"),
    (504, "i"), (0, "i"),
)  # fmt: skip


def break_header(raw: bytes, rng: random.Random, *, compressed: bool, second: bool = False) -> bytes:
    """Return an image whose header lies in a field or two, or whose bytes are broken."""
    if rng.random() < 0.3:
        return break_bytes(raw, rng)
    data = bytearray(gzip.decompress(raw) if compressed else raw)
    for _ in range(rng.choice((1, 1, 2))):
        offset, code = rng.choice(_NIFTI2 if second else _NIFTI1)
        value = rng.choice(_NUMBERS) if code in "fd" else rng.choice(_SHORTS)
        if code == "b":
            value = rng.randrange(-128, 128)
        struct.pack_into("<" + code, data, offset, value)
    if rng.random() < 0.2:
        del data[rng.randrange(len(data)) :]
    return gzip.compress(bytes(data), 1, mtime=0) if compressed else bytes(data)


def break_table(raw: bytes, rng: random.Random) -> bytes:
    """Return a table with broken cells, rows, marks or encoding."""
    if rng.random() < 0.15:
        return break_bytes(raw, rng)
    rows = [line.split("\t") for line in raw.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.randrange(len(rows))
        cells = rows[row]
        column = rng.randrange(len(cells)) if cells else 0
        kind = rng.randrange(8)
        if kind <= 2 and cells:
            cells[column] = rng.choice(NASTY_CELLS)
        elif kind == 3:
            cells.append(rng.choice(NASTY_CELLS))
        elif kind == 4 and cells:
            del cells[column]
        elif kind == 5:
            rows.insert(row, list(cells))
        elif kind == 6:
            rows.insert(row, [])
        else:
            rows[0][rng.randrange(len(rows[0]) or 1) % max(len(rows[0]), 1) : None or len(rows[0])] = [
                rng.choice(NASTY_CELLS)
            ]
    text = rng.choice(("\n", "\n", "\r\n")).join("\t".join(cells) for cells in rows) + rng.choice(
        ("\n", "", "\n\n")
    )
    return rng.choice((b"", b"", b"\xef\xbb\xbf")) + text.encode("utf-8", "surrogatepass")


def make_json(rng: random.Random, depth: int = 0) -> str:
    """Return a text that is mostly JSON: of odd values, keys written twice, deep nests."""
    kind = rng.randrange(9 if depth < 5 else 6)
    if kind < 6:
        return rng.choice(
            (
                "null",
                "true",
                "0",
                "-1",
                "2",
                "2.0",
                "1e400",
                "NaN",
                "Infinity",
                '"2"',
                '"\\ud800"',
                '""',
                "9" * 500,
                "[]",
                "{}",
            )
        )
    if kind == 6:
        return f"[{', '.join(make_json(rng, depth + 1) for _ in range(rng.randrange(4)))}]"
    keys = ("RepetitionTime", "VolumeTiming", "Name", "GeneratedBy", "DatasetType", "RepetitionTime", "x", "")
    pairs = ", ".join(
        f"{json.dumps(rng.choice(keys))}: {make_json(rng, depth + 1)}" for _ in range(rng.randrange(4))
    )
    return "[" * rng.choice((0, 0, 0, 0, 3000)) + "{" + pairs + "}"


def break_yaml(raw: bytes, rng: random.Random) -> bytes:
    """Return a settings file with values, keys or lines changed."""
    if rng.random() < 0.15:
        return break_bytes(raw, rng)
    lines = raw.decode().splitlines()
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(lines))
        key, mark, value = lines[at].partition(": ")
        kind = rng.randrange(6)
        if kind <= 2 and mark:
            lines[at] = f"{key}: {rng.choice(NASTY_YAML)}"
        elif kind == 3:
            lines.insert(at, lines[at])
        elif kind == 4:
            lines[at] = f"{key}{rng.choice(('x', '_', ' ', '1'))}{mark}{value}"
        else:
            del lines[at]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


_TOKENS = (
    "group", "sex", "age", "'a'", "'b'", '"F"', "==", "!=", "<", "<=", ">", ">=", "in", "not", "and",
    "or", "(", ")", "[", "]", ",",
    "1", "-2.5", "1e400", "n/a", "é", "__import__('os')", "lambda", "=", "&", "|", "~", "'", "`x y`",
    "\n", "\\", "None", "True",
)  # fmt: skip


_PEOPLE: dict[str, list[str]] = {
    "group": ["a", "b", "a", "b"],
    "sex": ["F", "M", "M", "F"],
    "age": ["30", "20.5", "41", "-3"],
}


def make_condition(rng: random.Random) -> tuple[str, list[bool] | None]:
    """Return a condition and whom of `get_people` it chooses, or nearly one, of which nothing is known."""
    text, chosen = _make_valid(rng, rng.randrange(4))
    if rng.random() < 0.5:
        return text, chosen
    words = text.split(" ")
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(words))
        words[at : at + rng.randrange(2)] = [rng.choice(_TOKENS)]
    nest = rng.choice((0, 0, 0, 5, 20000))
    return "(" * nest + rng.choice((" ", "", "  ")).join(words) + ")" * nest, None


def get_people() -> dict[str, list[str]]:
    """Return the table that conditions are tried on."""
    return {name: list(cells) for name, cells in _PEOPLE.items()}


def _make_valid(rng: random.Random, depth: int) -> tuple[str, list[bool]]:
    if depth:
        first, second = _make_valid(rng, depth - 1), _make_valid(rng, depth - 1)
        kind = rng.randrange(3)
        if kind == 0:
            return f"not ( {first[0]} )", [not one for one in first[1]]
        word = ("and", "or")[kind - 1]
        pairs = zip(first[1], second[1], strict=True)
        return f"( {first[0]} ) {word} ( {second[0]} )", [
            (a and b) if word == "and" else (a or b) for a, b in pairs
        ]
    if rng.random() < 0.5:
        name, level = rng.choice((("group", "a"), ("group", "b"), ("sex", "F")))
        equal = [cell == level for cell in _PEOPLE[name]]
        form = rng.choice(("{} == '{}'", "{} in [ '{}' ]", "{} != '{}'"))
        return form.format(name, level), [not one for one in equal] if "!=" in form else equal
    sign, number = rng.choice(("<", "<=", ">", ">=")), rng.choice((30, 20.5, 0, -3))
    compare = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}[sign]
    return f"age {sign} {number}", [compare(float(cell), number) for cell in _PEOPLE["age"]]


def make_name(rng: random.Random) -> str:
    """Return a name that may want to be more than a name."""
    parts = (
        "a",
        "B",
        "0",
        "_",
        "-",
        ".",
        "..",
        "/",
        "\\",
        " ",
        "\x00",
        "\n",
        "é",
        "日",
        "\u202e",
        "~",
        "$(x)",
        "%",
        ":",
        "'",
        "|",
        "*",
        "sub-",
    )
    return "".join(rng.choices(parts, k=rng.choice((1, 2, 3, 5, 8, 60))))
