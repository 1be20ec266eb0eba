"""`mtclar models ship`: the bundle that is given to everybody: the exported one, with its card, licence and credits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from mtclar.errors import MtclarError
from mtclar.report.card import MADE, model_card
from mtclar.serving import Bundle, write_bundle
from mtclar.serving.facts import headline
from mtclar.serving.manifest import CARD, CREDITS, GRAPHS, LICENCE, substance

MOST_BYTES = 20_000_000
"""What a bundle that comes with the software may weigh."""

WEIGHTS_LICENCE = "Apache-2.0"


@dataclass(frozen=True)
class Shipped:
    """A bundle that has been written to be given away.

    Attributes:
        out: Its folder.
        name: What it is called, with its version.
        identity: sha256 of its bundle.json.
        size: Of all its files, in bytes.
    """

    out: Path
    name: str
    identity: str
    size: int

    def __str__(self) -> str:
        return (
            f"{self.out}: {self.name}, {self.size / 1e6:.1f} MB of at most {MOST_BYTES / 1e6:.0f} "
            f"(bundle {self.identity[:12]})"
        )


def run(*, bundle: Path, evaluation: Path, real: Path, out: Path) -> Shipped:
    """Writes the bundle that ships.

    Args:
        bundle: Folder that `mtclar export` wrote.
        evaluation: Folder that `mtclar evaluate` wrote, with which the bundle was exported.
        real: Folder that `mtclar evaluate --real` wrote about this bundle.
        out: Folder of the new bundle; appears whole or not at all.

    Raises:
        MtclarError: An input is missing or is about another model, the model learned from data whose terms do not let
            everybody use it, or the bundle is too large.
    """
    opened = Bundle.load(bundle)
    _check_free(bundle, opened.facts)
    if headline(evaluation) != opened.facts["metrics"]:
        raise MtclarError(
            f"{evaluation}: these are not the metrics the bundle {bundle} was exported with; run 'mtclar export' again."
        )
    metrics = _read(evaluation / "metrics.json", "mtclar evaluate")
    judged = _read(real / "real.json", "mtclar evaluate --real")
    if judged.get("substance") != substance(opened.facts):
        raise MtclarError(
            f"{real}/real.json: judged another model than {bundle}; run 'mtclar evaluate --real' with this bundle."
        )
    facts = {key: value for key, value in opened.facts.items() if key != "schema_version"}
    facts = {"name": "mtclar", "version": facts["mtclar_version"]} | facts
    facts["licences"] = {"weights": WEIGHTS_LICENCE} | facts["licences"]
    papers = files("mtclar.serving") / "papers"
    texts = {name: (papers / name).read_text(encoding="utf-8") for name in (LICENCE, CREDITS)}
    texts[CARD] = model_card(facts, metrics, judged)
    graphs = {name: (bundle / name).read_bytes() for name in GRAPHS}
    identity = write_bundle(out, graphs, facts, check=_check_size, papers=texts)
    return Shipped(out, f"{facts['name']} {facts['version']}", identity, _size(out))


def _check_free(bundle: Path, facts: dict[str, Any]) -> None:
    """Refuses a model that learned from data which are not ours to give away."""
    bound = sorted(set(facts["licences"]) - MADE - {"software", "weights"})
    if bound:
        raise MtclarError(
            f"{bundle}: learned from {', '.join(bound)}, whose terms do not let everybody use it; ship a model that "
            "learned from people who do not exist."
        )


def _check_size(folder: Path) -> None:
    if (size := _size(folder)) > MOST_BYTES:
        raise MtclarError(
            f"the bundle weighs {size / 1e6:.1f} MB, more than the {MOST_BYTES / 1e6:.0f} that come with the software; "
            "train a smaller network."
        )


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _read(path: Path, verb: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MtclarError(f"{path}: cannot be read ({error.strerror}); run '{verb}' first.") from error
    except ValueError as error:
        raise MtclarError(f"{path}: not valid JSON ({error}); run '{verb}' again.") from error
    if not isinstance(content, dict):
        raise MtclarError(f"{path}: expected an object, got {type(content).__name__}; run '{verb}' again.")
    return content
