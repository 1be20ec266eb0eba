"""Every support set takes the anchors that its name promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_world import clip_rows, faces_table, picture_rows, walk

from mtclar.errors import MtclarError
from mtclar.evaluation.clips import clips_of
from mtclar.evaluation.supports import NAMES, Pool, bank_rows, check_supports, choose, spread_positions

PEOPLE = ("ann", "bob", "ann", "cid")  # of the clips c0 to c3


@pytest.fixture(scope="module")
def faces():
    rng = np.random.default_rng(0)
    rows = picture_rows(rng, [f"t{i}" for i in range(30)], "train")
    for i, person in enumerate(PEOPLE):
        rows += clip_rows(f"c{i}", person, "test", walk(rng, 25 + i))
    return faces_table(rows)


@pytest.fixture(scope="module")
def pool(faces):
    return Pool.of(clips_of(faces, "test"), faces, bank_rows(faces, 7))


def pick(pool, name, number, seed=7):
    return choose(name, pool, number, stride=10, seed=seed)


def speaks(pool, name, number):
    """The clip, position and person of the one anchor of each frame."""
    found = pick(pool, name, number)
    anchor = found.anchors[found.use]
    return pool.clip[anchor], pool.position[anchor], pool.person[anchor]


def test_recurring_anchors_stand_every_k_frames_and_a_frame_uses_the_latest(pool):
    clip, position, _ = speaks(pool, "stride", 1)
    assert (clip == 1).all()
    for frame in range(26):
        assert position[frame] == max(k for k in range(0, 26, 10) if k <= frame)
    assert pick(pool, "stride", 1).rule == "latest"
    assert pool.position[pick(pool, "stride:6", 1).anchors].tolist() == [0, 6, 12, 18, 24]


def test_a_clip_shorter_than_the_stride_has_its_first_frame_as_anchor(pool):
    found = pick(pool, "stride:100", 0)
    assert pool.position[found.anchors].tolist() == [0]
    assert (found.use == 0).all()


def test_first_and_random_frames_are_of_the_clip_itself(pool):
    assert pool.position[pick(pool, "first:3", 2).anchors].tolist() == [0, 1, 2]
    drawn = pick(pool, "random:3", 2)
    assert (pool.clip[drawn.anchors] == 2).all()
    assert len(set(drawn.anchors)) == 3
    assert drawn.rule == "together"


def test_anchors_of_a_person_are_shared_by_all_their_clips(pool):
    first = [pick(pool, "first-of-person", number).anchors for number in (0, 2)]
    assert first[0] == first[1]
    assert (pool.clip[first[0]], pool.position[first[0]]) == (0, 0)
    drawn = [pick(pool, "random-of-person:4", number).anchors for number in (0, 2)]
    np.testing.assert_array_equal(*drawn)
    assert set(pool.person[drawn[0]]) == {"ann"}


def test_anchors_of_other_clips_people_and_any_are_drawn_for_each_frame(pool):
    clip, _, person = speaks(pool, "other-clip", 0)
    assert (clip != 0).all()
    assert "ann" in person
    clip, _, person = speaks(pool, "other-clip-of-person", 0)
    assert set(clip) == {2}
    assert set(person) == {"ann"}
    clip, _, person = speaks(pool, "cross-identity", 0)
    assert set(person) == {"bob", "cid"}
    clip, position, _ = speaks(pool, "any", 3)
    assert not ((clip == 3) & (position == np.arange(28))).any()
    assert len(set(clip)) == 4
    assert pick(pool, "any", 3).rule == "each"


def test_the_bank_holds_ten_training_faces_of_each_bin_of_valence_where_there_are_so_many(faces, pool):
    found = pick(pool, "bank", 0)
    assert (pool.clip[found.anchors] < 0).all()
    assert np.isnan(pool.times_s[found.anchors]).all()
    chosen = faces.iloc[pool.rows[found.anchors]]
    assert (chosen["split"] == "train").all()
    edges = np.linspace(-1, 1, 11)
    valence = faces.loc[faces["split"] == "train", "valence"]
    there = np.histogram(valence, edges)[0]
    np.testing.assert_array_equal(np.histogram(chosen["valence"], edges)[0], np.minimum(there, 10))
    assert there.max() > 10


def test_where_there_is_nobody_else_there_is_no_anchor(faces):
    alone = faces_table(clip_rows("c", "ann", "test", walk(np.random.default_rng(0), 1)))
    pool = Pool.of(clips_of(alone, "test"), alone, np.empty(0, int))
    for name in ("other-clip", "other-clip-of-person", "cross-identity", "any", "bank"):
        assert pick(pool, name, 0) is None
    for name in ("first", "stride", "random", "first-of-person", "random-of-person"):
        assert pick(pool, name, 0).anchors.tolist() == [0]


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_draws_the_same_anchors_and_each_frame_has_one(pool, name):
    for number in (0, 2):
        one, two = pick(pool, name, number), pick(pool, name, number)
        np.testing.assert_array_equal(one.anchors, two.anchors)
        np.testing.assert_array_equal(one.use, two.use)
        assert len(one.use) == 25 + number
        assert one.use.max() < len(one.anchors)
    if name.startswith(("random", "other", "cross", "any")):
        assert any(
            not np.array_equal(pick(pool, name, number).anchors, pick(pool, name, number, seed=8).anchors)
            for number in (0, 2)
        )


@given(st.integers(1, 500), st.floats(0.001, 0.999))
def test_a_budget_is_spread_evenly_from_the_first_frame_and_is_one_frame_at_least(frames, share):
    found = spread_positions(frames, share)
    assert found[0] == 0
    assert len(found) == min(frames, max(1, round(share * frames)))
    gaps = np.diff(np.append(found, frames))
    assert gaps.max() - gaps.min() <= 1


@pytest.mark.parametrize(
    ("name", "says"),
    [("strid", "did you mean 'stride'"), ("bank:3", "only first, stride"), ("first:0", "from 1"), ("first:", "from 1")],
)
def test_an_unknown_support_set_is_refused(name, says):
    with pytest.raises(MtclarError, match=says):
        check_supports(["first", name])
