"""BlazeFace, MediaPipe's single-shot face detector, in the sizes that come with the package.

Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019. The picture is fitted into
a square; each cell of one or two grids proposes one or more boxes around its own centre, and those that mean the same
face are averaged by their scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.faces.detect import Canonical, Face, check_picture
from mtclar.faces.graphs import Graph

SAME = 0.3
"""Overlap (intersection over union) from which two proposals mean the same face, as in MediaPipe."""
STRONGEST = 80.0
"""Logits are cut to plus or minus this before the sigmoid, beyond which float32 overflows."""


@dataclass(frozen=True)
class Blaze:
    """One of the networks.

    Attributes:
        side: Of its input, in pixels.
        grids: Stride of each grid in pixels of the input, and boxes that each of its cells proposes.
        canonical: From its boxes to the canonical one.
    """

    side: int
    grids: tuple[tuple[int, int], ...]
    canonical: Canonical

    @property
    def anchors(self) -> NDArray[np.float32]:
        """Centres of the cells (n, 2), x and y in [0, 1], one row a proposal."""
        rows = []
        for stride, proposals in self.grids:
            cells = self.side // stride
            y, x = np.mgrid[0:cells, 0:cells]
            centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
            rows.append(np.repeat(centres, proposals, 0))
        return np.concatenate(rows).astype(np.float32)


BLAZES = {
    "full-range": Blaze(192, ((4, 1),), Canonical(0.972, 0.0, -0.019)),
    "back": Blaze(256, ((16, 2), (32, 6)), Canonical(1.018, 0.0, -0.016)),
    "short-range": Blaze(128, ((8, 2), (16, 6)), Canonical(1.041, 0.0, -0.055)),
}
"""The networks by name.

Scale and place of the canonical box are medians over 480 pictures of training people of `mtclar synthesize` (seed 2027,
everything hard at 1), whose landmarks are known; `tools/face_geometry.py` measures them again. Standard deviations
around them, of the logarithm of the side and of the centre in sides, right and down: full-range 0.08, 0.07, 0.04; back
0.09, 0.05, 0.08; short-range 0.09, 0.04, 0.07. Sideways the median is set to 0, since people have no preferred side."""


class BlazeDetector:
    """Finds faces by BlazeFace; may be sent to another process.

    Example:
        BlazeDetector("full-range", threshold=0.6).detect(picture)
    """

    def __init__(self, name: str, *, threshold: float, threads: int = 1) -> None:
        """Chooses the network.

        Args:
            name: A key of `BLAZES`.
            threshold: Score in [0, 1] from which a box counts.
            threads: Of ONNX Runtime.
        """
        self.name, self.threshold = name, threshold
        self._blaze = BLAZES[name]
        self._graph = Graph(name.replace("-", "_"), threads)
        self._anchors = self._blaze.anchors

    @property
    def canonical(self) -> Canonical:
        """From its own boxes to the canonical one."""
        return self._blaze.canonical

    @property
    def identity(self) -> dict[str, Any]:
        """Name, sha256 of the weights and threshold."""
        return {"name": self.name, "weights": self._graph.sha256, "threshold": self.threshold}

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Finds the faces of a picture uint8 RGB (h, w, 3): canonical boxes in its pixels, the surest first."""
        return self.proposals(picture, self.threshold)

    def proposals(self, picture: NDArray[np.uint8], threshold: float) -> list[Face]:
        """As `detect`, with another threshold."""
        check_picture(picture)
        square, scale, left, top = fit_square(picture, self._blaze.side)
        answers = self._graph.run(square.transpose(2, 0, 1)[None] / np.float32(127.5) - np.float32(1))
        boxes, logits = answers[0][0], answers[1][0, :, 0]
        scores = 1 / (1 + np.exp(-np.clip(logits, -STRONGEST, STRONGEST)))
        rows = np.flatnonzero(scores >= threshold)
        side = self._blaze.side
        centre = boxes[rows, :2] + self._anchors[rows] * side
        found = np.concatenate([centre, boxes[rows, 2:4]], axis=1).astype(np.float64)  # pixels of the square
        kept, score = averaged(found, scores[rows].astype(np.float64))
        kept[:, :2] -= left, top
        return self._blaze.canonical.faces(kept / scale, score)


def fit_square(picture: NDArray[np.uint8], side: int) -> tuple[NDArray[np.uint8], float, int, int]:
    """The picture in the middle of a black square of `side` pixels.

    Returns:
        The square, its scale (pixels of it a pixel of the picture), and the place of the picture's left upper corner.
    """
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    w, h = (max(1, round(length * scale)) for length in (width, height))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square = np.zeros((side, side, 3), np.uint8)
    left, top = (side - w) // 2, (side - h) // 2
    square[top : top + h, left : left + w] = cv2.resize(np.ascontiguousarray(picture), (w, h), interpolation=how)
    return square, scale, left, top


def averaged(
    boxes: NDArray[np.float64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Non-maximum suppression that averages, as BlazeFace's authors do it, lest the box of a still face tremble.

    Args:
        boxes: (n, 4), x and y of the centre, width and height.
        scores: (n,).

    Returns:
        Boxes (k, 4), each the mean of all that overlap the surest of them by `SAME`, weighted by their scores, and
        the score of the surest (k,); the surest first.
    """
    order = np.argsort(-scores, kind="stable")
    boxes, scores = boxes[order], scores[order]
    kept, best = [], []
    left = np.arange(len(boxes))
    while len(left):
        same = overlaps(boxes[left[0]], boxes[left]) >= SAME
        same[0] = True
        chosen = left[same]
        kept.append(np.average(boxes[chosen], axis=0, weights=scores[chosen]))
        best.append(scores[left[0]])
        left = left[~same]
    return np.array(kept).reshape(-1, 4), np.array(best)


def overlaps(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of one box (4,) with others (n, 4), given by centre and sides."""
    low = np.maximum(box[:2] - box[2:] / 2, boxes[:, :2] - boxes[:, 2:] / 2)
    high = np.minimum(box[:2] + box[2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2)
    common = np.clip(high - low, 0, None).prod(1)
    whole = box[2:].prod() + boxes[:, 2:].prod(1) - common
    return np.where(whole > 0, common / np.where(whole > 0, whole, 1), 0.0)
