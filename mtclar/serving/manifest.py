"""What lies in a bundle: three ONNX graphs and bundle.json, which says what they are and the sha256 of each file.

Every file is checked before it is used, so labels never come from a model other than the one that was judged. A bundle
that is given away holds papers too: its card, the licence and the credits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mtclar.data.tables import EXPRESSIONS
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError

SCHEMA_VERSION = 1
GRAPHS = {
    "encoder.onnx": (("faces",), ("embedding",)),
    "pair.onnx": (("left", "right"), ("similar", "d_valence", "d_arousal")),
    "single.onnx": (("embedding",), ("expression", "valence", "arousal")),
}
"""File of each graph: the names of its inputs and of its outputs."""

CARD, LICENCE, CREDITS = PAPERS = ("card.md", "LICENSE", "CREDITS.md")
"""Text files that may lie beside the graphs: the model card, the terms of the weights, whose work went into them."""

_FACTS: dict[str, type | tuple[type, ...]] = {
    "mtclar_version": str,
    "crop": dict,
    "tasks": list,
    "embedding_size": int,
    "label_range": list,
    "expressions": list,
    "calibration": (dict, type(None)),
    "metrics": dict,
    "data_revision": str,
    "git_revision": str,
    "licences": dict,
    "files": dict,
}

_LATER: dict[str, type] = {"evaluation_set": str, "training_run": str}
"""Facts that bundles of earlier versions lack."""


def write_bundle(
    folder: Path,
    graphs: Mapping[str, bytes],
    facts: Mapping[str, Any],
    check: Callable[[Path], None] | None = None,
    papers: Mapping[str, str] | None = None,
) -> str:
    """Writes a bundle, whole or not at all.

    Args:
        folder: Where it shall lie; an earlier bundle there is replaced.
        graphs: Each file of `GRAPHS` as serialised ONNX.
        facts: All of bundle.json but `schema_version` and `files`.
        check: Called with the complete bundle before it takes its place; what it raises keeps it out.
        papers: Text by name, some of `PAPERS`.

    Returns:
        The identity of the bundle.

    Raises:
        MtclarError: The folder cannot be written.
    """
    parts = {name: graphs[name] for name in GRAPHS}
    parts |= {name: papers[name].encode() for name in PAPERS if papers and name in papers}
    files = {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in parts.items()}
    content = {"schema_version": SCHEMA_VERSION, **facts, "files": files}
    _check_facts(folder, content)
    data = (json.dumps(content, indent=2, allow_nan=False) + "\n").encode()
    with whole_folder(folder, known_by="bundle.json") as partial:
        for name, part in parts.items():
            (partial / name).write_bytes(part)
        (partial / "bundle.json").write_bytes(data)
        if check is not None:
            check(partial)
    return hashlib.sha256(data).hexdigest()


def read_facts(folder: Path) -> tuple[dict[str, Any], str]:
    """Reads and checks bundle.json; returns its content and its sha256.

    Raises:
        MtclarError: It is missing or is not understood.
    """
    path = folder / "bundle.json"
    try:
        data = path.read_bytes()
        facts = json.loads(data)
    except OSError as error:
        raise MtclarError(
            f"{folder}: not a model bundle ({path.name}: {error.strerror}); give a folder that 'mtclar export' wrote."
        ) from error
    except ValueError as error:
        raise MtclarError(f"{path}: not valid JSON ({error}); export the model again.") from error
    _check_facts(folder, facts)
    return facts, hashlib.sha256(data).hexdigest()


def check_files(folder: Path, facts: Mapping[str, Any]) -> None:
    """Compares the graphs and every paper that bundle.json names with what it states of them.

    Raises:
        MtclarError: One is missing, cut short or changed.
    """
    for name in (*GRAPHS, *(name for name in PAPERS if name in facts["files"])):
        check_file(folder, name, facts["files"])


def substance(facts: Mapping[str, Any]) -> str:
    """sha256 of what a model's labels follow from: its graphs, its crop and its calibration.

    Two bundles with the same substance label alike, whatever they are called and whatever papers lie beside them.
    """
    said = {name: facts[name] for name in ("crop", "tasks", "calibration")}
    said["graphs"] = {name: facts["files"][name]["sha256"] for name in GRAPHS}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _check_facts(folder: Path, facts: Any) -> None:
    path = folder / "bundle.json"
    if not isinstance(facts, dict):
        raise MtclarError(f"{path}: expected an object, got {type(facts).__name__}.")
    version = facts.get("schema_version")
    if version != SCHEMA_VERSION:
        raise MtclarError(
            f"{path}: has schema version {version!r}, this mtclar reads {SCHEMA_VERSION}; export the model again or "
            "install the mtclar that wrote it."
        )
    for name, kind in _FACTS.items():
        if name not in facts:
            raise MtclarError(f"{path}: '{name}' is missing; export the model again.")
        if not isinstance(facts[name], kind):
            raise MtclarError(f"{path}: '{name}' is a {type(facts[name]).__name__}; export the model again.")
    for name, kind in _LATER.items():
        if not isinstance(facts.get(name, ""), kind):
            raise MtclarError(f"{path}: '{name}' is a {type(facts[name]).__name__}; export the model again.")
    if facts["expressions"] != list(EXPRESSIONS):
        raise MtclarError(f"{path}: the expressions are {facts['expressions']}, expected {list(EXPRESSIONS)}.")


def check_file(folder: Path, name: str, files: Mapping[str, Any]) -> None:
    """Compares a file with what bundle.json states under `files`.

    Raises:
        MtclarError: It is missing, cut short or changed.
    """
    path, stated = folder / name, files.get(name)
    if not isinstance(stated, dict) or "sha256" not in stated or not isinstance(stated.get("bytes"), int):
        raise MtclarError(f"{folder}/bundle.json: does not state the sha256 and size of {name}; export it again.")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MtclarError(f"{path}: cannot be read ({error.strerror}); the bundle is incomplete.") from error
    if size < stated["bytes"]:
        raise MtclarError(f"{path}: cut short, {size} of {stated['bytes']} bytes; copy or export the bundle again.")
    if found != stated["sha256"]:
        raise MtclarError(f"{path}: changed since the bundle was written (its sha256 differs); copy it again.")
