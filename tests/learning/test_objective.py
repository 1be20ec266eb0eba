"""The losses of a step: which tasks enter, how they are weighed, and what is left out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.learning.losses import ClassLoss, EmbeddingLoss, PairTruth, SingleTruth
from mtclar.learning.objective import Objective, SingleObjective
from mtclar.model.mtclar import PairOutput, SingleOutput
from mtclar.settings import Settings, TrainSettings, parse, read_params
from tests.learning.losses.plain import plain_ccc, plain_mse

N = 10


def _settings(**changes) -> TrainSettings:
    params = read_params()
    params["train"].update(changes)
    return parse(Settings, params, where="test").train


@pytest.fixture
def said():
    """Answers, embeddings and truth of ten pairs, some of it unknown."""
    rng = np.random.default_rng(2)
    numbers = [torch.tensor(rng.normal(size=size)) for size in ((N, 2), N, N, (N, 4), (N, 4), N, N)]
    numbers[5][3] = float("nan")
    similar = torch.tensor([1, 0, -1, 1, 0, -1, 1, 1, 0, 0])
    return PairOutput(*numbers[:3]), numbers[3], numbers[4], PairTruth(similar, *numbers[5:])


def _plain_delta(truth, guess, mse, ccc) -> float:
    known = ~truth.isnan()
    y, p = truth[known].tolist(), guess[known].tolist()
    return mse * plain_mse(y, p) + ccc * (1 - plain_ccc(y, p))


def test_each_task_has_its_own_loss_over_what_is_known(said):
    out, left, right, truth = said
    objective = Objective(_settings(mse_share=2.0, exponent=1.0, margin=0.1))
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4])
    losses = objective(out, left, right, truth, epoch=1, epochs=4, weights=weights)
    expected = {
        "similarity": ClassLoss()(out.logits, truth.similar).item(),
        "valence": _plain_delta(truth.d_valence, out.d_valence, 0.5, 0.75),
        "arousal": _plain_delta(truth.d_arousal, out.d_arousal, 0.5, 0.75),
        "embedding": EmbeddingLoss(0.1)(left, right, truth.similar).item(),
    }
    assert {name: loss.item() for name, loss in losses.tasks.items()} == pytest.approx(expected)
    total = sum(weight * loss for weight, loss in zip(weights.tolist(), expected.values(), strict=True))
    assert losses.total.item() == pytest.approx(total)


def test_the_even_losses_are_half_and_half_and_their_mean(said):
    out, left, right, truth = said
    losses = Objective(_settings()).even(out, left, right, truth)
    assert losses.tasks["valence"].item() == pytest.approx(_plain_delta(truth.d_valence, out.d_valence, 0.5, 0.5))
    assert losses.total.item() == pytest.approx(sum(loss.item() for loss in losses.tasks.values()) / 4)


def test_tasks_that_are_not_learned_need_no_projector_and_enter_nothing(said):
    out, left, right, truth = said
    objective = Objective(_settings(tasks=["arousal"]))
    lone = PairOutput(None, None, out.d_arousal)
    losses = objective(
        lone, left, right, truth, epoch=1, epochs=1, weights=objective.weights(torch.Generator().manual_seed(0))
    )
    assert list(losses.tasks) == ["arousal"]
    assert losses.total.item() == pytest.approx(losses.tasks["arousal"].item())


def test_the_embedding_alone_can_be_learned(said):
    _, left, right, truth = said
    losses = Objective(_settings(tasks=["embedding"])).even(PairOutput(None, None, None), left, right, truth)
    assert losses.total.item() == pytest.approx(EmbeddingLoss(0.25)(left, right, truth.similar).item())


def test_a_projector_that_is_not_there_is_named(said):
    _, left, right, truth = said
    with pytest.raises(MtclarError, match="'similarity', but the network was built without its projector"):
        Objective(_settings()).even(PairOutput(None, None, None), left, right, truth)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"tasks": ["valence", "valence"]}, "names a task twice"),
        ({"mse_share": 0}, "mse_share=0 with train.delta_loss=dynamic leaves the last epoch without a loss"),
        ({"tasks": ["valence"], "weighing": "fixed", "task_weights": {"valence": 0, "arousal": 1}}, "weight 0"),
        (
            {"tasks": ["valence", "arousal"], "weighing": "fixed", "task_weights": {"arousal": 1}},
            "no weight to valence",
        ),
    ],
)
def test_what_cannot_be_learned_is_said_before_it_begins(changes, sentence):
    with pytest.raises(MtclarError, match=sentence):
        Objective(_settings(**changes))


@pytest.mark.parametrize("weighing", ["shake", "fixed", "uncertainty"])
def test_pairs_of_which_nothing_is_known_have_a_loss_and_gradients_of_zero(said, weighing):
    out, left, right, truth = said
    logits, left = out.logits.clone().requires_grad_(), left.clone().requires_grad_()
    holes = PairTruth(torch.full((N,), -1), truth.d_valence * float("nan"), truth.d_arousal * float("nan"))
    objective = Objective(_settings(weighing=weighing))
    weights = objective.weights(torch.Generator().manual_seed(0))
    losses = objective(out._replace(logits=logits), left, right, holes, epoch=1, epochs=2, weights=weights)
    losses.total.backward()
    assert losses.total.item() == 0
    assert logits.grad.abs().max() == left.grad.abs().max() == 0


def test_learned_weights_are_parameters_and_others_are_not(said):
    out, left, right, truth = said
    objective = Objective(_settings(weighing="uncertainty"))
    assert [parameter.shape for parameter in objective.parameters()] == [(4,)]
    assert not list(Objective(_settings(weighing="shake")).parameters())
    optimiser = torch.optim.SGD(objective.parameters(), lr=0.1)
    totals = []
    for _ in range(20):
        losses = objective(out, left, right, truth, epoch=1, epochs=2, weights=objective.weights(torch.Generator()))
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
        totals.append(losses.total.item())
    assert all(later < earlier for earlier, later in pairwise(totals))


def test_under_autocast_the_losses_are_those_of_thirty_two_bits(said):
    out, left, right, truth = said
    short = PairOutput(*(answer.bfloat16() for answer in out))
    whole = PairOutput(*(answer.float() for answer in short))
    left, right = left.bfloat16(), right.bfloat16()
    truth = PairTruth(truth.similar, truth.d_valence.float(), truth.d_arousal.float())
    objective = Objective(_settings())
    with torch.autocast("cpu", torch.bfloat16):
        found = objective.even(short, left, right, truth)
    expected = objective.even(whole, left.float(), right.float(), truth)
    assert found.total.dtype == torch.float32
    assert found.total.item() == pytest.approx(expected.total.item(), rel=1e-6)


@pytest.mark.parametrize(("even", "mse", "ccc"), [(False, 0.25, 0.75), (True, 0.25, 0.75), (None, 1.0, 0.0)])
def test_the_supervised_loss_is_entropy_plus_both_affects(even, mse, ccc):
    rng = np.random.default_rng(3)
    logits, expression = torch.tensor(rng.normal(size=(5, 8))), torch.tensor([0, 3, -1, 7, 1])
    (v, pv), (a, pa) = ((rng.uniform(-1, 1, 5), rng.uniform(-1, 1, 5)) for _ in range(2))
    out = SingleOutput(logits, torch.tensor(pv), torch.tensor(pa))
    truth = SingleTruth(expression, torch.tensor(v), torch.tensor(a))
    objective = SingleObjective(_settings())
    losses = objective.even(out, truth) if even else objective(out, truth, epoch=1 if even is False else 2, epochs=2)
    affect = mse * (plain_mse(v, pv) + plain_mse(a, pa)) + ccc * (1 - (plain_ccc(v, pv) + plain_ccc(a, pa)) / 2)
    assert losses.tasks["expression"].item() == pytest.approx(ClassLoss()(logits, expression).item())
    assert losses.tasks["affect"].item() == pytest.approx(affect)
    assert losses.total.item() == pytest.approx(losses.tasks["expression"].item() + affect)
