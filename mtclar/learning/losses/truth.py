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


def mean_of(each: Tensor, classes: Tensor, number: int, *, balanced: bool) -> Tensor:
    """The mean of losses over what is known, a scalar; 0 where nothing is.

    Args:
        each: Losses (n,).
        classes: int64 (n,), in 0..`number` - 1, or -1 where not known.
        number: How many classes there may be.
        balanced: The mean over the classes that occur of the mean of each, rather than over all.
    """
    known = (classes >= 0).to(each.dtype)
    if not balanced:
        return (each * known).sum() / known.sum().clamp_min(1)
    counts = each.new_zeros(number).scatter_add(0, classes.clamp_min(0), known)
    shares = known / counts.clamp_min(1)[classes.clamp_min(0)]
    return (each * shares).sum() / (counts > 0).sum().clamp_min(1)
