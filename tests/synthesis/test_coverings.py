"""What hides a face: it follows the head, hides what it says, and is the same each time it is painted."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.synthesis.artists import Layer
from mtclar.synthesis.artists.rendered import rotation
from mtclar.synthesis.artists.template import personal, to_space
from mtclar.synthesis.coverings import COVERINGS, Covering, draw_covering
from mtclar.synthesis.coverings.frame import frame_of
from mtclar.synthesis.coverings.glasses import Glasses
from mtclar.synthesis.coverings.sheet import Sheet
from mtclar.synthesis.identity import Person, draw_person

AHEAD = (0.0, 0.0, 0.0)
HELD = ("hand", "object")
angles = st.tuples(st.floats(-50, 50), st.floats(-28, 28), st.floats(-30, 30))


def person_of(seed: int) -> Person:
    return draw_person(np.random.default_rng(seed), "p")


def face(head: tuple[float, float, float] = AHEAD, width: float = 90, level: float = 0.5) -> Layer:
    """A flat face of some width in pixels, of one grey, on nothing; its head is as wide as its landmarks."""
    side = round(2.2 * width)
    space = to_space(personal(replace(person_of(0), shape=np.zeros(100, np.float32)))) - [0, 0, 4]
    marks = (side / 2 + (space @ rotation(*head).T)[:, :2] * [width / 14.6, -width / 14.6]).astype(np.float32)
    alpha = np.zeros((side, side), np.uint8)
    cv2.fillConvexPoly(alpha, cv2.convexHull(np.round(marks).astype(np.int32)), 1)
    return Layer(np.full((side, side, 3), round(255 * level), np.uint8), alpha.astype(np.float32), marks)


def covering(kind: str, seed: int) -> Covering:
    return draw_covering(np.random.default_rng(seed), person_of(seed), kind)


def hull(layer: Layer) -> np.ndarray:
    """The face by its landmarks, independently of OpenCV's filling: inside every edge of their hull."""
    corners = cv2.convexHull(np.round(layer.landmarks).astype(np.int32), clockwise=False)[:, 0].astype(float)
    y, x = np.mgrid[: layer.alpha.shape[0], : layer.alpha.shape[1]]
    sides = [
        (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
        for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)
    ]
    return np.all(np.array(sides) >= 0, 0) | np.all(np.array(sides) <= 0, 0)


@pytest.mark.parametrize("kind", COVERINGS)
@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    head=angles,
    width=st.floats(40, 150),
    brightness=st.floats(0.05, 1.3),
    course=st.floats(0, 1),
)
def test_any_face_can_be_covered_and_keeps_its_form(
    kind: str, seed: int, head: tuple[float, float, float], width: float, brightness: float, course: float
) -> None:
    layer = face(head, width)
    painted, share = covering(kind, seed).paint(layer, head, brightness, course)
    assert painted.rgb.shape == layer.rgb.shape
    assert painted.rgb.dtype == np.uint8
    assert painted.alpha.dtype == np.float32
    assert np.isfinite(painted.alpha).all()
    assert painted.alpha.max() <= 1
    assert (painted.alpha >= layer.alpha - 1e-5).all(), "what was opaque stays so"
    assert np.array_equal(painted.landmarks, layer.landmarks)
    assert 0 <= share <= 1


@pytest.mark.parametrize("width", [40, 300])
@pytest.mark.parametrize("kind", COVERINGS)
def test_a_covering_hides_as_much_of_a_small_face_as_of_a_large_one(kind: str, width: int) -> None:
    for seed in range(4):
        shares = [covering(kind, seed).paint(face(width=w), AHEAD, 1.0, 1.0)[1] for w in (120, width)]
        assert shares[1] == pytest.approx(shares[0], abs=0.05)


@pytest.mark.parametrize("kind", COVERINGS)
@pytest.mark.parametrize("head", [AHEAD, (35.0, -10.0, 15.0), (-25.0, 12.0, -20.0)])
def test_it_hides_the_share_that_it_says(kind: str, head: tuple[float, float, float]) -> None:
    """What shines through is measured by painting over two faces that differ by a checkerboard."""
    layer = face(head)
    y, x = np.mgrid[: layer.alpha.shape[0], : layer.alpha.shape[1]]
    board = np.where((x + y) % 2 == 0, 40, -40)[..., None]
    for seed in range(5):
        thing = covering(kind, seed)
        rgbs, shares = [], []
        for sign in (1, -1):
            painted, share = thing.paint(
                replace(layer, rgb=(128 + sign * board * [1, 1, 1]).astype(np.uint8)), head, 1, 1
            )
            rgbs.append(painted.rgb.astype(float).mean(-1))
            shares.append(share)
        hidden = 1 - (rgbs[0] - rgbs[1]) / (2 * board[..., 0])
        if kind in HELD:  # their shadow darkens what it does not hide
            hidden = (hidden > 0.5).astype(float)
        assert hidden[hull(layer)].mean() == pytest.approx(np.mean(shares), abs=0.03)


