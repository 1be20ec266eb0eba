"""What a model's evaluation measured, as labelling needs it: calibration.json, which a bundle holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.hyper import Process
from mtclar.labelling.intervals import Multiples
from mtclar.labelling.nominal import nominal

EARLIER = ("kriging", "multiples_zero_shot", "zero_shot")
"""Names in the calibrations of earlier versions."""


@dataclass(frozen=True)
class Calibration:
    """How a model is believed, and how wide its bands are."""

    process: Process
    multiples: Multiples

    @classmethod
    def read(cls, values: Mapping[str, Any] | None) -> Calibration:
        """Reads a calibration; None is a model without one: nominal hyper-parameters, no bands.

        Raises:
            MtclarError: It is of an earlier version or not what it should be.
        """
        if values is None:
            return cls(nominal(), Multiples.level(float("nan")))
        if "process" not in values and any(name in values for name in EARLIER):
            raise MtclarError(
                "the model was calibrated by an earlier version of mtclar; calibrate it again with 'mtclar evaluate "
                "--model BUNDLE' and 'mtclar export --model BUNDLE'."
            )
        return cls(Process.from_dict(values.get("process")), Multiples.from_dict(values.get("multiples")))

    @property
    def banded(self) -> bool:
        """Whether labels get bands."""
        return bool(np.isfinite(self.multiples.values).all())
