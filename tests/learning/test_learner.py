"""A step is the mean over its micro-batches, whoever works them out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.learning.auxiliary import Auxiliary, auxiliary_targets
from mtclar.learning.blocks import Blocks
from mtclar.learning.learner import Learner, Micro, seeds
from mtclar.learning.processes import Processes
from mtclar.model.build import build_model

CPU = torch.device("cpu")


def _learner(settings, processes=None) -> Learner:
    learner = Learner(settings, build_model(settings), CPU, processes or Processes())
    learner.model.train()
    return learner


@pytest.fixture
def micros() -> list[Micro]:
    """Four micro-batches of one block each."""
    rng = np.random.default_rng(0)
    n, faces = 4 * 12, 4 * 6
    block = np.repeat(np.arange(4), 12)
    table = pd.DataFrame(
        {
            "block": block,
            "left": block * 6 + rng.integers(6, size=n),
            "right": block * 6 + rng.integers(6, size=n),
            "similar": rng.random(n) < 0.5,
            "d_valence": rng.uniform(-1, 1, n),
            "d_arousal": rng.uniform(-1, 1, n),
        }
    )
    blocks = Blocks(table, pd.Series(np.arange(faces)))
    pictures = torch.from_numpy(rng.integers(0, 256, (faces, 1, 22, 22)).astype(np.uint8))
    batches = [blocks.batch(np.array([i])) for i in range(4)]
    return [Micro(i, batch, pictures[torch.from_numpy(batch.faces)]) for i, batch in enumerate(batches)]


def _running(model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.named_buffers() if "running" in name or "tracked" in name}


def test_gradients_are_the_mean_over_the_micro_batches(settings, micros):
    settings = settings.model_copy(update={"weighing": "fixed"})
    alone = []
    for micro in micros[:2]:
        learner = _learner(settings)
        learner.step(1, 0, [micro], 1, 0.0)
        alone.append([p.grad.clone() for p in learner.model.trainable()])
    together = _learner(settings)
    together.step(1, 0, micros[:2], 2, 0.0)
    for one, two, both in zip(*alone, (p.grad for p in together.model.trainable()), strict=True):
        torch.testing.assert_close(both, (one + two) / 2, rtol=1e-4, atol=1e-7)


def test_running_statistics_are_the_mean_of_what_each_micro_batch_makes_of_the_start(settings, micros):
    made = []
    for micro in micros[:3]:
        learner = _learner(settings)
        learner.step(1, 0, [micro], 1, 0.0)
        made.append(_running(learner.model))
    together = _learner(settings)
    together.step(1, 0, micros[:3], 3, 0.0)
    for name, value in _running(together.model).items():
        mean = torch.stack([one[name].double() for one in made]).mean(0)
        torch.testing.assert_close(value.double(), mean, rtol=1e-6, atol=1e-8)


def test_losses_of_a_step_are_means_over_its_micro_batches(settings, micros):
    said = [_learner(settings).step(1, 0, [micro], 1, 0.0) for micro in micros[:2]]
    torch.testing.assert_close(_learner(settings).step(1, 0, micros[:2], 2, 0.0), (said[0] + said[1]) / 2)


def test_the_chance_of_a_micro_batch_is_its_number_and_that_of_the_weights_the_step(settings, micros):
    def losses(epoch: int, step: int, number: int) -> list[float]:
        return _learner(settings).step(epoch, step, [micros[0]._replace(number=number)], 1, 0.0).tolist()

    first = losses(1, 0, 0)
    assert losses(1, 0, 0) == first
    assert losses(1, 1, 0)[1:] == first[1:]  # other weights, the same tasks
    assert losses(1, 1, 0)[0] != first[0]
    assert losses(1, 0, 1)[1:] != first[1:]
    assert losses(2, 0, 0)[1:] != first[1:]


def test_places_that_differ_in_length_have_their_own_chance():
    drawn = [seeds(7, *place)[2] for place in [(), (0,), (0, 0), (1, 0), (1,), (0, 1)]]
    assert len(set(drawn)) == len(drawn)


def test_learned_weights_of_the_tasks_move_and_do_not_decay(settings, micros):
    settings = settings.model_copy(update={"weighing": "uncertainty", "weight_decay": 0.1})
    learner = _learner(settings)
    learner.step(1, 0, micros[:1], 1, 0.1)
    assert all(parameter.abs().sum() > 0 for parameter in learner.objective.parameters())
    decays = [group["weight_decay"] for group in learner.optimiser.param_groups]
    assert decays == [0.1, 0.0]


def test_what_faces_teach_besides_is_added_by_its_weight_and_reaches_the_encoder(settings, micros):
    settings = settings.model_copy(update={"weighing": "fixed"})
    faces = pd.DataFrame({"valence": np.linspace(-1, 1, 24), "arousal": 0.5, "expression": None, "split": "train"})
    targets = auxiliary_targets(["affect"], faces, None)
    model = build_model(settings)
    auxiliary = Auxiliary({"affect": 3.0}, targets, model.spec.encoder.embedding_size)
    learner = Learner(settings, model, CPU, Processes(), auxiliary)
    learner.model.train()
    plain = _learner(settings).step(1, 0, micros[:1], 1, 0.0)
    said = learner.step(1, 0, micros[:1], 1, 0.0)
    assert learner.losses == [*settings.tasks, "affect"]
    assert said[0].item() == pytest.approx(plain[0].item() + 3 * said[-1].item(), rel=1e-5)
    assert auxiliary.heads["affect"].weight.grad.abs().sum() > 0


def test_a_single_task_is_learned_by_a_network_with_only_its_projector(settings, micros):
    settings = settings.model_copy(update={"tasks": ("similarity",), "antisymmetric": False})
    learner = _learner(settings)
    before = [parameter.clone() for parameter in learner.model.trainable()]
    assert learner.step(1, 0, micros[:1], 1, 0.1).shape == (2,)
    assert all((a != b).any() for a, b in zip(before, learner.model.trainable(), strict=True) if a.dim() > 1)


def test_half_precision_learns_nearly_the_same(settings, micros):
    exact, half = _learner(settings), _learner(settings.model_copy(update={"precision": "bf16"}))
    said = [learner.step(1, 0, micros[:1], 1, 0.0) for learner in (exact, half)]
    assert said[0].tolist() != said[1].tolist()
    torch.testing.assert_close(said[0], said[1], rtol=0.1, atol=0.05)
    assert all(p.dtype == torch.float32 and p.grad.dtype == torch.float32 for p in half.model.trainable())


def test_micro_batches_that_processes_cannot_share_evenly_are_refused(settings):
    with pytest.raises(MtclarError, match=r"train\.accumulate=3 .* 2 processes; make it a multiple of 2"):
        _learner(settings.model_copy(update={"accumulate": 3}), Processes(0, 2))


def test_when_memory_runs_out_the_settings_to_lower_are_named(settings, micros):
    for blocks, lower in ((1, "pair.block_faces"), (3, "train.batch_blocks=3 or pair.block_faces")):
        learner = _learner(settings.model_copy(update={"batch_blocks": blocks}))
        learner._encode = lambda faces: torch.empty(10**15)
        with pytest.raises(MtclarError, match=f"more memory than there is; lower {lower}"):
            learner.step(1, 0, micros[:1], 1, 0.1)


def test_adamw_shrinks_weights_by_rate_times_decay_whatever_the_gradient(settings, micros):
    """Decoupled decay (Loshchilov and Hutter, arXiv 1711.05101): a step with it is one without, less that share."""
    after = {}
    for decay in (0.0, 0.1):
        changed = settings.model_copy(update={"optimiser": "adamw", "weight_decay": decay, "weighing": "fixed"})
        learner = _learner(changed)
        before = [p.detach().clone() for p in learner.model.trainable()]
        learner.step(1, 0, micros[:1], 1, 0.5)
        after[decay] = [p.detach().clone() for p in learner.model.trainable()]
    for start, without, decayed in zip(before, after[0.0], after[0.1], strict=True):
        torch.testing.assert_close(decayed, without - 0.5 * 0.1 * start)
