"""Few-shot labelling of clips: what each method makes of the anchors it is given.

Which frames are anchors is said by a support set (`supports`) or by a budget, a share of the clip's frames. Every
method then labels every frame from the same anchors:

- `mtclar`: by `mtclar.labelling.process`, which is what `mtclar label` runs, or by a `fusion` of votes, anchor's label
  + predicted difference. With a support of rule `latest` a frame may use only the latest anchor at or before it
  (causal), as MT-CLAR was published; where an anchor is drawn for each frame anew, its vote is the label;
- `mtclar_fused` (rule `latest` only): the same from all anchors of the clip at once, past and future, as `mtclar
  label` does;
- `copy`: the label of the anchor a frame uses; of several, the latest; left out where none of several is of the clip;
- `interpolate`: linear between the anchors around a frame, hence not causal; flat beyond the outer ones; only with
  anchors of the clip itself;
- `pchip` (budgets only): the same with a smooth curve;
- `train_mean`: the mean label of the training faces, whatever the picture;
- `zero_shot`: the supervised head, which sees no anchor.

Without an anchor `mtclar` is what `mtclar label` makes of that head, and nothing but the last two stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.evaluation.fusion import compare_all, vote
from mtclar.evaluation.supports import Picks, Pool
from mtclar.features.prediction import Compare, predict
from mtclar.labelling import Process, copy_latest, interpolate, pchip
from mtclar.labelling.course import course
from mtclar.labelling.process import Places, Posterior

APART_S = 1e5
"""Clips are taken to be so many seconds apart: the time of one says nothing of another."""


@dataclass(frozen=True)
class Labelled:
    """What every method makes of one clip.

    Attributes:
        clip: The clip.
        anchors: int (k,), positions of the anchors within the clip; none where each frame's was drawn for it.
        given: float64 (n, 2), the label of the anchor each frame uses; of several, the latest, or their mean where they
            are not of the clip; without an anchor the mean training label.
        methods: float64 (n, 2) a method.
        sd: float64 (n, 2), standard deviation of mtclar's labels: 0 at anchors, NaN where votes made them.
        spoke: How many anchors of the clip a label follows from.
    """

    clip: Clip
    anchors: np.ndarray
    given: np.ndarray
    methods: dict[str, np.ndarray]
    sd: np.ndarray
    spoke: int

    @property
    def queries(self) -> np.ndarray:
        """bool (n,): the frames that are not anchors."""
        mask = np.ones(len(self.clip), bool)
        mask[self.anchors] = False
        return mask


@dataclass(frozen=True)
class Model:
    """How labels are made.

    Attributes:
        compare: The heads for pairs.
        method: `process`, or one of `fusion.METHODS`.
        time_scale_s: Of the fusion `time`.
        process: For the method `process`.
    """

    compare: Compare
    method: str
    time_scale_s: float
    process: Process | None = None


@dataclass(frozen=True, eq=False)
class Read:
    """What the model makes of all m faces of a pool before any anchor.

    Attributes:
        levels: float64 (m, 2), the supervised head's labels.
        places: What the process is told of them, in both dimensions; None for the other methods.
    """

    levels: np.ndarray
    places: tuple[Places, Places] | None


def read_pool(pool: Pool, embeddings: Embeddings, heads: Heads, process: Process | None) -> Read:
    """Reads the faces of a pool, clip by clip; a face of the bank is a clip of its own."""
    values = embeddings[pool.rows]
    _, valence, arousal = heads.single(values)
    levels = np.stack([valence, arousal], axis=1).astype(np.float64)
    if process is None:
        return Read(levels, None)
    quality = embeddings.quality_of(pool.rows)
    quality = np.ones(len(values)) if quality is None else quality
    mean, haze = levels.copy(), np.zeros_like(levels)
    for number in np.unique(pool.clip[pool.clip >= 0]).tolist():
        own = np.flatnonzero(pool.clip == number)
        told = predict(values[own], levels[own], quality[own], np.zeros(len(own), np.int64), heads.compare)
        for d in range(len(DIMENSIONS)):
            found = course(process[d].course, pool.times_s[own], told[:, d].astype(np.float64), quality[own])
            mean[own, d], haze[own, d] = found
    strangers = np.flatnonzero(pool.clip < 0)
    group = pool.clip.copy()
    group[strangers] = pool.clip.max(initial=-1) + 1 + np.arange(len(strangers))
    times_s = np.where(pool.clip >= 0, pool.times_s, 0.0) + APART_S * group
    places = tuple(
        Places(times_s, group, mean[:, d], haze[:, d], np.arange(len(values)), values, process.typical or 1.0)
        for d in range(len(DIMENSIONS))
    )
    return Read(levels, (places[0], places[1]))


class Labeller:
    """Labels one clip again and again, from other anchors each time, and compares no two of its frames twice."""

    def __init__(
        self,
        clip: Clip,
        number: int,
        pool: Pool,
        embeddings: Embeddings,
        model: Model,
        *,
        mean: np.ndarray,
        read: Read,
    ) -> None:
        """A clip of n frames and its place in the pool.

        Args:
            clip: The clip.
            number: Which clip of the pool it is.
            pool: Where anchors come from.
            embeddings: Of the pool and the clip.
            model: How labels are made.
            mean: float64 (2,), mean training label.
            read: What the model makes of the pool.
        """
        self.clip, self.number, self.pool, self.model, self._read = clip, number, pool, model, read
        self._embeddings = embeddings
        self._own = embeddings[clip.rows]
        self._members = np.flatnonzero(pool.clip == number)
        self._alone = {"train_mean": np.tile(mean, (len(clip), 1)), "zero_shot": read.levels[self._members]}
        self._columns: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def by_support(self, picks: Picks) -> Labelled:
        """Labels from the anchors of a support set."""
        clip, pool, n = self.clip, self.pool, len(self.clip)
        own = pool.clip[picks.anchors] == self.number
        given_away = pool.position[picks.anchors[own]] if picks.rule != "each" else np.empty(0, np.int64)
        ours, sd = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
        labels, times_s = pool.truth[picks.anchors], pool.times_s[picks.anchors]
        if picks.rule == "each":
            faces = self._embeddings[pool.rows[picks.anchors]]
            _, d_valence, d_arousal = self.model.compare(self._own, faces[picks.use])
            ours = np.clip(labels[picks.use] + np.stack([d_valence, d_arousal], axis=1), -1.0, 1.0)
        elif picks.rule == "together":
            ours, sd = self._label(np.arange(n), picks.anchors)
        else:
            for k in np.unique(picks.use):
                frames = np.flatnonzero(picks.use == k)
                ours[frames], sd[frames] = self._label(frames, picks.anchors[k : k + 1])
        ours[given_away], sd[given_away] = clip.truth[given_away], 0.0
        spoke = {"together": int(own.sum()), "latest": 1, "each": 0}[picks.rule]
        methods = {"mtclar": ours}
        if not len(picks.anchors):
            return Labelled(clip, given_away, self._alone["train_mean"], methods | self._alone, sd, spoke)
        if picks.rule == "latest":
            fused = self._label(np.arange(n), picks.anchors)[0]
            fused[given_away] = clip.truth[given_away]
            methods["mtclar_fused"] = fused
        if picks.rule != "together" or len(picks.anchors) == 1:
            methods["copy"] = given = labels[picks.use]
        elif own.all():
            methods["copy"] = given = copy_latest(clip.times_s, times_s, labels)
        else:
            given = np.tile(labels.mean(axis=0), (n, 1))
        if own.all() and picks.rule != "each":
            methods["interpolate"] = interpolate(clip.times_s, times_s, labels)
        return Labelled(clip, given_away, given, methods | self._alone, sd, spoke)

    def by_positions(self, positions: np.ndarray) -> Labelled:
        """Labels from the frames `positions` of the clip itself, all of them together."""
        clip, n = self.clip, len(self.clip)
        times_s, labels = clip.times_s[positions], clip.truth[positions]
        ours, sd = self._label(np.arange(n), self._members[positions])
        ours[positions], sd[positions] = labels, 0.0
        given = copy_latest(clip.times_s, times_s, labels)
        methods = {
            "mtclar": ours,
            "copy": given,
            "interpolate": interpolate(clip.times_s, times_s, labels),
            "pchip": pchip(clip.times_s, times_s, labels),
        }
        return Labelled(clip, positions, given, methods | self._alone, sd, len(positions))

    def deltas(self, positions: np.ndarray) -> np.ndarray:
        """Predicted label(frame) - label(anchor) of every frame and the anchors at `positions`: (n, k, 2)."""
        return self._within(self._members[positions])[1]

    def _label(self, frames: np.ndarray, anchors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Labels and their standard deviations (f, 2) of the frames at positions `frames`, from members of the pool."""
        pool, model = self.pool, self.model
        if model.process is not None and self._read.places is not None:
            found = []
            for d, places in enumerate(self._read.places):
                variances = np.full(len(anchors), model.process[d].noise ** 2)
                told = Posterior(model.process[d], places[anchors], pool.truth[anchors, d], variances)
                found.append(told.at(places[self._members[frames]]))
            mean, sd = (np.stack(parts, axis=1) for parts in zip(*found, strict=True))
            return np.clip(mean, -1.0, 1.0), sd
        unknown = np.full((len(frames), 2), np.nan)
        if not len(anchors):
            return np.clip(self._read.levels[self._members[frames]], -1.0, 1.0), unknown
        own = pool.clip[anchors] == self.number
        if own.all():
            similar, deltas = (part[frames] for part in self._within(anchors))
        else:
            similar, deltas = compare_all(self._own[frames], self._embeddings[pool.rows[anchors]], model.compare)
        times_s = np.where(own, pool.times_s[anchors], np.nan)
        labels = vote(
            self.clip.times_s[frames],
            times_s,
            pool.truth[anchors],
            similar,
            deltas,
            method=model.method,
            time_scale_s=model.time_scale_s,
        )
        return labels, unknown

    def _within(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Similarity (n, k) and differences (n, k, 2) of all frames and some frames of the clip."""
        missing = [member for member in members.tolist() if member not in self._columns]
        if missing:
            at = self.pool.position[missing]
            similar, deltas = compare_all(self._own, self._own[at], self.model.compare)
            self._columns |= {member: (similar[:, j], deltas[:, j]) for j, member in enumerate(missing)}
        if not len(members):
            return np.empty((len(self.clip), 0)), np.empty((len(self.clip), 0, 2))
        columns: Sequence[tuple[np.ndarray, np.ndarray]] = [self._columns[member] for member in members.tolist()]
        return np.stack([same for same, _ in columns], axis=1), np.stack([delta for _, delta in columns], axis=1)
