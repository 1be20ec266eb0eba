"""The page of a labelled video and the index, used in a real browser without a head."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import encode
from mtclar.data.tables import LABELS
from mtclar.report.folder_page import write_index
from mtclar.report.label_data import Suspect
from mtclar.report.label_page import write_label_page

playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright here: pip install playwright")

HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>.mp4'
FACTS = {
    "video": "clip.mp4",
    "tool_version": "0.1.0",
    "width": 640,
    "height": 360,
    "rotation": 0,
    "codec": "h264",
    "nominal_fps": 25.0,
    "is_vfr": False,
    "sha256": "a" * 64,
    "model": {"name": "mtclar", "version": "0.1.0", "sha256": "b" * 64, "licences": {"weights": "x" * 300}},
    "band": {"coverage": 0.9},
    "anchors_file": "anchors.csv",
    "anchors": [{}, {}],
}
ANCHORS = (50, 200)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)
    if program is None:
        pytest.skip("no browser here: install chromium or google-chrome")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser, tmp_path) -> Iterator[Callable[..., Any]]:
    """Opens a page; when the test ends, the page must have asked for nothing and complained of nothing."""
    said: list[str] = []
    contexts = []

    def opened(path: Path, **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append("a dialog"), dialog.dismiss()))
        here = path.as_uri()
        page.on(
            "request",
            lambda request: None if request.url in (here,) or request.url[:5] == "data:" else said.append(request.url),
        )
        page.goto(here)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []


def table(n: int = 300, tracks: int = 2) -> pd.DataFrame:
    """n rows at 25 a second of one person in two tracks; no face from row 100 to 119; two anchors."""
    time_s = np.arange(n) / 25
    rows = pd.DataFrame({name: [None] * n for name in LABELS.names})
    rows["frame"], rows["time_s"], rows["source"], rows["status"] = np.arange(n), time_s, "model", "ok"
    rows["track_id"] = rows["shot_id"] = np.arange(n) * tracks // n
    rows["confidence"], rows["quality"] = 0.75, 0.5
    for name, values in (("valence", 0.5 * np.sin(time_s)), ("arousal", 0.5 * np.cos(time_s))):
        values[100:120] = np.nan
        rows[name], rows[f"{name}_lo"], rows[f"{name}_hi"] = values, values - 0.2, values + 0.2
    rows.loc[100:119, ["source", "status"]] = ["none", "no_face"]
    rows.loc[[k for k in ANCHORS if k < n], "source"] = "anchor"
    return rows


def written(folder: Path, rows: pd.DataFrame, name: str = "clip.mp4", **options: Any) -> Path:
    """The page, with a picture of one colour for every second: brighter later."""
    columns = {column: rows[column].to_numpy() for column in LABELS.names}
    pictures = {
        (frame, int(rows["track_id"][frame])): encode(np.full((96, 96, 3), min(255, frame), np.uint8), 80)
        for frame in range(0, len(rows), max(25, len(rows) // 400))
    }
    path = folder / "clip.html"
    write_label_page(path, columns, {**FACTS, "video": name}, pictures, thumbnails=8, **options)
    return path


@pytest.fixture
def clip(tmp_path) -> Path:
    return written(tmp_path, table(), suspects=[Suspect(200, "It contradicts <b>frame 50</b>.", 1)])


def over(page: Any, share: float, chart: int = 0) -> tuple[float, float]:
    """A point over a chart, at a share of its width."""
    box = page.locator("#charts .u-over").nth(chart).bounding_box()
    return box["x"] + share * box["width"], box["y"] + 0.5 * box["height"]


def shown_rows(page: Any) -> int:
    """How many rows the span on the screen has, as the page says it."""
    return int(page.locator("#shown").inner_text().split(" rows")[0].split()[-1])


def test_pointing_at_a_curve_shows_time_and_both_values_of_that_row(show, clip):
    page = show(clip)
    assert not page.locator("#tip").is_visible()
    page.mouse.move(*over(page, 0.5))
    words = page.locator("#tip").inner_text()
    row = int(words.split("frame ")[1].split()[0])
    assert row == pytest.approx(150, abs=3)
    valence, arousal = 0.5 * np.sin(row / 25), 0.5 * np.cos(row / 25)
    assert f"{row / 25:.2f} s" in words
    assert f"valence {valence:+.3f}".replace("-", "−") in words
    assert f"arousal {arousal:+.3f} ({arousal - 0.2:+.3f} to {arousal + 0.2:+.3f})".replace("-", "−") in words
    page.mouse.move(*over(page, 0.5, chart=1))
    assert f"frame {row}" in page.locator("#tip").inner_text()
    page.mouse.move(5, 5)
    assert not page.locator("#tip").is_visible()


def test_a_click_shows_the_nearest_face_picture_and_the_row(show, clip):
    page = show(clip)
    page.mouse.click(*over(page, 0.5))
    words = page.locator("#detail").inner_text()
    assert "(frame 1" in words
    assert "90 % prediction interval" in words
    assert "Nearest face picture kept: 6.00 s" in words or "Face at 6.00 s" in words
    bright = page.evaluate(
        """() => { const image = document.querySelector('#detail img'); const canvas = document.createElement('canvas');
        canvas.width = canvas.height = 1; const at = canvas.getContext('2d'); at.drawImage(image, 0, 0, 1, 1);
        return at.getImageData(0, 0, 1, 1).data[0]; }"""
    )
    assert bright == pytest.approx(150, abs=3)  # the picture of frame 150


def test_a_click_on_a_face_of_the_strip_chooses_its_row(show, clip):
    page = show(clip)
    page.get_by_role("button", name="Face at 3.0 s").click()
    assert "3.000 s (frame 75)" in page.locator("#detail").inner_text()
    assert page.locator("#strip [aria-pressed=true]").count() == 1


def test_wheel_and_drag_zoom_and_a_double_click_shows_the_whole_again(show, clip):
    page = show(clip)
    assert shown_rows(page) == 300
    page.mouse.move(*over(page, 0.5))
    page.mouse.wheel(0, -200)
    after_wheel = shown_rows(page)
    assert after_wheel < 300
    page.mouse.move(*over(page, 0.3))
    page.mouse.down()
    page.mouse.move(*over(page, 0.6), steps=4)
    page.mouse.up()
    assert shown_rows(page) == pytest.approx(0.3 * after_wheel, rel=0.1)
    chosen = page.locator("#detail").inner_text()
    page.mouse.dblclick(*over(page, 0.5))
    assert shown_rows(page) == 300
    assert chosen != ""


def test_turning_the_wheel_over_the_whole_video_scrolls_the_page(show, clip):
    page = show(clip, viewport={"width": 900, "height": 500})
    page.mouse.move(*over(page, 0.5))
    page.mouse.wheel(0, 300)
    for _ in range(50):
        if page.evaluate("scrollY") > 0:
            break
        page.wait_for_timeout(50)
    assert page.evaluate("scrollY") > 0
    assert shown_rows(page) == 300


def test_everything_can_be_done_by_keys(show, clip):
    page = show(clip)
    page.locator("#charts").focus()
    for key, row in (("Home", 0), ("ArrowRight", 1), ("PageDown", 26), ("End", 299), ("p", 200), ("p", 50), ("n", 200)):
        page.keyboard.press(key)
        assert f"(frame {row})" in page.locator("#detail").inner_text(), key
    page.keyboard.press("+")
    assert shown_rows(page) < 300
    page.keyboard.press("0")
    assert shown_rows(page) == 300
    page.locator("#seek").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#seek").get_attribute("aria-valuetext").startswith("7.96 s, valence +0.497 (+0.297 to +0.697)")


def test_the_order_of_focus_is_that_of_the_page(show, clip):
    page = show(clip)
    seen = []
    for _ in range(12):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.closest('ol,ul')?.id"))
    assert seen == [
        *("who", "zoom-in", "zoom-out", "earlier", "later", "whole", "before-anchor", "after-anchor", "straight"),
        *("charts", "seek", "suspect-list"),
    ]


def test_every_control_and_picture_has_a_name_for_screen_readers(show, clip):
    page = show(clip)
    page.locator("#table summary").click()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, select, input, canvas, #detail img, [tabindex="0"]')]
        .filter((one) => one.checkVisibility() && !(one.getAttribute('aria-label') || one.getAttribute('alt')
            || one.textContent.trim() || one.labels?.length)).map((one) => one.outerHTML.slice(0, 80))"""
    )
    assert nameless == []


