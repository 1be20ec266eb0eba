"""Artists: those who can draw a person with an expression. `rendered` needs a face model, `drawn` needs nothing."""

from __future__ import annotations

from pathlib import Path

from mtclar.errors import MtclarError
from mtclar.synthesis.artists.base import Artist, Layer, Light, Performance, View

ARTISTS = ("rendered", "drawn")

__all__ = ["ARTISTS", "Artist", "Layer", "Light", "Performance", "View", "make_artist"]


def make_artist(name: str, face_model: Path | None = None, supersampling: int = 2) -> Artist:
    """Bring in an artist by name.

    Args:
        name: `rendered` or `drawn`.
        face_model: for `rendered`, the packed face model (.npz) or ICT-FaceKit's `FaceXModel/` folder.
        supersampling: for `rendered`, pixels rendered for one that is drawn, along each side; 1 is quick.

    Raises:
        MtclarError: no artist has that name, or the face model is missing or broken.
    """
    if name == "drawn":
        from mtclar.synthesis.artists.drawn import DrawnArtist

        return DrawnArtist()
    if name == "rendered":
        from mtclar.synthesis.artists.facemodel import load_face_model
        from mtclar.synthesis.artists.rendered import RenderedArtist

        return RenderedArtist(load_face_model(face_model), supersampling)
    raise MtclarError(f"there is no artist {name!r}: choose one of {', '.join(ARTISTS)}")
