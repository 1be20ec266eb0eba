"""The training line: data -> faces -> verdict -> pairs -> checkpoint -> evaluation -> bundle -> challenger -> champion.

The same graph as dvc.yaml's; before it what tells the cache that the data have changed, after it what acts on the
registry, and around it what records how the run ended. A test holds the two together.
"""

from collections.abc import Mapping
from typing import Any

from kfp import dsl

from components.crop.component import crop as crop_task
from components.evaluate.component import evaluate as evaluate_task
from components.export.component import export as export_task
from components.list_data.component import list_data as list_task
from components.pair.component import pair as pair_task
from components.promote.component import promote as promote_task
from components.record.component import record as record_task
from components.register.component import register as register_task
from components.train.component import train as train_task
from components.validate.component import validate as validate_task
from mtclar.settings import Settings
from pipelines.placing import facts, placed, workspace

NAME = "mtclar-training"


def build(settings: Settings, *, environment: Mapping[str, str] | None = None) -> Any:
    """The training pipeline, whose defaults are `settings`.

    Args:
        settings: All of params.yaml; each section becomes a parameter of that name, but for `pipeline`, by which the
            tasks are placed: so many GPUs for train and one for evaluate.
        environment: For a run on this machine, variables of its tasks; None for one on a cluster.
    """
    params = settings.model_dump(mode="json", by_alias=True)
    gpus = settings.pipeline.gpus

    @dsl.pipeline(
        name=NAME,
        description="Trains MT-CLAR and promotes it if it passes the gate.",
        pipeline_config=workspace(settings),
    )
    def training(
        data: str,
        crop: dict = params["crop"],
        validate: dict = params["validate"],
        pair: dict = params["pair"],
        train: dict = params["train"],
        evaluate: dict = params["evaluate"],
        export: dict = params["export"],
        register: dict = params["register"],
        promote: dict = params["promote"],
        submission: dict = facts(settings),
    ) -> None:
        recorded = record_task(pipeline=NAME, data=data, submission=submission, registry=register)
        with dsl.ExitHandler(recorded):
            listed = list_task(data=data)
            cropped = crop_task(data=data, listing=listed.output, settings=crop)
            faces = cropped.outputs["faces"]
            validated = validate_task(faces=faces, settings=validate)
            paired = pair_task(faces=faces, verdict=validated.outputs["verdict"], settings=pair)
            pairs = paired.outputs["pairs"]
            state = f"{dsl.WORKSPACE_PATH_PLACEHOLDER}/train"
            trained = train_task(
                faces=faces, pairs=pairs, settings=train, registry=register, state=state, processes=max(1, gpus)
            )
            checkpoint = trained.outputs["checkpoint"]
            judged = evaluate_task(faces=faces, pairs=pairs, checkpoint=checkpoint, settings=evaluate)
            evaluation = judged.outputs["evaluation"]
            exported = export_task(faces=faces, checkpoint=checkpoint, evaluation=evaluation, settings=export)
            registered = register_task(bundle=exported.outputs["bundle"], evaluation=evaluation, settings=register)
            promoted = promote_task(
                faces=faces,
                pairs=pairs,
                version=registered.output,
                settings=promote,
                evaluate=evaluate,
                registry=register,
            )
        placed(settings, trained, environment=environment, gpus=gpus)
        placed(settings, judged, environment=environment, gpus=min(1, gpus))
        others = (recorded, listed, cropped, validated, paired, exported, registered, promoted)
        placed(settings, *others, environment=environment)

    return training
