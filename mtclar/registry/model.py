"""The bundle as MLflow serves it. MLflow copies this file beside the bundle and runs it to load the model: no pickle.

Nothing imports this module; `register.py` gives MLflow its path.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import pandas as pd
from mlflow.pyfunc import PythonModel

from mtclar.data.store import decode
from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.serving import Bundle


class FaceModel(PythonModel):
    """Valence, arousal and expression of single faces, without an anchor."""

    def load_context(self, context: Any) -> None:
        """Opens the bundle and checks that it is as it was registered."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Labels faces.

        Args:
            context: Not used.
            model_input: A table with the column `image`: square face crops as JPEG or PNG bytes, cut out as the
                bundle's crop spec says.
            params: Not used.

        Returns:
            A table with `valence` and `arousal` in [-1, 1] and `expression`, in the order of the input.

        Raises:
            MtclarError: A cell is not a picture, or not a square one.
        """
        crops = [self._crop(data, row) for row, data in enumerate(model_input["image"])]
        size = self.bundle.crop_spec.size
        embedding = self.bundle.embed(np.stack(crops) if crops else np.empty((0, size, size, 3), np.uint8))
        expression, valence, arousal = self.bundle.single(embedding)
        return pd.DataFrame(
            {
                "valence": valence.astype(np.float64),
                "arousal": arousal.astype(np.float64),
                "expression": [EXPRESSIONS[i] for i in expression.argmax(1)],
            }
        )

    def _crop(self, data: bytes, row: int) -> np.ndarray:
        """One picture at the size of the bundle's crops: uint8 RGB (size, size, 3)."""
        picture = decode(data, f"row {row}")
        height, width = picture.shape[:2]
        if height != width:
            raise MtclarError(
                f"row {row}: expected a square face crop, got {width} x {height}; cut the face out first."
            )
        size = self.bundle.crop_spec.size
        how = cv2.INTER_AREA if height > size else cv2.INTER_LINEAR
        return picture if height == size else cv2.resize(picture, (size, size), interpolation=how)


mlflow.models.set_model(FaceModel())
