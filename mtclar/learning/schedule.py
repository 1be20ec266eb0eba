"""How the learning rate moves."""

from __future__ import annotations

import math
from typing import Literal, Protocol

WARM_UP = 0.15  # share of the steps in which one-cycle climbs
FLOOR = 0.01  # of the peak, where one-cycle begins and ends
PATIENCE = 5  # epochs without a better loss before plateau goes down
FACTOR = 0.1  # by which plateau goes down


class Schedule(Protocol):
    """The learning rate as a share of its peak."""

    def factor(self, progress: float) -> float:
        """The share at `progress` in [0, 1] through the run."""

    def epoch_done(self, loss: float) -> None:
        """Told the validation loss after each epoch."""


class OneCycle:
    """Climbs along a cosine to the peak, then falls along a longer one (Smith and Topin 2019)."""

    def factor(self, progress: float) -> float:
        at = progress / WARM_UP if progress < WARM_UP else (1 - progress) / (1 - WARM_UP)
        return FLOOR + (1 - FLOOR) * (1 - math.cos(math.pi * at)) / 2

    def epoch_done(self, loss: float) -> None:
        """Nothing depends on the loss."""


class Plateau:
    """Stays, and goes down to a tenth after five epochs without a better validation loss, as in MT-CLAR's release."""

    def __init__(self) -> None:
        self._share, self._best, self._waited = 1.0, math.inf, 0

    def factor(self, progress: float) -> float:
        return self._share

    def epoch_done(self, loss: float) -> None:
        self._waited = 0 if loss < self._best else self._waited + 1
        self._best = min(self._best, loss)
        if self._waited > PATIENCE:
            self._share, self._waited = self._share * FACTOR, 0


def schedule(name: Literal["one-cycle", "plateau"]) -> Schedule:
    """A fresh schedule of that name."""
    return OneCycle() if name == "one-cycle" else Plateau()
