"""The methods section that belongs to these settings, with the works it cites."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup, escape

from rsconn.inference.model import LARGEST_HC2_RATIO
from rsconn.settings.claim_kinds import find_kind

Values = Mapping[str, Any]
_CODINGS = {
    "items": "sum of the items, reversed here where the key says so",
    "items_reversed": "sum of the items, which were reversed already",
    "sum": "the sum as given",
    "mean": "the item mean as given, rescaled to the sum",
}


def write_methods(settings: Values, versions: Mapping[str, str]) -> str:
    """Return the methods section as Markdown: what was done, with the values that were set.

    Parameters
    ----------
    settings : mapping
        Plain values of the config (``Config.model_dump(mode="json")``), and as ``default_sesoi`` the names of the
        smallest effects of interest that nobody set.
    versions : mapping
        Package name to version.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rsconn", "report/templates"),
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown; the page escapes it
    )
    words = (
        count_families,
        describe_band,
        describe_censoring,
        describe_confounds,
        describe_filters,
        describe_origins,
    )
    environment.globals |= {function.__name__: function for function in words}
    environment.globals |= {"describe_roi": describe_roi, "describe_score": describe_score}
    environment.globals["list_kinds"] = list_kinds
    environment.globals |= {"join": join_words, "list_edges": list_edges, "number": format_setting}
    settings = _quote_markup(settings)
    own = [claim["id"] for claim in settings["claims"] if claim.get("sesoi") is not None]
    text = environment.get_template("methods.md.j2").render(
        settings=settings,
        versions=versions,
        own_sesoi=own,
        default_sesoi=settings.get("default_sesoi", ()),
        largest_hc2_ratio=LARGEST_HC2_RATIO,
    )
    text = re.sub(r"\n{3,}", "\n\n", text)
    return re.sub(r"(?m)^(- .*)\n\n(?=- )", r"\1\n", text).strip() + "\n"


_LINE_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


