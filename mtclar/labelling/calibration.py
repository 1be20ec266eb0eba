"""What a model's evaluation measured, as labelling needs it: calibration.json, which a bundle holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.hyper import AGAIN, Process
from mtclar.labelling.intervals import Multiples
from mtclar.labelling.nominal import nominal

COVERAGE = 0.9
"""Of the bands, where a calibration does not say."""
EARLIER = ("kriging", "multiples_zero_shot", "zero_shot")
"""Names in the calibrations of earlier versions."""


@dataclass(frozen=True)
class Calibration:
    """How a model is believed, and how wide its bands are."""

    process: Process
    multiples: Multiples
    coverage: float = COVERAGE

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
        coverage = values.get("coverage", COVERAGE)
        if isinstance(coverage, bool) or not isinstance(coverage, int | float) or not 0 < coverage < 1:
            raise MtclarError(f"the model's calibration gives {coverage!r} as 'coverage'; {AGAIN}.")
        return cls(Process.from_dict(values.get("process")), Multiples.from_dict(values.get("multiples")), coverage)

    def widths(self, anchors: np.ndarray) -> np.ndarray:
        """How large errors are beside the standard deviations of the process, by numbers of anchors (n,); (n, 2).

        The multiples that held on people not seen before, over what they would be were errors Gaussian and as large as
        the process says; 1 of a model without bands.
        """
        if not self.banded:
            return np.ones((len(anchors), 2))
        return self.multiples.at(anchors) / NormalDist().inv_cdf((1 + self.coverage) / 2)

    @property
    def banded(self) -> bool:
        """Whether labels get bands."""
        return bool(np.isfinite(self.multiples.values).all())
