"""Study 5: how much is lost on pictures unlike those that were learned from, and how much one anchor takes back.

The test clips are darkened, lit from one side, blurred, made coarse, or thinned out in time, and a second set of clips
is drawn by the other artist. Anchor and frames are changed alike, as they would be in such a video.

    python -m studies.shift
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import typer

from mtclar.data.store import FacesStore
from mtclar.data.tables import SPLITS
from mtclar.evaluation.bootstrap import Draws
from mtclar.evaluation.clips import DIMENSIONS, Clip, clips_of
from mtclar.model.predictor import TorchPredictor
from mtclar.steps.embed import embed_rows
from studies.figures import ccc_by_row
from studies.files import markdown, write_results
from studies.judging import judge_labels, label_from, other_frames
from studies.plan import BASE, OUT, read_plan
from studies.statistics import differences, measured
from studies.train import folder_of
from studies.world import World, load_world

NONE, DRAWN = "as learned from", "another artist"
STRIDE = 20
"""Frames between recurring anchors, at the full frame rate."""
METRICS = ("valence_ccc", "arousal_ccc", "valence_rmse", "arousal_rmse")

Change = Callable[[np.ndarray], np.ndarray]
"""Crops uint8 RGB (n, s, s, 3) to changed ones."""
Scores = Mapping[tuple[str, str], Sequence[Mapping[str, Draws]]]
"""By condition and mode: the metrics of `judge_labels` for every seed."""


def gamma(power: float, gain: float = 1.0) -> Change:
    """Brightness x in [0, 1] becomes gain x ** power."""
    table = np.clip(np.rint(255 * gain * (np.arange(256) / 255) ** power), 0, 255).astype(np.uint8)
    return lambda crops: table[crops]


def side_light(darkest: float) -> Change:
    """Light from the left that falls to a share `darkest` of itself on the right."""

    def change(crops: np.ndarray) -> np.ndarray:
        fall = np.linspace(1.0, darkest, crops.shape[2])[None, None, :, None]
        return np.rint(crops * fall).astype(np.uint8)

    return change


def blur(share: float) -> Change:
    """A Gaussian blur whose standard deviation is a share of the crop's side."""
    return lambda crops: np.stack([cv2.GaussianBlur(crop, (0, 0), share * len(crop)) for crop in crops])


def coarse(side: int) -> Change:
    """Pictures as a face of `side` pixels would give them."""

    def change(crops: np.ndarray) -> np.ndarray:
        size = crops.shape[1:3]
        small = (cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA) for crop in crops)
        return np.stack([cv2.resize(crop, size[::-1], interpolation=cv2.INTER_LINEAR) for crop in small])

    return change


CHANGES: dict[str, Change] = {
    "darkened to a third": gamma(1.0, 1 / 3),
    "gamma 2.2": gamma(2.2),
    "gamma 0.45": gamma(0.45),
    "light from one side": side_light(0.1),
    "blurred": blur(0.02),
    "coarse, 32 pixels": coarse(32),
}
RATES = {"every 2nd frame": 2, "every 5th frame": 5}


def changed(world: World, checkpoint: Path, store: FacesStore, change: Change) -> World:
    """The same clips, their pictures changed."""
    rows = np.unique(np.concatenate([clip.rows for clip in world.clips]))
    return replace(world, embeddings=embed_rows(store, rows, TorchPredictor.from_checkpoint(checkpoint), change=change))


def thinned(world: World, step: int) -> World:
    """The same clips with every `step`-th frame alone."""
    return replace(world, clips=[thin(clip, step) for clip in world.clips])


def thin(clip: Clip, step: int) -> Clip:
    """Every `step`-th frame of a clip, from the first on."""
    return replace(clip, rows=clip.rows[::step], times_s=clip.times_s[::step], truth=clip.truth[::step])


def drawn(world: World, checkpoint: Path) -> World:
    """Clips by the other artist, all people of them: nobody there was learned from."""
    store = FacesStore(OUT / "drawn" / "faces")
    clips = [clip for split in SPLITS for clip in clips_of(store.table, split)]
    rows = np.unique(np.concatenate([clip.rows for clip in clips]))
    known = embed_rows(store, rows, TorchPredictor.from_checkpoint(checkpoint))
    return replace(world, faces=store.table, clips=clips, embeddings=known)