def _quote_markup(value: Any) -> Any:
    """Return plain values whose texts Markdown takes as they stand: no tag, link or citation, and on one line."""
    if isinstance(value, str):
        return re.sub(r"([<\[])", r"\\\1", _LINE_BREAKS.sub(" ", value))
    if isinstance(value, Mapping):
        return {key: _quote_markup(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_quote_markup(item) for item in value]
    return value


def write_citations(methods: str) -> str:
    """Return the BibTeX of every work that a methods text cites.

    Examples
    --------
    >>> write_citations("corrected by Holm [@holm1979]").startswith("@article{holm1979,")
    True
    """
    cited = find_citations(methods)
    return format_bibtex(cited) if cited else ""


def list_kinds(claims: Sequence[Values]) -> set[str]:
    """Return the kinds of claims there are (`settings.claim_kinds.ClaimKind`)."""
    return {str(find_kind(claim)) for claim in claims}


def join_words(words: Sequence[object] | None, last: str = "and") -> str:
    """Join words with commas and a last ``and``.

    Examples
    --------
    >>> join_words(["a"]), join_words(["a", "b", "c"]), join_words(["a", "b"], "or"), join_words(None)
    ('a', 'a, b and c', 'a or b', '')
    """
    texts = [str(word) for word in words or ()]
    return f"{', '.join(texts[:-1])} {last} {texts[-1]}" if len(texts) > 1 else "".join(texts)


def format_setting(value: float) -> str:
    """Return a number as it was set, without trailing zeros.

    Examples
    --------
    >>> format_setting(4.0), format_setting(0.01), format_setting(100 * 0.55)
    ('4', '0.01', '55')
    """
    return f"{value:.12g}"


def list_edges(edges: Sequence[Any]) -> list[str]:
    """Return the names of edges, given as names or as their two regions."""
    return [edge if isinstance(edge, str) else f"{edge['first']}-{edge['second']}" for edge in edges]


def describe_origins(origins: Sequence[Values] | None) -> list[str]:
    """Return each dataset's name with what made it.

    Examples
    --------
    >>> describe_origins([{"Name": "Lab", "GeneratedBy": ["fMRIPrep 23.1.0"]}, {"Name": "B", "GeneratedBy": []}])
    ['Lab (fMRIPrep 23.1.0)', 'B']
    """
    return [
        f"{origin['Name']} ({join_words(origin['GeneratedBy'])})" if origin["GeneratedBy"] else origin["Name"]
        for origin in origins or ()
    ]


def describe_filters(filters: Values) -> list[str]:
    """Return each BIDS entity with the labels asked for."""
    return [
        f"{key} {join_words([labels] if isinstance(labels, str) else labels, 'or')}"
        for key, labels in filters.items()
    ]


def describe_roi(roi: Values) -> str:
    """Return what kind of region it is, and where.

    Examples
    --------
    >>> describe_roi({"kind": "sphere", "sphere": {"center_mm": [-36, 18, 2], "radius_mm": 6.0}})
    'sphere of 6 mm radius at (-36, 18, 2) mm'
    """
    kind = str(roi.get("kind") or "region")
    if kind == "sphere":
        centre = ", ".join(format_setting(value) for value in roi["sphere"]["center_mm"])
        return f"sphere of {format_setting(roi['sphere']['radius_mm'])} mm radius at ({centre}) mm"
    if kind == "atlas":
        return f"label {roi['atlas']['label']} of an atlas"
    if kind == "map":
        return f"volume {roi['map']['index']} of a weighted map"
    return {"mask": "binary mask", "column": f"column `{roi.get('column')}` of the input"}.get(kind, kind)


def describe_confounds(strategy: Values) -> list[str]:
    """Return the confounds that a strategy removes, global signal aside."""
    parts = []
    if strategy.get("motion"):
        source = " [@friston1996]" if strategy["motion"] == 24 else ""
        parts.append(f"{strategy['motion']} motion parameters{source}")
    components = strategy.get("acompcor")
    if components:
        counts = f"{components['wm']} white-matter and {components['csf']} CSF"
        parts.append(f"{counts} aCompCor components [@behzadi2007]")
    if strategy.get("acompcor_variance"):
        share = format_setting(100 * strategy["acompcor_variance"])
        parts.append(
            f"the aCompCor components that explain {share} % of each tissue's variance [@behzadi2007]"
        )
    if strategy.get("wm_csf"):
        parts.append(f"{strategy['wm_csf']} terms of the mean white-matter and CSF signals")
    return parts or ["no confounds"]


def describe_band(denoising: Values) -> str:
    """Return the frequencies that were removed, or that none were."""
    high, low = denoising.get("high_pass_hz"), denoising.get("low_pass_hz")
    if high and low:
        return f", and frequencies outside {format_setting(high)} to {format_setting(low)} Hz"
    if high:
        return f", and frequencies below {format_setting(high)} Hz"
    return f", and frequencies above {format_setting(low)} Hz" if low else ", without a temporal filter"


def describe_censoring(censoring: Values) -> list[str]:
    """Return the limits beyond which a volume was left out."""
    limits = []
    if censoring.get("fd_threshold_mm"):
        limits.append(
            f"framewise displacement above {format_setting(censoring['fd_threshold_mm'])} mm [@power2012]"
        )
    if censoring.get("dvars_threshold"):
        limits.append(f"standardised DVARS above {format_setting(censoring['dvars_threshold'])}")
    return limits


def describe_score(score: Values) -> str:
    """Return where a score comes from and how it was made."""
    named = " ".join(str(score[key]) for key in ("instrument", "subscale") if score.get(key))
    coding = _CODINGS.get(str(score.get("coding")), f"column `{score.get('column')}` as given")
    missing = score.get("max_missing_items") or 0
    allowed = f"; up to {missing} missing items replaced by the mean of the others" if missing else ""
    return f"{named + ', ' if named else ''}{coding}{allowed}"


def count_families(claims: Sequence[Values]) -> list[str]:
    """Return each family with its number of claims.

    Examples
    --------
    >>> count_families([{"family": "sex"}, {"family": "sex"}])
    ['sex (2)']
    """
    families = [str(claim["family"]) for claim in claims]
    return [f"{family} ({families.count(family)})" for family in dict.fromkeys(families)]


_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w*])\*([^*]+)\*(?![\w*])"), r"<em>\1</em>"),
)


def render_markdown(text: str, *, top_level: int = 3) -> Markup:
    r"""Return Markdown as HTML; everything is escaped before any tag is added.

    Parameters
    ----------
    text : str
        Blocks divided by empty lines; a block is a heading, a list of ``-`` items or a paragraph.
    top_level : int
        The heading level of ``#``.

    Examples
    --------
    >>> render_markdown("# A <b>\n\nOne *two*.")
    Markup('<h3>A &lt;b&gt;</h3>\n<p>One <em>two</em>.</p>')
    """
    blocks = [block.strip() for block in re.split(r"\n\s*\n", text.strip()) if block.strip()]
    return Markup("\n").join(_render_block(block, top_level) for block in blocks)