def test_all_rows_stand_in_a_table_too_a_page_at_a_time(show, clip):
    page = show(clip)
    page.locator("#table summary").click()
    page.get_by_role("button", name="Later rows").click()
    assert page.locator("#rows-shown").inner_text() == "Rows 101 to 150 of 300"  # the chosen row was on the second page
    cells = page.locator("#rows tr").nth(25).locator("td").all_inner_texts()
    value = 0.5 * np.sin(5.0)
    assert cells[:4] == [
        "125", "5.000", f"{value:+.3f}".replace("-", "−"),
        f"{value - 0.2:+.3f} to {value + 0.2:+.3f}".replace("-", "−"),
    ]  # fmt: skip
    page.get_by_role("button", name="Frame 125").click()
    assert "(frame 125)" in page.locator("#detail").inner_text()
    assert page.locator("#rows tr[aria-current]").count() == 1


def test_a_track_can_be_chosen(show, clip):
    page = show(clip)
    assert page.locator("#who option").all_inner_texts() == ["the person labelled, all 2 tracks", "track 0", "track 1"]
    page.locator("#who").select_option(label="track 1")
    assert shown_rows(page) == 150
    assert page.locator("#shown").inner_text().startswith("All of it: 6.00 s to 11.96 s")


def test_suspects_are_listed_and_lead_to_their_row(show, clip):
    page = show(clip)
    assert page.locator("#suspect-list li").inner_text() == "Frame 200, 8.00 s It contradicts <b>frame 50</b>."
    page.locator("#suspect-list button").click()
    assert "Suspect anchor" in page.locator("#detail").inner_text()


