"""The page every report uses."""

import re

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from mtclar.report.page import Section, figure, markdown, picture, table, text, write_page


def drawing():
    fig = Figure()
    fig.subplots().plot([0, 1], [0, 1])
    return fig


def test_words_from_outside_cannot_become_markup(tmp_path):
    write_page(
        tmp_path / "p.html", "<b>title</b>", [Section("<i>s</i>", text("<script>1</script>"))], footer="<u>f</u>"
    )
    words = (tmp_path / "p.html").read_text()
    for tag in ("<b>", "<i>", "<script>", "<u>"):
        assert tag not in words


def test_unknown_values_are_dashes_and_known_ones_are_rounded():
    cells = re.findall(r"<td>(.*?)</td>", table(pd.DataFrame([["a", 0.12345, np.nan, None, 3]]), digits=2))
    assert cells == ["a", "0.12", "–", "–", "3"]


def test_a_figure_is_inline_svg_with_its_description_and_no_addresses_to_fetch():
    svg = figure(drawing(), 'what "it" shows')
    assert svg.startswith('<svg role="img" aria-label="what &#34;it&#34; shows"')
    assert not re.search(r'(?:src|href)="(?!#|data:)', svg)


def test_the_same_figure_gives_the_same_bytes():
    assert figure(drawing()) == figure(drawing())


def test_a_picture_is_embedded_with_its_caption():
    markup = picture(np.zeros((8, 8, 3), np.uint8), "0.04 s & more")
    assert "data:image/jpeg;base64," in markup
    assert "<figcaption>0.04 s &amp; more</figcaption>" in markup


def test_a_page_appears_whole_and_leaves_no_partial_file(tmp_path):
    write_page(tmp_path / "deep" / "p.html", "t", [])
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["p.html"]


def test_a_model_card_is_folded_up_in_the_footer(tmp_path):
    write_page(tmp_path / "p.html", "t", [], footer="f", card="# Card\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n")
    words = (tmp_path / "p.html").read_text()
    footer = words[words.index("<footer>") : words.index("</footer>")]
    assert "<details><summary>Model card</summary>" in footer
    assert "<h1>Card</h1>" in footer
    assert footer.count("<td") == 2
    write_page(tmp_path / "p.html", "t", [], footer="f")
    assert "<details>" not in (tmp_path / "p.html").read_text()


def test_markdown_can_bring_neither_markup_nor_scripts_nor_pictures_from_elsewhere():
    shown = markdown("<script>1</script>\n\n[x](javascript:alert(1)) ![y](https://example.org/y.png) <b>z</b>")
    for tag in ("<script", "<img", "<b>", 'href="javascript'):
        assert tag not in shown
