import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.labelling import METHODS, Queries, Support, compare_all, fusion_weights, label_frames, label_track

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


@pytest.mark.parametrize("method", [method for method in METHODS if method != "release"])
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


@pytest.mark.parametrize(("rows", "says"), [([3, 40], "40 frames"), ([-1], "names row"), ([3, 3], "same frame")])
def test_anchors_that_do_not_fit_the_track_are_refused(rows, says):
    rows = np.array(rows, int)
    with pytest.raises(MtclarError, match=says):
        label_track(EMBEDDINGS, TIMES, rows, np.zeros((len(rows), 2)), perfect, method="time", time_scale_s=1.0)


def test_anchors_none_of_which_shows_a_face_are_refused():
    embeddings = EMBEDDINGS.copy()
    embeddings[3] = np.nan
    with pytest.raises(MtclarError, match="no anchor shows a face"):
        run([3], embeddings)


def support_of(rows, **changed):
    """The frames `rows` as anchors."""
    own = np.ones(len(rows), bool)
    parts = {"embeddings": EMBEDDINGS[rows], "labels": TRUTH[rows], "times_s": TIMES[rows], "own_track": own}
    return Support(**{**parts, "own_person": own, "weights": np.ones(len(rows)), **changed})


def half(left, right):
    """A model that sees half of each difference."""
    delta = (left - right) / 2
    return np.exp(-np.abs(delta).sum(axis=1)), delta[:, 0], delta[:, 1]


@pytest.mark.parametrize("method", METHODS)
def test_labels_of_any_support_are_the_sum_over_its_anchors_frame_by_frame(method):
    rows = np.array([30, 3, 17])
    found = label_frames(Queries(EMBEDDINGS, TIMES), support_of(rows), half, method=method, time_scale_s=0.5)
    similar, deltas = compare_all(EMBEDDINGS, EMBEDDINGS[rows], half)
    weights = fusion_weights(TIMES, TIMES[rows], method, 0.5, np.ones(3), similar)
    latest = fusion_weights(TIMES, TIMES[rows], "latest", 0.5)
    for q in range(N):
        label = np.zeros(2)
        for k, row in enumerate(rows):
            own = latest[q, k] if method == "release" else weights[q, k]
            label += own * TRUTH[row] + weights[q, k] * (EMBEDDINGS[q, :2] - EMBEDDINGS[row, :2]) / 2
        np.testing.assert_allclose(found.labels[q], np.clip(label, -1, 1), atol=1e-6)
    np.testing.assert_allclose(deltas[5, 1], (EMBEDDINGS[5, :2] - EMBEDDINGS[3, :2]) / 2)
    assert not found.is_anchor.any()
    assert np.isnan(found.sd).all()


def test_anchors_of_another_video_have_no_time_and_speak_alike():
    rows = np.array([3, 17])
    elsewhere = support_of(rows, times_s=np.full(2, np.nan), own_track=np.zeros(2, bool))
    by_time = label_frames(Queries(EMBEDDINGS, TIMES), elsewhere, half, method="time", time_scale_s=1.0)
    mean = label_frames(Queries(EMBEDDINGS, TIMES), elsewhere, half, method="mean", time_scale_s=1.0)
    np.testing.assert_allclose(by_time.labels, mean.labels)


def test_kriging_is_given_all_votes_and_its_deviation_is_kept():
    seen = []

    def krige(votes):
        seen.append(votes)
        return votes.votes[:, 0] * 3, np.full((len(votes.queries), 2), 0.25)

    rows = np.array([3, 17])
    found = run(rows, compare=half, method="kriging", krige=krige, quality=np.linspace(0, 1, N))
    votes = seen[0]
    np.testing.assert_allclose(votes.votes[9, 1], TRUTH[17] + (TRUTH[9] - TRUTH[17]) / 2, atol=1e-6)
    np.testing.assert_allclose(votes.among[0, 1], TRUTH[17] + (TRUTH[3] - TRUTH[17]) / 2, atol=1e-6)
    np.testing.assert_allclose(votes.among[0, 0], TRUTH[3], atol=1e-6)
    np.testing.assert_allclose(votes.support.quality, np.linspace(0, 1, N)[rows])
    np.testing.assert_allclose(found.labels[9], np.clip(votes.votes[9, 0] * 3, -1, 1))
    np.testing.assert_array_equal(found.labels[rows], TRUTH[rows])
    assert (found.sd[rows] == 0).all()
    assert (np.delete(found.sd, rows, axis=0) == 0.25).all()


