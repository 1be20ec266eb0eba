"""Labelling with the champion: a folder of videos and its anchors -> labels.

One task labels the whole folder: a task costs two pods on a cluster, and a video costs less than that.
"""

from typing import Any

from kfp import dsl

from components.label.component import label as label_task
from mtclar.settings import Settings
from pipelines.placing import acts_outside, in_registry, silent


def champion(settings: Settings) -> str:
    """Where the registry holds the model that labels."""
    return f"models:/{settings.register_.model_name}@champion"


def build(settings: Settings) -> Any:
    """The labelling pipeline, whose defaults are `settings`.

    Args:
        settings: All of params.yaml; the sections `label`, `extract` and `register` become parameters.
    """
    params = settings.model_dump(mode="json", by_alias=True)

    @dsl.pipeline(name="mtclar-labelling", description="Labels videos with the champion of the registry.")
    def labelling(
        videos: str,
        anchors: str,
        model: str = champion(settings),
        label: dict = params["label"],
        extract: dict = params["extract"],
        register: dict = params["register"],
    ) -> None:
        shown = dsl.importer(artifact_uri=videos, artifact_class=dsl.Dataset, reimport=False)
        given = dsl.importer(artifact_uri=anchors, artifact_class=dsl.Dataset, reimport=False)
        labelled = label_task(
            videos=shown.output, anchors=given.output, model=model, settings=label, extract=extract, registry=register
        )
        acts_outside(in_registry(labelled))
        silent(labelled)

    return labelling
