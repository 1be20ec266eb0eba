"""Curves as SVG: well formed, and each mark where it belongs."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from mtclar.report.curves import MAX_POINTS, Course, clock, curves, plane


def course(n=50, **changes):
    time_s = np.arange(n) / 25
    values = np.stack([np.sin(time_s), np.cos(time_s)], axis=1)
    made = {
        "time_s": time_s,
        "values": values,
        "low": values - 0.2,
        "high": values + 0.2,
        "anchor": np.arange(n) == 10,
        "status": np.full(n, "ok", dtype=object),
        "shot": np.zeros(n, int),
    }
    return Course(**(made | changes))


def parsed(markup):
    return ET.fromstring(str(markup))


def marks(markup, kind):
    return [item for item in parsed(markup).iter() if item.tag.endswith(kind)]


def test_both_drawings_are_well_formed_and_say_what_they_show():
    for markup in (curves(course(), "Over <time>"), plane(course(), "The “plane”")):
        assert parsed(markup).get("aria-label") in ("Over <time>", "The “plane”")
        assert "nan" not in str(markup)


def test_anchors_are_dots_on_their_value_and_time():
    first, second = marks(curves(course(), ""), "circle")
    assert first.get("cx") == second.get("cx")
    low, high = (float(marks(curves(course(values=np.full((50, 2), v)), ""), "circle")[0].get("cy")) for v in (-1, 1))
    expected = high + (low - high) * (1 - np.sin(10 / 25)) / 2
    assert float(first.get("cy")) == pytest.approx(expected, abs=0.11)


def test_a_gap_breaks_line_and_band_and_is_shaded():
    values, status = course().values.copy(), course().status.copy()
    values[20:30], status[20:30] = np.nan, "no_face"
    whole, broken = (
        curves(course(values=v, low=v - 0.2, high=v + 0.2, status=s), "")
        for v, s in ((course().values, course().status), (values, status))
    )
    assert len(marks(broken, "path")) == len(marks(whole, "path")) + 4
    assert len(marks(broken, "rect")) == 2
    assert not marks(whole, "rect")


def test_cuts_are_thin_lines_between_their_frames():
    cut = curves(course(shot=(np.arange(50) >= 25).astype(int)), "")
    dashed = [item.get("d") for item in marks(cut, "path") if item.get("stroke-dasharray") == "2 3"]
    assert len(dashed) == 2
    at = {float(re.match(r"M([\d.]+) ", path)[1]) for path in dashed}
    middle = (62 + 952) / 2  # frames 24 and 25 are around the middle
    assert at.pop() == pytest.approx(middle, abs=12)


def test_a_long_video_is_drawn_with_few_points():
    drawn = str(curves(course(100_000), ""))
    assert len(drawn) < 200 * MAX_POINTS
    assert len(str(plane(course(100_000), ""))) < 200_000


@pytest.mark.parametrize("n", [1, 2])
def test_a_frame_or_two_can_be_drawn(n):
    for markup in (curves(course(n), ""), plane(course(n), "")):
        assert "nan" not in str(markup)
        parsed(markup)


def test_nothing_known_is_an_empty_drawing():
    nothing = np.full((50, 2), np.nan)
    for markup in (curves(course(values=nothing, low=nothing, high=nothing), ""), plane(course(values=nothing), "")):
        assert not marks(markup, "circle")


@pytest.mark.parametrize(
    ("time_s", "words"), [(0, "0 s"), (1.5, "1.50 s"), (119, "119 s"), (125, "2:05"), (3723, "1:02:03")]
)
def test_times_are_written_for_people(time_s, words):
    assert clock(time_s) == words
