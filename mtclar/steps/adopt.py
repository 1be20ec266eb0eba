"""`mtclar adopt`: the ONNX file of a face network that somebody else trained -> bundle, without training."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar import __version__
from mtclar.data.store import FacesStore
from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.faces import CropSpec
from mtclar.progress import Progress, silent
from mtclar.revision import UNKNOWN, data_revision, git_revision
from mtclar.serving import Bundle, write_bundle
from mtclar.serving.facts import licences
from mtclar.settings import Settings
from mtclar.steps.adopt_faces import Trial, drawn_people

if TYPE_CHECKING:
    from mtclar.serving.adopt_heads import Reading

LARGE_MB = 100
"""Size from which it is said how large a bundle is."""
MOST_TRIED = 40
"""Faces of a store on which a network is tried."""


@dataclass(frozen=True)
class Adopted:
    """A bundle that has been written.

    Attributes:
        bundle: Its folder.
        identity: sha256 of its bundle.json.
        facts: Content of bundle.json.
        notes: What its user should know, one sentence each.
    """

    bundle: Path
    identity: str
    facts: dict[str, Any]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        outputs = ", ".join(f"{what} from '{name}'" for what, name in self.facts["adopted"]["outputs"].items())
        pixels = self.facts["crop"]["input_size"]
        head = f"{self.bundle}: {self.facts['name']} on {pixels} x {pixels} pixels, {outputs} ({self.identity[:12]})"
        return "\n".join([head, *(f"note: {note}" for note in self.notes)])


def run(
    settings: Settings, *, encoder: Path, out: Path, faces: Path | None = None, progress: Progress = silent
) -> Adopted:
    """Wraps a face network as a bundle.

    Args:
        settings: Of them `adopt`; `crop` says how faces are cut where no store does, `evaluate` how the few-shot engine
            is fitted and calibrated.
        encoder: The network's ONNX file.
        out: The bundle; appears whole or not at all.
        faces: Faces store with labelled clips of validation people, on which the few-shot engine and its bands are
            fitted, and with labelled training faces, from which valence and arousal are learned where the network does
            not tell them. Without it the engine keeps the values it begins from, and its bands are nominal.
        progress: Called as faces are embedded.

    Raises:
        MtclarError: The file is no network of faces that can be wrapped, something of it must be said by an option, or
            what it answers is not what it should be.
    """
    store = None if faces is None else FacesStore(faces)
    if store is not None and len(store) < 2:
        raise MtclarError(f"{faces}: holds {len(store)} faces, but at least two are needed to try a network on.")
    try:
        from mtclar.serving.adopt_heads import make_heads
        from mtclar.steps.adopt_network import try_network
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in {"onnx", "google"}:
            raise
        raise MtclarError("'mtclar adopt' needs the package onnx: pip install 'mtclar[adopt]'.") from error
    from mtclar.steps.adopt_fit import fit_to_drawn, fit_to_faces

    network = try_network(
        settings.adopt,
        encoder,
        lambda size: _crop_spec(settings, store, size),
        lambda spec: drawn_people(spec, settings.adopt.seed) if store is None else _tried(store),
        labelled=store is not None,
    )
    facts: dict[str, Any] = {
        "name": settings.adopt.name or encoder.stem,
        "mtclar_version": __version__,
        "crop": network.crop.to_dict(),
        "tasks": ["valence", "arousal"],
        "embedding_size": len(network.reading.weights),
        "label_range": [-1.0, 1.0],
        "expressions": list(EXPRESSIONS),
        "calibration": None,
        "metrics": {},
        "data_revision": UNKNOWN if faces is None else data_revision(faces),
        "git_revision": git_revision(),
        "licences": _licences(settings, store),
        "adopted": network.facts,
    }
    if network.encoder.one_by_one:
        facts["encode_batch"] = 1

    def graphs(reading: Reading) -> dict[str, bytes]:
        return {"encoder.onnx": network.encoder.graph, **make_heads(reading)}

    with tempfile.TemporaryDirectory() as folder:

        def opened(reading: Reading) -> Bundle:
            write_bundle(Path(folder) / "bundle", graphs(reading), facts)
            return Bundle.load(Path(folder) / "bundle")

        if store is None:
            fitted = fit_to_drawn(settings.evaluate, network)
        else:
            fitted = fit_to_faces(settings, store, network, opened, progress)
    facts |= {"calibration": fitted.calibration, "notes": list(fitted.notes)}
    made = graphs(fitted.reading)
    identity = write_bundle(out, made, facts)
    notes = list(fitted.notes)
    if network.encoder.one_by_one:
        notes.append("The graph takes one face at a time, so labelling is slower than it might be.")
    if (size := sum(map(len, made.values())) / 2**20) > LARGE_MB:
        notes.append(f"The bundle has {size:.0f} MB.")
    return Adopted(out, identity, facts, tuple(notes))


def _crop_spec(settings: Settings, store: FacesStore | None, pixels: int) -> CropSpec:
    """How faces are cut: as those of the store, or of `mtclar crop`, of which the network sees the middle.

    So the same crops serve this network and others; one that sees more than they show gets crops of its own.

    Raises:
        MtclarError: The crops of the store show less than the network shall see.
    """
    size, scale, wanted = settings.crop.size, settings.crop.scale, settings.adopt.crop_scale
    if store is not None:
        size, scale = store.size, float(store.facts.get("scale", scale))
        if wanted > scale:
            raise MtclarError(
                f"{store.folder}: its crops are {scale:g} face boxes wide, less than the {wanted:g} of --crop-scale; "
                "cut the faces anew with a larger crop.scale."
            )
    scale = max(scale, wanted)
    margin = round(size * (1 - wanted / scale) / 2)
    return CropSpec(scale=scale, input_size=pixels, size=size, centre=size - 2 * margin)


def _tried(store: FacesStore) -> Trial:
    """Faces of a store, evenly spread."""
    rows = np.unique(np.linspace(0, len(store) - 1, min(len(store), MOST_TRIED)).round().astype(int))
    return Trial(store.crops(rows), store.table["subject_id"].to_numpy(str)[rows])


def _licences(settings: Settings, store: FacesStore | None) -> dict[str, str]:
    """Whose terms the bundle falls under: the weights', and those of the faces it was fitted to."""
    unknown = "not known to mtclar: ask whoever gave you the weights"
    seen: list[str] = [] if store is None else store.table["dataset"].dropna().unique().tolist()
    return licences(seen) | {"encoder": settings.adopt.licence or unknown}
