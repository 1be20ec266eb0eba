"""Small worlds of made-up faces for the studies: whoever is looked at shifts what the model sees by a constant."""

from __future__ import annotations

import numpy as np

from mtclar.evaluation.answers import Embeddings
from mtclar.evaluation.clips import clips_of
from studies.world import World
from tests.toy_world import toy_world


class Biased:
    """Sees labels through what each person adds to them (column 3), and a share `skill` of whether faces are alike."""

    def __init__(self, skill: float, seed: int = 0) -> None:
        self.skill, self.seed = skill, seed

    def compare(self, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        alike = (left[:, 2] == right[:, 2]).astype(float)
        seen = np.random.default_rng([self.seed, len(left)]).random(len(left)) < self.skill
        delta = (left - right)[:, :2] + (left - right)[:, 3:4]
        return np.where(seen, alike, 1 - alike), delta[:, 0], delta[:, 1]

    def single(self, embedding: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        seen = embedding[:, :2] + embedding[:, 3:4]
        return np.full((len(embedding), 8), 1 / 8), seen[:, 0], seen[:, 1]


def study_world(skill: float = 0.8, seed: int = 0, bias: float = 0.2) -> World:
    """Ten test people with a clip each, training people with pictures, and test pairs."""
    faces, pairs = toy_world(0, clips=10)
    people = faces["subject_id"].to_numpy(str)
    names, who = np.unique(people, return_inverse=True)
    added = np.random.default_rng(5).normal(0, bias, len(names))[who]
    codes = faces["expression"].astype("category").cat.codes
    values = np.stack([faces["valence"], faces["arousal"], codes, added], axis=1).astype(np.float64)
    return World(
        faces=faces,
        pairs=pairs[pairs["split"] == "test"].reset_index(drop=True),
        embeddings=Embeddings(np.arange(len(faces)), values),
        heads=Biased(skill, seed),
        clips=clips_of(faces, "test"),
    )
