"""Detection on real pictures, and the choice among faces."""

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.faces.detect import Face, box_from_landmarks, overlap, pick
from mtclar.faces.hog import HogDetector

REAL = Path(__file__).parents[2].parent / "shared" / "real"


def real(name: str) -> np.ndarray:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"the real test pictures are not here ({REAL})")
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module")
def hog() -> HogDetector:
    pytest.importorskip("dlib", reason="dlib's detector is an extra")
    return HogDetector(threshold=0.0, long_side=640)


@pytest.mark.parametrize(("name", "faces"), [("portrait_a.jpg", 1), ("portrait_b.jpg", 1), ("two_people.jpg", 2)])
def test_the_faces_of_a_real_picture_are_found(hog, name, faces):
    picture = real(name)
    found = hog.detect(picture)
    assert len(found) == faces
    for face in found:
        assert 0 <= face.x + face.w / 2 <= picture.shape[1]
        assert 0 <= face.y + face.h / 2 <= picture.shape[0]
        assert 0.05 * picture.shape[1] < face.w < picture.shape[1]


def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(hog):
    large = real("portrait_a.jpg")
    small = cv2.resize(large, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    one, other = hog.detect(large)[0], hog.detect(small)[0]
    doubled = Face(other.x * 2, other.y * 2, other.w * 2, other.h * 2)
    assert overlap(one, doubled) > 0.7  # its boxes come in steps of 6/5


def test_a_small_face_in_a_small_picture_gets_a_second_look(hog):
    picture = real("portrait_a.jpg")
    face = hog.detect(picture)[0]
    factor = 50 / face.w
    small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    found = hog.detect(small)
    assert len(found) == 1
    assert found[0].w == pytest.approx(50, rel=0.35)


def test_a_face_cut_by_the_border_has_a_box_that_reaches_over_it(hog):
    picture = real("portrait_a.jpg")
    face = hog.detect(picture)[0]
    left, top = int(face.x + 0.1 * face.w), int(face.y + 0.1 * face.h)
    found = hog.detect(picture[top:, left:])
    assert found
    assert found[0].x < 0 or found[0].y < 0


def test_nothing_is_found_where_there_is_no_face(hog):
    assert hog.detect(np.full((120, 160, 3), 90, np.uint8)) == []
    assert hog.detect(np.zeros((3, 5, 3), np.uint8)) == []


def test_a_detector_can_be_sent_to_another_process(hog):
    hog.detect(np.zeros((100, 100, 3), np.uint8))
    copy = pickle.loads(pickle.dumps(hog))  # noqa: S301
    assert (copy.threshold, copy.long_side) == (0.0, 640)
    assert copy.detect(np.zeros((100, 100, 3), np.uint8)) == []


def landmarks(x: float, y: float, w: float, h: float) -> np.ndarray:
    inside = np.random.default_rng(0).uniform(0, 1, (64, 2)) * (w, h) + (x, y)
    corners = np.array([(x, y), (x + w, y), (x, y + h), (x + w, y + h)])
    return np.concatenate([corners, inside])


def test_landmarks_give_a_square_a_little_larger_and_higher_than_their_box():
    face = box_from_landmarks(landmarks(100, 200, 50, 50))
    assert face.w == face.h == pytest.approx(55)
    assert face.x + face.w / 2 == pytest.approx(125)
    assert face.y + face.h / 2 == pytest.approx(220.5)
    assert np.isnan(face.score)


@given(st.floats(-100, 100), st.floats(-100, 100), st.floats(0.2, 5))
def test_a_box_from_landmarks_moves_and_grows_with_them(dx, dy, factor):
    points = landmarks(10, 20, 40, 44)
    before, after = box_from_landmarks(points), box_from_landmarks(points * factor + (dx, dy))
    expected = (before.x * factor + dx, before.y * factor + dy, before.w * factor, before.h * factor)
    assert after.box == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    "points", [np.zeros((5, 2)), np.full((68, 2), np.nan), np.zeros((68, 2))], ids=["five", "NaN", "all the same"]
)
def test_landmarks_that_mark_no_face_are_refused(points):
    with pytest.raises(MtclarError, match="landmarks"):
        box_from_landmarks(points)


def test_the_face_that_overlaps_the_previous_one_is_followed_though_another_is_larger():
    small, large = Face(0, 0, 20, 20, 0.1), Face(100, 0, 80, 80, 3.0)
    assert pick([large, small], Face(3, 3, 20, 20)) is small


def test_without_a_previous_face_the_largest_is_taken_and_of_like_ones_the_surest():
    unsure, sure, small = Face(0, 0, 51, 51, 0.1), Face(100, 0, 50, 50, 2.0), Face(200, 0, 10, 10, 9.0)
    assert pick([unsure, sure, small]) is sure
    assert pick([unsure, sure, small], Face(500, 500, 9, 9)) is sure
    assert pick([]) is None


def test_overlap_is_one_for_equal_boxes_and_nothing_for_boxes_that_only_touch():
    assert overlap(Face(0, 0, 4, 4), Face(0, 0, 4, 4)) == 1
    assert overlap(Face(0, 0, 4, 4), Face(4, 0, 4, 4)) == 0
    assert overlap(Face(0, 0, 4, 4), Face(2, 0, 4, 4)) == pytest.approx(1 / 3)


def test_a_face_half_covered_is_kept_where_it_was_but_not_found_anew(hog):
    picture = cv2.resize(real("portrait_a.jpg"), (480, 640), interpolation=cv2.INTER_AREA)
    (face,) = hog.detect(picture)
    keeping = HogDetector(threshold=0.0, long_side=640, keep_threshold=-0.5)
    kept_longer = 0
    for share in np.linspace(0.05, 0.6, 12):
        covered = picture.copy()
        top = int(face.y + (1 - share) * face.h)
        covered[top : int(face.y + 1.3 * face.h), int(face.x) : int(face.x + face.w)] = (190, 140, 110)
        anew, kept = keeping.detect(covered), keeping.detect(covered, face)
        assert anew == hog.detect(covered)
        assert len(kept) >= len(anew)
        kept_longer += len(kept) > len(anew)
        assert all(overlap(found, face) >= 0.4 for found in kept if found not in anew)
    assert kept_longer
    assert keeping.detect(picture, Face(0, 0, 20, 20)) == hog.detect(picture)
