"""Which face of a picture is which of the people who are followed: costs, and the assignment that costs least."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from mtclar.faces.detect import Face

Look = NDArray[np.float32]

LOOK_SIDE = 32
"""Side to which a head is scaled before its colours are counted."""
LOOK_REACH = 1.3
"""Side of the part of the picture that is looked at over the face box: with hair and some neck."""
LOOK_BINS = (8, 12, 12)
"""Bins of lightness, red-green and blue-yellow (CIE L*a*b*) in which colours are counted."""
LOOK_LOW, LOOK_HIGH = (0, 90, 90), (256, 186, 186)
"""What the bins span, 8 bits a channel: skin, hair and cloth lie within; what lies beyond counts with the border."""


def assign(cost: NDArray[np.floating], limit: float) -> list[tuple[int, int]]:
    """Pairs rows with columns, each at most once, at the least total cost.

    The Hungarian algorithm by shortest augmenting paths with potentials (Jonker and Volgenant, "A shortest augmenting
    path algorithm for dense and sparse linear assignment problems", 1987), each row with a dummy column at `limit`.

    Args:
        cost: (n, m), of any row with any column; infinite where they must not be paired.
        limit: Cost of leaving a row alone; no pair costs more.

    Returns:
        The pairs (row, column), by row.
    """
    rows, columns = cost.shape
    if not rows or not columns:
        return []
    far = 1e6 * (1.0 + abs(limit))
    padded = np.full((rows, columns + rows), far)
    padded[:, :columns] = np.where(np.isfinite(cost), cost, far)
    padded[np.arange(rows), columns + np.arange(rows)] = limit
    row_price, price = np.zeros(rows), np.zeros(columns + rows)
    owner = np.full(columns + rows, -1)
    for start in range(rows):
        shortest = np.full(columns + rows, np.inf)
        reached_from = np.full(columns + rows, -1)
        done = np.zeros(columns + rows, bool)
        row, last, length = start, -1, 0.0
        while row >= 0:  # grow the tree of shortest paths until it reaches a free column
            through = length + padded[row] - row_price[row] - price
            shorter = ~done & (through < shortest)
            shortest[shorter], reached_from[shorter] = through[shorter], last
            last = int(np.where(done, np.inf, shortest).argmin())
            length = shortest[last]
            done[last] = True
            row = int(owner[last])
        passed = done.copy()
        passed[last] = False
        row_price[start] += length
        row_price[owner[passed]] += length - shortest[passed]
        price[passed] -= length - shortest[passed]
        while last >= 0:  # give every column of the path to the row before it
            before = int(reached_from[last])
            owner[last] = start if before < 0 else owner[before]
            last = before
    pairs = [(int(owner[column]), column) for column in range(columns) if owner[column] >= 0]
    return sorted((row, column) for row, column in pairs if cost[row, column] <= limit)


def distance(a: Face, b: Face) -> float:
    """How far two boxes lie from each other: between their centres, in mean sides, plus the log ratio of the sides."""
    side, other = (a.w + a.h) / 2, (b.w + b.h) / 2
    across, down = a.x + a.w / 2 - b.x - b.w / 2, a.y + a.h / 2 - b.y - b.h / 2
    return math.hypot(across, down) / math.sqrt(side * other) + abs(math.log(side / other))


def look(picture: NDArray[np.uint8], face: Face) -> Look:
    """The colours of a head: square roots of the shares of each, float32 (b,), of length 1.

    Args:
        picture: uint8 RGB (h, w, 3).
        face: Its box, which may reach over the border; what lies outside does not count.
    """
    height, width = picture.shape[:2]
    reach = LOOK_REACH * (face.w + face.h) / 4
    x, y = face.x + face.w / 2, face.y + face.h / 2
    x0, x1 = (int(np.clip(round(x + s * reach), 0, width)) for s in (-1, 1))
    y0, y1 = (int(np.clip(round(y + s * reach), 0, height)) for s in (-1, 1))
    if x1 <= x0 or y1 <= y0:
        return np.zeros(int(np.prod(LOOK_BINS)), np.float32)
    step = max(1, min(x1 - x0, y1 - y0) // (2 * LOOK_SIDE))
    part = np.ascontiguousarray(picture[y0:y1:step, x0:x1:step])
    head = cv2.cvtColor(cv2.resize(part, (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2Lab)
    low, high = np.array(LOOK_LOW, np.float32), np.array(LOOK_HIGH, np.float32)
    cells = (np.clip(head, low, high - 1) - low) / (high - low) * np.array(LOOK_BINS, np.float32)
    a, b, c = np.moveaxis(cells.astype(np.int64), -1, 0)
    counts = np.bincount(((a * LOOK_BINS[1] + b) * LOOK_BINS[2] + c).ravel(), minlength=int(np.prod(LOOK_BINS)))
    spread = cv2.GaussianBlur(counts.reshape(LOOK_BINS[0], -1).astype(np.float32), (1, 3), 0.7).ravel()
    return np.sqrt(spread / spread.sum()).astype(np.float32)


def unlike(a: Look, b: Look) -> float:
    """Hellinger distance of two looks, in [0, 1]: 0 for the same colours in the same shares, 1 for none in common."""
    return math.sqrt(max(0.0, 1.0 - float(a @ b)))
