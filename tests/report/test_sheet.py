"""Contact sheets: every face has its place, and a file that is a picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.report.sheet import COLUMNS, SIDE, Cell, face_near, sheet, write_sheet


def picture(colour: tuple[int, int, int]) -> bytes:
    return cv2.imencode(".jpg", np.full((40, 40, 3), colour[::-1], np.uint8))[1].tobytes()


RED, BLUE = picture((220, 20, 20)), picture((20, 20, 220))


def test_each_picture_stands_in_its_cell_and_a_missing_one_is_grey():
    drawn = sheet("Two", [Cell(RED, ("one",)), Cell(None, ("two", "more")), Cell(BLUE, ("three",))])
    red, grey, blue = (drawn[60 + SIDE // 2, 16 + SIDE // 2 + k * (SIDE + 14)].astype(int) for k in range(3))
    assert red[0] > 180 > red[2]
    assert blue[2] > 180 > blue[0]
    assert np.ptp(grey) < 10


def test_more_cells_than_columns_go_on_below():
    few, many = (sheet("", [Cell(RED, ("a",))] * n).shape for n in (COLUMNS, COLUMNS + 1))
    assert many[0] > few[0] + SIDE
    assert many[1] == few[1]


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_sheet_is_written_as_its_ending_says(tmp_path, ending):
    path = tmp_path / f"sheet{ending}"
    write_sheet(path, "Zoë’s clip", [Cell(RED, ("frame 1",), (0, 0, 0))])
    assert cv2.imread(str(path)).shape[2] == 3
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_another_ending_or_nothing_to_show_is_refused(tmp_path):
    with pytest.raises(MtclarError, match=r"ends in .png"):
        write_sheet(tmp_path / "sheet.gif", "", [Cell(RED, ())])
    with pytest.raises(MtclarError, match="no frame to show"):
        write_sheet(tmp_path / "sheet.png", "", [])
    assert not list(tmp_path.iterdir())


def test_the_picture_nearest_in_time_stands_for_a_frame():
    from toy_features import toy_features

    features = toy_features(seed=1, share=1.0)
    data, frame = face_near(features, 5, 1)
    assert frame == 5
    assert data == features.face_pictures[5, 1]
    assert face_near(features, 5, 99) == (None, 5)
