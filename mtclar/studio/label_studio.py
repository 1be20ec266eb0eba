"""A machine-learning backend for Label Studio: predictions from stored features, and anchors from what is submitted.

`label_studio_server` answers HTTP with it. A request names a video; files are found by their names in one folder, so no
path of a request is ever opened. An annotation becomes anchors when it is submitted, and the next prediction follows
from them. Label Studio keeps a prediction and asks again only where the version of the model is another, so the version
says which anchors there are.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from mtclar.data.anchors import Anchors, VideoAnchors, given_anchors, read_anchors
from mtclar.data.whole import locked, whole_file
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.extract import Predictor, identity
from mtclar.features.file import SUFFIX, read_features
from mtclar.features.subjects import NOBODY, place_anchors, subjects
from mtclar.formats import Annotations
from mtclar.formats.label_studio import DIMENSIONS, curve_of, prediction_of, regions_of, video_of
from mtclar.labelling.annotate import labelled
from mtclar.labelling.fitted import Fitted, fit
from mtclar.settings import LabelSettings, Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

ANCHORS = ".anchors.csv"
COLUMNS = ["video_id", "frame", "valence", "arousal", "track_id", "annotator", "annotation_id"]
SUBMITTED = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED")
DELETED = ("ANNOTATION_DELETED", "ANNOTATIONS_DELETED")


@dataclass(frozen=True)
class Backend:
    """What answers.

    Attributes:
        features: Folder of features files.
        anchors: Folder of the anchors files, NAME.anchors.csv.
        predictor: The model.
        settings: Of params.yaml; by `extract` features of another model are known, by `label` videos are labelled.
        calibration: What the model's evaluation measured, as far as it can be used.
        model: What the model is called.
    """

    features: Path
    anchors: Path
    predictor: Predictor
    settings: Settings
    calibration: Mapping[str, Any] | None
    model: str

    @property
    def version(self) -> str:
        """The model's name and, once something was submitted, a digest of all anchors."""
        digest, files = hashlib.sha256(), sorted(self.anchors.glob(f"*{ANCHORS}"))
        for file in files:
            with suppress(FileNotFoundError):  # its last anchor was deleted just now
                digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
        return f"{self.model}-{digest.hexdigest()[:8]}" if files else self.model

    def health(self) -> dict[str, str]:
        """Whether the backend is there."""
        return {"status": "UP", "model_class": "mtclar"}

    def versions(self) -> dict[str, list[str]]:
        """The versions of the model that can be asked."""
        return {"versions": [self.version]}

    def setup(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Answers to a project that connects; nothing of its request is kept, its access token least of all."""
        return {"model_version": self.version}

    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Predictions of tasks, in their order.

        Of several tasks one that cannot be answered has no prediction, which Label Studio takes as it is; the log says
        why.

        Raises:
            MtclarError: No task is of a video that was extracted, or of this form.
        """
        tasks = request.get("tasks")
        if not isinstance(tasks, list):
            raise MtclarError("expected 'tasks', a list of tasks of Label Studio.")
        version = self.version
        found: list[Any] = []
        failed: list[MtclarError] = []
        for task in tasks:
            try:
                asked = _asked(task)
                labels = self._labels(asked.name, asked.track)
                if asked.fps is not None:
                    labels["frame"] = (labels["time_s"] * asked.fps).round()
                found.append(prediction_of(labels, {}, version))
            except MtclarError as error:
                log.warning("no prediction: %s", error)
                failed.append(error)
                found.append([])
        if failed and len(failed) == len(tasks):
            raise failed[0]
        return {"results": found, "model_version": version}

    def webhook(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Takes annotations that were submitted, changed or deleted.

        Raises:
            MtclarError: One is not of this form, or of a video that was not extracted. The others are taken.
        """
        action = request.get("action")
        if action in SUBMITTED:
            annotations, tasks = _listed(request.get("annotation")), _listed(request.get("task"))
            if not annotations or len(annotations) != len(tasks):
                raise MtclarError(f"expected a 'task' and an 'annotation' with {action}.")
            return {"status": "ok", "anchors": sum(_each(self._submit, zip(tasks, annotations, strict=True)))}
        if action in DELETED:
            given = _listed(request.get("annotations")) or _listed(request.get("annotation"))
            gone = {str(one["id"]) for one in given if "id" in one}
            return {"status": "ok", "removed": self._delete(gone)}
        return {"status": "nothing to do"}

    def curve(self, name: str, track: int | None = None) -> str:
        """The curve of a video as CSV, of its subject unless a track is named.

        Raises:
            MtclarError: The video was not extracted, or has no such track.
        """
        return curve_of(self._labels(name, track), {})

    def names(self) -> list[str]:
        """The videos that were extracted."""
        return sorted(self._files())

    def _files(self) -> dict[str, Path]:
        return {path.name.removesuffix(SUFFIX): path for path in self.features.glob(f"*{SUFFIX}")}

    def _features(self, name: str) -> Features:
        file = self._files().get(name)
        if file is None:
            raise MtclarError(
                f"video '{name}' was not extracted: there is no {SUFFIX} file of that name; run 'mtclar extract' on it."
            )
        seen = file.stat()
        found = _read(file, seen.st_mtime_ns, seen.st_size)
        made_by = found.identity.get("model")
        if made_by is not None and made_by != identity(self.predictor, self.settings.extract)["model"]:
            raise MtclarError(
                f"video '{name}' was extracted with another model; extract it again, or serve that model."
            )
        return found

    def _anchors_file(self, name: str) -> Path:
        return self.anchors / f"{name}{ANCHORS}"

    def _labels(self, name: str, track: int | None) -> pd.DataFrame:
        """The labels of one person of a video by time, with the columns of `Annotations`."""
        features, file = self._features(name), self._anchors_file(name)
        settings = self._settings(track)
        given = read_anchors(file, video_id=name).match([name]) if file.is_file() else None
        table = labelled(self._fitted(features, name, given, settings), settings).to_pandas(name)
        return Annotations(name, table[table["valence"].notna()]).table.sort_values("time_s", ignore_index=True)

    def _settings(self, track: int | None) -> LabelSettings:
        """How the person of a task is labelled: that of its track, else the subject, which has to be one person."""
        rule = self.settings.label.subject
        rule = f"track {track}" if track is not None else "largest" if rule in ("auto", "all") else rule
        return self.settings.label.model_copy(update={"subject": rule})

    def _fitted(self, features: Features, name: str, given: Anchors | None, settings: LabelSettings) -> Fitted:
        placed = VideoAnchors.none() if given is None else place_anchors(features, given, name, settings.subject)
        return fit(features, placed, settings, self.calibration)

    def _submit(self, task: dict[str, Any], annotation: dict[str, Any]) -> int:
        """Puts the anchors of an annotation in the place of those it had before; how many there are.

        Of two by one person on one face and frame the later stays. An anchor of a prediction that was left as it was
        says nothing new where another annotation holds one on that face and frame. Nothing is stored from which no
        labels would follow.
        """
        asked = _asked(task)
        name, features, settings = asked.name, self._features(asked.name), self._settings(asked.track)
        result = annotation.get("result")
        result = [] if annotation.get("was_cancelled") or not isinstance(result, list) else result
        if annotation.get("parent_prediction"):  # made of it in bulk, where no region says where it is from
            result = [{"origin": "prediction"} | one for one in result if isinstance(one, dict)]
        found = [row for row in regions_of(result, "the annotation", {}) if "valence" in row and "arousal" in row]
        whom = subjects(features, settings.subject)[0].track
        for row in found:
            row["frame"] = frame = _frame(row["frame"], asked, features)
            if whom[frame] == NOBODY:
                raise MtclarError(f"frame {frame} of {name} is annotated, but nobody is labelled in its shot.")
            row |= {dimension: round(row[dimension], 6) for dimension in DIMENSIONS}
            row["track_id"] = str(whom[frame]) if len(features.tracks) > 1 else ""
        if annotation.get("id") in (None, ""):
            raise MtclarError("expected the 'id' of the annotation.")
        own = {"video_id": name, "annotation_id": str(annotation["id"])}
        own["annotator"] = str(annotation.get("completed_by") or "")
        new = pd.DataFrame([row | own for row in found], columns=[*COLUMNS, "unchanged"])
        new = new.astype({"frame": str}).drop_duplicates(["frame", "track_id"], keep="last")

        def merged(old: pd.DataFrame) -> pd.DataFrame:
            others = old[old["annotation_id"] != own["annotation_id"]]
            said = _faces(others)
            fresh = new[~(new["unchanged"].astype(bool) & _faces(new).isin(said))].drop(columns="unchanged")
            again = said.isin(_faces(fresh)) & (others["annotator"] == own["annotator"])
            both = pd.concat([others[~again], fresh.astype(object)], ignore_index=True)
            if len(both):
                given = given_anchors(both.drop(columns="video_id"), name).match([name])
                self._fitted(features, name, given, settings)
            return both

        self._replace(self._anchors_file(name), merged)
        return len(new)

    def _delete(self, gone: set[str]) -> int:
        """Takes the anchors of some annotations out; how many went."""

        def rest(old: pd.DataFrame) -> pd.DataFrame:
            return old[~old["annotation_id"].isin(list(gone))]

        return sum(self._replace(file, rest) for file in self.anchors.glob(f"*{ANCHORS}"))

    def _replace(self, file: Path, by: Callable[[pd.DataFrame], pd.DataFrame]) -> int:
        """Puts other rows in the place of those of a file, by how many they are fewer. One without rows goes.

        Raises:
            MtclarError: The file has not the form that is written here, or `by` raises it; then it stays as it was.
        """
        with locked(file.with_name(f".{file.name}.lock")):
            read = (
                pd.read_csv(file, dtype=str, keep_default_na=False) if file.is_file() else pd.DataFrame(columns=COLUMNS)
            )
            if not {"video_id", "valence", "arousal"} <= set(read.columns):
                raise MtclarError(f"{file.name}: expected an anchors file with commas and a column video_id.")
            old = read.reindex(columns=[*read.columns, *(c for c in COLUMNS if c not in read.columns)], fill_value="")
            now = by(old)
            if now.empty:
                file.unlink(missing_ok=True)
            elif not now.astype(str).reset_index(drop=True).equals(old):
                with whole_file(file) as partial:
                    now.to_csv(partial, index=False, lineterminator="\n")
        return len(old) - len(now)


@lru_cache(maxsize=4)
def _read(file: Path, changed_ns: int, size: int) -> Features:
    """The features in a file, kept until it changes."""
    return read_features(file)


@dataclass(frozen=True)
class _Asked:
    """What a task is about.

    Attributes:
        name: The video.
        track: The track whose person is labelled; None for the subject.
        fps: The rate by which Label Studio numbers the frames; None where the task does not say.
    """

    name: str
    track: int | None
    fps: float | None


def _asked(task: Any) -> _Asked:
    """What a task is about.

    Raises:
        MtclarError: It is no task, or its track or rate is no number.
    """
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        raise MtclarError("expected tasks of Label Studio, each with its 'data'.")
    track, fps = (None if task["data"].get(key) in (None, "") else task["data"][key] for key in ("track_id", "fps"))
    try:
        track = None if track is None else int(track)
    except (TypeError, ValueError, OverflowError) as error:
        raise MtclarError(f"the task's track_id is '{track}', expected the number of a track.") from error
    try:
        fps = None if fps is None else float(fps)
    except (TypeError, ValueError, OverflowError):
        fps = 0.0
    if fps is not None and not 0 < fps < float("inf"):
        raise MtclarError(f"the task's fps is '{task['data']['fps']}', expected frames a second.")
    return _Asked(video_of(task), track, fps)


def _frame(number: int, asked: _Asked, features: Features) -> int:
    """The frame of the video that Label Studio calls `number` + 1.

    It shows what the player shows at `number` / fps, and does not look into the file; so frames are found by time, and
    a rate that is not quite the video's, or varies, does no harm.

    Raises:
        MtclarError: The video is over by then.
    """
    times = features.time_s
    interval = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    if asked.fps is None:
        there, frame = 0 <= number < len(times), number
    else:
        time_s = number / asked.fps
        there, frame = 0 <= time_s <= times[-1] + max(interval, 1 / asked.fps), int(np.abs(times - time_s).argmin())
    if not there:
        at = "" if asked.fps is None else f", at {asked.fps:g} frames a second"
        raise MtclarError(
            f"frame {number + 1} is annotated{at}, but {asked.name} has {len(times)} frames in "
            f"{float(times[-1]) + interval:.2f} s; is the task's fps the video's?"
        )
    return frame


def _faces(rows: pd.DataFrame) -> pd.Series[Any]:
    """The frame and track of each row, as one text."""
    return rows["frame"].astype(str) + "/" + rows["track_id"].astype(str)


def _listed(given: Any) -> list[dict[str, Any]]:
    """The objects in a request, which holds one or a list of them."""
    return [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, dict)]


def _each(call: Callable[..., T], given: Any) -> list[T]:
    """Calls for all, though some fail; then raises what failed first."""
    found: list[T] = []
    failed: list[MtclarError] = []
    for one in given:
        try:
            found.append(call(*one))
        except MtclarError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return found
