"""Kubeflow component of `mtclar validate`: faces store -> verdict."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def validate(
    faces: dsl.Input[dsl.Dataset],
    verdict: dsl.Output[dsl.Artifact],
    settings: dict,
):
    """Checks faces and labels; fails if an expectation is broken."""
    from pathlib import Path

    from components.door import Logged, opened, told
    from mtclar.steps import validate as step

    section = opened("validate", settings)
    told(step.run(section, faces=Path(faces.path), out=Path(verdict.path), progress=Logged()))
