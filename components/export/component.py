"""Kubeflow component of `mtclar export`: checkpoint -> bundle."""

from kfp import dsl

from components.image import GPU_IMAGE


@dsl.component(base_image=GPU_IMAGE, install_kfp_package=False)
def export(
    faces: dsl.Input[dsl.Dataset],
    checkpoint: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    bundle: dsl.Output[dsl.Model],
    settings: dict,
):
    """Writes the bundle; fails if ONNX Runtime and torch disagree."""
    from pathlib import Path

    from components.door import Logged, opened, stamp, told
    from mtclar.steps import export as step

    files = {"faces": Path(faces.path), "checkpoint": Path(checkpoint.path), "evaluation": Path(evaluation.path)}
    told(step.run(opened("export", settings), **files, out=Path(bundle.path), progress=Logged()))
    stamp(bundle, Path(bundle.path))
