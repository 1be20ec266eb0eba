"""From a video to its features: decode, find and follow faces, cut them out, embed them; each frame is seen once.

The stages overlap. One thread decodes; the calling thread finds shots and follows faces, which must see frames in
order; as many threads as there are cores cut faces out and embed them in batches. All of that is done by libraries that
let other threads run meanwhile. What is on its way between the stages is bounded, and what stays of a frame is a few
numbers, so a long video needs no more memory than a short one but for its features.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Protocol

import cv2
import numpy as np

from mtclar.data.store import encode
from mtclar.errors import MtclarError
from mtclar.faces import CropSpec, Face, cut
from mtclar.faces.quality import quality
from mtclar.faces.shots import by_shot
from mtclar.features.one_face import OneFace
from mtclar.features.prediction import predict
from mtclar.features.table import LANDMARKS, Faces, Features
from mtclar.progress import Progress, silent
from mtclar.settings import ExtractSettings
from mtclar.video import Frame, Video

EXTRACTION = 1
"""Counted up whenever the same video, model and settings give other features than before."""
DECODED, CUTTING, EMBEDDING = 4, 8, 3
"""Frames that wait for the tracker, and faces and batches that are being cut and embedded, at most."""
FACE_PICTURE, SHOT_PICTURE = 96, 160
"""Longer side of the pictures that are kept, in pixels."""
JPEG_QUALITY = 80


class Predictor(Protocol):
    """What is asked of a model; `mtclar.serving.Bundle` is one."""

    crop_spec: CropSpec
    calibration: dict[str, Any] | None
    facts: dict[str, Any]
    identity: str

    @property
    def card(self) -> str | None: ...

    def embed(self, crops: np.ndarray) -> np.ndarray: ...

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...


def identity(predictor: Predictor, s: ExtractSettings) -> dict[str, Any]:
    """What features follow from besides the video: detector, settings, and the graphs and the crop of the model.

    A model's name, calibration and papers change no features, so they are not part of it.
    """
    files = predictor.facts.get("files", {})
    graphs = {name: files[name]["sha256"] for name in sorted(files) if name.endswith(".onnx")}
    return {
        "extraction": EXTRACTION,
        **OneFace.identity(s),
        "model": {"graphs": graphs or predictor.identity, "crop": predictor.crop_spec.to_dict()},
    }


def extract(
    video: Video, predictor: Predictor, s: ExtractSettings, progress: Progress = silent, what: str = ""
) -> Features:
    """Reads a video to its end.

    Args:
        video: Open, and not read by anybody else meanwhile.
        predictor: The model; asked by several threads at once.
        s: The section `extract` of params.yaml.
        progress: Called once a frame.
        what: What `progress` shall call the video.

    Raises:
        MtclarError: The video cannot be read, or shows no face in any frame.
    """
    tracker = OneFace(s)
    pts: list[int] = []
    times_s: list[float] = []
    shots: list[int] = []
    pictures: dict[int, bytes] = {}
    workers = s.workers or _cores()
    with _decoded(video) as frames, _Embedder(predictor, s.batch, workers) as embedder:
        for frame, new_shot in by_shot(frames):
            shots.append((shots[-1] if shots else -1) + new_shot)
            pts.append(frame.pts)
            times_s.append(frame.time_s)
            if new_shot:
                pictures[frame.index] = encode(_small(frame.image, SHOT_PICTURE), JPEG_QUALITY)
            for track, face in tracker.push(frame.index, frame.time_s, frame.image, new_shot):
                embedder.take(frame.index, track, frame.time_s, frame.image, face)
            progress(frame.index + 1, max(video.expected_frames or 0, frame.index + 1), what)
        embedder.finish()
        if embedder.frames:
            faces = embedder.faces()
    if not embedder.frames:
        raise MtclarError(
            f"{video.path}: no face was found in any of its {len(pts)} frames, so there is nothing to label."
        )
    facts = video.facts.as_dict()
    notes = tuple(facts.pop("warnings"))
    return Features(
        pts=np.array(pts, np.int64),
        time_s=np.array(times_s, np.float64),
        shot=np.array(shots, np.int64),
        faces=faces,
        video={"name": video.path.name, **facts},
        identity=identity(predictor, s),
        notes=notes,
        face_pictures=embedder.pictures,
        shot_pictures=pictures,
    )


@contextmanager
def _decoded(video: Video) -> Iterator[Iterator[Frame]]:
    """The frames of a video, decoded ahead in a thread that has ended when the block does."""
    queue: Queue[Frame | BaseException | None] = Queue(DECODED)
    stop = Event()

    def put(item: Frame | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                queue.put(item, timeout=0.1)
                return True
            except Full:
                continue
        return False

    def read() -> None:
        try:
            for frame in video:
                if not put(frame):
                    return
            put(None)
        except BaseException as error:
            put(error)

    def frames() -> Iterator[Frame]:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    reader = Thread(target=read, name="decode", daemon=True)
    reader.start()
    try:
        yield frames()
    finally:
        stop.set()
        while reader.is_alive():
            try:
                queue.get_nowait()
            except Empty:
                reader.join(0.05)


@dataclass
class _Batch:
    """Faces of a batch on their way: the crops are being cut, then the batch is embedded."""

    crops: list[Future[np.ndarray]] = field(default_factory=list)
    sides: list[float] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class _Answers:
    """What the model says of the faces of a batch."""

    embedding: np.ndarray
    quality: np.ndarray
    expression: np.ndarray
    head: np.ndarray


class _Embedder:
    """Cuts faces out of frames and embeds them, in threads; `faces` holds them in the order in which they came."""

    def __init__(self, predictor: Predictor, batch: int, workers: int) -> None:
        self._predictor, self._size, self._workers = predictor, batch, workers
        self._pool = ThreadPoolExecutor(workers, "embed")
        self._batch = _Batch()
        self._cutting: deque[Future[np.ndarray]] = deque()
        self._embedding: deque[Future[_Answers]] = deque()
        self._answers: list[_Answers] = []
        self._boxes: list[tuple[float, float, float, float]] = []
        self._scores: list[float] = []
        self._wanted: dict[tuple[int, int], Future[np.ndarray]] = {}
        self._pictured: dict[int, float] = {}
        self.frames: list[int] = []
        self.tracks: list[int] = []
        self.pictures: dict[tuple[int, int], bytes] = {}

    def __enter__(self) -> _Embedder:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, frame: int, track: int, time_s: float, picture: np.ndarray, face: Face) -> None:
        """Takes the next face; waits where too many are under way."""
        crop = self._pool.submit(cut, picture, face.box, self._predictor.crop_spec)
        self._cutting.append(crop)
        while len(self._cutting) > CUTTING:
            self._cutting.popleft().result()
        self.frames.append(frame)
        self.tracks.append(track)
        self._boxes.append(face.box)
        self._scores.append(face.score)
        self._batch.crops.append(crop)
        self._batch.sides.append((face.w + face.h) / 2)
        self._batch.scores.append(face.score)
        if time_s - self._pictured.get(track, -np.inf) >= 1.0:
            self._pictured[track] = time_s
            self._wanted[frame, track] = crop
        if len(self._batch.crops) == self._size:
            self._embed(EMBEDDING)

    def finish(self) -> None:
        """Waits for all that is under way."""
        self._embed(0)

    def faces(self) -> Faces:
        """All faces that came, ordered by track and then by frame, with their predictions."""
        frame, track = np.array(self.frames, np.int64), np.array(self.tracks, np.int64)
        order = np.lexsort((frame, track))
        embedding, seen, expression, head = (
            np.concatenate([getattr(answers, name) for answers in self._answers])[order]
            for name in ("embedding", "quality", "expression", "head")
        )
        frame, track, m = frame[order], track[order], len(order)
        return Faces(
            frame=frame,
            track=track,
            box=np.array(self._boxes, np.float32)[order],
            score=np.array(self._scores, np.float32)[order],
            quality=seen,
            pose=np.full((m, 3), np.nan, np.float32),
            landmarks=np.full((m, LANDMARKS, 2), np.nan, np.float16),
            embedding=embedding,
            expression=expression,
            head=head,
            prediction=predict(embedding.astype(np.float32), head, seen, track, self._compare),
        )

    def _compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The model's comparison, shared out to the threads."""
        parts = zip(np.array_split(left, self._workers), np.array_split(right, self._workers), strict=True)
        similar, valence, arousal = zip(
            *self._pool.map(lambda part: self._predictor.compare(*part), parts), strict=True
        )
        return np.concatenate(similar), np.concatenate(valence), np.concatenate(arousal)

    def _embed(self, waiting: int) -> None:
        """Sends the batch off and waits until no more than `waiting` are under way."""
        if self._batch.crops:
            self._embedding.append(self._pool.submit(_answer, self._predictor, self._batch))
            self._batch = _Batch()
        while len(self._embedding) > waiting:
            self._answers.append(self._embedding.popleft().result())
            for key in [key for key, crop in self._wanted.items() if crop.done()]:
                self.pictures[key] = encode(_small(self._wanted.pop(key).result(), FACE_PICTURE), JPEG_QUALITY)


def _answer(predictor: Predictor, batch: _Batch) -> _Answers:
    """Asks the model about the faces of a batch. Tasks start in order, so all crops are cut or being cut by now."""
    crops = np.stack([crop.result() for crop in batch.crops])
    with np.errstate(over="ignore"):
        embedding = predictor.embed(crops).astype(np.float16)
    if not np.isfinite(embedding).all():
        raise MtclarError("the model's embeddings reach beyond what 16 bits hold (65,504); scale them in the model.")
    # Heads are asked about what is stored, so that what they say follows from the features file.
    expression, valence, arousal = predictor.single(embedding.astype(np.float32))
    seen = quality(crops, np.array(batch.sides), np.array(batch.scores))
    return _Answers(
        embedding,
        seen.astype(np.float32),
        expression.astype(np.float16),
        np.stack([valence, arousal], axis=1).astype(np.float32),
    )


def _small(image: np.ndarray, side: int) -> np.ndarray:
    """The picture, scaled down to so many pixels on its longer side."""
    scale = min(1.0, side / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
