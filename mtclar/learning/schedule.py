"""How the learning rate moves."""

from __future__ import annotations

import math
from typing import Literal, Protocol

WARM_UP = 0.15  # share of the steps in which one-cycle climbs
FLOOR = 0.01  # of the peak, where one-cycle begins and ends
PATIENCE = 5  # epochs without a better loss before plateau goes down
STAIR = 15  # epochs on each stair of step
FACTOR = 0.1  # by which plateau and step go down

Name = Literal["one-cycle", "plateau", "constant", "step"]


class Schedule(Protocol):
    """The learning rate as a share of its peak."""

    def factor(self, progress: float) -> float:
        """The share at `progress` in [0, 1] through the run."""

    def epoch_done(self, loss: float) -> None:
        """Told the validation loss after each epoch, NaN where there is none."""


class Constant:
    """Stays at its peak."""

    def factor(self, progress: float) -> float:
        return 1.0

    def epoch_done(self, loss: float) -> None:
        """Nothing depends on the loss."""


class OneCycle(Constant):
    """Climbs along a cosine to the peak, then falls along a longer one (Smith and Topin 2019)."""

    def factor(self, progress: float) -> float:
        at = progress / WARM_UP if progress < WARM_UP else (1 - progress) / (1 - WARM_UP)
        return FLOOR + (1 - FLOOR) * (1 - math.cos(math.pi * at)) / 2


class Plateau:
    """Stays, and goes down to a tenth after five epochs without a better validation loss, as in MT-CLAR's release.

    An epoch without a validation loss says nothing and does not count.
    """

    def __init__(self) -> None:
        self._share, self._best, self._waited = 1.0, math.inf, 0

    def factor(self, progress: float) -> float:
        return self._share

    def epoch_done(self, loss: float) -> None:
        if math.isnan(loss):
            return
        self._waited = 0 if loss < self._best else self._waited + 1
        self._best = min(self._best, loss)
        if self._waited > PATIENCE:
            self._share, self._waited = self._share * FACTOR, 0


class Stairs:
    """Goes down to a tenth every 15 epochs, as the supervised heads of MT-CLAR's release do."""

    def __init__(self) -> None:
        self._epochs = 0

    def factor(self, progress: float) -> float:
        return FACTOR ** (self._epochs // STAIR)

    def epoch_done(self, loss: float) -> None:
        self._epochs += 1


_KINDS: dict[str, type[Constant] | type[Plateau] | type[Stairs]] = {
    "one-cycle": OneCycle,
    "plateau": Plateau,
    "constant": Constant,
    "step": Stairs,
}


def schedule(name: Name) -> Schedule:
    """A fresh schedule of that name, as in `train.schedule` and `train.sl_schedule`."""
    return _KINDS[name]()
