import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.labelling import METHODS, label_track

N = 40
TIMES = np.arange(N) / 25
TRUTH = np.stack([0.8 * np.sin(TIMES * 4), 0.5 * np.cos(TIMES * 3)], axis=1)
EMBEDDINGS = np.concatenate([TRUTH, np.ones((N, 2))], axis=1).astype(np.float32)


def perfect(left, right):
    """A model that reads the truth out of the embeddings."""
    delta = left - right
    return np.exp(-np.abs(delta).sum(axis=1)), delta[:, 0], delta[:, 1]


def run(rows, embeddings=EMBEDDINGS, compare=perfect, method="time", **options):
    rows = np.asarray(rows)
    return label_track(embeddings, TIMES, rows, TRUTH[rows], compare, method=method, time_scale_s=1.0, **options)


@pytest.mark.parametrize("method", METHODS)
def test_a_perfect_model_labels_every_frame_truly_from_any_anchors(method):
    estimate = run([3, 17, 30], method=method)
    np.testing.assert_allclose(estimate.labels, TRUTH, atol=1e-6)
    np.testing.assert_allclose(estimate.spread, 0, atol=1e-6)


def test_anchors_keep_the_label_they_were_given_whatever_the_model_says():
    def raving(left, right):
        return (np.ones(len(left)),) * 3

    rows = np.array([30, 3])
    estimate = run(rows, compare=raving)
    np.testing.assert_array_equal(estimate.labels[rows], TRUTH[rows])
    assert estimate.is_anchor.sum() == 2
    np.testing.assert_array_equal(estimate.used[rows], np.eye(2, dtype=bool))


def test_frames_without_a_face_have_no_label_and_an_anchor_there_says_nothing():
    embeddings = EMBEDDINGS.copy()
    embeddings[[5, 6, 17]] = np.nan
    estimate = run([3, 17], embeddings)
    assert np.isnan(estimate.labels[[5, 6]]).all()
    np.testing.assert_array_equal(estimate.labels[17], TRUTH[17])
    alone = run([3], embeddings)
    others = np.setdiff1d(np.arange(N), [5, 6, 17])
    np.testing.assert_array_equal(estimate.labels[others], alone.labels[others])
    assert not estimate.used[others, 1].any()


def test_the_query_is_on_the_left_and_the_anchor_on_the_right():
    def spy(left, right):
        assert (right == EMBEDDINGS[9]).all()
        return perfect(left, right)

    run([9], compare=spy)


def test_the_size_of_a_chunk_changes_nothing():
    np.testing.assert_array_equal(run([3, 17, 30]).labels, run([3, 17, 30], chunk_pairs=7).labels)


def test_a_trusted_anchor_counts_for_more():
    def silent(left, right):
        return np.ones(len(left)), np.zeros(len(left)), np.zeros(len(left))

    estimate = run([0, 20], compare=silent, method="mean", anchor_weights=np.array([3.0, 1.0]))
    np.testing.assert_allclose(estimate.labels[10], 0.75 * TRUTH[0] + 0.25 * TRUTH[20], atol=1e-6)
    apart = np.abs(TRUTH[0] - TRUTH[20])
    np.testing.assert_allclose(estimate.spread[10], apart * np.sqrt(0.75 * 0.25), atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "says"), [([3, 40], "40 frames"), ([-1], "names row"), ([3, 3], "same frame"), ([], "at least one anchor")]
)
def test_anchors_that_do_not_fit_the_track_are_refused(rows, says):
    rows = np.array(rows, int)
    with pytest.raises(MtclarError, match=says):
        label_track(EMBEDDINGS, TIMES, rows, np.zeros((len(rows), 2)), perfect, method="time", time_scale_s=1.0)


def test_anchors_none_of_which_shows_a_face_are_refused():
    embeddings = EMBEDDINGS.copy()
    embeddings[3] = np.nan
    with pytest.raises(MtclarError, match="no anchor shows a face"):
        run([3], embeddings)