def modes(world: World, clip: Clip, stride: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Labels (n, 2) and the frames to judge (n,) of a clip: without an anchor, from one, copied, and from recurring
    ones."""
    first, recurring = np.zeros(1, int), np.arange(0, len(clip), stride)

    def say(positions: np.ndarray) -> np.ndarray:
        return label_from(world, clip, clip.rows[positions], ("latest",), time_scale_s=1.0)["latest"]

    return {
        "zero-shot": (world.levels_of(clip.rows), other_frames(clip, first)),
        "one anchor": (say(first), other_frames(clip, first)),
        "one anchor, copied": (np.tile(clip.truth[0], (len(clip), 1)), other_frames(clip, first)),
        "recurring anchors": (say(recurring), other_frames(clip, recurring)),
    }


def score_world(world: World, *, stride: int, resamples: int, bootstrap_seed: int) -> dict[str, dict[str, Draws]]:
    """Every mode of one trained model on one set of clips; clips of a single frame are left out."""
    clips = [clip for clip in world.clips if len(clip) > 1]
    each = [modes(world, clip, stride) for clip in clips]
    return {
        mode: judge_labels(
            clips,
            [item[mode][0] for item in each],
            [item[mode][1] for item in each],
            resamples,
            np.random.default_rng(bootstrap_seed),
        )
        for mode in (each[0] if each else ())
    }


def table(scores: Scores, rng: np.random.Generator, base: str = NONE) -> pd.DataFrame:
    """A row a condition and mode: each metric with its interval over clips and seeds, and its change from the condition
    `base`, paired by clip and seed (for other clips by seed alone)."""
    rows = []
    for (condition, mode), seeds in scores.items():
        row: dict[str, object] = {"condition": condition, "mode": mode}
        for metric in METRICS:
            ours = [seed[metric] for seed in seeds]
            value = measured(ours, rng)
            row |= {metric: value.value, f"{metric}_low": value.both[0], f"{metric}_high": value.both[1]}
            if condition != base:
                drop = differences(ours, [seed[metric] for seed in scores[base, mode]], rng)
                row |= {f"{metric}_change": drop.value}
                row |= {f"{metric}_change_low": drop.both[0], f"{metric}_change_high": drop.both[1]}
        rows.append(row)
    return pd.DataFrame(rows)


def short_table(found: pd.DataFrame, base: str = NONE) -> pd.DataFrame:
    """For reading: CCC and its change with its interval."""
    rows = []
    for item in found.to_dict("records"):
        row = {"condition": item["condition"], "mode": item["mode"]}
        for dimension in DIMENSIONS:
            metric = f"{dimension}_ccc"
            row[f"{dimension} CCC"] = f"{item[metric]:.3f}"
            numbers = [item[f"{metric}_change{end}"] for end in ("", "_low", "_high")]
            known = (
                "{:+.3f} [{:+.3f}, {:+.3f}]" if np.isfinite(numbers).all() else "{:+.3f}"
            )  # one clip has no interval
            said = known.format(*numbers) if item["condition"] != base else ""
            row[f"{dimension}, change"] = said
        rows.append(row)
    return pd.DataFrame(rows)


def main() -> None:
    """Judges the trained models and writes studies/results/shift."""
    plan = read_plan()
    scores: dict[tuple[str, str], list[dict[str, Draws]]] = defaultdict(list)
    store = FacesStore(OUT / "faces")
    for seed in range(1, plan.variant(BASE).seeds + 1):
        world, checkpoint = load_world(BASE, seed), folder_of(BASE, seed)
        worlds = {NONE: (world, STRIDE)}
        worlds |= {name: (changed(world, checkpoint, store, change), STRIDE) for name, change in CHANGES.items()}
        worlds |= {name: (thinned(world, step), STRIDE // step) for name, step in RATES.items()}
        worlds[DRAWN] = drawn(world, checkpoint), STRIDE
        for condition, (shifted, stride) in worlds.items():
            # Other clips are other chance: their resamples must not go with those of the clips they are held against.
            bootstrap_seed = plan.seed + (condition == DRAWN)
            found = score_world(shifted, stride=stride, resamples=plan.resamples, bootstrap_seed=bootstrap_seed)
            for mode, metrics in found.items():
                scores[condition, mode].append(metrics)
        typer.echo(f"seed {seed}: {len(worlds)} conditions")
    full = table(scores, np.random.default_rng(plan.seed))
    write_results(
        "shift", {"table": full, "short": short_table(full)}, {"figure": ccc_by_row(full, "condition", "mode")}
    )
    typer.echo(markdown(short_table(full)))


if __name__ == "__main__":
    typer.run(main)