@pytest.mark.parametrize("width", [320, 420])
def test_nothing_runs_off_a_narrow_screen(show, tmp_path, width):
    page = show(written(tmp_path, table(), "n" * 200 + ".mp4"), viewport={"width": width, "height": 800})
    page.locator("#table summary").click()
    for details in page.locator("footer summary").all():
        details.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_in_dark_mode_ground_and_charts_are_dark(show, clip):
    brightness = "(colour) => colour.match(/[0-9]+/g).slice(0, 3).map(Number).reduce((a, b) => a + b)"
    canvas = """() => { const canvas = document.querySelector('#charts canvas');
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        let blue = 0; for (let k = 0; k < data.length; k += 4)
            if (data[k + 3] > 250 && data[k] < 120) blue = Math.max(blue, data[k + 2]);
        return blue; }"""
    found = {}
    for scheme in ("light", "dark"):
        page = show(clip, color_scheme=scheme)
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        words = page.evaluate("getComputedStyle(document.body).color")
        found[scheme] = [page.evaluate(brightness, ground), page.evaluate(brightness, words), page.evaluate(canvas)]
    assert found["light"][0] > 700 > 200 > found["dark"][0]
    assert found["light"][1] < 200 < 600 < found["dark"][1]
    assert found["light"][2] != found["dark"][2]  # the curves are drawn in other colours


