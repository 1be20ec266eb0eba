"""Study 6: what in the making of people who do not exist carries to real faces?

Each condition of studies/carry.yaml lacks one thing that the faces vary in, and learns from as many faces of the same
store. All are judged on the same rendered people, who vary in everything, and on rated clips of real people: those of
$MTCLAR_REAL, else of ../shared/real, where there are any.

    python -m studies.carry                              # all conditions, two trainings at a time
    python -m studies.carry --only light --only camera   # these, and the one with everything

What is finished is not done again, and a training that was killed goes on. The tables hold what is there.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from mtclar.data.store import FacesStore
from mtclar.data.tables import PAIRS
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.evaluation.bootstrap import Draws
from mtclar.evaluation.clips import clips_of
from mtclar.model.predictor import TorchPredictor
from mtclar.steps import pair, train, validate
from mtclar.steps.embed import embed_rows
from studies.carry_faces import HERE, condition_store, digest_of, real_folder, real_store
from studies.carry_plan import CONTROL, CarryPlan, read_plan
from studies.figures import ccc_by_row
from studies.files import markdown, write_results
from studies.judging import judge_labels, label_from, other_frames
from studies.shift import short_table, table
from studies.train import THREADS
from studies.world import World

JUDGED = "judged.npz"
ON = {"people": "rendered", "real": "real"}
"""Whom a model is judged on, and what that is called."""

Modes = Mapping[str, Mapping[str, Draws]]
"""By mode: the metrics of `judge_labels`."""


def judge(world: World, on: str, resamples: int, seed: int) -> dict[str, dict[str, Draws]]:
    """Every clip without an anchor and from its first frame, judged on all others; clips of one frame left out."""
    clips = [clip for clip in world.clips if len(clip) > 1]
    first = np.zeros(1, int)
    masks = [other_frames(clip, first) for clip in clips]
    said = {
        f"{on}, zero-shot": [world.levels_of(clip.rows) for clip in clips],
        f"{on}, one anchor": [
            label_from(world, clip, clip.rows[first], ("mean",), time_scale_s=1.0)["mean"] for clip in clips
        ],
    }
    return {
        mode: judge_labels(clips, labels, masks, resamples, np.random.default_rng(seed))
        for mode, labels in said.items()
    }


def seen_by(checkpoint: Path, store: FacesStore) -> World:
    """A trained model and the test clips of a store."""
    predictor, clips = TorchPredictor.from_checkpoint(checkpoint), clips_of(store.table, "test")
    if not clips:
        raise MtclarError(f"{store.folder}: there are no labelled test clips to judge a model on.")
    rows = np.unique(np.concatenate([clip.rows for clip in clips]))
    return World(
        faces=store.table,
        pairs=pd.DataFrame(columns=PAIRS.names),
        embeddings=embed_rows(store, rows, predictor),
        heads=predictor,
        clips=clips,
    )


def run_one(plan: CarryPlan, name: str, seed: int, stores: Mapping[str, Path], verdict: Path) -> float:
    """Trains one condition with one seed and judges it on every store; returns the seconds it took."""
    import cv2

    began = time.monotonic()
    cv2.setNumThreads(1)
    here = HERE / name
    settings = plan.settings(name)
    faces = condition_store(plan, name, FacesStore(plan.faces))
    pairs = here / f"pairs-{seed}"
    pair.run(settings.pair.model_copy(update={"seed": seed}), faces=faces, verdict=verdict, out=pairs)
    out = here / f"seed-{seed}"
    train.run(settings.train.model_copy(update={"seed": seed}), faces=faces, pairs=pairs, out=out)
    found: dict[str, dict[str, Draws]] = {}
    for on, folder in stores.items():
        found |= judge(seen_by(out, FacesStore(folder)), ON[on], plan.resamples, plan.seed)
    with whole_file(out / JUDGED) as unfinished, unfinished.open("wb") as file:
        arrays: dict[str, Any] = {
            f"{mode}|{metric}": np.append(draws.value, draws.resampled)
            for mode, metrics in found.items()
            for metric, draws in metrics.items()
        }
        np.savez(file, made_of=np.array(made_of(plan, name, seed, stores)), **arrays)
    return time.monotonic() - began


def made_of(plan: CarryPlan, name: str, seed: int, stores: Mapping[str, Path]) -> str:
    """Changes with whatever changes the numbers of a training."""
    about = [plan.settings(name).model_dump_json(), plan.condition(name).model_dump_json(), str(seed)]
    about += [str(plan.size), str(plan.held_out), str(plan.resamples), str(plan.seed), digest_of(plan.faces)]
    about += [f"{on}: {digest_of(folder)}" for on, folder in stores.items()]
    return hashlib.sha256("\n".join(about).encode()).hexdigest()


def read_judged(plan: CarryPlan, name: str, seed: int, stores: Mapping[str, Path]) -> Modes | None:
    """What `run_one` found; None where it has not run, or under other settings."""
    path = HERE / name / f"seed-{seed}" / JUDGED
    if not path.is_file():
        return None
    found: dict[str, dict[str, Draws]] = {}
    with np.load(path) as saved:
        if str(saved["made_of"]) != made_of(plan, name, seed, stores):
            return None
        for key in saved.files:
            mode, _, metric = key.partition("|")
            if metric:
                found.setdefault(mode, {})[metric] = Draws(float(saved[key][0]), saved[key][1:])
    return found


def judge_stores(plan: CarryPlan) -> tuple[dict[str, Path], Path]:
    """The stores whose test clips models are judged on, and the verdict on the one that they learn from.

    Raises:
        MtclarError: A store or the real clips cannot be read, or the store does not pass validation.
    """
    store, settings = FacesStore(plan.faces), plan.settings(CONTROL)
    verdict = HERE / f"validate-{digest_of(plan.faces)}"
    if not (verdict / validate.VERDICT).is_file():
        validate.run(settings.validate_, faces=plan.faces, out=verdict)
    clips = real_folder()
    stores = {"people": plan.faces}
    return stores if clips is None else stores | {"real": real_store(clips, store, settings.extract)}, verdict


def run_all(plan: CarryPlan, names: list[str], jobs: int) -> dict[str, Path]:
    """Runs what of some conditions is not there yet, `jobs` trainings at a time; returns the stores judged on."""
    stores, verdict = judge_stores(plan)
    each = [(name, seed) for name in names for seed in range(1, plan.seeds + 1)]
    waiting = [one for one in each if read_judged(plan, *one, stores) is None]
    os.environ.update(dict.fromkeys(THREADS, "1"))  # before the processes that load torch begin
    for name in dict.fromkeys(name for name, _ in waiting):
        condition_store(plan, name, FacesStore(plan.faces))
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(run_one, plan, *one, stores, verdict): one for one in waiting}
        for done, future in enumerate(as_completed(futures), 1):
            name, seed = futures[future]
            typer.echo(f"{done} of {len(waiting)}: {name}, seed {seed} in {future.result():.0f} s")
    return stores


def gather(plan: CarryPlan, stores: Mapping[str, Path]) -> dict[tuple[str, str], list[Mapping[str, Draws]]]:
    """The scores of all conditions that are finished with all seeds, by what they say and mode."""
    scores: dict[tuple[str, str], list[Mapping[str, Draws]]] = {}
    for name, condition in plan.conditions.items():
        found = [read_judged(plan, name, seed, stores) for seed in range(1, plan.seeds + 1)]
        for modes in found if None not in found else []:
            for mode, metrics in (modes or {}).items():
                scores.setdefault((condition.says, mode), []).append(metrics)
    return scores


def main(
    only: Annotated[list[str] | None, typer.Option(help="Names in studies/carry.yaml; all if none.")] = None,
    faces: Annotated[Path | None, typer.Option(help="The store; default: that of studies/carry.yaml.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Trainings at a time; default: that of studies/carry.yaml.")] = None,
) -> None:
    """Trains and judges the conditions of studies/carry.yaml and writes studies/results/carry."""
    plan = read_plan()
    plan = plan if faces is None else plan.model_copy(update={"faces": faces})
    names = [name for name in plan.conditions if name == CONTROL or not only or name in only]
    for name in only or []:
        plan.condition(name)
    stores = run_all(plan, names, jobs or plan.jobs)
    base = plan.condition(CONTROL).says
    full = table(gather(plan, stores), np.random.default_rng(plan.seed), base)
    short = short_table(full, base)
    write_results("carry", {"table": full, "short": short}, {"figure": ccc_by_row(full, "condition", "mode")})
    typer.echo(markdown(short))


if __name__ == "__main__":
    typer.run(main)
