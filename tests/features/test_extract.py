"""The pipeline of extraction: what it gives is what its stages give one after the other, and it ends cleanly."""

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from bright_clip import EXTRACT, GONE, TIMES_MS, picture
from make_video import write_video
from toy_bundle import toy_bundle

from mtclar.data.store import decode
from mtclar.errors import MtclarError
from mtclar.faces import CropSpec, Face, Seen, cut, cut_aligned
from mtclar.faces.mesh import Mesh
from mtclar.faces.shots import AHEAD
from mtclar.features import extract as pipeline
from mtclar.features import predict
from mtclar.features.extract import _upright_crop, extract, identity
from mtclar.serving import Bundle
from mtclar.video import open_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", TIMES_MS, picture)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return Bundle.load(toy_bundle(tmp_path_factory.mktemp("model") / "bundle"), threads=1)


@pytest.fixture(scope="module")
def features(clip, bundle):
    with open_video(clip) as video:
        return extract(video, bundle, EXTRACT)


def settings(**changes):
    return EXTRACT.model_copy(update=changes)


def no_threads_left():
    names = {thread.name.split("_")[0] for thread in threading.enumerate()}
    return not names & {"decode", "embed"}


def test_every_frame_has_its_time_and_every_face_its_box(features):
    np.testing.assert_allclose(features.time_s, np.array(TIMES_MS) / 1000, atol=1e-6)
    assert features.faces.frame.tolist() == [i for i in range(len(TIMES_MS)) if i not in GONE]
    assert (features.faces.box[:, 2:] > 50).all()
    assert features.shot.tolist() == [int(i in GONE) for i in range(len(TIMES_MS))]  # who is gone is another picture
    assert (features.video["n_frames"], features.video["width"], features.video["name"]) == (12, 288, "clip.mp4")


def test_the_embedding_of_a_face_is_that_of_its_crop_and_the_rest_follows_from_it(features, clip, bundle):
    with open_video(clip) as video:
        frames = [frame.image for frame in video]
    faces = features.faces
    places = zip(faces.frame, faces.box.tolist(), strict=True)
    crops = np.stack([cut(frames[frame], tuple(box), bundle.crop_spec) for frame, box in places])
    np.testing.assert_allclose(faces.embedding.astype(float), bundle.embed(crops), atol=2e-3)
    expression, valence, arousal = bundle.single(faces.embedding.astype(np.float32))
    np.testing.assert_allclose(faces.head, np.stack([valence, arousal], axis=1), atol=1e-6)
    np.testing.assert_allclose(faces.expression, expression, atol=1e-3)
    known = predict(faces.embedding.astype(np.float32), faces.head, faces.quality, faces.track, bundle.compare)
    np.testing.assert_allclose(faces.prediction, known, atol=1e-6)


@pytest.mark.parametrize("changes", [{"batch": 1}, {"batch": 5, "workers": 3}, {"workers": 1}])
def test_neither_the_size_of_batches_nor_the_number_of_threads_changes_a_number(features, clip, bundle, changes):
    with open_video(clip) as video:
        again = extract(video, bundle, settings(**changes))
    for name in ("frame", "box", "quality"):
        np.testing.assert_array_equal(getattr(again.faces, name), getattr(features.faces, name))
    np.testing.assert_allclose(again.faces.embedding, features.faces.embedding, atol=1e-3)
    np.testing.assert_allclose(again.faces.prediction, features.faces.prediction, atol=2e-3)


def test_a_small_picture_of_a_face_a_second_and_of_each_shot_is_kept(tmp_path, bundle):
    long = write_video(tmp_path / "long.mp4", range(0, 3200, 200), lambda i: picture(3))
    with open_video(long) as video:
        features = extract(video, bundle, EXTRACT)
    assert sorted(features.face_pictures) == [(0, 0), (5, 0), (10, 0), (15, 0)]
    assert list(features.shot_pictures) == [0]
    assert max(decode(features.shot_pictures[0], "shot").shape) <= 160
    assert decode(features.face_pictures[5, 0], "face").shape[:2] == (96, 96)


