"""What a training step makes small: the losses of `train.tasks` on pairs, and those of the supervised heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mtclar.errors import MtclarError
from mtclar.learning.losses import ClassLoss, DeltaLoss, EmbeddingLoss, PairTruth, SingleTruth
from mtclar.learning.losses.delta import EVEN, DeltaWeights
from mtclar.learning.losses.weighing import weighing
from mtclar.model.mtclar import PairOutput, SingleOutput
from mtclar.settings import TrainSettings

SINGLE_EVEN = DeltaWeights(0.25, 0.75)
"""Of the validation loss of the supervised heads, as in MT-CLAR's release."""


class Losses(NamedTuple):
    """`total`, a scalar to make small, and the loss of each task by its name; 0 for one that nothing is known of."""

    total: Tensor
    tasks: dict[str, Tensor]


class Objective(nn.Module):
    """The losses of pairs. Learned weights of the tasks, if there are any, are its parameters.

    Args:
        s: The section `train` of params.yaml.

    Raises:
        MtclarError: A task is named twice, or the fixed weights do not fit the tasks.
    """

    def __init__(self, s: TrainSettings) -> None:
        super().__init__()
        if len(set(s.tasks)) < len(s.tasks):
            raise MtclarError(f"train.tasks names a task twice ({', '.join(s.tasks)}); name each once.")
        self.tasks = s.tasks
        self._similarity, self._embedding = ClassLoss(s.balanced), EmbeddingLoss(s.margin, s.balanced)
        self._delta = DeltaLoss(s.delta_loss, s.mse_share, s.exponent)
        self._weighing = weighing(s, s.tasks)

    def weights(self, generator: torch.Generator) -> Tensor:
        """The weights (tasks,) of the next step, in the order of `tasks`; to be drawn once a step."""
        return self._weighing.draw(generator)

    def forward(
        self,
        out: PairOutput,
        left: Tensor,
        right: Tensor,
        truth: PairTruth,
        *,
        epoch: int,
        epochs: int,
        weights: Tensor,
    ) -> Losses:
        """The losses of n pairs in `epoch` of 1..`epochs`.

        Args:
            out: What the projectors said.
            left: Embeddings (n, d) of the queries.
            right: Embeddings (n, d) of the anchors.
            truth: Of the n pairs.
            epoch: From 1.
            epochs: The last one.
            weights: What `weights` gave for this step.

        Raises:
            MtclarError: The network lacks the projector of a task.
        """
        tasks = self._tasks(out, left, right, truth, self._delta.weights(epoch, epochs))
        losses = torch.stack(list(tasks.values()))
        named = {"valence": ~truth.d_valence.isnan(), "arousal": ~truth.d_arousal.isnan()}
        known = torch.stack([named.get(task, truth.similar >= 0).any() for task in self.tasks])
        return Losses(self._weighing(losses, known, weights.to(losses)), tasks)

    def even(self, out: PairOutput, left: Tensor, right: Tensor, truth: PairTruth) -> Losses:
        """The losses with MSE and CCC half and half and all tasks weighed alike, the same in every epoch.

        Raises:
            MtclarError: The network lacks the projector of a task.
        """
        tasks = self._tasks(out, left, right, truth, EVEN)
        return Losses(_mean(tasks), tasks)

    def _tasks(
        self, out: PairOutput, left: Tensor, right: Tensor, truth: PairTruth, weights: DeltaWeights
    ) -> dict[str, Tensor]:
        """The loss of each task, in the order of `tasks`."""
        losses: dict[str, Tensor] = {}
        for task in self.tasks:
            if task == "embedding":
                losses[task] = self._embedding(left, right, truth.similar)
            elif task == "similarity":
                losses[task] = self._similarity(_said(out.logits, task), truth.similar)
            elif task == "valence":
                losses[task] = self._delta(_said(out.d_valence, task), truth.d_valence, weights)
            else:
                losses[task] = self._delta(_said(out.d_arousal, task), truth.d_arousal, weights)
        return losses


class SingleObjective(nn.Module):
    """The losses of the supervised heads: cross-entropy of the expression plus that of valence and arousal.

    w_mse (MSE_v + MSE_a) + w_ccc (1 - (CCC_v + CCC_a) / 2), with the weights that the differences of pairs have
    (MT-CLAR + SL of the release).

    Args:
        s: The section `train` of params.yaml.
    """

    def __init__(self, s: TrainSettings) -> None:
        super().__init__()
        self._expression = ClassLoss()
        self._affect = DeltaLoss(s.delta_loss, s.mse_share, s.exponent)

    def forward(self, out: SingleOutput, truth: SingleTruth, *, epoch: int, epochs: int) -> Losses:
        """The losses of n faces in `epoch` of 1..`epochs`: `expression` and `affect`."""
        return self._losses(out, truth, self._affect.weights(epoch, epochs))

    def even(self, out: SingleOutput, truth: SingleTruth) -> Losses:
        """The losses with MSE a quarter and CCC three, the same in every epoch."""
        return self._losses(out, truth, SINGLE_EVEN)

    def _losses(self, out: SingleOutput, truth: SingleTruth, weights: DeltaWeights) -> Losses:
        halved = DeltaWeights(weights.mse, weights.ccc / 2)
        valence = self._affect(out.valence, truth.valence, halved)
        tasks = {
            "expression": self._expression(out.logits, truth.expression),
            "affect": valence + self._affect(out.arousal, truth.arousal, halved),
        }
        return Losses(tasks["expression"] + tasks["affect"], tasks)


def _said(answer: Tensor | None, task: str) -> Tensor:
    """The answer of a projector that has to be there."""
    if answer is None:
        raise MtclarError(f"train.tasks names '{task}', but the network was built without its projector.")
    return answer


def _mean(tasks: Mapping[str, Tensor]) -> Tensor:
    """The mean of the losses."""
    return torch.stack(list(tasks.values())).mean()
