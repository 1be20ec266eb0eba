"""The training line: data -> faces -> verdict -> pairs -> checkpoint -> evaluation -> bundle -> challenger -> champion.

The same graph as dvc.yaml's, and after it what acts on the registry; a test holds the two together.
"""

from typing import Any

from kfp import dsl

from components.crop.component import crop as crop_task
from components.evaluate.component import evaluate as evaluate_task
from components.export.component import export as export_task
from components.pair.component import pair as pair_task
from components.promote.component import promote as promote_task
from components.register.component import register as register_task
from components.train.component import train as train_task
from components.validate.component import validate as validate_task
from mtclar.settings import Settings
from pipelines.placing import acts_outside, in_registry, on_gpu, silent


def build(settings: Settings, *, gpus: int = 0) -> Any:
    """The training pipeline, whose defaults are `settings`.

    Args:
        settings: All of params.yaml; each section becomes a parameter of that name.
        gpus: GPUs for train and evaluate.
    """
    params = settings.model_dump(mode="json", by_alias=True)

    @dsl.pipeline(name="mtclar-training", description="Trains MT-CLAR and promotes it if it passes the gate.")
    def training(
        data: str,
        data_rev: str = "unknown",
        git_sha: str = "unknown",
        crop: dict = params["crop"],
        validate: dict = params["validate"],
        pair: dict = params["pair"],
        train: dict = params["train"],
        evaluate: dict = params["evaluate"],
        export: dict = params["export"],
        register: dict = params["register"],
        promote: dict = params["promote"],
    ) -> None:
        revisions: dict[str, Any] = {"data_rev": data_rev, "git_sha": git_sha}
        source = dsl.importer(artifact_uri=data, artifact_class=dsl.Dataset, reimport=False)
        cropped = crop_task(data=source.output, settings=crop, **revisions)
        faces = cropped.outputs["faces"]
        validated = validate_task(faces=faces, settings=validate)
        paired = pair_task(faces=faces, verdict=validated.outputs["verdict"], settings=pair)
        pairs = paired.outputs["pairs"]
        trained = train_task(faces=faces, pairs=pairs, settings=train, registry=register, **revisions)
        checkpoint = on_gpu(in_registry(trained), gpus).outputs["checkpoint"]
        judged = evaluate_task(faces=faces, pairs=pairs, checkpoint=checkpoint, settings=evaluate, **revisions)
        evaluation = on_gpu(judged, gpus).outputs["evaluation"]
        exported = export_task(faces=faces, checkpoint=checkpoint, evaluation=evaluation, settings=export, **revisions)
        registered = register_task(bundle=exported.outputs["bundle"], evaluation=evaluation, settings=register)
        acts_outside(in_registry(registered))
        promoted = promote_task(
            faces=faces,
            pairs=pairs,
            version=registered.output,
            settings=promote,
            evaluate=evaluate,
            registry=register,
        )
        acts_outside(in_registry(promoted))
        silent(cropped, validated, paired, trained, judged, exported, registered, promoted)

    return training
