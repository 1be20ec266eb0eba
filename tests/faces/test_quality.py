"""What can hardly be seen has a lower quality, and the worse the lower."""

import cv2
import numpy as np
import pytest
from make_video import with_face

from mtclar.errors import MtclarError
from mtclar.faces import CropSpec, box_from_landmarks, cut
from mtclar.faces.geometry import head_pose
from mtclar.faces.mesh import MeshModel
from mtclar.faces.quality import FRONTAL, LARGE, PRESENCE_WEIGHT, SIZE_WEIGHT, look, quality


def pattern() -> np.ndarray:
    """A sharp, bright picture of blobs as large as an eye."""
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.uniform(60, 220, (64, 64)).astype(np.float32), (288, 288), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.clip(coarse, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def of(crop: np.ndarray, side: float = 120.0, **known) -> float:
    more = {name: np.array([value]) for name, value in known.items()}
    return float(quality(crop[None], np.array([side]), **more)[0])


def test_a_sharp_frontal_large_face_that_is_seen_has_full_quality():
    assert of(pattern()) == 1.0
    assert of(pattern(), pose=(5.0, -5.0, 40.0), presence=1.0) == 1.0


def test_the_more_blurred_the_lower():
    found = [of(cv2.GaussianBlur(pattern(), (0, 0), sigma)) for sigma in (8, 12, 18)]
    assert found[0] < 1
    assert (np.diff(found) < 0).all()


def test_the_smaller_the_lower():
    assert of(pattern(), side=LARGE / 2) == pytest.approx(2**-SIZE_WEIGHT)
    assert of(pattern(), side=LARGE / 4) == pytest.approx(4**-SIZE_WEIGHT)
    assert of(pattern(), side=0.0) > 0


def test_the_less_of_a_face_the_mesh_sees_the_lower_down_to_three_halvings():
    assert of(pattern(), presence=0.5) == pytest.approx(2**-PRESENCE_WEIGHT)
    found = [of(pattern(), presence=presence) for presence in (1.0, 0.6, 0.2, 0.05, 0.0)]
    assert (np.diff(found) < 0).all()
    assert found[-1] == pytest.approx(1 / 8, abs=0.005)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_farther_a_head_is_turned_to_whichever_side_the_lower_and_a_tilt_costs_nothing(axis, sign):
    poses = sign * np.outer([FRONTAL, 20, 30, 50], np.eye(3)[axis])
    found = [of(pattern(), pose=pose) for pose in poses]
    assert found[0] == 1.0
    assert (np.diff(found) < 0).all()
    assert of(pattern(), pose=(0.0, 0.0, 45.0)) == 1.0


def test_what_is_not_known_tells_nothing_and_a_score_stands_in_for_presence():
    unknown = float("nan")
    assert of(pattern(), scores=unknown) == of(pattern(), presence=unknown, pose=(unknown,) * 3) == 1.0
    assert of(pattern(), scores=0.4) == of(pattern(), presence=0.4) < 1
    assert of(pattern(), scores=2.5) == 1.0
    assert of(pattern(), scores=0.1, presence=0.9) == of(pattern(), presence=0.9)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_even_picture_is_far_from_clear_and_never_without_a_number(level):
    even = np.full((288, 288, 3), level, np.uint8)
    assert 0 < of(even) < 0.3
    pose, presence = look(even[None], MeshModel())
    assert of(even, pose=pose[0], presence=presence[0]) < 0.1


def test_no_faces_have_no_quality():
    none = np.empty((0, 288, 288, 3), np.uint8)
    assert quality(none, np.empty(0), np.empty(0)).shape == (0,)
    pose, presence = look(none, MeshModel())
    assert quality(none, np.empty(0), pose=pose, presence=presence).shape == (0,)


@pytest.mark.parametrize("wrong", [{"sides": np.zeros(2)}, {"scores": np.zeros(2)}, {"pose": np.zeros((1, 2))}])
def test_shapes_that_do_not_fit_are_refused(wrong):
    name = next(iter(wrong))
    with pytest.raises(MtclarError, match=f"expected {name} "):
        quality(pattern()[None], **{"sides": np.ones(1), **wrong})
    with pytest.raises(MtclarError, match="expected crops"):
        quality(pattern(), np.ones(1))


def test_what_hides_or_turns_or_blurs_a_face_lowers_its_quality_as_the_mesh_sees_it(sample_faces):
    spec, model = CropSpec(scale=1.5, size=144, centre=144, input_size=144), MeshModel()
    crops = np.stack([cut(picture, box_from_landmarks(marks).box, spec) for picture, marks in sample_faces[:20]])
    covered = crops.copy()
    covered[:, 30:100, 24:120] = 90
    blurred = np.stack([cv2.GaussianBlur(crop, (0, 0), 6) for crop in crops])

    def mean(seen: np.ndarray) -> float:
        pose, presence = look(seen, model)
        return float(quality(seen, np.full(len(seen), 90.0), pose=pose, presence=presence).mean())

    clear = mean(crops)
    assert clear > 0.6
    assert mean(covered) < 0.7 * clear
    assert mean(blurred) < 0.7 * clear


def test_a_stored_crop_shows_the_mesh_the_same_head_as_its_picture(sample_faces):
    spec, model = CropSpec(scale=1.5, size=144, centre=144, input_size=144), MeshModel()
    for picture, marks in sample_faces[:5]:
        box = box_from_landmarks(marks)
        pose, presence = look(cut(picture, box.box, spec)[None], model)
        mesh = model.fit(picture, box, twice=False)
        np.testing.assert_allclose(pose[0], head_pose(mesh), atol=3)
        assert presence[0] == pytest.approx(mesh.presence, abs=0.1)
    assert look(cut(with_face(), (94, 62, 93, 93), spec)[None], model)[1][0] > 0.9
