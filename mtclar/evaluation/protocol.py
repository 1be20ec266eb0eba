"""Few-shot labelling of clips: which frames are anchors, and what each method makes of them.

A protocol names the frames whose true labels are given away:

- `first`: the first frame of each clip;
- `stride`: frames 0, k, 2k, ... of each clip, and a frame may use only the latest anchor at or before it (causal), as
  MT-CLAR was published.

Every method then labels every frame from the same anchors:

- `mtclar`: anchor's label + predicted difference, through `mtclar.labelling`, which is what `mtclar label` runs;
- `mtclar_fused` (stride only): the same from all anchors of the clip at once, past and future, as `mtclar label` does;
- `copy`: the latest anchor's label;
- `interpolate`: linear between the anchors around a frame, hence not causal; flat beyond the outer ones;
- `class_mean`: the mean label of the training faces, whatever the picture;
- `zero_shot`: the supervised head, which sees no anchor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mtclar.errors import MtclarError
from mtclar.evaluation.clips import Clip
from mtclar.labelling import copy_latest, interpolate

Protocol = Literal["first", "stride"]

Labeller = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""`(embeddings (n, d), times_s (n,), anchor rows (k,), anchor labels (k, 2)) -> labels (n, 2)`."""


@dataclass(frozen=True)
class Labelled:
    """What every method makes of one clip.

    Attributes:
        clip: The clip.
        anchors: int (k,), positions of the anchors within the clip.
        given: float64 (n, 2), the label of the latest anchor at or before each frame.
        methods: float64 (n, 2) a method.
    """

    clip: Clip
    anchors: np.ndarray
    given: np.ndarray
    methods: dict[str, np.ndarray]

    @property
    def queries(self) -> np.ndarray:
        """bool (n,): the frames that are not anchors."""
        mask = np.ones(len(self.clip), bool)
        mask[self.anchors] = False
        return mask


def anchor_positions(frames: int, protocol: Protocol, stride: int) -> np.ndarray:
    """Positions of the anchors in a clip of `frames` labelled frames.

    Raises:
        MtclarError: The clip is empty or the stride is not positive.
    """
    if frames < 1 or stride < 1:
        raise MtclarError(
            f"anchors need a clip with frames and a positive stride, got {frames} frames, stride {stride}."
        )
    return np.arange(0, 1 if protocol == "first" else frames, stride)


def label_clip(
    clip: Clip,
    embeddings: np.ndarray,
    protocol: Protocol,
    *,
    stride: int,
    labeller: Labeller,
    mean: np.ndarray,
    zero_shot: np.ndarray,
) -> Labelled:
    """Labels one clip by every method.

    Args:
        clip: The clip, of n frames.
        embeddings: float32 (n, d).
        protocol: Which frames are anchors.
        stride: Frames between anchors, for `stride`.
        labeller: The model, by way of `mtclar.labelling`.
        mean: float64 (2,), mean training label.
        zero_shot: float64 (n, 2), the supervised head's labels.
    """
    n = len(clip)
    anchors = anchor_positions(n, protocol, stride)
    labels = clip.truth[anchors]
    causal = np.empty((n, 2))
    for start, end in zip(anchors, [*anchors[1:], n], strict=True):
        part = slice(start, end)
        causal[part] = labeller(embeddings[part], clip.times_s[part], np.zeros(1, int), clip.truth[start : start + 1])
    given = copy_latest(clip.times_s, clip.times_s[anchors], labels)
    methods = {"mtclar": causal}
    if protocol == "stride":
        methods["mtclar_fused"] = labeller(embeddings, clip.times_s, anchors, labels)
    methods |= {
        "copy": given,
        "interpolate": interpolate(clip.times_s, clip.times_s[anchors], labels),
        "class_mean": np.tile(mean, (n, 1)),
        "zero_shot": zero_shot,
    }
    return Labelled(clip, anchors, given, methods)
