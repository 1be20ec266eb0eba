"""Writing labels the way real datasets do: AffectNet's npy release, AFEW-VA, and MP4 with tables beside it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

#: Zip entries carry this date, so that the same content gives the same bytes.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
#: AFEW-VA ships fifty clips a folder.
CLIPS_A_FOLDER = 50

Files = dict[str, bytes]


def npy_bytes(array: NDArray[np.generic]) -> bytes:
    """An array as a .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def affectnet_files(
    split_folder: str,
    number: int,
    jpeg: bytes,
    expression: int,
    affect: NDArray[np.float64],
    landmarks: NDArray[np.float32],
) -> Files:
    """One picture in AffectNet's npy release: `{path inside affectnet/: bytes}`.

    The four annotations are 0-d expression, valence and arousal, and 136 landmark values x, y, x, y, ...
    (on half pixels, which pack well).
    """
    notes = f"{split_folder}/annotations/{number}"
    return {
        f"{split_folder}/images/{number}.jpg": jpeg,
        f"{notes}_exp.npy": npy_bytes(np.array(expression)),
        f"{notes}_val.npy": npy_bytes(np.array(round(float(affect[0]), 4))),
        f"{notes}_aro.npy": npy_bytes(np.array(round(float(affect[1]), 4))),
        f"{notes}_lnd.npy": npy_bytes((np.round(landmarks * 2) / 2).astype(np.float32).ravel()),
    }


def afew_va_folder(number: int) -> str:
    """Folder of a clip inside afew-va/: clip 51 lies in `02/051`."""
    return f"{(number - 1) // CLIPS_A_FOLDER + 1:02d}/{number:03d}"


def afew_va_files(
    number: int,
    actor: str,
    jpegs: Sequence[bytes],
    affect: NDArray[np.float64],
    landmarks: Sequence[NDArray[np.float32]],
    first_key: int = 0,
    emotion: str | None = None,
) -> Files:
    """One clip in AFEW-VA's layout: `{path inside afew-va/: bytes}`.

    Args:
        number: the clip's number, from 1.
        actor: who is seen.
        jpegs: frames.
        affect: (frames, 2) on the grid of tenths; written as integers -10..10.
        landmarks: (68, 2) pixels of each frame.
        first_key: 0, or 1 as in some real clips.
        emotion: written as one more key of each frame, as in some real clips, if given.
    """
    folder = afew_va_folder(number)
    tenths = np.round(affect * 10).astype(int)
    files: Files = {}
    frames: dict[str, dict[str, object]] = {}
    for i, (jpeg, (valence, arousal), marks) in enumerate(zip(jpegs, tenths, landmarks, strict=True)):
        key = f"{i + first_key:05d}"
        files[f"{folder}/{key}.jpg"] = jpeg
        frames[key] = {
            "landmarks": np.round(marks.astype(float), 1).tolist(),
            "valence": int(valence),
            "arousal": int(arousal),
        }
        if emotion is not None:
            frames[key]["emotion"] = emotion
    clip = f"{number:03d}"
    content = {"actor": actor, "frames": frames, "video_id": clip}
    files[f"{folder}/{clip}.json"] = json.dumps(content, separators=(",", ":")).encode()
    return files


def mp4_bytes(pictures: Sequence[NDArray[np.uint8]], rate: Fraction, crf: int = 27) -> bytes:
    """Encode RGB pictures as H.264 in MP4 with true presentation times."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(crf), "preset": "slow"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        # One thread, and colours converted here, to leave little of how work is shared out to chance.
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = 1 / rate
        for i, picture in enumerate(pictures):
            planes = cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = i
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


def pack_folder(folder: Path, archive: Path) -> None:
    """Move a folder into a zip beside it; inner paths start with the folder's name; same content, same bytes.

    Pictures are stored, everything else (four tiny arrays a picture) is deflated.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    with zipfile.ZipFile(archive, "w") as packed:
        for path in files:
            entry = zipfile.ZipInfo(path.relative_to(folder.parent).as_posix(), ZIP_DATE)
            entry.external_attr = 0o644 << 16
            entry.create_system = 3
            stored = path.suffix in (".jpg", ".png", ".mp4")
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            packed.writestr(entry, path.read_bytes(), compresslevel=None if stored else 9)
