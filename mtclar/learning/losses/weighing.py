"""How the losses of several tasks become one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtclar.errors import MtclarError
from mtclar.settings import Task, TrainSettings


class Shake(nn.Module):
    """Random weights that sum to 1: U(0, 1) over their sum, drawn anew each step.

    "Shake-shake" over the tasks, as in MT-CLAR's release; EmoNet shakes its three regression terms alone.
    """

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self._tasks = tasks

    def draw(self, generator: torch.Generator) -> Tensor:
        """Weights (tasks,) for one step."""
        drawn = 1 - torch.rand(self._tasks, generator=generator)  # never all 0
        return drawn / drawn.sum()

    def forward(self, losses: Tensor, known: Tensor, weights: Tensor) -> Tensor:
        """The weighed sum of `losses` (tasks,)."""
        return (losses * weights).sum()


class Fixed(nn.Module):
    """The same weights in every step.

    Raises:
        MtclarError: A task has no weight, or none a positive one.
    """

    def __init__(self, tasks: Sequence[Task], weights: Mapping[Task, float]) -> None:
        super().__init__()
        if missing := [task for task in tasks if task not in weights]:
            raise MtclarError(f"train.task_weights gives no weight to {', '.join(missing)}, which train.tasks names.")
        if not any(weights[task] > 0 for task in tasks):
            raise MtclarError(
                f"train.task_weights gives every task of train.tasks ({', '.join(tasks)}) weight 0, so nothing would "
                "be learned; make one of them positive."
            )
        self._weights = torch.tensor([weights[task] for task in tasks])

    def draw(self, generator: torch.Generator) -> Tensor:
        """Weights (tasks,) for one step."""
        return self._weights

    def forward(self, losses: Tensor, known: Tensor, weights: Tensor) -> Tensor:
        """The weighed sum of `losses` (tasks,)."""
        return (losses * weights).sum()


class Uncertainty(nn.Module):
    """Learned weights: the noise of each task is estimated with it (Kendall, Gal and Cipolla, CVPR 2018).

    The sum of c exp(-s) L + s / 2 over the tasks, where s = log sigma^2 is learned, and c is 1 for a task that chooses
    between classes and 1/2 for one that measures. At its best s, a task weighs as much as its loss is small.

    Attributes:
        log_variance: (tasks,), 0 at the start.
    """

    _scale: Tensor

    def __init__(self, tasks: Sequence[Task], measuring: Sequence[Task]) -> None:
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(len(tasks)))
        self.register_buffer("_scale", torch.tensor([0.5 if task in measuring else 1.0 for task in tasks]), False)

    def draw(self, generator: torch.Generator) -> Tensor:
        """Nothing is drawn; ones (tasks,)."""
        return torch.ones(len(self.log_variance))

    def forward(self, losses: Tensor, known: Tensor, weights: Tensor) -> Tensor:
        """The sum over the tasks that anything is known of; the others would pull their s below any bound."""
        each = self._scale * torch.exp(-self.log_variance) * losses + self.log_variance / 2
        return torch.where(known, each, 0).sum()


Weighing = Shake | Fixed | Uncertainty


def weighing(s: TrainSettings, tasks: Sequence[Task]) -> Weighing:
    """The weighing that `train.weighing` names, for those tasks in that order.

    Raises:
        MtclarError: The fixed weights do not fit the tasks.
    """
    if s.weighing == "shake":
        return Shake(len(tasks))
    if s.weighing == "fixed":
        return Fixed(tasks, s.task_weights)
    return Uncertainty(tasks, measuring=("valence", "arousal"))
