"""Where a killed run goes on: `last/epoch-0003/`, a checkpoint with the optimiser's state and the history beside it.

A folder is written beside its place and renamed, so one that is there is whole. Nothing else needs to be kept: the
chance of every epoch comes from the seed and the epoch's number.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch.optim import Optimizer

from mtclar.data.whole import unwritable, whole_folder
from mtclar.model.checkpoint import load_checkpoint, save_checkpoint
from mtclar.model.mtclar import MTCLAR

log = logging.getLogger(__name__)

OPTIMISER, STATE = "optimiser.safetensors", "state.json"


def save_state(
    folder: Path, model: MTCLAR, optimiser: Optimizer, *, fingerprint: str, history: list[dict[str, Any]]
) -> None:
    """Writes the state after the epoch that `history` ends with, then removes that of earlier epochs."""
    epoch = len(history)
    place = folder / f"epoch-{epoch:04d}"
    tensors = {
        f"{index}.{name}": value.contiguous()
        for index, values in optimiser.state_dict()["state"].items()
        for name, value in values.items()
    }
    with whole_folder(place, known_by=STATE) as partial:
        save_checkpoint(partial, model, {"epoch": epoch})
        (partial / OPTIMISER).write_bytes(save(tensors))
        (partial / STATE).write_text(json.dumps({"fingerprint": fingerprint, "history": history}), encoding="utf-8")
    for other in folder.glob("epoch-*"):
        if other != place:
            shutil.rmtree(other, ignore_errors=True)


def load_state(folder: Path, model: MTCLAR, optimiser: Optimizer) -> list[dict[str, Any]]:
    """Puts the latest state into `model` and `optimiser`.

    Returns:
        The history so far; empty, with nothing changed, where there is no state or it cannot be read.
    """
    for place in sorted((p for p in folder.glob("epoch-*") if not p.name.endswith(".part")), reverse=True):
        try:
            state = json.loads((place / STATE).read_text(encoding="utf-8"))
            saved, _ = load_checkpoint(place)
            tensors = load((place / OPTIMISER).read_bytes())
        except (OSError, ValueError, KeyError, SafetensorError) as error:
            log.warning("%s cannot be resumed from (%s); the training starts anew.", place, error)
            return []
        model.load_state_dict(saved.state_dict())
        moments: dict[int, dict[str, Any]] = {}
        for key, value in tensors.items():
            index, _, name = key.partition(".")
            moments.setdefault(int(index), {})[name] = value
        optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
        return state["history"]
    return []


def prepare(out: Path, fingerprint: str) -> None:
    """Makes the folder, and clears it of a run with another fingerprint, so that a failure never leaves its model.

    Raises:
        MtclarError: The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not _is_of(out / "last", fingerprint):
            for name in ("model.json", "model.safetensors", "history.csv"):
                (out / name).unlink(missing_ok=True)
            shutil.rmtree(out / "last", ignore_errors=True)
    except OSError as error:
        raise unwritable(out, error) from error


def _is_of(folder: Path, fingerprint: str) -> bool:
    """Whether all states in the folder are of a run with this fingerprint."""
    for path in folder.glob(f"epoch-*/{STATE}"):
        try:
            if json.loads(path.read_text(encoding="utf-8"))["fingerprint"] != fingerprint:
                return False
        except (OSError, ValueError, KeyError, TypeError):
            return False
    return folder.is_dir()
