"""A registered model as MLflow serves it: single pictures, and whole videos with their anchors; see docs/serving.md.

MLflow copies this file beside the bundle and runs it to load the model, so nothing is unpickled. Nothing imports it;
`mtclar.registry.register` gives MLflow its path. What is wrong with a request is answered with one sentence (400).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc import PythonModel

from mtclar import api
from mtclar.data.store import decode
from mtclar.data.tables import EXPRESSIONS
from mtclar.data.whole import scratch
from mtclar.errors import MtclarError
from mtclar.faces import cut, open_detector, pick
from mtclar.features.file import SUFFIX
from mtclar.serving import Bundle

PICTURES = ("auto", "crops", "portraits")
MAGIC = b"ARROW1"
"""How a features file begins."""


class BadRequest(MlflowException):
    """A request that cannot be answered. MLflow would put the whole request before the sentence, which it never may."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, error_code=INVALID_PARAMETER_VALUE)

    @property
    def message(self) -> str:
        return self._sentence

    @message.setter
    def message(self, text: str) -> None:
        self._sentence = getattr(self, "_sentence", text)


class FaceModel(PythonModel):
    """Valence and arousal of faces without an anchor, and of videos from their anchors."""

    def load_context(self, context: Any) -> None:
        """Opens the bundle and checks that it is as it was registered."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))
        self._detector: Any = None

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
                return pd.concat([self._video(row, number) for number, row in rows], ignore_index=True)
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
            return cut(picture, face.box, spec)
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
                read = api.read_features(file) if file.suffix == SUFFIX else api.extract(file, model=self.bundle)
                read.video["name"] = f"{name}.mp4"
                labels = api.annotate(read, given, model=self.bundle)
            except MtclarError as error:
                sentence = str(error).replace(f"{folder}/", "")
                raise MtclarError(f"{where}: {sentence}") from None
        return labels.to_pandas().assign(name=name)


def _bytes(value: Any, where: str) -> bytes:
    if not isinstance(value, bytes) or not value:
        raise MtclarError(f"{where}: expected the bytes of a file (base64 in JSON), got {type(value).__name__}.")
    return value


def _text(value: Any) -> str:
    """A cell as text; "" of an empty one."""
    return value if isinstance(value, str) else ""


@contextmanager
def _said() -> Iterator[None]:
    """Turns a mistake of the user's into a bad request."""
    try:
        yield
    except MtclarError as error:
        raise BadRequest(str(error)) from None


mlflow.models.set_model(FaceModel())
