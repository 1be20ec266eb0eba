"""Labels of a video from its features: who is labelled, from what, and how it is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtclar.data.anchors import VideoAnchors
from mtclar.errors import MtclarError
from mtclar.features import Faces, Features
from mtclar.labelling import annotate
from mtclar.labelling.intervals import Multiples
from mtclar.labelling.nominal import nominal
from mtclar.settings import load_settings

SETTINGS = load_settings(Path(__file__).parents[2] / "params.yaml", []).label
CALIBRATION = {
    "process": nominal(1.0).to_dict(),
    "multiples": Multiples(np.array([0.0, 1.0, 10.0]), np.array([[1.0, 1.0], [0.75, 0.75], [0.5, 0.5]])).to_dict(),
}
SIZE = {"width": 400, "height": 100}


def video(tracks: list[tuple[int, np.ndarray, float]], n: int = 30, shots: tuple[int, ...] = (), **more) -> Features:
    """n frames at 10 a second with cuts before frames `shots`; tracks are (number, frames, size of the box)."""
    rng = np.random.default_rng(3)
    frame = np.concatenate([frames for _, frames, _ in tracks]).astype(np.int64)
    track = np.concatenate([np.full(len(frames), number) for number, frames, _ in tracks])
    size = np.concatenate([np.full(len(frames), side) for _, frames, side in tracks])
    m = len(frame)
    head = np.stack([0.5 * np.sin(frame / 5 + track), 0.3 * np.cos(frame / 7)], axis=1).astype(np.float32)
    faces = Faces(
        frame=frame,
        track=track,
        box=np.stack([100 * track, np.full(m, 10.0), size, size], axis=1).astype(np.float32),
        score=np.full(m, 0.9, np.float32),
        quality=np.full(m, 0.8, np.float32),
        pose=np.full((m, 3), np.nan, np.float32),
        landmarks=np.full((m, 68, 2), np.nan, np.float16),
        embedding=np.concatenate([head, rng.normal(0, 0.1, (m, 2))], axis=1).astype(np.float16),
        expression=np.full((m, 8), np.nan, np.float16),
        head=head,
        prediction=head,
    )
    shot = np.searchsorted(np.array(shots), np.arange(n), side="right")
    return Features(
        pts=np.arange(n),
        time_s=np.arange(n) / 10,
        shot=shot,
        faces=faces,
        video={"width": 400, "height": 0},
        identity={},
        **more,
    )


def anchors(frames: list[int], labels: list[tuple[float, float]], track: list[int] | None = None) -> VideoAnchors:
    k = len(frames)
    found = VideoAnchors(np.array(frames, int), np.array(labels, float).reshape(k, 2), np.ones(k))
    return found if track is None else replace(found, track=np.array(track))


NONE = anchors([], [])
ONE = video([(0, np.arange(30), 50.0)])


def test_every_frame_has_a_label_and_an_anchors_is_the_one_it_was_given():
    labels = annotate(ONE, anchors([3, 20], [(0.5, -0.1), (-0.25, 0.2)]), SETTINGS, CALIBRATION)
    assert np.isfinite(labels.values).all()
    np.testing.assert_array_equal(labels.values[[3, 20]], [(0.5, -0.1), (-0.25, 0.2)])
    np.testing.assert_array_equal(labels.low[3], labels.values[3])
    assert labels.confidence[3] == 1
    assert labels.source[3] == "anchor"
    assert set(labels.source[np.setdiff1d(np.arange(30), [3, 20])]) == {"model"}
    assert (labels.low < labels.high)[0].all()
    assert labels.used(3).tolist() == [0]


def test_beside_an_anchor_labels_are_near_to_it():
    labels = annotate(ONE, anchors([10], [(0.9, 0.9)]), SETTINGS, CALIBRATION)
    assert np.abs(labels.values[[9, 11]] - 0.9).max() < 0.15


def test_without_an_anchor_labels_are_zero_shot_and_follow_the_prediction():
    labels = annotate(ONE, NONE, SETTINGS, CALIBRATION)
    assert set(labels.source) == {"zero-shot"}
    assert np.corrcoef(labels.values[:, 0], ONE.faces.prediction[:, 0])[0, 1] > 0.9
    assert set(labels.columns()["anchor_ids"]) == {""}


def test_bands_are_the_multiple_for_the_number_of_anchors_times_the_standard_deviation():
    none, one = (annotate(ONE, given, SETTINGS, CALIBRATION) for given in (NONE, anchors([0], [(0.0, 0.0)])))
    np.testing.assert_allclose((none.high - none.low)[5] / none.sd[5], 2.0)
    np.testing.assert_allclose((one.high - one.low)[5] / one.sd[5], 1.5)
    assert np.isnan(annotate(ONE, NONE, SETTINGS, None).low).all()


def test_frames_without_a_face_are_bridged_up_to_a_length_and_say_so():
    gap = video([(0, np.r_[0:10, 15:30], 50.0)])
    labels = annotate(gap, anchors([2], [(0.1, 0.1)]), SETTINGS, CALIBRATION)
    assert set(labels.source[10:15]) == {"interpolated"}
    assert set(labels.status[10:15]) == {"no_face"}
    assert (labels.sd[12] > labels.sd[8]).all()
    strict = annotate(gap, anchors([2], [(0.1, 0.1)]), SETTINGS.model_copy(update={"bridge_s": 0.3}), CALIBRATION)
    assert np.isnan(strict.values[10:15]).all()
    assert set(strict.source[10:15]) == {"none"}
    assert np.isnan(strict.quality[12])


def test_an_anchor_on_a_frame_without_a_face_speaks_through_time():
    gap = video([(0, np.r_[0:10, 15:30], 50.0)])
    labels = annotate(gap, anchors([12], [(0.9, 0.9)]), SETTINGS, CALIBRATION)
    assert labels.source[12] == "anchor"
    assert (labels.values[16] > annotate(gap, NONE, SETTINGS, CALIBRATION).values[16] + 0.1).all()


def test_identical_pictures_get_the_same_label_up_to_times_share():
    still = replace(ONE, faces=replace(ONE.faces, embedding=ONE.faces.embedding[[0] * 30]))
    same = np.full((30, 2), 0.3, np.float32)
    still = replace(still, faces=replace(still.faces, prediction=same, head=same))
    for given in (NONE, anchors([0], [(0.0, 0.0)])):
        labels = annotate(still, given, SETTINGS, CALIBRATION).values
        assert np.ptp(labels, axis=0).max() < 0.12
    assert np.ptp(annotate(still, NONE, SETTINGS, CALIBRATION).values, axis=0).max() < 1e-6


def test_one_face_of_each_shot_is_labelled_the_largest_or_the_most_central():
    two = video([(0, np.arange(15), 50.0), (1, np.arange(15), 30.0), (2, np.arange(15, 30), 40.0)], shots=(15,))
    largest = annotate(two, NONE, SETTINGS, CALIBRATION)
    assert largest.track.tolist() == [0] * 15 + [2] * 15
    assert largest.shot.tolist() == [0] * 15 + [1] * 15
    central = annotate(two, NONE, SETTINGS.model_copy(update={"subject": "central"}), CALIBRATION)
    assert central.track.tolist() == [1] * 15 + [2] * 15


def test_all_tracks_have_rows_over_their_shots():
    two = video([(0, np.arange(5, 15), 50.0), (1, np.arange(15), 30.0), (2, np.arange(15, 30), 40.0)], shots=(15,))
    labels = annotate(two, NONE, SETTINGS.model_copy(update={"subject": "all"}), CALIBRATION)
    assert np.bincount(labels.track).tolist() == [15, 15, 15]
    assert labels.status[labels.track == 0].tolist() == ["no_face"] * 5 + ["ok"] * 10


def test_a_track_is_labelled_in_the_shots_of_its_person_alone():
    cuts = video([(0, np.arange(10), 50.0), (1, np.arange(10, 20), 50.0), (2, np.arange(20, 30), 50.0)], shots=(10, 20))
    cuts = replace(cuts, person={0: "Ada", 2: "Ada"})
    labels = annotate(cuts, NONE, SETTINGS.model_copy(update={"subject": "track 2"}), CALIBRATION)
    assert labels.status.tolist() == ["ok"] * 10 + ["out_of_shot"] * 10 + ["ok"] * 10
    assert np.isnan(labels.values[10:20]).all()
    assert labels.person.tolist() == ["Ada"] * 10 + [None] * 10 + ["Ada"] * 10


def test_an_anchor_says_more_of_its_own_person_in_another_shot_than_of_one_who_may_be_another():
    cuts = video([(0, np.arange(15), 50.0), (1, np.arange(15, 30), 50.0)], shots=(15,))
    given = anchors([14], [(1.0, 1.0)])
    unknown = annotate(cuts, given, SETTINGS, CALIBRATION)
    known = annotate(replace(cuts, person={0: "Ada", 1: "Ada"}), given, SETTINGS, CALIBRATION)
    assert (known.values[16] > unknown.values[16]).all()
    assert (known.sd[16] < unknown.sd[16]).all()


def test_a_face_that_can_hardly_be_seen_is_said_to_be_of_low_quality():
    quality = np.where(np.arange(30) == 7, 0.05, 0.8).astype(np.float32)
    labels = annotate(replace(ONE, faces=replace(ONE.faces, quality=quality)), NONE, SETTINGS, CALIBRATION)
    assert np.flatnonzero(labels.status == "low_quality").tolist() == [7]
    assert (labels.sd[7] > labels.sd[15]).all()


def test_why_tells_what_a_label_is_made_of():
    labels = annotate(ONE, anchors([3, 20], [(0.5, -0.1), (-0.25, 0.2)]), SETTINGS, CALIBRATION)
    found = labels.why(5)
    assert found["frame"].tolist()[0] == 3
    np.testing.assert_allclose(found[["valence_part", "arousal_part"]].sum(), labels.values[5], atol=1e-6)
    with pytest.raises(MtclarError, match="frame 99"):
        labels.why(99)


def test_a_row_names_the_anchors_that_carry_weight_and_no_others():
    given = anchors(list(range(0, 30, 3)), [(0.5 * (-1) ** k, 0.1) for k in range(10)])
    labels = annotate(ONE, given, SETTINGS, CALIBRATION)
    names = labels.columns()["anchor_ids"]
    size = np.abs(labels.weights)
    for row in np.flatnonzero(labels.source == "model").tolist():
        heavy = (size[row] >= np.maximum(0.2 * size[row].max(axis=0), 0.01)).any(axis=1)
        assert set(map(int, names[row].split())) == set(given.frames[heavy].tolist())
        assert 0 < len(names[row].split()) < 10
    first = int(names[14].split()[0])
    assert first in (12, 15)  # the heaviest first: one of the two beside it
    assert names[12] == "12"


def test_the_width_of_a_band_is_shared_out_among_its_causes():
    quality = np.where(np.arange(30) == 7, 0.05, 0.8).astype(np.float32)
    hazy = replace(ONE, faces=replace(ONE.faces, quality=quality))
    labels = annotate(hazy, anchors([3, 20], [(0.5, -0.1), (-0.25, 0.2)]), SETTINGS, CALIBRATION)
    for frame in (4, 7, 12):
        parts = labels.width(frame)
        np.testing.assert_allclose(parts[["valence", "arousal"]].sum(), labels.sd[frame] ** 2, rtol=1e-3)
        np.testing.assert_allclose(parts[["valence_share", "arousal_share"]].sum(), 1.0)
    by_cause = {frame: labels.width(frame).set_index("cause")["valence"] for frame in (4, 7, 12)}
    assert by_cause[7]["quality"] > 3 * by_cause[4]["quality"]
    assert by_cause[12]["time"] > 3 * by_cause[4]["time"]
    with pytest.raises(MtclarError, match="it is an anchor"):
        labels.width(3)


def test_the_table_has_the_declared_columns():
    from mtclar.data.tables import LABELS

    table = annotate(ONE, anchors([3], [(0.5, -0.1)]), SETTINGS, CALIBRATION).to_pandas("clip")
    assert table.columns.tolist() == LABELS.names
    assert table["anchor_ids"].iloc[4] == "3"
    assert table["video_id"].iloc[0] == "clip"


def test_a_model_that_knows_differences_alone_needs_an_anchor_which_says_the_level():
    unknown = replace(ONE, faces=replace(ONE.faces, head=np.full((30, 2), np.nan, np.float32)))
    with pytest.raises(MtclarError, match="give at least one"):
        annotate(unknown, NONE, SETTINGS, CALIBRATION)
    labels = annotate(unknown, anchors([3], [(0.8, -0.6)]), SETTINGS, CALIBRATION)
    assert np.abs(labels.values.mean(axis=0) - (0.8, -0.6)).max() < 0.6
    assert np.isfinite(labels.values).all()


def test_what_cannot_be_placed_is_refused():
    with pytest.raises(MtclarError, match="two anchors"):
        annotate(ONE, anchors([3, 3], [(0, 0), (0.1, 0)]), SETTINGS, CALIBRATION)
    with pytest.raises(MtclarError, match="track 5"):
        annotate(ONE, NONE, SETTINGS.model_copy(update={"subject": "track 5"}), CALIBRATION)
