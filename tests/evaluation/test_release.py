"""The release's ways of counting, against a loop that follows them row by row."""

import itertools

import numpy as np
import pytest
from toy_world import clip_rows, faces_table, walk

from mtclar.evaluation import metrics
from mtclar.evaluation.clips import clips_of
from mtclar.evaluation.release import ARRANGEMENTS, SWITCHES, Seen, score_release, scored_rows


def seen_clips(lengths=(23, 1, 14), stride=6, seed=0):
    rng = np.random.default_rng(seed)
    rows = [row for i, n in enumerate(lengths) for row in clip_rows(f"c{i}", f"p{i % 2}", "test", walk(rng, n))]
    found = []
    for clip in clips_of(faces_table(rows), "test"):
        anchors = np.arange(0, len(clip), stride)
        found.append(Seen(clip, anchors, rng.normal(0, 0.3, (len(clip), len(anchors), 2))))
    return found


def slow_rows(seen, arrangement, switches):
    """(clip, truth, label) of each row, by the words of the module."""
    queries = []
    for number, item in enumerate(seen):
        for frame in range(len(item.clip)):
            if frame in item.anchors and "anchors_scored" not in switches:
                continue
            latest = max(k for k, at in enumerate(item.anchors) if at <= frame)
            queries.append((number, frame, [latest] if arrangement == "latest" else range(len(item.anchors)), latest))
    rows = []
    for q, (number, frame, who, latest) in enumerate(queries):
        item = seen[number]
        labels = [item.clip.truth[item.anchors[k]] for k in who]
        deltas = [item.deltas[frame, k] for k in who]
        mean_delta = sum(deltas) / len(deltas)
        if "per_anchor" in switches:
            own = [
                (label, mean_delta if "delta_mean" in switches else d) for label, d in zip(labels, deltas, strict=True)
            ]
        elif "delta_mean" in switches:
            own = [(item.clip.truth[item.anchors[latest]], mean_delta)]
        else:
            own = [(sum(labels) / len(labels), mean_delta)]
        rows += [(q // 5, number, item.clip.truth[frame], label, delta) for label, delta in own]
    out = []
    for block, rows_of in itertools.groupby(rows, key=lambda row: row[0]):
        rows_of = list(rows_of)
        mean = sum(row[4] for row in rows_of) / len(rows_of)
        for _, number, truth, label, delta in rows_of:
            out.append((number, truth, np.clip(label + (mean if "block_mean" in switches else delta), -1, 1)))
        assert block >= 0
    if "drop_last" in switches:
        out = out[: len(out) // 32 * 32]
        out = out[: len(out) // 512 * 512]
    return out


COMBINATIONS = [(), *((name,) for name in SWITCHES), *itertools.combinations(SWITCHES[:4], 2), SWITCHES[:4]]


@pytest.mark.parametrize("arrangement", ARRANGEMENTS)
@pytest.mark.parametrize("switches", COMBINATIONS)
def test_the_rows_are_those_of_a_loop_over_frames_and_anchors(arrangement, switches):
    seen = seen_clips()
    clip, truth, label = scored_rows(seen, arrangement, switches)
    slow = slow_rows(seen, arrangement, switches)
    assert clip.tolist() == [row[0] for row in slow]
    if slow:
        np.testing.assert_allclose(truth, [row[1] for row in slow])
        np.testing.assert_allclose(label, [row[2] for row in slow], atol=1e-12)


def test_whole_batches_are_of_32_and_then_of_512():
    seen = seen_clips(lengths=(560,), stride=1000)
    assert len(scored_rows(seen, "latest", ())[0]) == 559
    clip, truth, _ = scored_rows(seen, "latest", ("drop_last",))
    assert len(clip) == 512
    np.testing.assert_array_equal(truth, seen[0].clip.truth[1:513])


def test_with_one_anchor_a_frame_the_habits_of_several_change_nothing():
    seen = seen_clips()
    sane = scored_rows(seen, "latest", ())[2]
    for name in ("per_anchor", "delta_mean"):
        np.testing.assert_allclose(scored_rows(seen, "latest", (name,))[2], sane)


def test_both_numbers_stand_side_by_side_and_a_row_that_is_not_there_has_no_number():
    seen = seen_clips()
    found = score_release(seen, cluster="subject", resamples=100, rng=np.random.default_rng(0))
    assert set(found) == set(ARRANGEMENTS)
    assert set(found["all"]) == {"sane", *SWITCHES, "released"}
    _, truth, label = scored_rows(seen, "all", ("block_mean",))
    assert found["all"]["block_mean"]["valence"]["ccc"] == pytest.approx(metrics.ccc(truth[:, 0], label[:, 0]))
    assert found["latest"]["drop_last"] == {"n_rows": 0}
    assert found["latest"]["anchors_scored"]["n_rows"] == 38


def test_no_clip_leaves_no_row():
    found = score_release([], cluster="clip", resamples=100, rng=np.random.default_rng(0))
    assert found["all"]["released"] == {"n_rows": 0}
