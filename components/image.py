"""The image in which the components run."""

from __future__ import annotations

import os

from mtclar import __version__
from mtclar.errors import MtclarError

VARIABLE = "MTCLAR_IMAGE"
IMAGE = os.environ.get(VARIABLE) or f"mtclar:{__version__}"
"""From the environment's MTCLAR_IMAGE; best given by digest."""


def check_image(image: str = IMAGE) -> str:
    """Returns the image's name if it always means the same image.

    Kubeflow's cache goes by the name of an image, not by its content.

    Raises:
        MtclarError: The name has no tag and no digest, or the tag `latest`.
    """
    name, at, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not (at and digest) and tag in ("", "latest"):
        raise MtclarError(
            f"{VARIABLE}={image}: expected an image with a digest or a tag other than 'latest', because a cache that "
            "goes by its name would take an old result for a new one."
        )
    return image
