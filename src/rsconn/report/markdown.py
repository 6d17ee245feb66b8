"""The little Markdown that methods.md uses, as HTML: headings, paragraphs, lists, emphasis, code."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

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
    return Markup(html)  # noqa: S704  the text was escaped above
