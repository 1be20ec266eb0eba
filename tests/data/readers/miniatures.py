"""Miniatures of released data sets: the right files with the right names, and tiny pictures."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mtclar.data.readers import Notes, Record, records
from mtclar.settings import CropSettings, load_section, read_params


def crop_settings(source: str, **changes: Any) -> CropSettings:
    return load_section("crop", {**read_params()["crop"], "source": source, "workers": 1, **changes})


def read_all(data: Path, source: str, **changes: Any) -> tuple[list[Record], Notes]:
    notes = Notes()
    return list(records(data, crop_settings(source, **changes), notes)), notes


def picture_bytes(suffix: str = ".jpg", width: int = 48, height: int = 32, value: int = 128) -> bytes:
    return cv2.imencode(suffix, np.full((height, width, 3), value, np.uint8))[1].tobytes()


def npy_bytes(value: Any, dtype: Any = None) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(value, dtype=dtype), allow_pickle=True)
    return file.getvalue()


def face_landmarks(x: float = 10, y: float = 5, width: float = 20, height: float = 20) -> np.ndarray:
    inside = np.random.default_rng(0).uniform(0.1, 0.9, (64, 2)) * (width, height) + (x, y)
    return np.concatenate([[(x, y), (x + width, y), (x, y + height), (x + width, y + height)], inside]).round(2)


def write(root: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return root


def write_zip(path: Path, files: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def npy_item(key: str, expression: Any, valence: Any, arousal: Any, landmarks: Any = None) -> dict[str, bytes | str]:
    """One picture of AffectNet's npy release; None leaves a file out."""
    folder, number = key.split("/")
    files: dict[str, bytes | str] = {f"{folder}/images/{number}.jpg": picture_bytes()}
    for what, value in (("exp", expression), ("val", valence), ("aro", arousal), ("lnd", landmarks)):
        if value is not None:
            files[f"{folder}/annotations/{number}_{what}.npy"] = npy_bytes(value)
    return files


def afew_clip(
    folder: str,
    affect: dict[str, tuple[Any, Any]],
    actor: str = "A",
    suffix: str = ".png",
    size: tuple[int, int] = (48, 32),
    landmarks: np.ndarray | None = None,
    **further: Any,
) -> dict[str, bytes | str]:
    """One clip of AFEW-VA by frame key; `further` keys are put into every frame."""
    clip = folder.rsplit("/", 1)[-1]
    points = (face_landmarks() if landmarks is None else landmarks).tolist()
    frames = {key: {"landmarks": points, "valence": v, "arousal": a, **further} for key, (v, a) in affect.items()}
    content = {"actor": actor, "frames": frames, "video_id": clip}
    pictures = {f"{folder}/{key}{suffix}": picture_bytes(suffix, *size) for key in affect}
    return {f"{folder}/{clip}.json": json.dumps(content), **pictures}
