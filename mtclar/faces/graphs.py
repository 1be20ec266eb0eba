"""The networks that come with the package: weights/*.onnx, opened where they are first asked."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar.errors import MtclarError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

WEIGHTS = Path(__file__).parent / "weights"
PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""Where ONNX Runtime may run a graph, the first of them that it has."""


@cache
def sha256(name: str) -> str:
    """sha256 of the graph of that name, as hexadecimal digits.

    Raises:
        MtclarError: It is not there.
    """
    return hashlib.sha256(_content(name)).hexdigest()


def _content(name: str) -> bytes:
    path = WEIGHTS / f"{name}.onnx"
    try:
        return path.read_bytes()
    except OSError as error:
        raise MtclarError(f"{path}: cannot be read ({error}); install mtclar again.") from error


class Graph:
    """A network of the package, for pictures (n, 3, h, w). May be sent to another process, which opens it anew.

    Example:
        boxes, scores = Graph("full_range").run(pictures)
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        """Opens nothing yet.

        Args:
            name: Of the file in weights, without its ending.
            threads: Threads of ONNX Runtime; 0 lets it choose.
        """
        self.name, self.threads = name, threads
        self._session: InferenceSession | None = None

    @property
    def sha256(self) -> str:
        """Of the file."""
        return sha256(self.name)

    @property
    def provider(self) -> str:
        """Where it runs: the execution provider of ONNX Runtime."""
        return str(self._open().get_providers()[0])

    def run(self, pictures: np.ndarray) -> list[np.ndarray]:
        """The outputs of the graph for float32 pictures (n, 3, h, w)."""
        return [np.asarray(answer) for answer in self._open().run(None, {"picture": pictures})]

    def _open(self) -> InferenceSession:
        if self._session is None:
            import onnxruntime as ort

            options = ort.SessionOptions()
            options.intra_op_num_threads = self.threads
            options.log_severity_level = 3
            there = ort.get_available_providers()
            providers = [name for name in PROVIDERS if name in there]
            self._session = ort.InferenceSession(_content(self.name), options, providers=providers)
        return self._session

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_session": None}
