"""`mtclar export`: checkpoint -> bundle; or bundle and a new evaluation of it -> the same graphs, calibrated anew."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtclar import __version__
from mtclar.data.store import FacesStore
from mtclar.data.tables import EXPRESSIONS
from mtclar.data.whole import scratch
from mtclar.errors import MtclarError
from mtclar.progress import Progress, silent
from mtclar.revision import EVALUATION_SET, STAMP, data_revision, git_revision, same_data
from mtclar.serving.bundle import Bundle
from mtclar.serving.facts import calibration, evaluation_set, headline, licences
from mtclar.serving.learned import learned_from, lineage, training
from mtclar.serving.manifest import CARD, GRAPHS, PAPERS, write_bundle
from mtclar.settings import ExportSettings


@dataclass(frozen=True)
class Exported:
    """A bundle that has been written.

    Attributes:
        bundle: Its folder.
        identity: sha256 of its bundle.json.
        difference: Largest absolute difference between ONNX Runtime and torch.
        faces: Faces on which the two were compared.
        int8: What quantising the encoder cost, as `serving.quantise.loss` says; None where it was not.
    """

    bundle: Path
    identity: str
    difference: float
    faces: int
    int8: dict[str, Any] | None = None

    def __str__(self) -> str:
        said = (
            f"{self.bundle}: ONNX Runtime agrees with torch within {self.difference:.1e} on {self.faces} faces "
            f"(bundle {self.identity[:12]})"
        )
        if self.int8 is None:
            return said
        known = {name: self.int8[name]["difference"] for name in ("valence", "arousal")}
        apart = ", ".join(f"{value:.3f} in {name}" for name, value in known.items() if value is not None)
        return f"{said}; the encoder in 8 bits differs by {apart or 'nothing'} (RMS, {self.int8['faces']} faces)"


def run(
    settings: ExportSettings,
    *,
    checkpoint: Path,
    faces: Path,
    evaluation: Path,
    out: Path,
    progress: Progress = silent,
) -> Exported:
    """Exports a checkpoint, proves that the graphs say what torch says, and writes the bundle.

    Args:
        settings: The section `export` of params.yaml.
        checkpoint: Folder that `mtclar train` wrote.
        faces: Faces store from which the faces of the comparison come.
        evaluation: Folder that `mtclar evaluate` wrote: calibration and headline metrics go into the bundle.
        out: The bundle; appears whole or not at all.
        progress: Called after each of the three parts of the work.

    Raises:
        MtclarError: An input is not what it should be, or the graphs do not agree with torch within
            `settings.tolerance`.
    """
    store = FacesStore(faces)
    if len(store) < 2:
        raise MtclarError(f"{faces}: holds {len(store)} faces, but the comparison with torch needs at least two.")
    facts = _judged(evaluation)
    # torch takes seconds to import: what can be wrong without it has been said by now.
    from mtclar.model.predictor import TorchPredictor
    from mtclar.serving.export import check_agreement, export_graphs
    from mtclar.serving.quantise import CALIBRATED_ON, faces_of, loss, quantised

    predictor = TorchPredictor.from_checkpoint(checkpoint, device="cpu")
    if predictor.crop.size != store.size:
        raise MtclarError(
            f"{faces}: holds crops of {store.size} pixels, but {checkpoint} was trained on {predictor.crop.size}."
        )
    made = lineage(checkpoint)
    same_data(made[STAMP], data_revision(faces), f"{faces}: {checkpoint} was trained on other data; give its faces.")
    progress(1, 3, "graphs")
    graphs = export_graphs(predictor.model, settings.opset)
    facts |= {
        "name": settings.name,
        "version": settings.version,
        "mtclar_version": __version__,
        "crop": predictor.crop.to_dict(),
        "tasks": list(predictor.model.spec.tasks),
        "embedding_size": predictor.model.spec.encoder.embedding_size,
        "label_range": [-1.0, 1.0],
        "expressions": list(EXPRESSIONS),
        **made,
        "git_revision": git_revision(),
        "licences": licences(store.table["dataset"].dropna().unique()),
        "learned_from": learned_from(store),
        "training": training(checkpoint),
    }
    crops = store.crops(np.linspace(0, len(store) - 1, min(settings.check_faces, len(store)), dtype=int))
    largest = 0.0

    def compare(folder: Path) -> None:
        nonlocal largest
        progress(2, 3, "comparison with torch")
        largest = check_agreement(predictor, Bundle.load(folder), crops, settings.tolerance)

    if settings.int8:
        with scratch("export") as folder:
            exact, small = folder / "exact", folder / "small"
            write_bundle(exact, graphs, facts, check=compare)
            training_faces = store.crops(faces_of(store, "train", CALIBRATED_ON))
            graphs["encoder.onnx"] = quantised(graphs["encoder.onnx"], training_faces, predictor.crop)
            write_bundle(small, graphs, facts)
            facts["int8"] = loss(exact, small, store)
        identity = write_bundle(out, graphs, facts)
    else:
        identity = write_bundle(out, graphs, facts, check=compare)
    progress(3, 3, "bundle")
    return Exported(out, identity, largest, len(crops), facts.get("int8"))


def _judged(evaluation: Path) -> dict[str, Any]:
    """What a bundle says of how it was judged."""
    found = {"calibration": calibration(evaluation), "metrics": headline(evaluation)}
    return found | {EVALUATION_SET: evaluation_set(evaluation)}


@dataclass(frozen=True)
class Recalibrated:
    """A bundle that has been written with another calibration than before.

    Attributes:
        bundle: Its folder.
        identity: sha256 of its bundle.json.
    """

    bundle: Path
    identity: str

    def __str__(self) -> str:
        return f"{self.bundle}: the same graphs, calibrated anew (bundle {self.identity[:12]})"


def recalibrate(*, bundle: Path, evaluation: Path, out: Path) -> Recalibrated:
    """Writes a bundle with the graphs of another and the calibration and headline metrics of an evaluation of it.

    Its card tells of the earlier evaluation and is left out; `mtclar models ship` writes a new one.

    Args:
        bundle: Folder of the bundle.
        evaluation: Folder that `mtclar evaluate --model` wrote about it.
        out: Folder of the new bundle; appears whole or not at all.

    Raises:
        MtclarError: An input is not what it should be.
    """
    opened = Bundle.load(bundle)
    facts = {key: value for key, value in opened.facts.items() if key not in ("schema_version", "files")}
    facts |= _judged(evaluation)
    graphs = {name: (bundle / name).read_bytes() for name in GRAPHS}
    kept = [name for name in PAPERS if name in opened.facts["files"] and name != CARD]
    papers = {name: (bundle / name).read_text(encoding="utf-8") for name in kept}
    return Recalibrated(out, write_bundle(out, graphs, facts, papers=papers))
