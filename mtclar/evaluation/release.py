"""The protocol of MT-CLAR's released code, with each of its comparability traps as a switch.

The release's numbers are not those of the definition it states. What differs, by name:

- `anchors_scored`: anchors are labelled and scored like any other frame, at no distance from themselves;
- `block_mean`: the predicted differences of 5 consecutive frames are replaced by their mean, across clips if need be;
- `per_anchor`: with several anchors a frame is scored once for each of them;
- `delta_mean`: with several anchors their differences alone are averaged, and the label of one is added: the latest's,
  or with `per_anchor` each one's own;
- `drop_last`: the rows are cut to whole batches, of 32 while features are extracted and then of 512.

With none of them a frame's label is the mean of label + difference over its anchors. There are two ways to say which
those are: `latest`, the latest of the recurring anchors at or before it, as the release ran it, where `per_anchor` and
`delta_mean` change nothing; and `all`, every recurring anchor of the clip.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtclar.evaluation.bootstrap import by_cluster
from mtclar.evaluation.clips import Clip
from mtclar.evaluation.scores import affect_block, clusters

SWITCHES = ("anchors_scored", "block_mean", "per_anchor", "delta_mean", "drop_last")
ARRANGEMENTS = ("latest", "all")
BLOCK, BATCHES = 5, (32, 512)


@dataclass(frozen=True)
class Seen:
    """A clip of n frames as the model sees it from k of them.

    Attributes:
        clip: The clip.
        anchors: int (k,), ascending positions, the first of them 0.
        deltas: float64 (n, k, 2), predicted label(frame) - label(anchor).
    """

    clip: Clip
    anchors: np.ndarray
    deltas: np.ndarray


def scored_rows(
    seen: Sequence[Seen], arrangement: str, switches: Collection[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows that are scored, clip by clip and frame by frame.

    Args:
        seen: The clips, in the order of the data set.
        arrangement: One of `ARRANGEMENTS`.
        switches: Some of `SWITCHES`.

    Returns:
        Which clip each row belongs to (m,), its truth (m, 2) and its label (m, 2) in [-1, 1].
    """
    clip, query, truth, label, delta = [], [], [], [], []
    asked = 0
    for number, item in enumerate(seen):
        n, k = len(item.clip), len(item.anchors)
        latest = np.searchsorted(item.anchors, np.arange(n), side="right") - 1
        speaks = np.eye(k, dtype=bool)[latest] if arrangement == "latest" else np.ones((n, k), bool)
        frames = np.arange(n) if "anchors_scored" in switches else np.setdiff1d(np.arange(n), item.anchors)
        for place, frame in enumerate(frames):
            who = np.flatnonzero(speaks[frame])
            labels, deltas = item.clip.truth[item.anchors[who]], item.deltas[frame, who]
            if "delta_mean" in switches:
                deltas = np.broadcast_to(deltas.mean(axis=0), deltas.shape)
            if "per_anchor" not in switches:
                one = item.clip.truth[item.anchors[latest[frame]]]
                labels = (one if "delta_mean" in switches else labels.mean(axis=0))[None]
                deltas = deltas.mean(axis=0, keepdims=True)
            clip += [number] * len(labels)
            query += [asked + place] * len(labels)
            truth.append(np.broadcast_to(item.clip.truth[frame], labels.shape))
            label.append(labels)
            delta.append(deltas)
        asked += len(frames)
    if not clip:
        return np.empty(0, int), np.empty((0, 2)), np.empty((0, 2))
    clips, truths = np.array(clip), np.concatenate(truth)
    labels, deltas = np.concatenate(label), np.concatenate(delta)
    if "block_mean" in switches:
        block = np.array(query) // BLOCK
        total = np.zeros((block[-1] + 1, 2))
        np.add.at(total, block, deltas)
        deltas = (total / np.bincount(block)[:, None])[block]
    kept = len(clips)
    if "drop_last" in switches:
        for batch in BATCHES:
            kept -= kept % batch
    return clips[:kept], truths[:kept], np.clip(labels + deltas, -1.0, 1.0)[:kept]


def score_release(
    seen: Sequence[Seen], *, cluster: str, resamples: int, rng: np.random.Generator
) -> dict[str, dict[str, Any]]:
    """The metrics without any switch (`sane`), with each alone, and with all of them (`released`).

    Args:
        seen: The clips, their anchors the recurring ones.
        cluster: What the bootstrap draws: `clip` or `subject`.
        resamples: Of the bootstrap.
        rng: Where its draws come from.

    Returns:
        `{arrangement: {name: {"n_rows": ..., dimension: block}}}`; where a switch leaves no row, no dimension.
    """
    names: dict[str, Collection[str]] = {"sane": (), **{name: (name,) for name in SWITCHES}, "released": SWITCHES}
    units = clusters([item.clip for item in seen], cluster)
    found: dict[str, dict[str, Any]] = {}
    for arrangement in ARRANGEMENTS:
        found[arrangement] = {}
        for name, switches in names.items():
            clip, truth, label = scored_rows(seen, arrangement, switches)
            found[arrangement][name] = {"n_rows": len(clip)}
            if len(clip):
                found[arrangement][name] |= affect_block(by_cluster(units[clip], resamples, rng), truth, label)
    return found
