"""A checkpoint: `model.safetensors` with the weights and `model.json` with the spec and the facts. No pickle."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.model.encoders import encoder_from_dict
from mtclar.model.mtclar import MTCLAR, ModelSpec

WEIGHTS, FACTS = "model.safetensors", "model.json"
SCHEMA_VERSION = 3


def save_checkpoint(folder: Path, model: MTCLAR, facts: dict[str, Any]) -> None:
    """Writes the weights and facts of `model` under `folder`, each file whole or not at all.

    `model.json` goes last and holds the digest of the weights, so a folder caught half way is refused on loading.

    Raises:
        MtclarError: The folder cannot be written.
    """
    weights = save({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()})
    digest = hashlib.sha256(weights).hexdigest()
    about = {"schema_version": SCHEMA_VERSION, "spec": asdict(model.spec), "weights_sha256": digest, "facts": facts}
    with whole_file(folder / WEIGHTS) as partial:
        partial.write_bytes(weights)
    with whole_file(folder / FACTS) as partial:
        partial.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def load_checkpoint(folder: Path) -> tuple[MTCLAR, dict[str, Any]]:
    """Reads a checkpoint.

    Returns:
        The model on the CPU in evaluation mode, and the facts it was saved with.

    Raises:
        MtclarError: A file is missing, is not what `save_checkpoint` writes, or the two do not belong together.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        weights = (folder / WEIGHTS).read_bytes()
    except OSError as error:
        raise MtclarError(
            f"{error.filename}: expected a checkpoint written by 'mtclar train' ({error.strerror})."
        ) from error
    except ValueError as error:
        raise MtclarError(f"{folder / FACTS}: not a checkpoint's JSON ({error}); run 'mtclar train' again.") from error
    try:
        version, spec = about["schema_version"], about["spec"]
        facts, digest = dict(about["facts"]), about["weights_sha256"]
    except (KeyError, TypeError, ValueError) as error:
        raise MtclarError(f"{folder / FACTS}: not a checkpoint's JSON ({error}); run 'mtclar train' again.") from error
    if version != SCHEMA_VERSION:
        raise MtclarError(
            f"{folder / FACTS}: schema version {version}, this mtclar reads {SCHEMA_VERSION}; run 'mtclar train' again."
        )
    try:
        model = MTCLAR(ModelSpec(**{**spec, "encoder": encoder_from_dict(spec["encoder"])}))
    except MtclarError as error:
        raise MtclarError(f"{folder / FACTS}: describes no network of this mtclar: {error}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise MtclarError(f"{folder / FACTS}: not a checkpoint's JSON ({error}); run 'mtclar train' again.") from error
    if hashlib.sha256(weights).hexdigest() != digest:
        raise MtclarError(
            f"{folder / WEIGHTS}: the weights are not those {FACTS} describes; they were changed or cut short, so run "
            "'mtclar train' again."
        )
    try:
        model.load_state_dict(load(weights))
    except (SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise MtclarError(f"{folder / WEIGHTS}: the weights do not fit the spec in {FACTS} ({reason}).") from error
    return model.eval(), facts
