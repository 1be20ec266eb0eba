"""Kubeflow component of `mtclar pair`: faces store -> pairs."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def pair(
    faces: dsl.Input[dsl.Dataset],
    verdict: dsl.Input[dsl.Artifact],
    pairs: dsl.Output[dsl.Dataset],
    settings: dict,
):
    """Draws class-balanced pairs of faces."""
    from pathlib import Path

    from components.door import opened, told
    from mtclar.steps import pair as step

    section = opened("pair", settings)
    told(step.run(section, faces=Path(faces.path), verdict=Path(verdict.path), out=Path(pairs.path)))
