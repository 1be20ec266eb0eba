"""The trainings of the studies: every variant of studies/params.yaml with each of its seeds.

    python -m studies.train full            # one variant
    python -m studies.train --jobs 2        # all of them, two at a time

A training that is finished is not repeated, and one that was killed goes on where it was. Each leaves a checkpoint
and the embeddings of the faces that the studies ask about under studies/out/models/<variant>/seed-<k>.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Annotated

import typer

from studies.plan import OUT, Plan, read_plan

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def folder_of(variant: str, seed: int) -> Path:
    """Where a training stands; seeds count from 1."""
    return OUT / "models" / variant / f"seed-{seed}"


def draw_pairs(plan: Plan, variant: str) -> Path:
    """Draws a variant's pairs; every seed of it learns from the same ones."""
    from mtclar.steps import pair

    out = OUT / "models" / variant / "pairs"
    pair.run(plan.settings(variant).pair, faces=OUT / "faces", verdict=OUT / "validate", out=out)
    return out


def train_one(plan: Plan, variant: str, seed: int) -> float:
    """Trains one variant with one seed and embeds the faces; returns the seconds it took."""
    import cv2

    from mtclar.steps import train
    from studies.world import embed_faces

    began = time.monotonic()
    cv2.setNumThreads(1)
    settings = plan.settings(variant).train.model_copy(update={"seed": seed, "threads": 1})
    out = folder_of(variant, seed)
    train.run(settings, faces=OUT / "faces", pairs=out.parent / "pairs", out=out)
    embed_faces(OUT / "faces", out)
    return time.monotonic() - began


def train_all(plan: Plan, names: list[str], jobs: int) -> None:
    """Trains variants with all their seeds, `jobs` at a time, and says when each is done."""
    for name in names:
        draw_pairs(plan, name)
    os.environ.update(dict.fromkeys(THREADS, "1"))  # before the processes that load torch begin
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        waiting = {
            pool.submit(train_one, plan, name, seed): f"{name}, seed {seed}"
            for name in names
            for seed in range(1, plan.variant(name).seeds + 1)
        }
        for done, future in enumerate(as_completed(waiting), 1):
            typer.echo(f"{done} of {len(waiting)}: {waiting[future]} in {future.result():.0f} s")


def main(
    variants: Annotated[list[str] | None, typer.Argument(help="Names in studies/params.yaml; all if none.")] = None,
    jobs: Annotated[int | None, typer.Option(help="Trainings at a time; default: that of studies/params.yaml.")] = None,
) -> None:
    """Trains the variants of studies/params.yaml."""
    plan = read_plan()
    train_all(plan, variants or list(plan.variants), jobs or plan.jobs)


if __name__ == "__main__":
    typer.run(main)
