"""The two images in which the components run: one with torch, for training and what looks into a network, one without.

Kubeflow's cache goes by the name of an image, not by its content. So a name must always mean the same image: it ends in
a digest, in the git revision of its code, or in the number of a release.
"""

from __future__ import annotations

import os
import re

from mtclar import __version__
from mtclar.errors import MtclarError

VARIABLE = "MTCLAR_IMAGE"
GPU_VARIABLE = "MTCLAR_GPU_IMAGE"

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"(?:[0-9a-f]{12,64}|v?\d+\.\d+\.\d+(?:[.-]?(?:a|b|rc|dev|post)\.?\d+)?)(?:-(?:cpu|gpu))?")


def image_of(environment: dict[str, str]) -> str:
    """The image without torch: what MTCLAR_IMAGE says, best by digest, or the one of this version."""
    return environment.get(VARIABLE) or f"mtclar:{__version__}"


def gpu_image_of(environment: dict[str, str]) -> str:
    """The image with torch: what MTCLAR_GPU_IMAGE says, or the other's tag with `-gpu`, as `make images` names it.

    Returns:
        "" where the other image is given by digest, which tells nothing of this one.
    """
    image = image_of(environment)
    return environment.get(GPU_VARIABLE) or ("" if "@" in image else f"{image}-gpu")


IMAGE = image_of(dict(os.environ))
GPU_IMAGE = gpu_image_of(dict(os.environ)) or IMAGE


def check_image(image: str = IMAGE, variable: str = VARIABLE) -> str:
    """Returns the image's name if it always means the same image.

    Args:
        image: The name.
        variable: Where it comes from, for messages.

    Raises:
        MtclarError: It has no digest, and its tag is neither a git revision nor the number of a release.
    """
    name, at, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not (_DIGEST.fullmatch(digest) if at else _TAG.fullmatch(tag)):
        raise MtclarError(
            f"{variable}={image}: expected an image by digest (NAME@sha256:...), or with a git revision or a version "
            "such as 1.2.3 as its tag: a cache that goes by the name would take an old result for a new one."
        )
    return image


def check_images() -> dict[str, str]:
    """Both images, by the variables that name them.

    Raises:
        MtclarError: One could change under its name, or is not named.
    """
    if not gpu_image_of(dict(os.environ)):
        raise MtclarError(f"{GPU_VARIABLE} is not set: {VARIABLE} is a digest, which does not tell the image for GPUs.")
    return {VARIABLE: check_image(IMAGE), GPU_VARIABLE: check_image(GPU_IMAGE, GPU_VARIABLE)}
