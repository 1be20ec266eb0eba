"""One self-contained HTML page: no script, style, font or picture comes from elsewhere.

Example:
    write_page(Path("report.html"), "Labels of clip.mp4", [Section("Curve", figure(fig))], footer="mtclar 0.1.0")
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import numpy as np
from markupsafe import Markup, escape

from mtclar.data.store import encode
from mtclar.data.whole import whole_file

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

_ASSETS = Path(__file__).parent / "assets"
_PAGE = jinja2.Template(
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<title>{{ title }}</title>
<style>
{% for style in styles %}{{ style }}{% endfor %}</style></head><body>
<main>
<h1>{{ title }}</h1>{% if lead %}<p class="lead">{{ lead }}</p>{% endif %}
{% for section in sections %}<section><h2>{{ section.title }}</h2>
{{ section.body }}
</section>
{% endfor %}</main><footer>{{ footer }}{% if card %}
<details><summary>Model card</summary>
{{ card }}</details>{% endif %}{% for name, words in licences %}
<details><summary>{{ name }}</summary><pre>{{ words }}</pre></details>{% endfor %}</footer>
{% for script in scripts %}<script>{{ script }}</script>
{% endfor %}</body></html>
""",
    autoescape=True,
)


@dataclass(frozen=True)
class Section:
    """A titled part of a page; `body` is markup made by the functions below."""

    title: str
    body: Markup


def write_page(
    path: Path,
    title: str,
    sections: Sequence[Section],
    *,
    lead: str = "",
    footer: str = "",
    card: str | None = None,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    licences: Mapping[str, str] | None = None,
) -> None:
    """Writes the page, whole or not at all.

    The page's own policy (W3C Content Security Policy) allows no request to any place and no script but those that are
    written here, so that text which came from outside cannot act even where it were not escaped.

    Args:
        path: Where to.
        title: In plain text.
        sections: In their order.
        lead: One sentence below the title.
        footer: At the end.
        card: Of a model, as Markdown; folded up below the footer.
        styles: Names of style sheets of `assets/` besides page.css.
        scripts: Names of scripts of `assets/`, in the order in which they run, after all of the page is there.
        licences: What is carried from others: the file of `assets/` that holds its licence, by its name.
    """
    code = [_asset(name) for name in scripts]
    hashes = [base64.b64encode(hashlib.sha256(words.encode()).digest()).decode() for words in code]
    allowed = " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"
    page = _PAGE.render(
        title=title,
        lead=lead,
        sections=sections,
        footer=footer,
        card=None if card is None else markdown(card),
        policy=f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'",
        styles=[Markup(_asset(name)) for name in ("page.css", *styles)],  # noqa: S704 - our own files
        scripts=[Markup(words) for words in code],  # noqa: S704 - our own files
        licences=[(name, _asset(file)) for name, file in (licences or {}).items()],
    )
    with whole_file(path) as partial:
        partial.write_text(page, encoding="utf-8", newline="")


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def data_block(identifier: str, content: Mapping[str, Any]) -> Markup:
    """JSON for a script to read: nothing in it can end its element or begin another."""
    words = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        words = words.replace(sign, f"\\u{ord(sign):04x}")
    return Markup('<script type="application/json" id="{}">{}</script>').format(identifier, Markup(words))  # noqa: S704


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

    head = Markup("").join(Markup('<th scope="col">{}</th>').format(name) for name in header)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(cell(value)) for value in row))
        for row in rows
    )
    table = Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)
    return Markup('<div class="scroll" tabindex="0">{}</div>').format(table)


def facts_list(facts: Mapping[str, object]) -> Markup:
    """Names and values one below the other, however long a value is: it is broken where the page ends."""
    rows = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(name, value) for name, value in facts.items())
    return Markup('<dl class="facts">{}</dl>').format(rows)


def picture(rgb: np.ndarray, caption: str = "", width: int = 96) -> Markup:
    """An RGB picture, embedded, with its caption."""
    return jpeg(encode(rgb, 85), caption, width)


def jpeg(data: bytes, caption: str = "", width: int = 96) -> Markup:
    """A JPEG picture, embedded, with its caption."""
    return Markup(
        '<figure><img alt="{}" width="{}" src="data:image/jpeg;base64,{}"><figcaption>{}</figcaption></figure>'
    ).format(caption, width, base64.b64encode(data).decode(), caption)
