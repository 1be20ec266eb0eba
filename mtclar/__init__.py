"""Valence and arousal for every frame of a video, from a few labelled anchor frames (MT-CLAR)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mtclar.environment import prepare

if TYPE_CHECKING:
    from mtclar.api import (
        Features,
        Labels,
        annotate,
        estimated_error,
        extract,
        label,
        read_features,
        suggest,
        write_features,
    )
    from mtclar.errors import MtclarError

prepare()

__version__ = "0.1.0"
__all__ = [
    "Features",
    "Labels",
    "MtclarError",
    "__version__",
    "annotate",
    "estimated_error",
    "extract",
    "label",
    "read_features",
    "suggest",
    "write_features",
]


def __getattr__(name: str) -> object:
    """What the API offers, imported when it is first asked for: the command line starts without it."""
    if name == "MtclarError":
        from mtclar.errors import MtclarError

        return MtclarError
    if name in __all__:
        from mtclar import api

        return getattr(api, name)
    raise AttributeError(f"module 'mtclar' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
