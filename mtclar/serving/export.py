"""From a trained model in torch to the three graphs of a bundle, and the proof that they say the same."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from mtclar.errors import MtclarError
from mtclar.model.mtclar import MTCLAR
from mtclar.model.predictor import TorchPredictor
from mtclar.serving.bundle import Bundle
from mtclar.serving.manifest import GRAPHS

DIMENSIONS = ("valence", "arousal")


class _Encoder(nn.Module):
    """Faces to embeddings, averaged over mirror images where the model's spec says so."""

    def __init__(self, model: MTCLAR) -> None:
        super().__init__()
        self.model = model

    def forward(self, faces: Tensor) -> Tensor:
        return self.model.embed(faces)


class _Pair(nn.Module):
    """The pair head with its logits turned into the probability that both faces show the same expression.

    Without a projector for similarity it is NaN: not known.
    """

    def __init__(self, model: MTCLAR) -> None:
        super().__init__()
        self.head = model.pair

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.head(left, right)
        similar = torch.full_like(out.d_valence, torch.nan) if out.logits is None else out.logits.softmax(1)[:, 1]
        return similar, out.d_valence, out.d_arousal


class _Single(nn.Module):
    """The supervised heads with their logits turned into probabilities."""

    def __init__(self, model: MTCLAR) -> None:
        super().__init__()
        self.head = model.single

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        out = self.head(embedding)
        return out.logits.softmax(1), out.valence, out.arousal


def export_graphs(model: MTCLAR, opset: int) -> dict[str, bytes]:
    """Traces the model into the graphs of `manifest.GRAPHS`, each one file, with a dynamic number of rows.

    Args:
        model: In evaluation mode, on the CPU.
        opset: Version of the ONNX operators.

    Returns:
        Serialised ONNX by file name.

    Raises:
        MtclarError: The model lacks a projector that labelling asks, a graph cannot be traced at this opset, or the
            ONNX checker refuses it.
    """
    absent = [task for task in DIMENSIONS if task not in model.spec.tasks]
    if absent:
        raise MtclarError(
            f"a bundle labels valence and arousal, but this model was trained without {' and '.join(absent)}; train "
            "one with both in train.tasks."
        )
    size, width = model.spec.encoder.input_size, model.spec.encoder.embedding_size
    faces, embedding = torch.rand(2, 3, size, size), torch.rand(2, width)
    modules: dict[str, tuple[nn.Module, tuple[Tensor, ...]]] = {
        "encoder.onnx": (_Encoder(model), (faces,)),
        "pair.onnx": (_Pair(model), (embedding, embedding.flip(0))),
        "single.onnx": (_Single(model), (embedding,)),
    }
    return {name: _trace(name, module.eval(), args, opset) for name, (module, args) in modules.items()}


def _trace(name: str, module: nn.Module, args: tuple[Tensor, ...], opset: int) -> bytes:
    inputs, outputs = GRAPHS[name]
    rows = torch.export.Dim("n", min=1)
    level = logging.getLogger("torch.onnx").level
    try:
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module,
                args,
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=opset,
                dynamic_shapes=tuple({0: rows} for _ in args),
                dynamo=True,
                verbose=False,
            )
        graph: Any = program.model_proto  # type: ignore[union-attr]
        onnx.checker.check_model(graph, full_check=True)
    except Exception as error:  # the exporter and the checker raise many kinds
        reason = " ".join(str(error).split())[:200]
        raise MtclarError(f"{name}: the model cannot be exported at opset {opset} ({reason}).") from error
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    # Where it cannot convert, the exporter logs so and leaves the graph at the version it was traced at.
    found = next((item.version for item in graph.opset_import if item.domain == ""), None)
    if found != opset:
        raise MtclarError(f"{name}: the model cannot be exported at opset {opset} (the exporter wrote opset {found}).")
    _forget_the_source(graph)
    return graph.SerializeToString()


def _forget_the_source(graph: Any) -> None:
    """Takes out where in which file each operator came from: a bundle must not name the folders of its maker."""
    model = graph.graph
    for item in [graph, model, *model.node, *model.initializer, *model.value_info, *model.input, *model.output]:
        del item.metadata_props[:]
        item.doc_string = ""


def differences(model: TorchPredictor, bundle: Bundle, crops: np.ndarray) -> dict[str, float]:
    """How far ONNX Runtime is from torch.

    Args:
        model: The model in torch.
        bundle: The same model exported.
        crops: uint8 RGB (n, size, size, 3), at least two.

    Returns:
        The largest difference of any output, by graph, over batches of 1, 2 and n faces: absolute, and for an
        embedding beyond 1 relative to it, since rounding grows with the numbers.
    """
    worst = dict.fromkeys(GRAPHS, 0.0)
    for n in sorted({1, 2, len(crops)}):
        expected = model.embed(crops[:n])
        other = np.roll(expected, 1, 0) if n > 1 else expected[:, ::-1].copy()
        answers = {
            "encoder.onnx": ((expected,), (bundle.embed(crops[:n]),)),
            "pair.onnx": (model.compare(expected, other), bundle.compare(expected, other)),
            "single.onnx": (model.single(expected), bundle.single(expected)),
        }
        for name, (wanted, found) in answers.items():
            for a, b in zip(wanted, found, strict=True):
                both_unknown = np.isnan(a) & np.isnan(b)
                apart = np.abs(a - b) / np.maximum(1, np.abs(a))
                worst[name] = max(worst[name], float(np.where(both_unknown, 0.0, apart).max()))
    return worst


def check_agreement(model: TorchPredictor, bundle: Bundle, crops: np.ndarray, tolerance: float) -> float:
    """Refuses a bundle that does not say what torch says.

    Returns:
        The largest difference found.

    Raises:
        MtclarError: Names the graph and its largest difference.
    """
    found = differences(model, bundle, crops)
    for name, difference in found.items():
        if not difference <= tolerance:
            raise MtclarError(
                f"{name}: ONNX Runtime and torch differ by up to {difference:.3g} on {len(crops)} faces, more than "
                f"export.tolerance = {tolerance:g}."
            )
    return max(found.values())
