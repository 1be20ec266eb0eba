"""What the tests of `mtclar label` share."""

import pytest
from bright_clip import CALIBRATION, PLAIN, TIMES_MS, picture
from make_video import write_video
from toy_bundle import toy_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("model") / "bundle", calibration=CALIBRATION)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", TIMES_MS, picture)


@pytest.fixture
def settings():
    return PLAIN
