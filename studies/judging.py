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
from mtclar.evaluation.fusion import compare_all, vote
from mtclar.evaluation.protocol import Labeller, Model, read_pool
from mtclar.evaluation.supports import Picks, Pool
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
        methods: `process`, or some of `mtclar.evaluation.fusion.METHODS`.
        time_scale_s: Of the fusion `time`.

    Returns:
        float64 (n, 2) a method. At frames that are anchors votes are what the anchors say, not what they were given.
    """
    labels = world.faces[list(DIMENSIONS)].to_numpy(np.float64)[rows]
    place = dict(zip(clip.rows.tolist(), clip.times_s.tolist(), strict=True))
    times_s = np.array([place.get(row, np.nan) for row in rows.tolist()])
    known, found = world.embeddings, {}
    votes = [method for method in methods if method != "process"]
    if votes:
        similar, deltas = compare_all(known[clip.rows], known[rows], world.heads.compare)
    for method in votes:
        found[method] = vote(clip.times_s, times_s, labels, similar, deltas, method=method, time_scale_s=time_scale_s)
    if "process" in methods:
        found["process"] = _by_process(world, clip, rows, np.flatnonzero(np.isnan(times_s)))
    return {method: found[method] for method in methods}


def _by_process(world: World, clip: Clip, rows: np.ndarray, foreign: np.ndarray) -> np.ndarray:
    """Labels (n, 2) of a clip by the process, from rows of it and, at positions `foreign`, of other clips."""
    pool = Pool.of([clip], world.faces, rows[foreign])
    members = np.searchsorted(clip.rows, rows)
    members[foreign] = len(clip) + np.arange(len(foreign))
    model = Model(world.heads.compare, "process", 1.0, world.process)
    read = read_pool(pool, world.embeddings, world.heads, world.process)
    labeller = Labeller(clip, 0, pool, world.embeddings, model, mean=np.zeros(2), read=read)
    return labeller.by_support(Picks(members, "together", np.zeros(len(clip), np.int64))).methods["mtclar"]


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
