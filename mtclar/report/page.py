"""One self-contained HTML page: no script, style, font or picture comes from elsewhere.

Example:
    write_page(Path("report.html"), "Labels of clip.mp4", [Section("Curve", figure(fig))], footer="mtclar 0.1.0")
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import numpy as np
from markupsafe import Markup, escape

from mtclar.data.store import encode
from mtclar.data.whole import whole_file

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_PAGE = jinja2.Template(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #1c2733; margin: 0 auto; max-width: 68rem; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p.lead { color: #4a5a6a; margin-top: 0 } svg { max-width: 100%; height: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 }
table { display: block; overflow-x: auto }
th, td { padding: .25rem .7rem; white-space: nowrap; border-bottom: 1px solid #dde4ea; text-align: right }
th:first-child, td:first-child { text-align: left } thead th { border-bottom: 2px solid #8796a5; text-align: right }
figure { display: inline-block; margin: 0 .5rem .5rem 0; vertical-align: top }
figure img { display: block; border-radius: 4px } figcaption { font-size: .8rem; color: #4a5a6a; white-space: pre-line }
footer { margin-top: 3rem; border-top: 1px solid #dde4ea; padding-top: .5rem; font-size: .8rem; color: #4a5a6a }
details h1, details h2, details h3 { font-size: 1rem; margin: 1.2rem 0 .3rem } summary { cursor: pointer }
pre { overflow-x: auto }
</style></head><body>
<h1>{{ title }}</h1>{% if lead %}<p class="lead">{{ lead }}</p>{% endif %}
{% for section in sections %}<section><h2>{{ section.title }}</h2>
{{ section.body }}
</section>
{% endfor %}<footer>{{ footer }}{% if card %}
<details><summary>Model card</summary>
{{ card }}</details>{% endif %}</footer>
</body></html>
""",
    autoescape=True,
)


@dataclass(frozen=True)
class Section:
    """A titled part of a page; `body` is markup made by the functions below."""

    title: str
    body: Markup


def write_page(
    path: Path, title: str, sections: Sequence[Section], *, lead: str = "", footer: str = "", card: str | None = None
) -> None:
    """Writes the page, whole or not at all; a model's `card`, Markdown, is folded up below the footer."""
    shown = None if card is None else markdown(card)
    page = _PAGE.render(title=title, lead=lead, sections=sections, footer=footer, card=shown)
    with whole_file(path) as partial:
        partial.write_text(page, encoding="utf-8")


def text(words: str) -> Markup:
    """A paragraph."""
    return Markup("<p>{}</p>").format(words)


def listed(items: Iterable[str]) -> Markup:
    """A bulleted list."""
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(item) for item in items))


def markdown(words: str) -> Markup:
    """Markdown with tables; markup inside it is shown as it stands, and it can fetch no picture."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return Markup(reader.render(words))  # noqa: S704 - html=False escapes what came from outside


def figure(fig: Figure, description: str = "") -> Markup:
    """A matplotlib figure as inline SVG, the same bytes for the same figure.

    `description` is what a screen reader says in its place.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "mtclar"}):
        fig.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    svg = re.sub(r"^.*?(?=<svg)|\s*<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
    named = Markup('<svg role="img" aria-label="{}" ').format(description) if description else Markup("<svg ")
    return named + Markup(svg.removeprefix("<svg "))  # noqa: S704 - our own drawing


def table(frame: pd.DataFrame, digits: int = 3) -> Markup:
    """A small table; floats with `digits` decimals, unknown values as a dash."""
    return rows_table(list(frame.columns), frame.itertuples(index=False), digits)


def rows_table(header: Iterable[object], rows: Iterable[Iterable[object]], digits: int = 3) -> Markup:
    """As `table`, from the names of the columns and the rows."""

    def cell(value: object) -> Markup:
        if isinstance(value, float | np.floating):
            return escape("–" if np.isnan(value) else f"{value:.{digits}f}")
        return escape("–" if value is None else value)

    head = Markup("").join(Markup("<th>{}</th>").format(name) for name in header)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell(value)) for value in row))
        for row in rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)


def picture(rgb: np.ndarray, caption: str = "", width: int = 96) -> Markup:
    """An RGB picture, embedded, with its caption."""
    return jpeg(encode(rgb, 85), caption, width)


def jpeg(data: bytes, caption: str = "", width: int = 96) -> Markup:
    """A JPEG picture, embedded, with its caption."""
    return Markup(
        '<figure><img alt="{}" width="{}" src="data:image/jpeg;base64,{}"><figcaption>{}</figcaption></figure>'
    ).format(caption, width, base64.b64encode(data).decode(), caption)
