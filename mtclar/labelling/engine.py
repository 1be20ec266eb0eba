"""Few-shot labelling: every frame is compared with every anchor, and the answers are fused.

label(q) = clip(sum_k w_k(q) (label(anchor_k) + delta(q, anchor_k)), -1, 1), after the few-shot rule of MT-CLAR, with
the weights of `fusion`. The released code averages the deltas alone and adds the label of one anchor: that is the
fusion `release`. `kriging` is no weighting of votes: it makes a mean and a standard deviation of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.fusion import fuse, fusion_weights
from mtclar.labelling.support import Compare, Compared, Krige, Queries, Support, Votes

_USED_SHARE = 0.01
_CHUNK_PAIRS = 16384


@dataclass(frozen=True)
class Estimate:
    """Labels of n frames.

    Attributes:
        valence, arousal: float64 (n,), in [-1, 1]; NaN for a frame without a face that is no anchor.
        is_anchor: bool (n,); those rows carry the label they were given.
        used: bool (n, k): which of the given anchors had a share of at least one percent in the frame's label. An
            anchor without a face is never used by another frame, and an anchor's own row uses itself alone. All that
            speak are used where labels are kriged.
        spread: Weighted standard deviation of the anchors' votes (n, 2): valence, arousal. 0 where one anchor
            speaks alone and at anchors, NaN where there is no label.
        similar: Weighted mean of the probability that frame and anchor show the same expression (n,); NaN without a
            face.
        sd: Standard deviation of the labels (n, 2); 0 at anchors, NaN without a label and with a fusion that has none.
    """

    valence: np.ndarray
    arousal: np.ndarray
    is_anchor: np.ndarray
    used: np.ndarray
    spread: np.ndarray
    similar: np.ndarray
    sd: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """Valence and arousal side by side (n, 2)."""
        return np.stack([self.valence, self.arousal], axis=1)


def compare_all(
    left: np.ndarray, right: np.ndarray, compare: Compare, *, chunk_pairs: int = _CHUNK_PAIRS
) -> tuple[np.ndarray, np.ndarray]:
    """Compares n faces with k others, some pairs at a time.

    Args:
        left: Embeddings of the faces asked about (n, d).
        right: Embeddings of the anchors (k, d).
        compare: The model's comparison of pairs of embeddings.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Returns:
        The probability that two faces show the same expression (n, k), and the predicted label(left) - label(right)
        (n, k, 2).
    """
    n, k = len(left), len(right)
    similar, deltas = np.empty((n, k)), np.empty((n, k, 2))
    step = max(1, chunk_pairs // max(k, 1))
    for start in range(0, n, step):
        some = left[start : start + step]
        part = compare(np.repeat(some, k, axis=0), np.tile(right, (len(some), 1)))
        same, valence, arousal = (np.asarray(values, float).reshape(len(some), k) for values in part)
        similar[start : start + step] = same
        deltas[start : start + step] = np.stack([valence, arousal], axis=-1)
    return similar, deltas


def label_frames(
    queries: Queries,
    support: Support,
    compare: Compare,
    *,
    method: str,
    time_scale_s: float,
    krige: Krige | None = None,
    chunk_pairs: int = _CHUNK_PAIRS,
) -> Estimate:
    """Labels frames from any anchors.

    Args:
        queries: The frames.
        support: The anchors, of the frames' own track or not.
        compare: The model's comparison of pairs of embeddings.
        method: One of `fusion.METHODS`, or `kriging`.
        time_scale_s: Scale of the fusion `time` in seconds.
        krige: For `kriging`, with its hyper-parameters bound.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Raises:
        MtclarError: The method is not known, or a part it needs is missing.
    """
    similar, deltas = compare_all(queries.embeddings, support.embeddings, compare, chunk_pairs=chunk_pairs)
    among = np.empty((len(support), len(support), 2))
    if method == "kriging":
        _, among = compare_all(support.embeddings, support.embeddings, compare, chunk_pairs=chunk_pairs)
    return fuse_compared(
        queries, support, Compared(similar, deltas, among), method=method, time_scale_s=time_scale_s, krige=krige
    )


def fuse_compared(
    queries: Queries,
    support: Support,
    compared: Compared,
    *,
    method: str,
    time_scale_s: float,
    krige: Krige | None = None,
) -> Estimate:
    """`label_frames` for frames that have been compared with the anchors already.

    Raises:
        MtclarError: As `label_frames`; also where the model lacks a head that the method needs.
    """
    n, k = len(queries), len(support)
    if np.isnan(compared.deltas).any():
        raise MtclarError(
            "the model at hand does not predict differences in valence and arousal both, so it cannot label frames; "
            "train one with both tasks (train.tasks)."
        )
    if method == "similarity" and np.isnan(compared.similar).any():
        raise MtclarError("the model at hand does not predict similarity (train.tasks), so choose another fusion.")
    votes = support.labels + compared.deltas
    sd = np.full((n, 2), np.nan)
    if method == "kriging":
        if krige is None:
            raise MtclarError(
                "the fusion 'kriging' needs what 'mtclar evaluate' measures for it, and this model carries none; "
                "evaluate and export it again, or choose another fusion."
            )
        labels, sd = krige(Votes(queries, support, compared.similar, votes, support.labels + compared.among))
        weights = np.full((n, k), 1 / k)
        labels, spread = np.clip(labels, -1.0, 1.0), fuse(votes, weights)[1]
        used = np.ones((n, k), bool)
    else:
        weights = fusion_weights(
            queries.times_s, support.times_s, method, time_scale_s, support.weights, compared.similar
        )
        labels, spread = fuse(votes, weights)
        used = weights >= _USED_SHARE
    if method == "release":
        given = fusion_weights(queries.times_s, support.times_s, "latest", time_scale_s) @ support.labels
        mean_delta = np.einsum("nk,nkd->nd", weights, compared.deltas)
        labels = np.clip(given + mean_delta, -1.0, 1.0)
    return Estimate(
        valence=labels[:, 0],
        arousal=labels[:, 1],
        is_anchor=np.zeros(n, bool),
        used=used,
        spread=spread,
        similar=(weights * compared.similar).sum(axis=1),
        sd=sd,
    )


def label_track(
    embeddings: np.ndarray,
    times_s: np.ndarray,
    anchor_rows: np.ndarray,
    anchor_labels: np.ndarray,
    compare: Compare,
    *,
    method: str,
    time_scale_s: float,
    anchor_weights: np.ndarray | None = None,
    quality: np.ndarray | None = None,
    levels: np.ndarray | None = None,
    others: Support | None = None,
    krige: Krige | None = None,
    chunk_pairs: int = _CHUNK_PAIRS,
) -> Estimate:
    """Labels every frame of a track from anchors that are frames of it.

    Args:
        embeddings: float32 (n, d), one row a frame; a row of NaN is a frame without a face.
        times_s: Times of the frames in seconds (n,).
        anchor_rows: Which frames are anchors (k,), each named once; at least one, unless there are `others`. One
            without a face keeps its own label but says nothing of other frames.
        anchor_labels: Their valence and arousal (k, 2), in [-1, 1].
        compare: The model's comparison of pairs of embeddings.
        method: One of `fusion.METHODS`, or `kriging`.
        time_scale_s: Scale of the fusion `time` in seconds.
        anchor_weights: The rater's trust in each anchor (k,), > 0; None for all alike.
        quality: How much of a face can be seen in each frame (n,), see `Queries`.
        levels: What the supervised head makes of each frame (n, 2), see `Queries`.
        others: Anchors from elsewhere that speak too; in `Estimate.used` they follow the k of the track.
        krige: For `kriging`, with its hyper-parameters bound.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Returns:
        The labels of all frames, anchors among them.

    Raises:
        MtclarError: Shapes do not fit, an anchor is no row or named twice, or no anchor shows a face.
    """
    embeddings, times_s = np.asarray(embeddings), np.asarray(times_s, float)
    rows, labels = np.asarray(anchor_rows, int), np.asarray(anchor_labels, float)
    _check(embeddings, times_s, rows, labels, least=1 if others is None else 0)
    n, faces = len(embeddings), ~np.isnan(embeddings[:, 0])
    speaking = np.flatnonzero(faces[rows])
    if not len(speaking) and others is None:
        raise MtclarError("no anchor shows a face, so no frame can be compared with one; choose other frames.")
    asked, spoken = np.flatnonzero(faces), rows[speaking]
    own = np.ones(len(spoken), bool)
    trust = np.ones(len(rows)) if anchor_weights is None else np.asarray(anchor_weights, float)
    clear = np.full(n, np.nan) if quality is None else np.asarray(quality, float)
    seen = None if levels is None else levels[asked]
    said = None if levels is None else levels[spoken]
    supports = [] if others is None else [others]
    if len(spoken):
        known = embeddings[spoken], labels[speaking], times_s[spoken]
        supports.insert(0, Support(*known, own, own, trust[speaking], clear[spoken], said))
    found = label_frames(
        Queries(embeddings[asked], times_s[asked], clear[asked], seen),
        reduce(Support.joined, supports),
        compare,
        method=method,
        time_scale_s=time_scale_s,
        krige=krige,
        chunk_pairs=chunk_pairs,
    )
    out, spread, sd = (np.full((n, 2), np.nan) for _ in range(3))
    k, more = len(rows), 0 if others is None else len(others)
    similar, used, is_anchor = np.full(n, np.nan), np.zeros((n, k + more), bool), np.zeros(n, bool)
    out[asked], spread[asked], sd[asked], similar[asked] = found.labels, found.spread, found.sd, found.similar
    used[np.ix_(asked, np.append(speaking, k + np.arange(more)))] = found.used
    is_anchor[rows], out[rows], spread[rows], sd[rows] = True, labels, 0.0, 0.0
    used[rows] = np.eye(k, k + more, dtype=bool)
    return Estimate(out[:, 0], out[:, 1], is_anchor, used, spread, similar, sd)


def _check(embeddings: np.ndarray, times_s: np.ndarray, rows: np.ndarray, labels: np.ndarray, *, least: int) -> None:
    if embeddings.ndim != 2 or times_s.shape != (len(embeddings),):
        raise MtclarError(f"expected embeddings (n, d) and times (n,), got {embeddings.shape} and {times_s.shape}.")
    if rows.ndim != 1 or len(rows) < least or labels.shape != (len(rows), 2):
        raise MtclarError(f"expected at least one anchor with labels (k, 2), got rows {rows.shape}, {labels.shape}.")
    if len(rows) and (rows.min() < 0 or rows.max() >= len(embeddings)):
        raise MtclarError(f"an anchor names row {rows.max()}, but the track has {len(embeddings)} frames (from 0).")
    if len(np.unique(rows)) != len(rows):
        raise MtclarError("two anchors name the same frame; keep one of them.")
