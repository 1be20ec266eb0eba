"""Accuracy by group: for whom, and in what view, a model labels less well.

Of people who were made it is known how they were made: the colour of their skin, their age-like shape, how far the head
is turned, what covers the face. Their faces are labelled without any anchor, the hardest case, and scored group by
group with intervals over people. RMSE is what groups are compared by: CCC also depends on how far the truth of a group
spreads.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.bootstrap import block, by_cluster
from mtclar.evaluation.clips import DIMENSIONS, clips_of, pictures_of
from mtclar.settings import EvaluateSettings

if TYPE_CHECKING:
    import pandas as pd

BANDS: dict[str, tuple[float, ...]] = {
    "skin": (0.0, 0.2, 0.4, 0.6, 0.8, 1.0),
    "age": (0.0, 1 / 3, 2 / 3, 1.0),
    "yaw": (0.0, 10.0, 20.0, 30.0, np.inf),
    "face_px": (0.0, 48.0, 96.0, 192.0, np.inf),
}
"""Edges of the bands of each trait in its own units, see `tables.SYNTHESIS`; of yaw the absolute value counts. A value
on an edge belongs to the band above it, but for the last."""

NAMES = {
    "skin": ("darkest", "dark", "medium", "light", "lightest"),
    "age": ("child-like", "grown", "old"),
    "yaw": ("0-10", "10-20", "20-30", "30+"),
    "face_px": ("0-48", "48-96", "96-192", "192+"),
}
"""Names of the bands."""

NAMED = ("covering", "mouth")
"""Traits whose values are groups themselves."""

TRAITS = (*BANDS, *NAMED)

LEAST_FACES, LEAST_PEOPLE = 30, 5
"""What a group must have to be named as the worst: of fewer the error is chance."""


def judge_groups(
    settings: EvaluateSettings, faces: pd.DataFrame, traits: pd.DataFrame, embeddings: Embeddings, heads: Heads
) -> dict[str, Any]:
    """What metrics.json says of groups.

    Args:
        settings: Which split, how many resamples.
        faces: Table of the faces store.
        traits: How each of its faces was made, row by row; with a column for each of `TRAITS`.
        embeddings: Of all labelled faces of the split.
        heads: The trained heads.

    Returns:
        `groups` as `score_groups` gives them and `worst_groups`; nothing where the split has no labelled face.
    """
    parts = [pictures_of(faces, settings.split), *(clip.rows for clip in clips_of(faces, settings.split))]
    rows = np.sort(np.concatenate(parts))
    if not len(rows):
        return {}
    _, valence, arousal = heads.single(embeddings[rows])
    found = score_groups(
        {name: traits[name].to_numpy()[rows] for name in TRAITS},
        faces[list(DIMENSIONS)].to_numpy(np.float64)[rows],
        np.stack([valence, arousal], axis=1).astype(np.float64),
        faces["subject_id"].to_numpy(str)[rows],
        resamples=settings.bootstrap,
        rng=np.random.default_rng(settings.seed),
    )
    return {"groups": found, "worst_groups": worst_groups(found)}


def groups_of(trait: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Which faces belong to each group of a trait.

    Args:
        trait: One of `TRAITS`.
        values: Of the trait, (n,); NaN where not known, which belongs to no group.

    Returns:
        bool (n,) by the group's name; those of bands in their order, though nobody belongs to one.
    """
    if trait in NAMED:
        return {name: values == name for name in sorted({value for value in values if isinstance(value, str)})}
    known = np.abs(np.asarray(values, np.float64))
    edges = BANDS[trait]
    found = {}
    for name, (low, high) in zip(NAMES[trait], pairwise(edges), strict=True):
        found[name] = (known >= low) & ((known <= high) if high == edges[-1] else (known < high))
    return found


def score_groups(
    traits: Mapping[str, np.ndarray],
    truth: np.ndarray,
    labels: np.ndarray,
    people: np.ndarray,
    *,
    resamples: int,
    rng: np.random.Generator,
) -> dict[str, dict[str, Any]]:
    """RMSE and CCC of every group, with 95 % intervals of a bootstrap over people.

    Args:
        traits: Values (n,) of each of `TRAITS`.
        truth: float64 (n, 2), valence and arousal.
        labels: float64 (n, 2), the model's, without an anchor.
        people: (n,), who is seen.
        resamples: Of the bootstrap.
        rng: Where its draws come from.

    Returns:
        `{trait: {group: {"n_faces", "n_people", dimension: block}}}`; a group of nobody has counts alone.
    """
    found: dict[str, dict[str, Any]] = {}
    for trait in TRAITS:
        found[trait] = {}
        for name, mask in groups_of(trait, traits[trait]).items():
            entry: dict[str, Any] = {"n_faces": int(mask.sum()), "n_people": len(np.unique(people[mask]))}
            if mask.any():
                bootstrap = by_cluster(people[mask], resamples, rng)
                for d, dimension in enumerate(DIMENSIONS):
                    draws = bootstrap.regression(truth[mask, d], labels[mask, d])
                    entry[dimension] = block({metric: draws[metric] for metric in ("rmse", "ccc")})
            found[trait][name] = entry
    return found


def worst_groups(groups: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The group with the largest RMSE in each dimension, among those large enough to tell.

    Args:
        groups: As `score_groups` gives them.

    Returns:
        `{dimension: {"trait", "group", "rmse", "n_faces"}}`; a dimension without any such group is left out.
    """
    found = {}
    for dimension in DIMENSIONS:
        able = [
            (entry[dimension]["rmse"], trait, name, entry["n_faces"])
            for trait, entries in groups.items()
            for name, entry in entries.items()
            if entry["n_faces"] >= LEAST_FACES and entry["n_people"] >= LEAST_PEOPLE
        ]
        if able:
            rmse, trait, name, faces = max(able)
            found[dimension] = {"trait": trait, "group": name, "rmse": rmse, "n_faces": faces}
    return found
