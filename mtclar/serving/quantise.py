"""The encoder in 8-bit integers: weights by output channel, activations by what training faces make of them.

Static quantisation (Jacob et al., CVPR 2018) by ONNX Runtime, of the convolutions alone. What it costs is measured on
faces of validation people and stands in bundle.json.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mtclar.data.store import FacesStore
from mtclar.data.whole import scratch
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec, to_input
from mtclar.serving.bundle import Bundle

BATCH = 32
CALIBRATED_ON, MEASURED_ON = 256, 1000
"""Training faces by which activations are scaled, and validation faces on which the loss is measured, at most."""


def quantised(encoder: bytes, crops: np.ndarray, spec: CropSpec) -> bytes:
    """An encoder with its convolutions in 8-bit integers.

    Args:
        encoder: The ONNX graph.
        crops: uint8 RGB (n, size, size, 3), training faces.
        spec: How a crop becomes the encoder's input.

    Raises:
        MtclarError: ONNX Runtime cannot quantise the graph.
    """
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Faces(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._batches: Iterator[np.ndarray] = (crops[i : i + BATCH] for i in range(0, len(crops), BATCH))

        def get_next(self) -> dict[str, np.ndarray] | None:
            batch = next(self._batches, None)
            return None if batch is None else {"faces": to_input(batch, spec)}

    level = logging.getLogger().level
    with scratch("int8") as folder:
        exact, prepared, small = (folder / f"{name}.onnx" for name in ("exact", "prepared", "small"))
        exact.write_bytes(encoder)
        try:
            logging.getLogger().setLevel(logging.ERROR)  # it warns of what is done here
            quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
            quantize_static(
                str(prepared),
                str(small),
                Faces(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        except Exception as error:  # of the library, of many kinds
            reason = " ".join(str(error).split())[:200]
            raise MtclarError(f"export.int8: the encoder cannot be quantised ({reason}); set it to false.") from error
        finally:
            logging.getLogger().setLevel(level)
        return small.read_bytes()


def faces_of(store: FacesStore, split: str, most: int) -> np.ndarray:
    """Rows of so many labelled faces of a split at most, spread evenly over it; of all faces where there are none."""
    table = store.table
    known = table["valence"].notna() & table["arousal"].notna()
    rows = np.flatnonzero(known & (table["split"] == split))
    rows = rows if len(rows) else np.arange(len(store))
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows)), dtype=int)]


def loss(exact: Path, small: Path, store: FacesStore) -> dict[str, Any]:
    """What quantising costs, on validation faces.

    Args:
        exact: Folder of the bundle in float32.
        small: Folder of the same bundle with the quantised encoder.
        store: Faces with labels.

    Returns:
        `faces`, how many were looked at; `cosine`, the mean cosine of the two embeddings of a face; and for valence and
        arousal the root mean square `difference` of what the single head says, and its `rmse` before and after.
    """
    rows = faces_of(store, "validation", MEASURED_ON)
    crops, truth = store.crops(rows), store.table.loc[rows, ["valence", "arousal"]].to_numpy(float)
    both = [Bundle.load(folder) for folder in (exact, small)]
    embeddings = [bundle.embed(crops) for bundle in both]
    lengths = np.linalg.norm(embeddings[0], axis=1) * np.linalg.norm(embeddings[1], axis=1)
    cosine = (embeddings[0] * embeddings[1]).sum(axis=1) / np.maximum(lengths, 1e-12)
    said = [bundle.single(found)[1:] for bundle, found in zip(both, embeddings, strict=True)]
    found: dict[str, Any] = {"faces": len(rows), "cosine": round(float(cosine.mean()), 5)}
    for d, name in enumerate(("valence", "arousal")):
        before, after = (np.asarray(values[d], float) for values in said)
        found[name] = {"difference": _rms(before - after)}
        if np.isfinite(truth[:, d]).any():
            found[name]["rmse"] = [_rms(before - truth[:, d]), _rms(after - truth[:, d])]
    return found


def _rms(values: np.ndarray) -> float | None:
    """Root mean square of what is known; None where nothing is."""
    known = values[np.isfinite(values)]
    return round(float(np.sqrt(np.mean(known**2))), 5) if len(known) else None
