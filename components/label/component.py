"""Kubeflow component of `mtclar label`: videos and anchors -> labels."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def label(
    videos: dsl.Input[dsl.Dataset],
    anchors: dsl.Input[dsl.Dataset],
    labels: dsl.Output[dsl.Dataset],
    model: str,
    settings: dict,
    registry: dict,
):
    """Labels every frame of every video of a folder."""
    from pathlib import Path

    from components.door import Logged, opened, told
    from mtclar.steps import label as step

    section, store = opened("label", settings), opened("register", registry)
    files = {"anchors": Path(anchors.path), "out": Path(labels.path)}
    told(step.run(section, videos=[Path(videos.path)], **files, model=model, registry=store, progress=Logged()))
