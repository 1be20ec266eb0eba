"""Epochs: what ends them, what is kept of them, and what stops them."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.learning.blocks import Blocks
from mtclar.learning.learner import Learner
from mtclar.learning.loop import stalled, train_pairs
from mtclar.learning.processes import Processes
from mtclar.model.build import build_model


class Noise:
    """Pictures of nothing, by position."""

    def __init__(self, n: int) -> None:
        self.faces = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, 1, 22, 22)).astype(np.uint8))

    def batches(self, wanted):
        for positions in wanted:
            yield self.faces[torch.tensor(positions)]


@pytest.fixture
def blocks() -> Blocks:
    """Seven blocks of six faces."""
    rng = np.random.default_rng(1)
    block = np.repeat(np.arange(7), 10)
    sides = {side: block * 6 + rng.integers(6, size=70) for side in ("left", "right")}
    truth = {"similar": rng.random(70) < 0.5, "d_valence": rng.uniform(-1, 1, 70), "d_arousal": rng.uniform(-1, 1, 70)}
    return Blocks(pd.DataFrame({"block": block, **sides, **truth}), pd.Series(np.arange(42)))


def _train(settings, blocks, out, losses=(), **also):
    """A training whose validation losses are given; they are NaN where they run out."""
    losses = iter(losses)
    learner = Learner(settings, build_model(settings), torch.device("cpu"), Processes())
    watch = lambda model: {"validation_loss": next(losses, math.nan)}  # noqa: E731
    history = train_pairs(
        learner,
        Noise(42),
        blocks if callable(blocks) else lambda epoch: blocks,
        watch,
        out=out,
        fingerprint="f",
        **also,
    )
    return history, learner.model.state_dict()


def test_training_ends_when_the_validation_loss_has_not_fallen_for_as_long_as_the_settings_say(
    settings, blocks, tmp_path
):
    settings = settings.model_copy(update={"epochs": 9, "early_stop": 2})
    history, _ = _train(settings, blocks, tmp_path, [0.5, 0.4, 0.45, 0.4, 0.1])
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["epoch-0002"]
    again, _ = _train(settings, blocks, tmp_path, [0.0])
    assert len(again) == 4


def test_it_never_ends_early_without_a_validation_loss_or_without_being_asked(settings):
    rows = [{"epoch": i, "validation_loss": loss} for i, loss in enumerate([0.1, 0.2, 0.3], 1)]
    assert not stalled(settings.model_copy(update={"early_stop": 0}), rows)
    assert not stalled(settings.model_copy(update={"early_stop": 3}), rows)
    assert stalled(settings.model_copy(update={"early_stop": 2}), rows)
    assert not stalled(settings.model_copy(update={"early_stop": 1}), [{"epoch": 9, "validation_loss": math.nan}])
    assert not stalled(settings.model_copy(update={"early_stop": 1}), [])


def test_the_last_step_of_an_epoch_takes_the_micro_batches_that_are_left(settings, blocks, tmp_path):
    settings = settings.model_copy(update={"accumulate": 3, "batch_blocks": 1})
    steps = []
    _train(settings, blocks, tmp_path, progress=lambda done, total, what="", /: steps.append((done, total)))
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_run_stopped_within_an_epoch_goes_on_there_to_the_same_weights_and_history(settings, blocks, tmp_path):
    settings = settings.model_copy(update={"epochs": 2, "save_steps": 2, "accumulate": 2, "weighing": "uncertainty"})
    whole = _train(settings, blocks, tmp_path / "whole", [0.5, 0.4])
    seen = []

    def stop(done: int, total: int, what: str = "", /) -> None:
        seen.append(done)
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _train(settings, blocks, tmp_path / "out", [0.5], progress=stop)
    assert [path.name for path in (tmp_path / "out" / "last").iterdir()] == ["epoch-0001-step-000002"]
    rest = _train(settings, blocks, tmp_path / "out", [0.4], progress=lambda done, total, what="", /: seen.append(done))
    assert seen == [1, 2, 3, 4, 5, 6, 7, 7, 8]
    assert rest[0] == whole[0]
    assert all(torch.equal(value, whole[1][name]) for name, value in rest[1].items())


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_state_before(settings, blocks, tmp_path, monkeypatch):
    settings = settings.model_copy(update={"save_steps": 2})
    step, calls = Learner.step, []

    def broken(self, *given):
        calls.append(0)
        return step(self, *given) * (math.inf if len(calls) > 4 else 1)

    monkeypatch.setattr(Learner, "step", broken)
    with pytest.raises(MtclarError, match=r"became inf in epoch 1 of 1; .* stands in .*last; lower train\.learn"):
        _train(settings, blocks, tmp_path)
    state = json.loads((tmp_path / "last" / "epoch-0000-step-000004" / "state.json").read_text())
    assert all(math.isfinite(total) for total in state["sums"])


def test_a_loss_that_is_no_number_at_once_says_that_nothing_was_kept(settings, blocks, tmp_path, monkeypatch):
    monkeypatch.setattr(Learner, "step", lambda self, *given: torch.full((5,), math.nan))
    with pytest.raises(MtclarError, match="became nan in epoch 1 of 1; nothing was kept yet"):
        _train(settings, blocks, tmp_path)


def test_processes_that_see_different_folders_are_told_so(settings, blocks, tmp_path, monkeypatch):
    monkeypatch.setattr(Processes, "agree", lambda self, value: "epoch-0003")
    with pytest.raises(MtclarError, match=r"finds epoch-0000 in .*all processes must see the same --out"):
        _train(settings, blocks, tmp_path)


def test_the_learning_rate_follows_the_schedule_and_the_validation_losses(settings, blocks, tmp_path):
    constant = settings.model_copy(update={"schedule": "constant", "epochs": 2})
    history, _ = _train(constant, blocks, tmp_path / "constant")
    assert [row["learning_rate"] for row in history] == [settings.learning_rate] * 2
    plateau = settings.model_copy(update={"schedule": "plateau", "epochs": 9})
    history, _ = _train(plateau, blocks, tmp_path / "plateau", [0.1, *[0.2] * 8])
    shares = [row["learning_rate"] / settings.learning_rate for row in history]
    assert np.allclose(shares, [1.0] * 7 + [0.1] * 2)


def test_the_history_names_the_tasks_that_are_learned(settings, blocks, tmp_path):
    history, _ = _train(settings.model_copy(update={"tasks": ("similarity",)}), blocks, tmp_path)
    assert set(history[0]) == {"epoch", "learning_rate", "loss_similarity", "validation_loss"}


def test_an_epoch_learns_from_the_pairs_that_are_drawn_for_it_and_goes_on_with_them_where_it_was_killed(
    settings, blocks, tmp_path
):
    asked: list[int] = []

    def drawn(epoch: int) -> Blocks:
        asked.append(epoch)
        return blocks

    settings = settings.model_copy(update={"epochs": 2})
    _train(settings, drawn, tmp_path / "out")
    assert asked == [1, 2]
    asked.clear()
    _train(settings.model_copy(update={"epochs": 3}), drawn, tmp_path / "out")
    assert asked == [3]
