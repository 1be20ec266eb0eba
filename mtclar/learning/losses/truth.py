"""What is known of pairs and of faces, for the losses to hold an answer against."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class PairTruth(NamedTuple):
    """What is true of n pairs: `similar` int64 (n,), 1, 0 or -1 for not known; differences float32 (n,) or NaN."""

    similar: Tensor
    d_valence: Tensor
    d_arousal: Tensor


class SingleTruth(NamedTuple):
    """What is true of n faces: `expression` int64 (n,), -1 for not known; valence and arousal float32 (n,) or NaN."""

    expression: Tensor
    valence: Tensor
    arousal: Tensor


def exact(answer: Tensor) -> Tensor:
    """An answer given under autocast, in float32: sums of squares in bfloat16 keep three digits."""
    return answer if answer.dtype.itemsize >= 4 else answer.float()
