"""The detectors by name: what they find, where, and what they do not."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from make_video import with_face

from mtclar.errors import MtclarError
from mtclar.faces.blaze import averaged, fit_square, overlaps
from mtclar.faces.centerface import suppressed
from mtclar.faces.detect import Face, overlap
from mtclar.faces.mesh import Mesh
from mtclar.faces.models import Ladder, open_detector

REAL = Path(__file__).parents[2].parent / "shared" / "real"
NETWORKS = ("full-range", "back", "short-range", "centerface")
DRAWN = Face(94, 62, 93, 93)
"""Canonical box of the face that `with_face()` draws, about as every detector sees it."""


def real(name: str) -> np.ndarray:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"the real test pictures are not here ({REAL})")
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


@pytest.fixture(scope="module", params=("ladder", *NETWORKS))
def detector(request):
    return open_detector(request.param, threshold=0.2 if request.param == "centerface" else None)


def test_a_drawn_face_is_found_once_and_where_it_is(detector):
    (face,) = detector.detect(with_face())
    assert overlap(face, DRAWN) > 0.8
    assert 0 < face.score <= 1


def test_boxes_are_in_pixels_of_the_picture_whatever_its_size(detector):
    large = cv2.resize(with_face(), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    (face,) = detector.detect(large)
    assert overlap(face, Face(*(3 * side for side in DRAWN.box))) > 0.75


def test_a_face_moved_in_the_picture_has_its_box_moved(detector):
    (one,), (other,) = (detector.detect(with_face(left=left)) for left in (40, 100))
    assert other.x - one.x == pytest.approx(60, abs=8)
    assert other.y == pytest.approx(one.y, abs=8)


def test_nothing_is_found_where_there_is_no_face(detector):
    assert detector.detect(np.full((120, 160, 3), 90, np.uint8)) == []
    assert detector.detect(np.zeros((3, 5, 3), np.uint8)) == []
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    assert detector.detect(noise) == []


def test_a_detector_can_be_sent_to_another_process(detector):
    detector.detect(np.zeros((100, 100, 3), np.uint8))
    copy = pickle.loads(pickle.dumps(detector))  # noqa: S301
    assert copy.detect(with_face()) == detector.detect(with_face())


def test_what_is_no_picture_is_refused(detector):
    with pytest.raises(MtclarError, match="expected a picture uint8 RGB"):
        detector.detect(np.zeros((20, 20), np.uint8))


def test_the_identity_names_weights_and_thresholds(detector):
    known = detector.identity
    parts = [known["quick"], known["thorough"]] if detector.name == "ladder" else [known]
    assert known["name"] == detector.name
    for part in parts:
        assert len(part["weights"]) == 64
        assert 0 < part["threshold"] < 1


def test_an_unknown_detector_is_named_with_what_there_is():
    with pytest.raises(MtclarError, match=r"'centreface' is not known.*'centerface'.*choose one of ladder"):
        open_detector("centreface")


@pytest.mark.parametrize("name", ["full-range", "back", "centerface", "ladder"])
@pytest.mark.parametrize(
    ("picture", "faces"),
    [
        ("portrait_a.jpg", 1),
        ("portrait_b.jpg", 1),
        ("partial_face.jpg", 1),
        ("two_people.jpg", 2),
        ("multi_face.jpg", 5),
    ],
)
def test_every_face_of_a_real_picture_is_found(name, picture, faces):
    pixels = real(picture)
    found = open_detector(name).detect(pixels)
    assert len(found) == faces
    for face in found:
        assert 0 <= face.x + face.w / 2 <= pixels.shape[1]
        assert 0 <= face.y + face.h / 2 <= pixels.shape[0]


def test_detectors_agree_on_the_canonical_box_of_real_faces():
    pixels = real("multi_face.jpg")
    one, other = (open_detector(name).detect(pixels) for name in ("full-range", "centerface"))
    for face in one:
        assert max(overlap(face, box) for box in other) > 0.7


class _Fixed:
    """A detector whose answers are given, by score."""

    def __init__(self, name: str, threshold: float, scores: list[float]) -> None:
        self.name, self.threshold, self.asked = name, threshold, 0
        places = (Face(0, 0, 10, 10), Face(50, 0, 10, 10))
        self.faces = [Face(*place.box, score) for place, score in zip(places, scores, strict=False)]

    def proposals(self, picture: np.ndarray, threshold: float) -> list[Face]:
        self.asked += 1
        return [face for face in self.faces if face.score >= threshold]


class _Sure:
    """A mesh that confirms every box or none."""

    def __init__(self, presence: float) -> None:
        self.presence = presence

    def fit_all(self, picture: np.ndarray, faces: list[Face]) -> list[Mesh]:
        return [Mesh(np.zeros((468, 3), np.float32), self.presence) for _ in faces]


@pytest.mark.parametrize(
    ("quick", "thorough", "presence", "expected", "asked"),
    [
        ([0.9], [], 0.0, [0.9], False),
        ([], [], 0.0, [], True),
        ([], [0.8], 0.0, [0.8], True),
        ([0.4], [], 0.0, [], True),
        ([0.4], [], 1.0, [0.4], False),
        ([], [0.3], 0.0, [], True),
        ([], [0.3], 1.0, [0.3], True),
        ([0.9, 0.4], [0.8, 0.5], 0.0, [0.8, 0.5], True),
        ([0.9, 0.4], [], 0.0, [0.9], True),
        ([0.9, 0.4], [], 1.0, [0.9, 0.4], False),
    ],
)
def test_a_doubtful_box_is_looked_at_by_the_mesh_and_then_by_the_thorough_detector(
    quick, thorough, presence, expected, asked
):
    ladder = Ladder()
    ladder._quick, ladder._thorough = _Fixed("full-range", 0.6, quick), _Fixed("centerface", 0.4, thorough)
    ladder._mesh = _Sure(presence)
    assert [face.score for face in ladder.detect(np.zeros((60, 60, 3), np.uint8))] == expected
    assert ladder._thorough.asked == asked


def test_boxes_of_one_face_are_averaged_by_their_scores():
    boxes = np.array([[10, 10, 10, 10], [12, 10, 10, 10], [40, 10, 10, 10.0]])
    kept, scores = averaged(boxes, np.array([0.6, 0.3, 0.9]))
    np.testing.assert_allclose(kept, [[40, 10, 10, 10], [10 + 2 / 3, 10, 10, 10]])
    assert scores.tolist() == [0.9, 0.6]


def test_of_boxes_of_one_face_the_surest_is_left():
    boxes = np.array([[10, 10, 10, 10], [12, 10, 10, 10], [40, 10, 10, 10.0]])
    assert suppressed(boxes, np.array([0.3, 0.6, 0.2])).tolist() == [1, 2]
    assert suppressed(boxes[:0], np.zeros(0)).tolist() == []


def test_overlaps_of_boxes_by_centre_agree_with_those_by_corner():
    rng = np.random.default_rng(0)
    boxes = np.concatenate([rng.uniform(0, 20, (50, 2)), rng.uniform(1, 20, (50, 2))], axis=1)
    faces = [Face(x - w / 2, y - h / 2, w, h) for x, y, w, h in boxes.tolist()]
    expected = [overlap(faces[0], face) for face in faces]
    np.testing.assert_allclose(overlaps(boxes[0], boxes), expected, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(10, 30), (30, 10), (7, 7), (1, 400)])
def test_a_picture_lies_whole_in_the_middle_of_its_square(height, width):
    square, scale, left, top = fit_square(np.full((height, width, 3), 200, np.uint8), 96)
    rows, columns = np.nonzero(square[..., 0])
    assert (rows.min(), columns.min()) == (top, left)
    assert scale == pytest.approx(96 / max(height, width))
    for low, high in ((rows.min(), rows.max()), (columns.min(), columns.max())):
        assert abs(low - (95 - high)) <= 1
