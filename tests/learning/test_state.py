"""What a run leaves behind for the next to go on from."""

from __future__ import annotations

import math

import pytest
import torch

from mtclar.learning.learner import Learner
from mtclar.learning.processes import Processes
from mtclar.learning.state import Standing, best_epoch, load_state, prepare, save_state
from mtclar.model.build import build_model
from mtclar.model.checkpoint import load_checkpoint


@pytest.fixture
def learner(settings) -> Learner:
    settings = settings.model_copy(update={"weighing": "uncertainty"})
    return Learner(settings, build_model(settings), torch.device("cpu"), Processes())


def _moved(learner: Learner) -> None:
    """One step of the optimiser along made-up gradients."""
    generator = torch.Generator().manual_seed(0)
    for group in learner.optimiser.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.rand(parameter.shape, generator=generator)
    learner.optimiser.step()


def _history(*losses: float) -> list[dict[str, float]]:
    return [{"epoch": i, "validation_loss": loss} for i, loss in enumerate(losses, 1)]


def _whole(learner: Learner) -> list[torch.Tensor]:
    state = learner.optimiser.state_dict()["state"]
    moments = [state[index][name] for index in sorted(state) for name in sorted(state[index])]
    return [*learner.model.state_dict().values(), *learner.objective.parameters(), *moments]


def test_a_state_holds_network_optimiser_learned_weights_and_where_the_run_stands(learner, settings, tmp_path):
    _moved(learner)
    standing = Standing(_history(0.5, math.nan), 7, [0.1, 1 / 3])
    save_state(tmp_path, learner, standing, "f")
    settings = settings.model_copy(update={"weighing": "uncertainty", "seed": 9})
    other = Learner(settings, build_model(settings), torch.device("cpu"), Processes())
    found = load_state(tmp_path, other)
    assert (found.step, found.sums, found.name) == (7, [0.1, 1 / 3], "epoch-0002-step-000007")
    assert found.history[0] == standing.history[0]
    assert all(torch.equal(a, b) for a, b in zip(_whole(learner), _whole(other), strict=True))
    for one in (learner, other):
        _moved(one)
    assert all(torch.equal(a, b) for a, b in zip(_whole(learner), _whole(other), strict=True))


def test_only_the_newest_state_and_the_best_checkpoint_stay(learner, tmp_path):
    for losses, step in (((0.5,), 0), ((0.5, 0.3), 0), ((0.5, 0.3), 4), ((0.5, 0.3, 0.4), 0)):
        save_state(tmp_path, learner, Standing(_history(*losses), step, [1.0] if step else []), "f")
    assert [path.name for path in (tmp_path / "last").iterdir()] == ["epoch-0003"]
    assert [path.name for path in (tmp_path / "best").iterdir()] == ["epoch-0002"]
    assert load_checkpoint(tmp_path / "best" / "epoch-0002")[1] == {"epoch": 2, "step": 0}


def test_names_sort_by_how_far_the_run_was():
    standings = [
        Standing(_history(1), 0),
        Standing(_history(1), 5),
        Standing(_history(1), 40),
        Standing(_history(1, 1)),
    ]
    names = [standing.name for standing in standings]
    assert names == sorted(names)


def test_a_state_that_is_damaged_gives_way_to_the_one_before(learner, tmp_path, caplog):
    save_state(tmp_path, learner, Standing(_history(0.5)), "f")
    (tmp_path / "last" / "epoch-0002").mkdir()
    (tmp_path / "last" / "epoch-0002" / "state.json").write_text('{"fingerprint": "f", "hist')
    assert load_state(tmp_path, learner).name == "epoch-0001"
    assert "epoch-0002 cannot be resumed from" in caplog.text


def test_a_half_written_state_neither_counts_nor_costs_the_whole_ones(learner, tmp_path):
    save_state(tmp_path, learner, Standing(_history(0.5)), "f")
    for stray in ("last/epoch-0002.part", "best/epoch-0001.old"):
        (tmp_path / stray).mkdir()
        (tmp_path / stray / "state.json").write_text('{"finger')
    prepare(tmp_path, "f")
    assert load_state(tmp_path, learner).name == "epoch-0001"
    assert [path.name for path in tmp_path.glob("*/*")].count("epoch-0001") == 2
    assert not list(tmp_path.glob("*/*.*"))


def test_a_checkpoint_that_a_killed_run_left_half_removed_is_written_again(learner, tmp_path):
    (tmp_path / "best" / "epoch-0001").mkdir(parents=True)
    (tmp_path / "best" / "epoch-0001" / "model.safetensors").write_bytes(b"half")
    save_state(tmp_path, learner, Standing(_history(0.5)), "f")
    load_checkpoint(tmp_path / "best" / "epoch-0001")


def test_another_run_finds_nothing(learner, tmp_path):
    save_state(tmp_path, learner, Standing(_history(0.5)), "f")
    (tmp_path / "model.json").write_text("{}")
    prepare(tmp_path, "g")
    assert list(tmp_path.iterdir()) == []
    assert load_state(tmp_path, learner) == Standing()


@pytest.mark.parametrize(
    ("losses", "best"),
    [((), None), ((math.nan, math.nan), None), ((0.5, 0.3, 0.3), 2), ((math.nan, 0.9), 2), ((0.1, math.nan), 1)],
)
def test_the_best_epoch_has_the_lowest_validation_loss(losses, best):
    assert best_epoch(_history(*losses)) == best
