"""Kubeflow component of `mtclar crop`: data -> faces store."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def crop(
    data: str,
    listing: str,
    faces: dsl.Output[dsl.Dataset],
    settings: dict,
):
    """Cuts the faces out of a data set. `listing` is only there for the cache: it changes when the data do."""
    from pathlib import Path

    from components.door import Logged, opened, stamp, told
    from mtclar.remote import local_folder
    from mtclar.steps import crop as step

    told(step.run(opened("crop", settings), data=local_folder(data), out=Path(faces.path), progress=Logged()))
    stamp(faces, Path(faces.path), listing=listing)
