"""Labelling with the champion: videos and anchors -> a list -> labels of each shard -> labels of all, and a report.

A shard is a task, so that several pods label at the same time; the list settles what names, anchors and model mean.
"""

from collections.abc import Mapping
from typing import Any

from kfp import dsl

from components.label.component import label as label_task
from components.list_videos.component import list_videos as list_task
from components.merge.component import merge as merge_task
from components.record.component import record as record_task
from mtclar.settings import Settings
from pipelines.placing import facts, placed

NAME = "mtclar-labelling"


def champion(settings: Settings) -> str:
    """Where the registry holds the model that labels."""
    return f"models:/{settings.register_.model_name}@champion"


def build(settings: Settings, *, environment: Mapping[str, str] | None = None) -> Any:
    """The labelling pipeline, whose defaults are `settings`.

    Args:
        settings: All of params.yaml; the sections `label`, `extract` and `register` become parameters, and `pipeline`
            says how many shards there are at most and what their tasks get.
        environment: For a run on this machine, variables of its tasks; None for one on a cluster.
    """
    params = settings.model_dump(mode="json", by_alias=True)
    shards = settings.pipeline.shards

    @dsl.pipeline(name=NAME, description="Labels videos with the champion of the registry.")
    def labelling(
        videos: str,
        anchors: str,
        out: str = "",
        model: str = champion(settings),
        label: dict = params["label"],
        extract: dict = params["extract"],
        register: dict = params["register"],
        submission: dict = facts(settings),
    ) -> None:
        recorded = record_task(pipeline=NAME, data=videos, submission=submission, registry=register)
        with dsl.ExitHandler(recorded):
            listed = list_task(videos=videos, anchors=anchors, model=model, shards=shards, registry=register)
            listing = listed.outputs["listing"]
            with dsl.ParallelFor(listed.outputs["Output"], parallelism=shards) as shard:
                labelled = label_task(listing=listing, shard=shard, settings=label, extract=extract, registry=register)
            parts = dsl.Collected(labelled.outputs["labels"])
            merged = merge_task(listing=listing, shards=parts, out=out, registry=register)
        placed(settings, recorded, listed, labelled, merged, environment=environment)

    return labelling
