"""From a video to its features: decode, find and follow faces, cut them out, embed them; each frame is seen once.

The stages overlap. One thread decodes and finds shots; the calling thread follows faces, which takes longest and must
see frames in order; as many threads as there are cores cut faces out and embed them in batches. All of that is done by
libraries that let other threads run meanwhile. What is on its way between the stages is bounded, and what stays of a
frame is a few numbers, so a long video needs no more memory than a short one but for its features.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np

from mtclar.data.store import encode
from mtclar.errors import MtclarError
from mtclar.faces import CropSpec, Seen, cut, cut_aligned, open_tracker
from mtclar.faces.align import SURE
from mtclar.faces.geometry import head_pose, landmarks68
from mtclar.faces.quality import quality
from mtclar.faces.shots import by_shot
from mtclar.features.prediction import Compare, predict
from mtclar.features.table import LANDMARKS, Faces, Features, no_faces
from mtclar.progress import Progress, silent
from mtclar.settings import ExtractSettings
from mtclar.video import Video

T = TypeVar("T")

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
        "tracker": open_tracker(s).identity,
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
    tracker = open_tracker(s)
    pts: list[int] = []
    times_s: list[float] = []
    shots: list[int] = []
    pictures: dict[int, bytes] = {}
    workers = s.workers or cores()
    with _ahead(by_shot(video)) as frames, _Embedder(predictor, s.batch, workers) as embedder:
        for frame, new_shot in frames:
            shots.append((shots[-1] if shots else -1) + new_shot)
            pts.append(frame.pts)
            times_s.append(frame.time_s)
            if new_shot:
                pictures[frame.index] = encode(_small(frame.image, SHOT_PICTURE), JPEG_QUALITY)
            for seen in tracker.push(frame.index, frame.time_s, frame.image, new_shot):
                embedder.take(frame.index, frame.time_s, frame.image, seen)
            progress(frame.index + 1, max(video.expected_frames or 0, frame.index + 1), what)
        tracks = tracker.finish()
        faces = embedder.faces(tracks.number)
    if not len(faces):
        raise MtclarError(
            f"{video.path}: no face was found in any of its {len(pts)} frames, so there is nothing to label."
        )
    facts = video.facts.as_dict()
    notes = (*facts.pop("warnings"), *tracks.notes)
    return Features(
        pts=np.array(pts, np.int64),
        time_s=np.array(times_s, np.float64),
        shot=np.array(shots, np.int64),
        faces=faces,
        video={"name": video.path.name, **facts, "embedded_on": getattr(predictor, "runs_on", "CPU")},
        identity=identity(predictor, s),
        notes=notes,
        person=tracks.person,
        face_pictures=embedder.pictures(tracks.number),
        shot_pictures=pictures,
    )


@contextmanager
def _ahead(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """Items that are made ahead, a few at most, in a thread that has ended when the block does."""
    queue: Queue[tuple[T] | BaseException | None] = Queue(DECODED)
    stop = Event()

    def put(item: tuple[T] | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                queue.put(item, timeout=0.1)
                return True
            except Full:
                continue
        return False

    def read() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
            put(None)
        except BaseException as error:
            put(error)

    def made() -> Iterator[T]:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]

    reader = Thread(target=read, name="decode", daemon=True)
    reader.start()
    try:
        yield made()
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
    seen: list[Seen] = field(default_factory=list)


@dataclass(frozen=True)
class _Answers:
    """The faces of a batch: where they are, as columns of `Faces`, and what the model says of them."""

    box: np.ndarray
    score: np.ndarray
    pose: np.ndarray
    landmarks: np.ndarray
    quality: np.ndarray
    embedding: np.ndarray
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
        self._columns: dict[str, list[np.ndarray]] = {item.name: [] for item in fields(_Answers)}
        self._frames: list[int] = []
        self._tracks: list[int] = []
        self._wanted: dict[tuple[int, int], Future[np.ndarray]] = {}
        self._pictured: dict[int, float] = {}
        self._pictures: dict[tuple[int, int], bytes] = {}

    def __enter__(self) -> _Embedder:
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, frame: int, time_s: float, picture: np.ndarray, seen: Seen) -> None:
        """Takes the next face; waits where too many are under way."""
        crop = self._pool.submit(_upright_crop, picture, seen, self._predictor.crop_spec)
        self._cutting.append(crop)
        while len(self._cutting) > CUTTING:
            self._cutting.popleft().result()
        self._frames.append(frame)
        self._tracks.append(seen.track)
        self._batch.crops.append(crop)
        self._batch.seen.append(seen)
        if time_s - self._pictured.get(seen.track, -np.inf) >= 1.0:
            self._pictured[seen.track] = time_s
            self._wanted[frame, seen.track] = crop
        if len(self._batch.crops) == self._size:
            self._embed(EMBEDDING)

    def faces(self, number: Mapping[int, int]) -> Faces:
        """All faces that came, ordered by track and then by frame, with their predictions; waits for those under way.

        Args:
            number: The final number of each track that is kept.
        """
        self._embed(0)
        frame = np.array(self._frames, np.int64)
        track = np.array([number.get(track, -1) for track in self._tracks], np.int64)
        order = np.lexsort((frame, track))
        order = order[track[order] >= 0]
        if not len(order):
            return no_faces()
        # One column after the other, so that a long video's faces are never held twice.
        said = {name: np.concatenate(self._columns.pop(name))[order] for name in list(self._columns)}
        frame, track = frame[order], track[order]
        quickly = self._compare_all if hasattr(self._predictor, "compare_all") else None
        prediction = predict(said["embedding"], said["head"], said["quality"], track, self._compare, quickly)
        return Faces(frame=frame, track=track, prediction=prediction, **said)

    def pictures(self, number: Mapping[int, int]) -> dict[tuple[int, int], bytes]:
        """Small pictures of the faces of the tracks that are kept, JPEG bytes by frame and track."""
        return {(frame, number[track]): data for (frame, track), data in self._pictures.items() if track in number}

    def _compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The model's comparison, shared out to the threads."""
        parts = zip(np.array_split(left, self._workers), np.array_split(right, self._workers), strict=True)
        return self._shared(self._predictor.compare, parts)

    def _compare_all(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        parts = ((part, right) for part in np.array_split(left, self._workers))
        return self._shared(self._predictor.compare_all, parts)  # type: ignore[attr-defined]

    def _shared(
        self, compare: Compare, parts: Iterable[tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        similar, valence, arousal = zip(*self._pool.map(lambda part: compare(*part), parts), strict=True)
        return np.concatenate(similar), np.concatenate(valence), np.concatenate(arousal)

    def _embed(self, waiting: int) -> None:
        """Sends the batch off and waits until no more than `waiting` are under way."""
        if self._batch.crops:
            self._embedding.append(self._pool.submit(_answer, self._predictor, self._batch))
            self._batch = _Batch()
        while len(self._embedding) > waiting:
            answers = self._embedding.popleft().result()
            for name, parts in self._columns.items():
                parts.append(getattr(answers, name))
            for key in [key for key, crop in self._wanted.items() if crop.done()]:
                self._pictures[key] = encode(_small(self._wanted.pop(key).result(), FACE_PICTURE), JPEG_QUALITY)


def _upright_crop(picture: np.ndarray, seen: Seen, spec: CropSpec) -> np.ndarray:
    if spec.align == "mesh" and seen.mesh is not None and seen.mesh.presence >= SURE:
        return cut_aligned(picture, seen.face, seen.mesh, spec)  # stands upright by itself
    return seen.upright(cut(picture, seen.face.box, spec))


def _answer(predictor: Predictor, batch: _Batch) -> _Answers:
    """Asks the model about the faces of a batch. Tasks start in order, so all crops are cut or being cut by now."""
    crops = np.stack([crop.result() for crop in batch.crops])
    with np.errstate(over="ignore"):
        embedding = predictor.embed(crops).astype(np.float16)
    if not np.isfinite(embedding).all():
        raise MtclarError("the model's embeddings reach beyond what 16 bits hold (65,504); scale them in the model.")
    # Heads are asked about what is stored, so that what they say follows from the features file.
    expression, valence, arousal = predictor.single(embedding.astype(np.float32))
    box = np.array([seen.face.box for seen in batch.seen], np.float32)
    score = np.array([seen.face.score for seen in batch.seen])
    pose, presence = np.full((len(crops), 3), np.nan, np.float32), np.full(len(crops), np.nan)
    landmarks = np.full((len(crops), LANDMARKS, 2), np.nan, np.float16)
    for row, seen in enumerate(batch.seen):
        if seen.mesh is not None:
            pose[row], presence[row] = head_pose(seen.mesh), seen.mesh.presence
            landmarks[row] = (landmarks68(seen.mesh) - box[row, :2]) / box[row, 2:]
    sides = box[:, 2:].mean(axis=1).astype(float)
    return _Answers(
        box=box,
        score=score.astype(np.float32),
        pose=pose,
        landmarks=landmarks,
        quality=quality(crops, sides, score, pose=pose, presence=presence).astype(np.float32),
        embedding=embedding,
        expression=expression.astype(np.float16),
        head=np.stack([valence, arousal], axis=1).astype(np.float32),
    )


def _small(image: np.ndarray, side: int) -> np.ndarray:
    """The picture, scaled down to so many pixels on its longer side."""
    scale = min(1.0, side / max(image.shape[:2]))
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
