"""CenterFace, which marks the centre of each face on a map of a quarter of the picture's size.

Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2020. Slower than BlazeFace, and it
finds what that one does not see: faces that are small, covered, dark or far turned.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.faces.blaze import overlaps
from mtclar.faces.detect import Canonical, Face, check_picture
from mtclar.faces.graphs import Graph

STRIDE = 4
"""Pixels of the picture for one of the map."""
MULTIPLE = 32
"""Sides of the picture that the network takes are multiples of this."""
SAME = 0.3
"""Overlap (intersection over union) from which the less sure of two boxes is dropped, as its authors have it."""

CANONICAL = Canonical(0.974, 0.0, 0.047)
"""From its boxes to the canonical one: medians over the pictures that `BLAZES` was measured on. Standard deviations
around them: 0.05 of the logarithm of the side, 0.02 and 0.04 of the centre in sides, right and down."""


class CenterFaceDetector:
    """Finds faces by CenterFace; may be sent to another process.

    Example:
        CenterFaceDetector(threshold=0.5).detect(picture)
    """

    name = "centerface"
    canonical = CANONICAL

    def __init__(self, *, threshold: float, long_side: int = 480, threads: int = 1) -> None:
        """Chooses how closely to look.

        Args:
            threshold: Score in [0, 1] from which a box counts.
            long_side: Larger pictures are scaled down to it, in pixels.
            threads: Of ONNX Runtime.
        """
        self.threshold, self.long_side = threshold, long_side
        self._graph = Graph("centerface", threads)

    @property
    def identity(self) -> dict[str, Any]:
        """Name, sha256 of the weights, threshold and size."""
        return {
            "name": self.name,
            "weights": self._graph.sha256,
            "threshold": self.threshold,
            "long_side": self.long_side,
        }

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """Finds the faces of a picture uint8 RGB (h, w, 3): canonical boxes in its pixels, the surest first."""
        return self.proposals(picture, self.threshold)

    def proposals(self, picture: NDArray[np.uint8], threshold: float) -> list[Face]:
        """As `detect`, with another threshold."""
        check_picture(picture)
        height, width = picture.shape[:2]
        scale = min(1.0, self.long_side / max(height, width))
        w, h = (max(1, round(length * scale)) for length in (width, height))
        small = np.ascontiguousarray(picture)
        if (w, h) != (width, height):
            small = np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
        padded = np.zeros((3, -(-h // MULTIPLE) * MULTIPLE, -(-w // MULTIPLE) * MULTIPLE), np.float32)
        padded[:, :h, :w] = small.transpose(2, 0, 1)
        heat, size, offset, _ = (answer[0] for answer in self._graph.run(padded[None]))
        rows, columns = np.nonzero(heat[0] >= threshold)
        if not len(rows):
            return []
        sides = np.exp(size[::-1, rows, columns]).T * STRIDE  # the maps hold height before width, y before x
        centre = (np.stack([columns, rows], 1) + offset[::-1, rows, columns].T + 0.5) * STRIDE
        found = np.concatenate([centre, sides], axis=1).astype(np.float64)
        kept = suppressed(found, heat[0, rows, columns].astype(np.float64))
        return CANONICAL.faces(found[kept] / np.tile([w / width, h / height], 2), heat[0, rows, columns][kept])


def suppressed(boxes: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Non-maximum suppression: places of the boxes (n, 4) that no surer one overlaps by `SAME`, the surest first."""
    left, kept = np.argsort(-scores, kind="stable"), []
    while len(left):
        kept.append(left[0])
        left = left[1:][overlaps(boxes[left[0]], boxes[left[1:]]) < SAME]
    return np.array(kept, np.int64)
