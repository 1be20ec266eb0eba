"""Kubeflow component of `mtclar label`: one shard of the videos -> labels."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def label(
    listing: dsl.Input[dsl.Dataset],
    labels: dsl.Output[dsl.Dataset],
    shard: int,
    settings: dict,
    extract: dict,
    registry: dict,
):
    """Labels every frame of the videos of a shard; one that fails is noted."""
    from pathlib import Path
    from typing import Any

    from components.door import Logged, opened, told
    from mtclar.steps import shards as step

    section, reading, store = opened("label", settings), opened("extract", extract), opened("register", registry)
    paths: Any = {"listing": Path(listing.path), "out": Path(labels.path)}
    told(step.label_shard(section, reading, **paths, shard=int(shard), registry=store, progress=Logged()))