def _render_block(block: str, top_level: int) -> Markup:
    heading = re.match(r"(#+)\s+(.*)", block)
    if heading:
        level = min(6, top_level + len(heading[1]) - 1)
        first = Markup(f"<h{level}>{_render_inline(heading[2])}</h{level}>")  # noqa: S704  escaped inside
        rest = block[heading.end() :].strip()
        return first + Markup("\n") + _render_block(rest, top_level) if rest else first
    lines = block.splitlines()
    if all(line.startswith(("- ", "  ")) for line in lines):
        items = re.split(r"^- ", block, flags=re.MULTILINE)[1:]
        rendered = "".join(f"<li>{_render_inline(' '.join(item.split()))}</li>" for item in items)
        return Markup(f"<ul>{rendered}</ul>")  # noqa: S704  escaped inside
    return Markup(f"<p>{_render_inline(' '.join(lines))}</p>")  # noqa: S704  escaped inside


def _render_inline(text: str) -> Markup:
    html = str(escape(text))
    for pattern, replacement in _INLINE:
        html = pattern.sub(replacement, html)
    html = html.replace(r"\&lt;", "&lt;").replace(r"\[", "[")
    return Markup(html)  # noqa: S704  the text was escaped above


_CITED = re.compile(r"(?<!\\)\[(@\w+(?:; @\w+)*)\]")
# LaTeX accents that occur in the file
_ACCENTS = {r"{\~n}": "ñ", r"{\'a}": "á", r"{\'o}": "ó", r"{\"O}": "Ö", r"{\"u}": "ü", r"\&": "&", "--": "–"}


@dataclass(frozen=True)
class Reference:
    """A cited work in words.

    Attributes
    ----------
    label : str
        As in a sentence, such as ``Esteban et al., 2019``.
    text : str
        The whole reference.
    doi : str
        Empty if the work has none.
    """

    label: str
    text: str
    doi: str


def find_citations(text: str) -> list[str]:
    """Return the keys that a Markdown text cites as ``[@key]`` or ``[@one; @two]``, each once, in order.

    Examples
    --------
    >>> find_citations("by Holm [@holm1979] and others [@davis1980; @holm1979]")
    ['holm1979', 'davis1980']
    """
    keys = [key.strip().lstrip("@") for group in _CITED.findall(text) for key in group.split(";")]
    return list(dict.fromkeys(keys))


def cite_in_words(text: str) -> str:
    """Replace ``[@key]`` by author and year.

    Examples
    --------
    >>> cite_in_words("corrected [@holm1979]")
    'corrected (Holm, 1979)'
    """
    references = read_references(find_citations(text))

    def name(match: re.Match[str]) -> str:
        keys = [key.strip().lstrip("@") for key in match[1].split(";")]
        return f"({'; '.join(references[key].label for key in keys)})"

    return _CITED.sub(name, text)


def read_references(keys: Iterable[str]) -> dict[str, Reference]:
    """Return the works with these keys.

    Raises
    ------
    KeyError
        If a key is unknown.
    """
    entries = read_citations()
    return {key: _read_reference(entries[key]) for key in keys}


def read_citations() -> dict[str, str]:
    """Return BibTeX entry by key."""
    text = files("rsconn.report").joinpath("templates/citations.bib").read_text(encoding="utf-8")
    entries = [entry.strip() for entry in re.split(r"\n(?=@)", text) if entry.strip()]
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry for entry in entries}


def format_bibtex(keys: Iterable[str]) -> str:
    """Return the BibTeX entries of these keys, sorted, each once.

    Raises
    ------
    KeyError
        If a key is unknown.
    """
    entries = read_citations()
    return "".join(f"{entries[key]}\n\n" for key in sorted(set(keys))).rstrip("\n") + "\n"


def _read_reference(entry: str) -> Reference:
    for code, letter in _ACCENTS.items():
        entry = entry.replace(code, letter)
    fields = dict(re.findall(r"(\w+) = \{((?:[^{}]|\{[^{}]*\})*)\}", entry))
    fields = {name: value.replace("{", "").replace("}", "") for name, value in fields.items()}
    authors = [author.split(",")[0] for author in fields["author"].split(" and ")]
    short = (
        authors[0]
        if len(authors) == 1
        else " & ".join(authors)
        if len(authors) == 2
        else f"{authors[0]} et al."
    )
    number = f"({fields['number']})" if "number" in fields else ""
    place = f"{fields['journal']} {fields['volume']}{number}, {fields['pages']}"
    people = "; ".join(fields["author"].split(" and ")).replace("; others", " et al.")
    text = f"{people} ({fields['year']}). {fields['title']}. {place}."
    return Reference(f"{short}, {fields['year']}", text, fields.get("doi", ""))
