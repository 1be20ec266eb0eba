"""The metrics of one trained model that studies compare, each with its resamples.

Every call with the same generator state draws the same resamples, so that two models judged on the same people are
compared pair by pair: give each a fresh `np.random.default_rng(seed)`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtclar.evaluation.bootstrap import Bootstrap, Draws, by_cluster, pigeonhole
from mtclar.evaluation.clips import DIMENSIONS, Clip
from mtclar.labelling import compare_all
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


def from_first(world: World, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """A clip labelled from its first frame alone (n, 2), and the frames to judge (n,): all others."""
    own = world.embeddings[clip.rows]
    _, deltas = compare_all(own, own[:1], world.heads.compare)
    mask = np.ones(len(clip), bool)
    mask[0] = False
    return np.clip(clip.truth[:1] + deltas[:, 0], -1, 1), mask


def judge_few_shot(world: World, resamples: int, rng: np.random.Generator) -> dict[str, Draws]:
    """`judge_labels` of the test clips, each from its first frame; empty for a model without the two heads."""
    done = [from_first(world, clip) for clip in world.clips]
    if not done or not all(np.isfinite(labels).all() for labels, _ in done):
        return {}
    labels, masks = zip(*done, strict=True)
    return {f"few_shot_{name}": draw for name, draw in judge_labels(world.clips, labels, masks, resamples, rng).items()}
