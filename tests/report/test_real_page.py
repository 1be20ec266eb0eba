"""The page of the test on real faces says whether mtclar is nearer than straight lines, and what its brackets are."""

import numpy as np
import pytest

from mtclar.evaluation.placements import Rated, placements, try_placements
from mtclar.evaluation.real import interval_kind, score_trials
from mtclar.evaluation.real_table import RMSE_COLUMNS, cell, rmse_rows
from mtclar.report.real_page import Curve, write_real


def found_of(clips: int, error: float) -> dict:
    """real.json of some clips whose labels are off by `error`."""
    trials: dict[int, list] = {0: [], 1: [], 3: []}
    for seed in range(clips):
        draw = np.random.default_rng(seed)
        clip = Rated(f"c{seed}", np.arange(6.0), draw.uniform(-1, 1, (6, 2)))

        def label(positions, clip=clip, draw=draw):
            ours = clip.truth + draw.normal(0, error, clip.truth.shape)
            return ours, ours - 0.1, ours + 0.1

        for k, done in trials.items():
            done.append(try_placements(clip, placements(6, k, 9, draw), label, lambda: None))

    def scored(some: dict[int, list]) -> dict:
        return {str(k): score_trials(each, 100, np.random.default_rng(0)) for k, each in some.items()}

    counts = {str(k): sum(len(t.anchors) for t in each) for k, each in trials.items()}
    return {
        "limit": 9,
        "coverage": 0.9,
        "anchors": scored(trials),
        "placements": counts,
        "intervals": dict.fromkeys(counts, interval_kind(clips)),
        "by_clip": {f"c{i}": scored({k: [each[i]] for k, each in trials.items()}) for i in range(clips)},
        "clips": [
            {"video_id": f"c{i}", "rated": 6, "faceless": i, "frames": 8, "faces": 7, "placements": counts}
            for i in range(clips)
        ],
        "unrated": ["left"],
        "failed": [{"name": "broken", "error": "broken.mp4: no <video>."}],
    }


def curve(name: str) -> Curve:
    times_s, zero = np.arange(8.0), np.zeros((8, 2))
    return Curve(name, times_s, zero, zero - 0.1, zero + 0.1, zero, times_s[:6], np.zeros((6, 2)), np.array([0, 3]))


def page(folder, found) -> str:
    write_real(folder / "report.html", found, [curve("c0")], {"model": "abc"}, ["a note"])
    return (folder / "report.html").read_text()


@pytest.mark.parametrize(("clips", "bracket"), [(1, "of the one clip"), (3, "bootstrap over clips")])
def test_the_page_says_what_its_brackets_are(tmp_path, clips, bracket):
    words = page(tmp_path, found_of(clips, 0.1))
    assert bracket in words
    assert words.count("<h2>Clip c") == clips


def test_the_verdict_names_the_counts_of_anchors_at_which_lines_are_beaten_or_not(tmp_path):
    assert "mtclar&#39;s is in valence below it at 1, 3 anchors" in page(tmp_path, found_of(2, 0.02))
    assert "in arousal at no number of anchors below it" in page(tmp_path, found_of(2, 3.0))


def test_the_page_lists_what_was_left_out_and_escapes_it(tmp_path):
    words = page(tmp_path, found_of(2, 0.1))
    for needed in ("broken.mp4: no &lt;video&gt;.", "left", "a note", "model: abc", "1 more where it was not found"):
        assert needed in words


def test_rows_have_a_dash_where_nothing_stands_beside_mtclar_without_anchors():
    found = found_of(1, 0.1)
    rows = rmse_rows(found["anchors"], found["placements"])
    assert len(rows) == 6
    assert dict(zip(RMSE_COLUMNS, rows[0], strict=True))["linear"] == "–"
    assert rows[1][2].count("[") == 1


def test_a_cell_shows_value_interval_and_sign_as_far_as_they_are_known():
    assert cell({"x": 0.25, "x_interval": [0.1, 0.4]}, "x") == "0.250 [0.100, 0.400]"
    assert cell({"x": 0.25, "x_interval": [None, None]}, "x", sign=True) == "+0.250"
    assert cell({"x": None}, "x") == cell({}, "x") == "–"
