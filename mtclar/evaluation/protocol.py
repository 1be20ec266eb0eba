"""Few-shot labelling of clips: what each method makes of the anchors it is given.

Which frames are anchors is said by a support set (`supports`) or by a budget, a share of the clip's frames. Every
method then labels every frame from the same anchors:

- `mtclar`: anchor's label + predicted difference, through `mtclar.labelling`, which is what `mtclar label` runs. With
  a support of rule `latest` a frame may use only the latest anchor at or before it (causal), as MT-CLAR was published;
- `mtclar_fused` (rule `latest` only): the same from all anchors of the clip at once, past and future, as `mtclar
  label` does;
- `copy`: the label of the anchor a frame uses; of several, the latest; left out where none of several is of the clip;
- `interpolate`: linear between the anchors around a frame, hence not causal; flat beyond the outer ones; only with
  anchors of the clip itself;
- `pchip` (budgets only): the same with a smooth curve;
- `class_mean`: the mean label of the training faces, whatever the picture;
- `zero_shot`: the supervised head, which sees no anchor.

Without an anchor `mtclar` is what `mtclar label` makes of that head, and nothing but the last two stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mtclar.evaluation.answers import Embeddings
from mtclar.evaluation.clips import Clip
from mtclar.evaluation.supports import Picks, Pool
from mtclar.labelling import (
    Compare,
    Compared,
    Estimate,
    Krige,
    Queries,
    Support,
    compare_all,
    copy_latest,
    fuse_compared,
    interpolate,
    pchip,
)


@dataclass(frozen=True)
class Labelled:
    """What every method makes of one clip.

    Attributes:
        clip: The clip.
        anchors: int (k,), positions of the anchors within the clip; none where each frame's was drawn for it.
        given: float64 (n, 2), the label of the anchor each frame uses; of several, the latest, or their mean where they
            are not of the clip; without an anchor the mean training label.
        methods: float64 (n, 2) a method.
        sd: float64 (n, 2), standard deviation of mtclar's labels: 0 at anchors, NaN where the fusion has none.
    """

    clip: Clip
    anchors: np.ndarray
    given: np.ndarray
    methods: dict[str, np.ndarray]
    sd: np.ndarray

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
        method: The fusion.
        time_scale_s: Of the fusion `time`.
        krige: For the fusion `kriging`.
    """

    compare: Compare
    method: str
    time_scale_s: float
    krige: Krige | None = None


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
        levels: np.ndarray,
    ) -> None:
        """A clip of n frames and its place in the pool.

        Args:
            clip: The clip.
            number: Which clip of the pool it is.
            pool: Where anchors come from.
            embeddings: Of the pool and the clip.
            model: How labels are made.
            mean: float64 (2,), mean training label.
            levels: float64 (m, 2), the supervised head's labels of all m faces of the pool.
        """
        self.clip, self.number, self.pool, self.model, self._levels = clip, number, pool, model, levels
        self._embeddings = embeddings
        self._own = embeddings[clip.rows]
        self._members = np.flatnonzero(pool.clip == number)
        self._alone = {"class_mean": np.tile(mean, (len(clip), 1)), "zero_shot": levels[self._members]}
        self._columns: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def by_support(self, picks: Picks) -> Labelled:
        """Labels from the anchors of a support set."""
        clip, pool, n = self.clip, self.pool, len(self.clip)
        own = pool.clip[picks.anchors] == self.number
        given_away = pool.position[picks.anchors[own]] if picks.rule != "each" else np.empty(0, np.int64)
        ours, sd = np.empty((n, 2)), np.empty((n, 2))
        for frames, anchors, kept, compared in self._groups(picks):
            found = self._fuse(frames, anchors, compared)
            ours[frames[kept]], sd[frames[kept]] = found.labels[kept], found.sd[kept]
        ours[given_away], sd[given_away] = clip.truth[given_away], 0.0
        methods = {"mtclar": ours}
        if not len(picks.anchors):
            return Labelled(clip, given_away, self._alone["class_mean"], methods | self._alone, sd)
        labels, times_s = pool.truth[picks.anchors], pool.times_s[picks.anchors]
        if picks.rule == "latest":
            fused = self._fuse(np.arange(n), picks.anchors, self._compared(np.arange(n), picks.anchors)).labels
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
        return Labelled(clip, given_away, given, methods | self._alone, sd)

    def by_positions(self, positions: np.ndarray) -> Labelled:
        """Labels from the frames `positions` of the clip itself, all of them together."""
        clip, n = self.clip, len(self.clip)
        times_s, labels = clip.times_s[positions], clip.truth[positions]
        members = self._members[positions]
        found = self._fuse(np.arange(n), members, self._compared(np.arange(n), members))
        ours, sd = found.labels, found.sd.copy()
        ours[positions], sd[positions] = labels, 0.0
        given = copy_latest(clip.times_s, times_s, labels)
        methods = {
            "mtclar": ours,
            "copy": given,
            "interpolate": interpolate(clip.times_s, times_s, labels),
            "pchip": pchip(clip.times_s, times_s, labels),
        }
        return Labelled(clip, positions, given, methods | self._alone, sd)

    def deltas(self, positions: np.ndarray) -> np.ndarray:
        """Predicted label(frame) - label(anchor) of every frame and the anchors at `positions`: (n, k, 2)."""
        return self._within(self._members[positions])[1]

    def _groups(self, picks: Picks) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, Compared]]:
        """Frames (f,), the anchors that speak of them, which of those frames (bool) are to be kept, and comparisons.

        Where an anchor was drawn for one frame alone, `kriging` still reads the whole clip; no other fusion would
        notice.
        """
        n, everything = len(self.clip), np.arange(len(self.clip))
        if picks.rule == "together":
            yield everything, picks.anchors, np.ones(n, bool), self._compared(everything, picks.anchors)
            return
        drawn = picks.rule == "each"
        reads_all = drawn and self.model.method == "kriging"
        if drawn:
            faces = self._embeddings[self.pool.rows[picks.anchors]]
            among = self._answers(faces, faces)
            if reads_all:
                similar, deltas = compare_all(self._own, faces, self.model.compare)
            else:
                answers = self._answers(self._own, faces[picks.use])
        for k in np.unique(picks.use):
            kept = picks.use == k
            frames, anchors = everything if reads_all else np.flatnonzero(kept), picks.anchors[k : k + 1]
            if not drawn:
                compared = self._compared(frames, anchors)
            elif reads_all:
                compared = Compared(similar[:, k, None], deltas[:, k, None], among[k, 1:].reshape(1, 1, 2))
            else:
                own = answers[frames]
                compared = Compared(own[:, :1], own[:, None, 1:], among[k, 1:].reshape(1, 1, 2))
            yield frames, anchors, kept[frames], compared

    def _answers(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """What the model says of pairs of embeddings (m, d): similarity and both differences, (m, 3)."""
        return np.stack([np.asarray(part, float).reshape(-1) for part in self.model.compare(left, right)], axis=1)

    def _compared(self, frames: np.ndarray, anchors: np.ndarray) -> Compared:
        """Comparisons of frames (f,) with members of the pool (k,); those within the clip are remembered."""
        position = self.pool.position[anchors]
        if (self.pool.clip[anchors] == self.number).all():
            similar, deltas = self._within(anchors)
            return Compared(similar[frames], deltas[frames], deltas[position])
        faces = self._embeddings[self.pool.rows[anchors]]
        similar, deltas = compare_all(self._own[frames], faces, self.model.compare)
        among = np.zeros((len(anchors), len(anchors), 2))
        if self.model.method == "kriging":
            _, among = compare_all(faces, faces, self.model.compare)
        return Compared(similar, deltas, among)

    def _fuse(self, frames: np.ndarray, anchors: np.ndarray, compared: Compared) -> Estimate:
        """Labels of the frames at positions `frames`, from members of the pool as anchors."""
        clip, pool = self.clip, self.pool
        own = pool.clip[anchors] == self.number
        quality = self._embeddings.quality_of(clip.rows[frames])
        return fuse_compared(
            Queries(self._own[frames], clip.times_s[frames], quality, self._levels[self._members[frames]]),
            Support(
                embeddings=self._embeddings[pool.rows[anchors]],
                labels=pool.truth[anchors],
                times_s=np.where(own, pool.times_s[anchors], np.nan),
                own_track=own,
                own_person=pool.person[anchors] == clip.person,
                weights=np.ones(len(anchors)),
                quality=self._embeddings.quality_of(pool.rows[anchors]),
                levels=self._levels[anchors],
            ),
            compared,
            method=self.model.method,
            time_scale_s=self.model.time_scale_s,
            krige=self.model.krige,
        )

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
