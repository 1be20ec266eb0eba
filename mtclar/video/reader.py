"""The one way to open a video."""

from __future__ import annotations

from pathlib import Path

from mtclar.errors import MtclarError
from mtclar.video.container import ContainerVideo
from mtclar.video.frames import Video
from mtclar.video.pictures import PICTURE_SUFFIXES, PictureVideo


def open_video(path: Path | str, *, fps: float = 25.0) -> Video:
    """Opens a video file, a folder of numbered pictures, or a single picture.

    Args:
        path: The file or folder; a picture is a video of one frame.
        fps: Rate of a folder of pictures, which states none; a file's times always come from its container.

    Returns:
        An iterable of `Frame`, to be used as a context manager.

    Raises:
        MtclarError: Nothing is there, the file is empty, is no video or holds no video stream, or the folder holds no
            numbered pictures. While it is read: no frame at all can be decoded, or a picture of the folder cannot.
    """
    path = Path(path)
    if path.is_dir():
        return PictureVideo(path, fps)
    if not path.exists():
        raise MtclarError(f"{path}: no such video; check the path.")
    return PictureVideo(path, fps) if path.suffix.lower() in PICTURE_SUFFIXES else ContainerVideo(path)
