"""Kubeflow component of `mtclar crop`: data -> faces store."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def crop(
    data: dsl.Input[dsl.Dataset],
    faces: dsl.Output[dsl.Dataset],
    settings: dict,
    data_rev: str,
    git_sha: str,
):
    """Cuts the faces out of a data set."""
    from pathlib import Path

    from components.door import Logged, opened, told
    from mtclar.steps import crop as step

    section = opened("crop", settings, data_rev=data_rev, git_sha=git_sha)
    told(step.run(section, data=Path(data.path), out=Path(faces.path), progress=Logged()))
