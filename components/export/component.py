"""Kubeflow component of `mtclar export`: checkpoint -> bundle."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def export(
    faces: dsl.Input[dsl.Dataset],
    checkpoint: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    bundle: dsl.Output[dsl.Model],
    settings: dict,
    data_rev: str,
    git_sha: str,
):
    """Writes the bundle; fails if ONNX Runtime and torch disagree."""
    from pathlib import Path

    from components.door import Logged, opened, told
    from mtclar.steps import export as step

    section = opened("export", settings, data_rev=data_rev, git_sha=git_sha)
    files = {"faces": Path(faces.path), "checkpoint": Path(checkpoint.path), "evaluation": Path(evaluation.path)}
    told(step.run(section, **files, out=Path(bundle.path), progress=Logged()))
