"""The model that ships, on real faces that no training has seen.

It is compared with what the same anchors give without a model; no number of its own is asserted, so that nothing is
tuned to this clip. The clip lies beside the repository, never in it; and where the model that ships is not at hand
there is nothing to judge: both are said as the reason of a skip.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtclar.errors import MtclarError
from mtclar.evaluation.clips import DIMENSIONS
from mtclar.serving.default import default_bundle
from mtclar.settings import load_settings
from mtclar.steps import evaluate_real

COUNTS = ("1", "2", "3", "4")
"""Numbers of anchors at which mtclar has to be nearer to the ratings than straight lines."""


@pytest.fixture(scope="module")
def real_clips():
    folder = Path(__file__).parents[2].parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("the real test faces (../shared/real) are not here")
    return folder


@pytest.fixture(scope="module")
def model():
    try:
        return default_bundle()
    except MtclarError as error:
        pytest.skip(f"the model that ships is not here: {error}")


@pytest.fixture(scope="module")
def found(real_clips, model, tmp_path_factory):
    settings = load_settings()
    out = tmp_path_factory.mktemp("real") / "out"
    return evaluate_real.run(
        settings.evaluate, settings.label, settings.extract, data=real_clips, model=model, out=out
    ).found


def test_the_rated_clip_is_judged_and_others_are_named(found):
    assert [(clip["video_id"], clip["rated"], clip["frames"]) for clip in found["clips"]] == [("single_face", 16, 72)]
    assert found["unrated"] == ["face_noface"]
    assert {count: found["placements"][count] for count in COUNTS} == {"1": 16, "2": 120, "3": 200, "4": 200}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_labels_are_nearer_to_the_ratings_than_straight_lines(found, count, dimension):
    methods = found["anchors"][count][dimension]
    assert methods["mtclar"]["rmse"] < methods["linear"]["rmse"]


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_without_an_anchor_labels_rise_with_the_ratings(found, dimension):
    assert found["anchors"]["0"][dimension]["mtclar"]["pcc"] > 0


def test_the_command_of_the_readme_labels_the_clip_better_than_straight_lines_do(real_clips, model, tmp_path):
    """No argument but video, anchors and where to; the three anchors themselves are not scored."""
    anchors = real_clips / "single_face_anchors.csv"
    command = [
        sys.executable,
        "-m",
        "mtclar.cli",
        "label",
        str(real_clips / "single_face.mp4"),
        "--anchors",
        str(anchors),
    ]
    subprocess.run([*command, "--out", str(tmp_path)], check=True, capture_output=True)
    table = pd.read_csv(tmp_path / "single_face.va.csv").set_index("frame")
    ratings = pd.read_csv(real_clips / "single_face_labels.csv").set_index("frame")
    given = pd.read_csv(anchors).set_index("frame")
    ratings = ratings.drop(index=given.index)
    assert len(ratings) == 13
    times_s = table["time_s"]
    for dimension in DIMENSIONS:
        straight = np.interp(times_s[ratings.index], times_s[given.index], given[dimension])
        errors = [values - ratings[dimension].to_numpy() for values in (table.loc[ratings.index, dimension], straight)]
        assert np.mean(errors[0] ** 2) < np.mean(errors[1] ** 2)