@pytest.mark.parametrize("kind", HELD)
def test_what_is_held_before_a_face_comes_from_outside_it_smoothly(kind: str) -> None:
    layer = face()
    for seed in range(5):
        thing = covering(kind, seed)
        away, share = thing.paint(layer, AHEAD, 1.0, 0.0)
        assert share == 0
        assert np.array_equal(away.rgb, layer.rgb)
        shares = [thing.paint(layer, AHEAD, 1.0, course)[1] for course in np.linspace(0, 1, 41)]
        assert shares[4] < 0.02, "it starts beside the face"
        assert shares[-1] > 0.04
        assert np.abs(np.diff(shares)).max() < 0.2


@pytest.mark.parametrize("kind", ["hair", "glasses"])
def test_hair_and_glasses_stay_where_they_are(kind: str) -> None:
    one, other = (covering(kind, 3).paint(face(), AHEAD, 1.0, course) for course in (0.0, 1.0))
    assert np.array_equal(one[0].rgb, other[0].rgb)
    assert one[1] == other[1] > 0


@pytest.mark.parametrize("kind", COVERINGS)
def test_the_same_chance_paints_the_same_bytes_and_another_does_not(kind: str) -> None:
    one, again, other = (covering(kind, seed).paint(face(), AHEAD, 1.0, 1.0)[0].rgb.tobytes() for seed in (5, 5, 6))
    assert one == again != other


def test_a_hand_hides_a_tenth_to_three_fifths_of_a_face_that_looks_ahead() -> None:
    shares = [covering("hand", seed).paint(face(), AHEAD, 1.0, 1.0)[1] for seed in range(40)]
    assert min(shares) > 0.07
    assert max(shares) < 0.65
    assert np.ptp(shares) > 0.25


@pytest.mark.parametrize("kind", ["hand", "hair"])
def test_it_is_opaque_beside_the_head_too(kind: str) -> None:
    layer = face()
    beside = [covering(kind, seed).paint(layer, AHEAD, 1.0, 1.0)[0].alpha[layer.alpha == 0].max() for seed in range(5)]
    assert max(beside) == pytest.approx(1, abs=1e-3)


def test_it_is_dark_where_the_face_is_dark_or_the_scene_is() -> None:
    thing = covering("hand", 2)
    light, dim, dark = (
        thing.paint(face(level=level), AHEAD, brightness, 1.0)[0]
        for level, brightness in ((0.5, 1), (0.5, 0.4), (0.1, 1))
    )
    beside = (light.alpha > 0.99) & (face().alpha == 0)
    assert dim.rgb[beside].mean() == pytest.approx(0.4 * light.rgb[beside].mean(), rel=0.05)
    assert dark.rgb[beside].mean() < 0.4 * light.rgb[beside].mean()


def test_a_hand_has_about_the_colour_of_its_owners_skin() -> None:
    for seed in range(12):
        person = person_of(seed)
        hand = draw_covering(np.random.default_rng(seed), person, "hand").parts[0]
        assert np.abs(hand.skin - person.skin).max() < 0.35  # type: ignore[attr-defined]


def test_the_farther_lens_of_a_turned_head_is_narrower_and_glasses_as_a_whole_too() -> None:
    plain = Glasses((2.4, 2.0), 2.0, 0.1, np.zeros(3), np.zeros(3), 1.0, (0.0, 0.2, 0.0), 0.0)
    widths = {}
    for yaw in (-40.0, 0.0, 40.0):
        layer = face((yaw, 0, 0))
        sheet = Sheet(layer.alpha.shape)
        frame = frame_of(layer.landmarks, (yaw, 0, 0))
        plain.paint(sheet, frame, 0.0)
        # Below the bridge and the temples there are the lenses alone.
        low = round(float(frame.origin[1] + 1.2 * frame.scale))
        runs = np.flatnonzero(np.diff(np.concatenate([[0], sheet.alpha[low] > 0.5, [0]]).astype(int)))
        assert len(runs) == 4, "two lenses"
        widths[yaw] = (runs[1] - runs[0], runs[3] - runs[2])
    assert abs(widths[0.0][0] - widths[0.0][1]) <= 1
    assert widths[40.0][1] < widths[40.0][0] < widths[0.0][0]
    assert widths[-40.0][0] < widths[-40.0][1] < widths[0.0][1]


def test_a_covering_that_does_not_exist_is_refused_with_a_sentence() -> None:
    with pytest.raises(MtclarError, match="no covering 'veil': choose one of hand, object, hair, glasses"):
        covering("veil", 0)