def test_the_identity_changes_with_what_features_follow_from_and_with_nothing_else(bundle, tmp_path):
    same = Bundle.load(toy_bundle(tmp_path / "calibrated", calibration={"valence": 0.1, "arousal": 0.2}))
    assert identity(same, EXTRACT) == identity(bundle, EXTRACT)
    assert identity(bundle, settings(batch=7, workers=3, jobs=2, cache_gb=1.0)) == identity(bundle, EXTRACT)
    other = Bundle.load(toy_bundle(tmp_path / "other", d_valence=0.5))
    assert identity(other, EXTRACT) != identity(bundle, EXTRACT)


def test_a_video_without_a_face_is_refused_in_one_sentence(tmp_path, bundle):
    nobody = write_video(tmp_path / "nobody.mp4", [0, 40, 80])
    with open_video(nobody) as video, pytest.raises(MtclarError, match="no face was found in any of its 3 frames"):
        extract(video, bundle, EXTRACT)
    assert no_threads_left()


class Failing:
    """The toy model, whose embedding fails at the second batch."""

    def __init__(self, bundle):
        self._bundle, self._asked = bundle, 0

    def __getattr__(self, name):
        return getattr(self._bundle, name)

    def embed(self, crops):
        self._asked += 1
        if self._asked == 2:
            raise RuntimeError("the network has fallen over")
        return self._bundle.embed(crops)


def test_an_error_in_any_stage_ends_the_run_and_all_its_threads(clip, bundle, monkeypatch):
    with open_video(clip) as video, pytest.raises(RuntimeError, match="fallen over"):
        extract(video, Failing(bundle), settings(batch=2))
    assert no_threads_left()

    def broken(picture, box, spec):
        raise ValueError("no crop")

    monkeypatch.setattr(pipeline, "cut", broken)
    with open_video(clip) as video, pytest.raises(ValueError, match="no crop"):
        extract(video, bundle, EXTRACT)
    monkeypatch.undo()
    with open_video(clip) as video:

        def torn():
            yield from list(type(video)._read(video))[:3]
            raise OSError("the disk is gone")

        monkeypatch.setattr(video, "_read", torn)
        with pytest.raises(OSError, match="the disk is gone"):
            extract(video, bundle, EXTRACT)
    assert no_threads_left()


def test_whoever_stops_it_stops_all_of_it(clip, bundle):
    def stop(done, total, what=""):
        if done == 4:
            raise KeyboardInterrupt

    with open_video(clip) as video, pytest.raises(KeyboardInterrupt):
        extract(video, bundle, EXTRACT, stop)
    assert no_threads_left()


def test_no_more_frames_are_decoded_than_may_wait(clip, bundle, monkeypatch):
    decoded = []
    with open_video(clip) as video:
        read = video._read

        def counted():
            for frame in read():
                decoded.append(frame.index)
                yield frame

        monkeypatch.setattr(video, "_read", counted)
        ahead = []

        def slow(done, total, what=""):
            time.sleep(0.02)
            ahead.append(len(decoded) - done)

        extract(video, bundle, EXTRACT, slow)
    assert max(ahead) <= pipeline.DECODED + AHEAD + 2


def test_embeddings_that_16_bits_cannot_hold_are_refused(clip, bundle):
    class Huge(Failing):
        def embed(self, crops):
            return self._bundle.embed(crops) * 1e6

    with open_video(clip) as video, pytest.raises(MtclarError, match="16 bits"):
        extract(video, Huge(bundle), EXTRACT)


def test_a_model_that_learned_from_aligned_faces_gets_them_aligned_however_the_picture_is_turned() -> None:
    mesh = Mesh(np.random.default_rng(0).uniform(40, 80, (468, 3)).astype(np.float32), 0.9)
    picture = np.random.default_rng(1).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    face, spec = Face(30.0, 30.0, 50.0, 50.0), CropSpec(scale=1.5, input_size=48, size=48, centre=48, align="mesh")
    seen = Seen(0, face, mesh, turn=90)
    np.testing.assert_array_equal(_upright_crop(picture, seen, spec), cut_aligned(picture, face, mesh, spec))
    unsure = Seen(0, face, replace(mesh, presence=0.1), turn=90)
    np.testing.assert_array_equal(_upright_crop(picture, unsure, spec), unsure.upright(cut(picture, face.box, spec)))