def test_kriging_without_its_measured_part_is_refused():
    with pytest.raises(MtclarError, match="evaluate and export it again"):
        run([3], method="kriging")


def test_a_model_without_a_head_that_is_needed_is_refused():
    def similar_only(left, right):
        return np.ones(len(left)), *(np.full(len(left), np.nan),) * 2

    def differences_only(left, right):
        return np.full(len(left), np.nan), *perfect(left, right)[1:]

    with pytest.raises(MtclarError, match="cannot label frames"):
        run([3], compare=similar_only)
    with pytest.raises(MtclarError, match="choose another fusion"):
        run([3], compare=differences_only, method="similarity")
    np.testing.assert_allclose(run([3], compare=differences_only).labels, TRUTH, atol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_all_anchors_in_one_frame_s_time_are_no_division_by_nothing(method):
    times = np.zeros(N)
    found = label_track(EMBEDDINGS, times, np.array([3, 9]), TRUTH[[3, 9]], perfect, method=method, time_scale_s=1.0)
    assert np.isfinite(found.labels).all()


def test_anchors_from_elsewhere_speak_beside_those_of_the_track():
    stranger = support_of(np.array([30]), times_s=np.array([np.nan]), own_track=np.zeros(1, bool))
    own = np.array([3])
    found = label_track(EMBEDDINGS, TIMES, own, TRUTH[own], half, method="mean", time_scale_s=1.0, others=stranger)
    votes = [TRUTH[a] + (TRUTH[9] - TRUTH[a]) / 2 for a in (3, 30)]
    np.testing.assert_allclose(found.labels[9], np.mean(votes, axis=0), atol=1e-6)
    assert found.used.shape == (N, 2)
    assert found.used[9].all()
    assert found.used[3].tolist() == [True, False]
    assert not found.is_anchor[30]


def test_anchors_from_elsewhere_alone_are_enough():
    stranger = support_of(np.array([30]), times_s=np.array([np.nan]))
    none = np.empty(0, int)
    found = label_track(
        EMBEDDINGS, TIMES, none, np.empty((0, 2)), perfect, method="time", time_scale_s=1.0, others=stranger
    )
    np.testing.assert_allclose(found.labels, TRUTH, atol=1e-6)
    assert not found.is_anchor.any()


LEVELS = TRUTH * 0.9 + 0.05
NOBODY = Support.none(EMBEDDINGS.shape[1])


@pytest.mark.parametrize("method", METHODS)
def test_without_an_anchor_labels_are_what_the_supervised_head_says(method):
    found = label_frames(Queries(EMBEDDINGS, TIMES, None, LEVELS * 1.5), NOBODY, half, method=method, time_scale_s=1.0)
    np.testing.assert_array_equal(found.labels, np.clip(LEVELS * 1.5, -1, 1))
    assert found.zero_shot
    assert found.used.shape == (N, 0)
    assert np.isnan(found.sd).all()


def test_without_an_anchor_kriging_is_asked_with_no_votes():
    seen = []

    def krige(votes):
        seen.append(votes)
        return votes.queries.levels * 3, np.full((len(votes.queries), 2), 0.25)

    queries = Queries(EMBEDDINGS, TIMES, None, LEVELS)
    found = label_frames(queries, NOBODY, half, method="kriging", time_scale_s=1.0, krige=krige)
    assert seen[0].votes.shape == (N, 0, 2)
    np.testing.assert_array_equal(found.labels, np.clip(LEVELS * 3, -1, 1))
    assert (found.sd == 0.25).all()


def test_a_track_without_anchors_is_labelled_where_there_is_a_face():
    embeddings = EMBEDDINGS.copy()
    embeddings[5] = np.nan
    none = np.empty(0, int)
    found = label_track(embeddings, TIMES, none, np.empty((0, 2)), half, method="time", time_scale_s=1.0, levels=LEVELS)
    np.testing.assert_array_equal(found.labels[6:], LEVELS[6:])
    assert np.isnan(found.labels[5]).all()
    assert found.zero_shot
    assert not found.is_anchor.any()


@pytest.mark.parametrize("levels", [None, np.full((N, 2), np.nan)])
def test_a_model_without_a_supervised_head_needs_an_anchor(levels):
    with pytest.raises(MtclarError, match="cannot label without an anchor"):
        label_frames(Queries(EMBEDDINGS, TIMES, None, levels), NOBODY, half, method="time", time_scale_s=1.0)
