"""A bundle opened: its graphs in ONNX Runtime, behind the questions a labeller asks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec, to_input
from mtclar.serving.cross import crossed
from mtclar.serving.manifest import CARD, GRAPHS, check_files, read_facts

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ENCODE_BATCH = 32
PROVIDERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("CUDAExecutionProvider", {"use_tf32": "0"}),  # the same numbers as on the CPU, but for their last digits
    ("CPUExecutionProvider", {}),
)
"""Where ONNX Runtime may run a graph, the best first; those that it was not built with are passed over."""


class Bundle:
    """A trained model that can be asked for embeddings and labels (the Predictor of docs/architecture.md).

    Attributes:
        folder: Where it lies.
        facts: Content of bundle.json.
        identity: sha256 of bundle.json and so, through the sha256 of the graphs in it, of the whole bundle.
        crop_spec: How faces must be cut out and scaled for it.
        calibration: Content of calibration.json of the evaluation; None if the model was not calibrated.

    Example:
        bundle = Bundle.load(Path("artifacts/export"))
        embedding = bundle.embed(crops)
        similar, d_valence, d_arousal = bundle.compare(embedding, np.repeat(anchor, len(embedding), 0))
    """

    def __init__(self, folder: Path, facts: dict[str, Any], identity: str, threads: int = 0) -> None:
        """Use `load`."""
        self.folder, self.facts, self.identity, self._threads = folder, facts, identity, threads
        try:
            self.crop_spec: CropSpec = CropSpec.from_dict(facts["crop"])
        except MtclarError as error:
            raise MtclarError(f"{folder}/bundle.json: {error}") from error
        self.calibration: dict[str, Any] | None = facts["calibration"]
        self.embedding_size: int = facts["embedding_size"]

    @classmethod
    def load(cls, folder: Path, *, threads: int = 0) -> Self:
        """Opens the bundle at `folder`; graphs are read when they are first used.

        Args:
            folder: What `mtclar export` wrote.
            threads: Threads of ONNX Runtime; 0 lets it choose.

        Raises:
            MtclarError: bundle.json is missing or not understood, or a file it names is missing, cut short or changed.
        """
        folder = Path(folder)
        facts, identity = read_facts(folder)
        check_files(folder, facts)
        return cls(folder, facts, identity, threads)

    def __getstate__(self) -> dict[str, Any]:
        """Another process opens the graphs anew."""
        return {name: value for name, value in vars(self).items() if name not in ("_sessions", "_cross")}

    @cached_property
    def card(self) -> str | None:
        """The model card as Markdown; None where the bundle has none."""
        if CARD not in self.facts["files"]:
            return None
        path = self.folder / CARD
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MtclarError(f"{path}: cannot be read ({error}); copy the bundle again.") from error

    @property
    def runs_on(self) -> str:
        """What embeds faces: `GPU (CUDA)` or `CPU`."""
        first = self._sessions["encoder.onnx"].get_providers()[0]
        return "GPU (CUDA)" if first.startswith("CUDA") else "CPU"

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Embeds face crops.

        Args:
            crops: uint8 RGB (n, size, size, 3), cut out as `crop_spec` says.

        Returns:
            float32 (n, d).

        Raises:
            MtclarError: The crops have another shape or type, or the encoder answers with numbers that are not finite.
        """
        size = int(self.facts.get("encode_batch", ENCODE_BATCH))  # an adopted network may take one face at a time
        batches = (crops[start : start + size] for start in range(0, max(len(crops), 1), size))
        return np.concatenate([self._ask("encoder.onnx", to_input(batch, self.crop_spec))[0] for batch in batches])

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compares queries with anchors, row by row.

        Args:
            left: Embeddings of the queries, float32 (n, d).
            right: Embeddings of the anchors, float32 (n, d).

        Returns:
            Probability that both show the same expression (NaN from a model that was trained without similarity), and
            the query's valence and arousal less the anchor's; each float32 (n,).

        Raises:
            MtclarError: The embeddings do not have those shapes, or the answer is not finite.
        """
        left, right = self._embeddings(left), self._embeddings(right)
        if len(left) != len(right):
            raise MtclarError(f"{self.folder}: {len(left)} queries cannot be compared with {len(right)} anchors.")
        similar, d_valence, d_arousal = self._ask("pair.onnx", left, right)
        return similar, d_valence, d_arousal

    def compare_all(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compares each of n faces with each of k others, as `compare` would, in a fifth of its time where it can.

        Args:
            left: Embeddings of the queries, float32 (n, d).
            right: Embeddings of the anchors, float32 (k, d).

        Returns:
            As `compare`, each float32 (n, k).

        Raises:
            MtclarError: The embeddings do not have those shapes, or the answer is not finite.
        """
        left, right = self._embeddings(left), self._embeddings(right)
        n, k = len(left), len(right)
        if self._cross is None or not n * k:
            answers = list(self.compare(np.repeat(left, k, axis=0), np.tile(right, (n, 1))))
        else:
            names = GRAPHS["pair.onnx"][1]
            answers = self._checked("pair.onnx", self._cross.run(list(names), {"left": left, "right": right}), n * k)
        similar, d_valence, d_arousal = (answer.reshape(n, k) for answer in answers)
        return similar, d_valence, d_arousal

    @cached_property
    def _cross(self) -> InferenceSession | None:
        """The pair graph rewritten for all pairs, see `mtclar.serving.cross`; None where that is not possible."""
        model = crossed((self.folder / "pair.onnx").read_bytes())
        if model is None:
            return None
        session = self._sessions.open("pair.onnx", model)
        rng = np.random.default_rng(0)
        left, right = (rng.normal(size=(rows, self.embedding_size)).astype(np.float32) for rows in (3, 2))
        found = session.run(["d_valence", "d_arousal"], {"left": left, "right": right})
        known = self.compare(np.repeat(left, 2, axis=0), np.tile(right, (3, 1)))[1:]
        return session if np.allclose(found, known, rtol=0, atol=1e-4, equal_nan=True) else None

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels faces without an anchor.

        Args:
            embedding: float32 (n, d).

        Returns:
            Probabilities of the eight expressions (n, 8), valence (n,) and arousal (n,), float32.

        Raises:
            MtclarError: The embeddings do not have that shape, or the answer is not finite.
        """
        expression, valence, arousal = self._ask("single.onnx", self._embeddings(embedding))
        return expression, valence, arousal

    def _embeddings(self, values: np.ndarray) -> np.ndarray:
        values = np.asarray(values, np.float32)
        if values.ndim != 2 or values.shape[1] != self.embedding_size:
            raise MtclarError(f"{self.folder}: expected embeddings (n, {self.embedding_size}), got {values.shape}.")
        return values

    def _shapes(self, graph: str, rows: int) -> list[tuple[int, ...]]:
        if graph == "encoder.onnx":
            return [(rows, self.embedding_size)]
        return [(rows, len(EXPRESSIONS)) if name == "expression" else (rows,) for name in GRAPHS[graph][1]]

    def _ask(self, graph: str, *inputs: np.ndarray) -> list[np.ndarray]:
        """Runs a graph and checks what it says."""
        names, answers = GRAPHS[graph]
        if len(inputs[0]) == 0:
            return [np.empty(shape, np.float32) for shape in self._shapes(graph, 0)]
        return self._checked(
            graph, self._sessions[graph].run(list(answers), dict(zip(names, inputs, strict=True))), len(inputs[0])
        )

    def _checked(self, graph: str, outputs: Sequence[Any], rows: int) -> list[np.ndarray]:
        """The outputs of a graph, which must be finite and of the declared shape."""
        for name, output, shape in zip(GRAPHS[graph][1], outputs, self._shapes(graph, rows), strict=True):
            if output.shape != shape:
                raise MtclarError(f"{self.folder}/{graph}: '{name}' has shape {output.shape}, expected {shape}.")
            if name == "similar" and "similarity" not in self.facts["tasks"]:
                continue  # not learned, hence NaN
            if not np.isfinite(output).all():
                raise MtclarError(
                    f"{self.folder}/{graph}: '{name}' is not finite in {(~np.isfinite(output)).sum()} places."
                )
        return [np.asarray(output, np.float32) for output in outputs]

    @cached_property
    def _sessions(self) -> _Sessions:
        return _Sessions(self.folder, self._threads)


class _Sessions(dict[str, "InferenceSession"]):
    """ONNX Runtime sessions, each made when it is first asked for."""

    def __init__(self, folder: Path, threads: int) -> None:
        super().__init__()
        self._folder, self._threads = folder, threads

    def __missing__(self, graph: str) -> InferenceSession:
        session = self.open(graph, str(self._folder / graph))
        found = tuple(tuple(item.name for item in items) for items in (session.get_inputs(), session.get_outputs()))
        if found != GRAPHS[graph]:
            raise MtclarError(
                f"{self._folder}/{graph}: expected inputs and outputs {GRAPHS[graph]}, the graph has {found}."
            )
        self[graph] = session
        return session

    def open(self, graph: str, model: str | bytes) -> InferenceSession:
        """A session of a graph, given by its file or its content.

        Raises:
            MtclarError: ONNX Runtime does not take it.
        """
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.log_severity_level = 3
        providers = [provider for provider in PROVIDERS if provider[0] in ort.get_available_providers()]
        try:
            return ort.InferenceSession(model, options, providers=providers)
        except Exception as error:  # ONNX Runtime's errors share no base class
            reason = " ".join(str(error).split())[:200]
            raise MtclarError(f"{self._folder}/{graph}: ONNX Runtime cannot open the graph ({reason}).") from error
