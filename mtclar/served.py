"""A registered model as MLflow serves it: single pictures, and whole videos with their anchors; see docs/serving.md.

MLflow copies this file beside the bundle and runs it to load the model, so nothing is unpickled. Nothing imports it;
`mtclar.registry.register` gives MLflow its path. What is wrong with a request is answered with one sentence (400), a
fault of ours with another (500). Nothing of a request is kept: the cache of features is not used.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from mtclar.data.anchors import VideoAnchors, read_anchors
from mtclar.data.store import decode
from mtclar.data.tables import EXPRESSIONS
from mtclar.data.whole import scratch
from mtclar.errors import MtclarError
from mtclar.faces import Aligner, open_detector, pick
from mtclar.features import Features
from mtclar.features.extract import extract, identity
from mtclar.features.file import SUFFIX, read_features
from mtclar.features.subjects import place_anchors
from mtclar.labelling import Labels, annotate
from mtclar.serving import Bundle
from mtclar.settings import Settings, load_settings, packaged_params
from mtclar.steps.label_video import calibration_of
from mtclar.video import open_video

log = logging.getLogger(__name__)

PICTURES = ("auto", "crops", "portraits")
MAGIC = b"ARROW1"
"""How a features file begins."""


class NoAnswer(MlflowException):
    """Why there is no answer. MLflow would put the whole request before the sentence, which it never may."""

    @property
    def message(self) -> str:
        return self._sentence

    @message.setter
    def message(self, text: str) -> None:
        self._sentence = getattr(self, "_sentence", text)


class BadRequest(NoAnswer):
    """A request that cannot be answered."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)


class FaceModel(PythonModel):
    """Valence and arousal of faces without an anchor, and of videos from their anchors."""

    def load_context(self, context: Any) -> None:
        """Opens the bundle and checks that it is as it was registered."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))
        self._settings: Settings = load_settings(packaged_params())  # whatever lies where the server was started
        self._detector: Any = None
        self._aligner: Aligner | None = None

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Labels pictures, or every frame of videos.

        Args:
            context: Not used.
            model_input: A table with the column `image` (JPEG or PNG bytes), or with `video` (a features file or a
                clip) and, if there are any, `name` and `anchors` (the text of an anchors file).
            params: `pictures`: `crops` for square faces that are cut out, `portraits` to find the face first; `auto`
                takes square pictures as crops and looks for the face in others.

        Returns:
            For pictures a row each: `valence` and `arousal` in [-1, 1] and `expression`. For videos a row a frame, with
            the columns of the labels and `name`.

        Raises:
            BadRequest: Says in one sentence what is wrong.
            NoAnswer: The fault is ours; what it is stands in the log.
        """
        with _said():
            given = [name for name in ("image", "video") if name in model_input and model_input[name].notna().any()]
            if len(given) != 1:
                raise MtclarError(
                    "expected a column 'image' with pictures or a column 'video' with features files or clips, got "
                    f"{', '.join(map(str, model_input.columns)) or 'none'}."
                )
            if given == ["video"]:
                rows = enumerate(model_input.to_dict("records"))
                return _json_ready(pd.concat([self._video(row, number) for number, row in rows], ignore_index=True))
            return self._pictures(list(model_input["image"]), (params or {}).get("pictures", "auto"))

    def _pictures(self, pictures: list[Any], kind: str) -> pd.DataFrame:
        if kind not in PICTURES:
            raise MtclarError(f"pictures={kind}: expected one of {', '.join(PICTURES)}.")
        crops = [self._crop(_bytes(data, f"row {row}"), row, kind) for row, data in enumerate(pictures)]
        embedding = self.bundle.embed(np.stack(crops))
        expression, valence, arousal = self.bundle.single(embedding)
        return pd.DataFrame(
            {
                "valence": valence.astype(np.float64),
                "arousal": arousal.astype(np.float64),
                "expression": [EXPRESSIONS[i] for i in expression.argmax(1)],
            }
        )

    def _crop(self, data: bytes, row: int, kind: str) -> np.ndarray:
        """One face at the size of the bundle's crops: uint8 RGB (size, size, 3)."""
        picture = decode(data, f"row {row}")
        height, width = picture.shape[:2]
        spec = self.bundle.crop_spec
        if kind == "portraits" or (kind == "auto" and height != width):
            self._detector = self._detector or open_detector("ladder")
            face = pick(self._detector.detect(picture))
            if face is None:
                raise MtclarError(f"row {row}: no face was found in this picture of {width} x {height}.")
            self._aligner = self._aligner or Aligner(spec)
            return self._aligner(picture, face)
        if height != width:
            raise MtclarError(f"row {row}: expected a square face crop, got {width} x {height}, or pictures=portraits.")
        how = cv2.INTER_AREA if height > spec.size else cv2.INTER_LINEAR
        return picture if height == spec.size else cv2.resize(picture, (spec.size, spec.size), interpolation=how)

    def _video(self, row: Mapping[Any, Any], number: int) -> pd.DataFrame:
        """The labels of one video."""
        content, where = _bytes(row["video"], f"row {number}"), f"row {number}"
        name, anchors = _text(row.get("name")) or "video", _text(row.get("anchors"))
        with scratch("served") as folder:
            file = folder / (f"video{SUFFIX}" if content.startswith(MAGIC) else "video.mp4")
            file.write_bytes(content)
            given = None
            if anchors.strip():
                given = folder / "anchors.csv"
                given.write_text(anchors, encoding="utf-8")
            try:
                read = self._read(file)
                read.video["name"] = f"{name}.mp4"
                labels = self._labels(read, name, given)
            except MtclarError as error:
                sentence = str(error).replace(f"{folder}/", "")
                raise MtclarError(f"{where}: {sentence}") from None
        return labels.to_pandas().assign(name=name)

    def _labels(self, features: Features, name: str, anchors: Path | None) -> Labels:
        """As `mtclar label` makes them."""
        s, placed = self._settings.label, VideoAnchors.none()
        if anchors is not None:
            marks = read_anchors(anchors, video_id=name).match([name])
            placed = place_anchors(features, marks, name, s.subject)
        return annotate(features, placed, s, calibration_of(self.bundle)[0])

    def _read(self, file: Path) -> Features:
        """The features in a file, or those of a clip."""
        s = self._settings.extract
        if file.suffix != SUFFIX:
            with open_video(file, fps=s.fps) as video:
                return extract(video, self.bundle, s)
        found = read_features(file)
        if found.identity.get("model") != identity(self.bundle, s)["model"]:
            raise MtclarError(f"{file}: was extracted with another model than this one; extract the video with it.")
        return found


def _json_ready(table: pd.DataFrame) -> pd.DataFrame:
    """The table with None for what is not known: JSON has no NaN."""
    holes = [name for name in table if table[name].isna().any()]
    return table.assign(**{str(name): table[name].astype(object).where(table[name].notna(), None) for name in holes})


def _bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, bytes) or not value:
        raise MtclarError(f"{where}: expected the bytes of a file (base64 in JSON), got {type(value).__name__}.")
    return value


def _text(value: Any) -> str:
    """A cell as text; "" of an empty one."""
    return value if isinstance(value, str) else ""


@contextmanager
def _said() -> Iterator[None]:
    """Turns a mistake of the user's into a bad request, and a fault of ours into a sentence without a stack trace."""
    try:
        yield
    except MtclarError as error:
        raise BadRequest(str(error)) from None
    except Exception:
        log.exception("a request could not be answered")
        sentence = "the model failed on this request; the reason is in the log of the server."
        raise NoAnswer(sentence, error_code=INTERNAL_ERROR) from None


mlflow.models.set_model(FaceModel())
