"""Where a killed run goes on, and the best it has been.

`last/epoch-0003/` is a checkpoint after three epochs with the optimiser's state and the history beside it, and
`last/epoch-0003-step-000200/` one within the fourth; `best/epoch-0002/` is the checkpoint with the lowest validation
loss. Every folder is written beside its place and renamed, so one that is there is whole, and an older one goes only
when the newer stands. Nothing else needs to be kept: all chance comes from the seed and the numbers of epoch, step and
micro-batch.
"""

from __future__ import annotations

import json
import logging
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from mtclar.data.whole import unwritable, whole_folder
from mtclar.learning.learner import Learner
from mtclar.model.checkpoint import FACTS, load_checkpoint, save_checkpoint

log = logging.getLogger(__name__)

LAST, BEST = "last", "best"
OPTIMISER, STATE = "optimiser.safetensors", "state.json"
History = list[dict[str, Any]]


@dataclass
class Standing:
    """How far a run has come.

    Attributes:
        history: One dictionary for every finished epoch.
        step: Steps done of the epoch after.
        sums: Over those steps, of the total loss and of each task's; empty at step 0.
    """

    history: History = field(default_factory=list)
    step: int = 0
    sums: list[float] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of the state's folder; later ones sort after earlier ones."""
        return f"epoch-{len(self.history):04d}" + (f"-step-{self.step:06d}" if self.step else "")


def best_epoch(history: History) -> int | None:
    """The epoch of the lowest validation loss, the earliest of equal ones; None where there is none."""
    losses = [row["validation_loss"] for row in history]
    known = [i for i, loss in enumerate(losses) if not math.isnan(loss)]
    return history[min(known, key=lambda i: losses[i])]["epoch"] if known else None


def best_folder(out: Path, history: History) -> Path | None:
    """Where the checkpoint of the best epoch is; None where there is no validation loss."""
    epoch = best_epoch(history)
    return None if epoch is None else out / BEST / f"epoch-{epoch:04d}"


def save_state(out: Path, learner: Learner, standing: Standing, fingerprint: str) -> None:
    """Writes where the run stands, and after an epoch better than all before its checkpoint; removes older ones.

    Raises:
        MtclarError: The folder cannot be written.
    """
    facts = {"epoch": len(standing.history), "step": standing.step}
    best, last = best_folder(out, standing.history), out / LAST / standing.name
    if not standing.step and best_epoch(standing.history) == len(standing.history) and best is not None:
        with _in_place(best, FACTS) as partial:
            save_checkpoint(partial, learner.model, facts)
    tensors = {
        f"{index}.{name}": value.cpu().contiguous()
        for index, values in learner.optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }
    for name, part in _parts(learner):
        tensors |= {f"{name}.{k}": v.cpu().contiguous() for k, v in part.state_dict().items()}
    with _in_place(last, STATE) as partial:
        save_checkpoint(partial, learner.model, facts)
        (partial / OPTIMISER).write_bytes(save(tensors))
        (partial / STATE).write_text(json.dumps({"fingerprint": fingerprint, **asdict(standing)}), encoding="utf-8")
    for kept in (last, best):
        for other in kept.parent.glob("epoch-*") if kept is not None else ():
            if other != kept:
                shutil.rmtree(other, ignore_errors=True)


def load_state(out: Path, learner: Learner) -> Standing:
    """Puts the latest state that can be read into the learner.

    Returns:
        Where the run stands; at its beginning, with nothing changed, where there is no such state.
    """
    for place in sorted((p for p in (out / LAST).glob("epoch-*") if "." not in p.name), reverse=True):
        try:
            state = json.loads((place / STATE).read_text(encoding="utf-8"))
            standing = Standing(state["history"], state["step"], state["sums"])
            weights = load_checkpoint(place)[0].state_dict()
            tensors = load((place / OPTIMISER).read_bytes())
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            log.warning("%s cannot be resumed from (%s).", place, error)
            continue
        learner.model.load_state_dict(weights)
        for name, part in _parts(learner):
            own = [key for key in tensors if key.startswith(f"{name}.")]
            part.load_state_dict({key.removeprefix(f"{name}."): tensors.pop(key) for key in own})
        _load_optimiser(learner.optimiser, tensors)
        return standing
    return Standing()


def _parts(learner: Learner) -> list[tuple[str, torch.nn.Module]]:
    """What of a learner has weights besides the network."""
    parts: list[tuple[str, torch.nn.Module]] = [("objective", learner.objective)]
    return parts if learner.auxiliary is None else [*parts, ("auxiliary", learner.auxiliary)]


def prepare(out: Path, fingerprint: str, state: Path | None = None) -> None:
    """Makes the folders, and clears them of a run with another fingerprint, so that a failure never leaves its model.

    Args:
        out: Of the checkpoint.
        fingerprint: Of the run.
        state: Of the states; None where they lie in `out`.

    Raises:
        MtclarError: A folder cannot be written.
    """
    for folder in (out, state or out):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(folder, error) from error
    place = state or out
    try:
        if not _is_of(place / LAST, fingerprint):
            for name in ("model.json", "model.safetensors", "history.csv"):
                (out / name).unlink(missing_ok=True)
            for name in (BEST, LAST):  # the last goes last, for it tells whose run this is
                shutil.rmtree(place / name, ignore_errors=True)
        for stray in (*(place / LAST).glob("epoch-*.*"), *(place / BEST).glob("epoch-*.*")):
            shutil.rmtree(stray, ignore_errors=True)
    except OSError as error:
        raise unwritable(out, error) from error


def _is_of(folder: Path, fingerprint: str) -> bool:
    """Whether all states in the folder are of a run with this fingerprint."""
    for path in folder.glob(f"epoch-*/{STATE}"):
        if "." in path.parent.name:  # half written when the run was killed
            continue
        try:
            if json.loads(path.read_text(encoding="utf-8"))["fingerprint"] != fingerprint:
                return False
        except (OSError, ValueError, KeyError, TypeError):
            return False
    return folder.is_dir()


@contextmanager
def _in_place(place: Path, known_by: str) -> Iterator[Path]:
    """A folder to write that then stands at `place`.

    One that a killed run left there steps aside first, whole: removing it in its place could leave half of it.
    """
    if place.exists():
        aside = place.with_name(place.name + ".old")
        shutil.rmtree(aside, ignore_errors=True)
        os.replace(place, aside)
        shutil.rmtree(aside, ignore_errors=True)
    with whole_folder(place, known_by=known_by) as partial:
        yield partial


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Puts back moments saved as "index.name", laid out in memory as their parameters are."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        like = parameters[int(index)]
        same = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
        moments.setdefault(int(index), {})[name] = same.detach()
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
