"""The metrics of one trained model that studies compare, each with its resamples.

Every call with the same generator state draws the same resamples, so that two models judged on the same people are
compared pair by pair: give each a fresh `np.random.default_rng(seed)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtclar.evaluation.bootstrap import Bootstrap, Draws, by_cluster, pigeonhole
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.evaluation.few_shot import can_label
from mtclar.labelling import Compared, Queries, Support, compare_all, fuse_compared
from studies.world import World

_CHUNK = 16384


def judge_pairs(world: World, resamples: int, rng: np.random.Generator) -> dict[str, Draws]:
    """Similarity accuracy and CCC of the differences over the test pairs, resampled by person.

    Returns:
        Some of `similarity_accuracy`, `delta_valence_ccc`, `delta_arousal_ccc`: those whose head the model has
        and whose truth the pairs state.
    """
    pairs, faces = world.pairs, world.faces
    left, right = (pairs[side].to_numpy(np.int64) for side in ("left", "right"))
    parts = [slice(start, start + _CHUNK) for start in range(0, len(pairs), _CHUNK)]
    said = [world.heads.compare(world.embeddings[left[part]], world.embeddings[right[part]]) for part in parts]
    similar, *deltas = (np.concatenate(column).astype(np.float64) for column in zip(*said, strict=True))
    people = faces["subject_id"].to_numpy(str)
    who = pigeonhole(people[left], people[right], resamples, rng)
    found: dict[str, Draws] = {}
    if np.isfinite(similar).all() and pairs["similar"].notna().all():
        found["similarity_accuracy"] = who.share((similar > 0.5) == pairs["similar"].to_numpy(bool))
    for name, delta in zip(DIMENSIONS, deltas, strict=True):
        if np.isfinite(delta).all() and pairs[f"d_{name}"].notna().all():
            found[f"delta_{name}_ccc"] = who.regression(pairs[f"d_{name}"].to_numpy(np.float64), delta)["ccc"]
    return found


def by_clip(clips: Sequence[Clip], masks: Sequence[np.ndarray], resamples: int, rng: np.random.Generator) -> Bootstrap:
    """Resamples of clips for the frames that masks (n,) keep of each."""
    return by_cluster(np.repeat(np.arange(len(clips)), [int(mask.sum()) for mask in masks]), resamples, rng)


def judge_labels(
    clips: Sequence[Clip],
    labels: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, Draws]:
    """RMSE and CCC of labelled clips, pooled over frames, resampled by clip.

    Args:
        clips: The clips.
        labels: float64 (n, 2) each.
        masks: bool (n,) each, the frames to judge: those that are not anchors.
        resamples: Of the bootstrap.
        rng: Draws them.

    Returns:
        `valence_rmse`, `valence_ccc`, `arousal_rmse`, `arousal_ccc`.
    """
    who = by_clip(clips, masks, resamples, rng)
    truth = np.concatenate([clip.truth[mask] for clip, mask in zip(clips, masks, strict=True)])
    said = np.concatenate([label[mask] for label, mask in zip(labels, masks, strict=True)])
    found: dict[str, Draws] = {}
    for k, name in enumerate(DIMENSIONS):
        judged = who.regression(truth[:, k], said[:, k])
        found |= {f"{name}_{metric}": judged[metric] for metric in ("rmse", "ccc")}
    return found


def label_from(
    world: World, clip: Clip, rows: np.ndarray, methods: Sequence[str], *, time_scale_s: float
) -> dict[str, np.ndarray]:
    """Labels a clip from any labelled faces, by several ways to fuse what they say; faces are compared once.

    Args:
        world: The model.
        clip: The clip, of n frames.
        rows: Rows (k,) of the faces store that are anchors, of this clip or not.
        methods: Fusions, see `mtclar.labelling`.
        time_scale_s: Of the fusion `time`.

    Returns:
        float64 (n, 2) a method. At frames that are anchors it is what the anchors say, not what they were given.
    """
    known, compare = world.embeddings, world.heads.compare
    place = dict(zip(clip.rows.tolist(), clip.times_s.tolist(), strict=True))
    own = np.isin(rows, clip.rows)
    support = Support(
        embeddings=known[rows],
        labels=world.faces[list(DIMENSIONS)].to_numpy(np.float64)[rows],
        times_s=np.array([place.get(row, np.nan) for row in rows.tolist()]),
        own_track=own,
        own_person=world.people[rows] == clip.person,
        weights=np.ones(len(rows)),
        quality=known.quality_of(rows),
        levels=world.levels_of(rows),
    )
    queries = Queries(known[clip.rows], clip.times_s, known.quality_of(clip.rows), world.levels_of(clip.rows))
    similar, deltas = compare_all(queries.embeddings, support.embeddings, compare)
    among = np.zeros((len(rows), len(rows), 2))
    if "kriging" in methods:
        _, among = compare_all(support.embeddings, support.embeddings, compare)
    compared = Compared(similar, deltas, among)
    return {
        method: fuse_compared(
            queries, support, compared, method=method, time_scale_s=time_scale_s, krige=world.krige
        ).labels
        for method in methods
    }


def other_frames(clip: Clip, positions: np.ndarray) -> np.ndarray:
    """bool (n,): the frames of a clip that are not at `positions`."""
    mask = np.ones(len(clip), bool)
    mask[positions] = False
    return mask


def judge_few_shot(world: World, resamples: int, rng: np.random.Generator) -> dict[str, Draws]:
    """`judge_labels` of the test clips, each from its first frame; empty for a model without the two heads."""
    if not world.clips or not can_label(world.embeddings.values, world.heads):
        return {}
    first = [label_from(world, clip, clip.rows[:1], ("mean",), time_scale_s=1.0)["mean"] for clip in world.clips]
    masks = [other_frames(clip, np.zeros(1, int)) for clip in world.clips]
    return {f"few_shot_{name}": draw for name, draw in judge_labels(world.clips, first, masks, resamples, rng).items()}
