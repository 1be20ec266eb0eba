"""Fits what each defect counts in mtclar/faces/quality.py: `python -m tools.face_quality --model FOLDER`.

Draws pictures of the validation people of recipes/shipped.yaml, which the shipped model has not learned from, spoils a
copy of each in every way of `mtclar.faces.spoil`, and asks the model's supervised head. What is fitted: two normal
errors (valence, arousal) around the truth whose variance is the exponential of a sum of defects, none of which may make
it smaller. Prints the weights in halvings, and how well they order the errors of test people.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import spearmanr

from mtclar.faces import Face, box_from_landmarks, cut, open_detector, overlap
from mtclar.faces.mesh import MeshModel
from mtclar.faces.quality import FACE_SHARE, FRONTAL, LARGE, LEAST_PRESENCE, SHARP, look, sharpness
from mtclar.faces.spoil import KINDS, SIDES, spoil_one
from mtclar.serving import Bundle
from mtclar.settings import load_settings, recipe
from mtclar.synthesis.artists.facemodel import find_face_model
from mtclar.synthesis.bulk_plan import bulk_jobs
from mtclar.synthesis.shots import shots

Array = NDArray[np.float64]
NAMES = ("presence, a halving", "turned, 30 degrees", "blur, a halving", "size, a halving", "light, a halving")
LIGHT = 60.0
"""Mean luminance, 0..255, below which a face might count as dark."""
HALVINGS = 3.0
"""What a face that the mesh does not see at all counts."""


def main() -> None:
    """Draws, asks, fits and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("mtclar/shipped/default"), help="a bundle")
    bundle = Bundle.load(parser.parse_args().model)
    terms, error, _ = asked(bundle, "validation")
    weights = fit(terms, error**2)
    scale = HALVINGS / (weights[0] * np.log2(1 / LEAST_PRESENCE))
    for name, weight in zip(NAMES, weights, strict=True):
        print(f"{name}: {scale * weight:.2f} halvings")
    print(f"the squared error goes with quality to the power of {-1 / scale:.2f}")
    terms, error, size = asked(bundle, "test")
    other = error - np.polyval(np.polyfit(size, error, 2), size)
    for name, values in (("error", error), ("error less that of its strength", other)):
        rho = spearmanr(-terms @ weights, -values)[0]
        print(f"rank correlation of quality with smallness of {name}: {rho:.3f}")


def asked(bundle: Bundle, split: str) -> tuple[Array, Array, Array]:
    """Defects (n, 5), errors (n,) and strengths of the expressions (n,) of pictures and their spoilt copies."""
    crops, sides, truth = drawn(bundle, split)
    seen, smaller, rng = [crops], [sides], np.random.default_rng(1)
    for kind in KINDS:
        strength, place = rng.uniform(size=len(crops)), rng.uniform(size=(len(crops), 2))
        seen.append(np.stack([spoil_one(c, kind, s, p, 1.0) for c, s, p in zip(crops, strength, place, strict=True)]))
        smaller.append(SIDES[0] * (SIDES[1] / SIDES[0]) ** strength if kind == "small" else sides)
    truth = np.tile(truth, (len(seen), 1))
    crops, sides = np.concatenate(seen), np.concatenate(smaller)
    _, valence, arousal = bundle.single(bundle.embed(crops))
    error = np.hypot(valence - truth[:, 0], arousal - truth[:, 1]).astype(float)
    return defects(crops, sides, *look(crops, MeshModel())), error, np.hypot(*truth.T)


def drawn(bundle: Bundle, split: str) -> tuple[NDArray[np.uint8], Array, Array]:
    """Crops as a detector cuts them, sides of their boxes, valence and arousal."""
    s, model, detector = load_settings(recipe("shipped")).synthesize, find_face_model(None), open_detector()
    crops, sides, truth = [], [], []
    jobs = [job for job in bulk_jobs(s) if job.kind == "stills" and job.split == split]
    for job in jobs:
        for shot in shots(job, s, model, pictures=job.count):
            assert shot.picture is not None
            known: Face = box_from_landmarks(shot.landmarks)
            face = max(detector.detect(shot.picture), key=lambda face: overlap(face, known), default=known)
            face = face if overlap(face, known) > 0.2 else known
            crops.append(cut(shot.picture, face.box, bundle.crop_spec))
            sides.append(face.w)
            truth.append(shot.affect)
    return np.stack(crops), np.array(sides), np.array(truth)


def defects(crops: NDArray[np.uint8], sides: Array, pose: Array, presence: Array) -> Array:
    """What might count, (n, 5), in the units of `NAMES`."""
    edge = round(crops.shape[1] * (1 - FACE_SHARE) / 2)
    light = np.array([crop[edge:-edge, edge:-edge].mean() for crop in crops])
    sharp = np.array([sharpness(crop) for crop in crops])
    return np.column_stack(
        [
            np.log2(1 / np.clip(presence, LEAST_PRESENCE, 1)),
            np.maximum(0, np.hypot(pose[:, 0], pose[:, 1]) - FRONTAL) / 30,
            np.maximum(0, np.log2(SHARP / np.maximum(sharp, 0.01))),
            np.maximum(0, np.log2(LARGE / sides)),
            np.maximum(0, np.log2(LIGHT / np.maximum(light, 1))),
        ]
    )


def fit(terms: Array, squared: Array) -> Array:
    """Weights in powers of two of the variance, none negative."""

    def loss(x: Array) -> tuple[float, Array]:
        level = x[0] + terms @ x[1:]
        ratio = squared * np.exp(-level)
        slope = 1 - ratio
        return float((level + ratio).mean()), np.append(slope.mean(), (slope[:, None] * terms).mean(0))

    start = np.append(np.log(squared.mean()), np.full(terms.shape[1], 0.05))
    bounds = [(None, None)] + [(0, None)] * terms.shape[1]
    return minimize(loss, start, jac=True, bounds=bounds).x[1:] / np.log(2)


if __name__ == "__main__":
    main()
