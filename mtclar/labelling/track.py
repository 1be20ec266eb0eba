"""`label_track`: all frames of one track, those without a face among them, from anchors that are frames of it."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise

import numpy as np

from mtclar.errors import MtclarError
from mtclar.labelling.engine import CHUNK_PAIRS, Estimate, label_frames
from mtclar.labelling.support import Compare, Krige, Queries, Support


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
    bridge_s: float = 0.0,
    chunk_pairs: int = CHUNK_PAIRS,
) -> Estimate:
    """Labels every frame of a track from anchors that are frames of it.

    Args:
        embeddings: float32 (n, d), one row a frame; a row of NaN is a frame without a face.
        times_s: Times of the frames in seconds (n,).
        anchor_rows: Which frames are anchors (k,), each named once; without any, and without `others`, frames are
            labelled from what is read in them alone. An anchor without a face keeps its own label; only to `kriging`
            it says something of other frames, those of its time.
        anchor_labels: Their valence and arousal (k, 2), in [-1, 1].
        compare: The model's comparison of pairs of embeddings.
        method: One of `fusion.METHODS`, or `kriging`.
        time_scale_s: Scale of the fusion `time` in seconds.
        anchor_weights: The rater's trust in each anchor (k,), > 0; None for all alike.
        quality: How much of a face can be seen in each frame (n,), see `Queries`.
        levels: What the supervised head makes of each frame (n, 2), see `Queries`.
        others: Anchors from elsewhere that speak too; in `Estimate.used` they follow the k of the track.
        krige: For `kriging`, with its hyper-parameters bound.
        bridge_s: Frames without a face are labelled too, by `kriging`, where a face or an anchor stands before and
            after them and these two are no more than so many seconds apart.
        chunk_pairs: How many pairs are compared at a time, which bounds the memory.

    Returns:
        The labels of all frames, anchors among them.

    Raises:
        MtclarError: Shapes do not fit, an anchor is no row or named twice, or no anchor shows a face.
    """
    embeddings, times_s = np.asarray(embeddings), np.asarray(times_s, float)
    rows, labels = np.asarray(anchor_rows, int), np.asarray(anchor_labels, float)
    _check(embeddings, times_s, rows, labels)
    n, faces = len(embeddings), ~np.isnan(embeddings[:, 0])
    timely = method == "kriging"
    speaking = np.flatnonzero(faces[rows] | (timely & faces.any()))
    if len(rows) and not len(speaking) and others is None:
        raise MtclarError("no anchor shows a face, so no frame can be compared with one; choose other frames.")
    bridged = _bridged(times_s, faces, rows, bridge_s) if timely else np.zeros(n, bool)
    asked, spoken = np.flatnonzero(faces | bridged), rows[speaking]
    embeddings = np.where(faces[:, None], embeddings, np.zeros(1, embeddings.dtype))
    own = np.ones(len(spoken), bool)
    trust = np.ones(len(rows)) if anchor_weights is None else np.asarray(anchor_weights, float)
    clear = np.where(faces, np.nan if quality is None else np.asarray(quality, float), 0.0)
    seen = None if levels is None else levels[asked]
    said = None if levels is None else levels[spoken]
    supports = [] if others is None else [others]
    if not len(spoken) and others is None:
        supports = [Support.none(embeddings.shape[1])]
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
    return Estimate(out[:, 0], out[:, 1], is_anchor, used, spread, similar, sd, found.zero_shot)


def _bridged(times_s: np.ndarray, faces: np.ndarray, rows: np.ndarray, bridge_s: float) -> np.ndarray:
    """Frames without a face between two of which something is known and that are close enough (n,)."""
    known = faces.copy()
    known[rows] = True
    at = np.flatnonzero(known)
    found = np.zeros(len(faces), bool)
    for before, after in pairwise(at):
        if after - before > 1 and times_s[after] - times_s[before] <= bridge_s:
            found[before + 1 : after] = True
    return found


def _check(embeddings: np.ndarray, times_s: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> None:
    if embeddings.ndim != 2 or times_s.shape != (len(embeddings),):
        raise MtclarError(f"expected embeddings (n, d) and times (n,), got {embeddings.shape} and {times_s.shape}.")
    if rows.ndim != 1 or labels.shape != (len(rows), 2):
        raise MtclarError(f"expected anchors with labels (k, 2), got rows {rows.shape}, {labels.shape}.")
    if len(rows) and (rows.min() < 0 or rows.max() >= len(embeddings)):
        raise MtclarError(f"an anchor names row {rows.max()}, but the track has {len(embeddings)} frames (from 0).")
    if len(np.unique(rows)) != len(rows):
        raise MtclarError("two anchors name the same frame; keep one of them.")