def test_a_single_row_that_differs_is_seen_however_long_the_video_is(show, tmp_path):
    rows = table(40_000, tracks=1)
    for name in ("valence", "arousal"):
        rows[name], rows[f"{name}_lo"], rows[f"{name}_hi"] = 0.0, -0.1, 0.1
    rows["source"], rows["status"] = "model", "ok"
    rows.loc[20_000, "valence"] = 0.9
    page = show(written(tmp_path, rows))
    assert "Each column of pixels spans the smallest and the largest of about" in page.locator("#shown").inner_text()
    height = page.evaluate(
        """() => { const canvas = document.querySelector('#charts canvas'); const at = canvas.getContext('2d');
        const over = document.querySelector('#charts .u-over');
        const x = Math.round((over.offsetLeft + over.clientWidth / 2) * devicePixelRatio);
        const data = at.getImageData(x - 4, 0, 9, canvas.height).data; let high = canvas.height;
        for (let y = 0; y < canvas.height; y += 1) for (let k = 0; k < 9; k += 1) {
            const p = 4 * (9 * y + k); if (data[p + 3] > 100 && data[p + 2] - data[p] > 90) high = Math.min(high, y); }
        return high / canvas.height; }"""
    )
    assert height < 0.2  # a line reaches up to 0.9, not only to the band around 0
    while "Each column" in page.locator("#shown").inner_text():
        page.get_by_role("button", name="Zoom in").click()
    assert shown_rows(page) < 6000


def test_words_from_outside_are_shown_and_never_run(show, tmp_path):
    page = show(written(tmp_path, table(), HOSTILE, notes=[HOSTILE], suspects=[Suspect(50, HOSTILE)]))
    page.locator("#suspect-list button").click()
    assert page.title() == f"Labels of {HOSTILE}"
    assert page.locator("h1").inner_text() == f"Labels of {HOSTILE}"
    assert HOSTILE in page.locator("#detail").inner_text()
    assert page.locator("img[src=x]").count() == 0


def test_on_paper_stand_the_whole_curves_and_no_controls(show, clip):
    page = show(clip)
    page.emulate_media(media="print")
    assert page.locator(".paper svg").first.is_visible()
    assert not page.locator("#view").is_visible()
    assert len(page.pdf()) > 10_000


def test_a_video_of_a_single_frame_has_a_page_that_works(show, tmp_path):
    page = show(written(tmp_path, table(1, tracks=1)))
    assert "(frame 0)" in page.locator("#detail").inner_text()
    page.locator("#charts").focus()
    page.keyboard.press("+")
    assert shown_rows(page) == 1


@pytest.fixture
def index(tmp_path) -> Path:
    rows = [
        {
            "video": name,
            "page": f"{name}.html",
            "frames": frames,
            "faces": 1,
            "anchors": 1,
            "confidence": sure,
            "notes": 0,
        }
        for name, frames, sure in (("b10", 90, 0.5), ("b9", 1000, float("nan")), (HOSTILE, 5, 0.9))
    ]
    write_index(tmp_path / "index.html", rows, [f"{HOSTILE}: it is empty."], "0.1.0")
    return tmp_path / "index.html"


def names(page: Any) -> list[str]:
    return [cell.inner_text() for cell in page.locator("#videos tbody tr td:first-child").all() if cell.is_visible()]


def test_the_index_sorts_by_each_column_and_says_so(show, index):
    page = show(index)
    assert names(page) == ["b10", "b9", HOSTILE]
    page.get_by_role("button", name="frames").click()
    assert names(page) == [HOSTILE, "b10", "b9"]
    page.get_by_role("button", name="frames").click()
    assert names(page) == ["b9", "b10", HOSTILE]
    assert page.locator("th[aria-sort=descending]").inner_text().startswith("frames")
    page.get_by_role("button", name="confidence").press("Enter")
    assert names(page) == ["b10", HOSTILE, "b9"]  # what is not known comes last
    page.get_by_role("button", name="video").click()
    assert names(page)[1:] == ["b9", "b10"]


def test_the_index_can_be_searched(show, index):
    page = show(index)
    page.get_by_label("Search").fill("B 9")
    assert names(page) == ["b9"]
    assert page.locator("#found").inner_text() == "1 of 3 videos"


def test_the_index_fits_a_narrow_screen(show, index):
    page = show(index, viewport={"width": 420, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 420
