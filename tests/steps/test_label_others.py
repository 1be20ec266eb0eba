import numpy as np

from mtclar.faces import CropSpec, Face
from mtclar.steps.label_others import Others

SPEC = CropSpec(scale=1.5, input_size=64)
FACE = Face(10, 10, 40, 40, 1.0)


def image(index):
    return np.full((80, 80, 3), 10 * index, np.uint8)


def kept(others, faces_of):
    for index in range(6):
        others.offer(index, index / 10, image(index), faces_of(index), SPEC)
    return others.kept()


def test_the_one_other_face_of_the_frames_and_nearest_times_asked_for_is_kept():
    found = kept(Others([1], [0.34]), lambda _: [FACE])
    assert sorted(found) == [1, 3]
    middle = len(found[3]) // 2
    assert (found[3][middle, middle] == 30).all()


def test_no_face_or_several_are_nobody():
    assert sorted(kept(Others([1, 2, 3]), lambda index: [FACE] * index)) == [1]


def test_a_nearer_frame_without_a_face_takes_the_place_of_one_with():
    assert not kept(Others([], [0.3]), lambda index: [FACE] if index < 3 else [])
