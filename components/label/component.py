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
    extract: dict,
    registry: dict,
):
    """Labels every frame of every video of a folder."""
    from pathlib import Path
    from typing import Any

    from components.door import Logged, opened, told
    from mtclar.steps import label as step

    section, reading, store = opened("label", settings), opened("extract", extract), opened("register", registry)
    paths: Any = {"videos": [Path(videos.path)], "anchors": Path(anchors.path), "out": Path(labels.path)}
    told(step.run(section, reading, **paths, model=model, registry=store, progress=Logged()))
