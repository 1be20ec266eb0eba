"""Kubeflow component that begins a labelling: videos -> listing in shards."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def list_videos(
    videos: str,
    anchors: str,
    listing: dsl.Output[dsl.Dataset],
    model: str,
    shards: int,
    registry: dict,
) -> list:
    """Lists the videos, settles names, anchors and model, and gives back the numbers of the shards."""
    from pathlib import Path

    from components.door import opened, told
    from mtclar.steps import shards as step

    store, out = opened("register", registry), Path(listing.path)
    found = step.list_videos(videos, anchors=anchors, model=model, shards=int(shards), out=out, registry=store)
    told(found)
    return list(range(len(found.shards)))
