"""AFEW-VA's JSON of one clip, valence and arousal from -10 to 10.

The data set (Kossaifi et al., Image and Vision Computing 65, 2017) rates in whole steps; what is written here keeps two
decimals. Landmarks are not written: the file is for tools that read the labels.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.formats.annotations import Annotations
from mtclar.formats.scale import Options, inward, number, outward

SCALE = (-10.0, 10.0)
FPS = 25.0
"""The file states no rate; film is taken to have this one, unless --fps or --features say more."""


def write(given: Annotations, path: Path, name: str, options: Options) -> list[Path]:
    """Writes one file a person; the first has the name that is given."""
    written: list[Path] = []
    for track, person in given.people:
        rows = given.table[given.table["track_id"] == track].dropna(subset=["valence", "arousal"]).sort_values("frame")
        values = {key: np.round(outward(rows[key], options, SCALE), 2).tolist() for key in ("valence", "arousal")}
        frames = {
            f"{int(frame):05d}": {"landmarks": [], "valence": valence, "arousal": arousal}
            for frame, valence, arousal in zip(rows["frame"], values["valence"], values["arousal"], strict=True)
        }
        content = {"video_id": given.video_id, "actor": person, "frames": frames}
        file = path.with_name(f"{path.stem}.{person}{path.suffix}") if written else path
        with whole_file(file) as partial:
            partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        written.append(file)
    return written


def read(path: Path, name: str, options: Options) -> Annotations:
    """Reads one clip; every frame is what a person said."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        frames = content["frames"]
        stems = sorted(frames, key=int)
        rows = pd.DataFrame(
            {
                "frame": [int(stem) for stem in stems],
                **{
                    key: inward([number(frames[stem][key], f"{path}, frame {stem}") for stem in stems], options, SCALE)
                    for key in ("valence", "arousal")
                },
                "person_id": content.get("actor"),
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, MtclarError):
            raise
        raise MtclarError(f"{path}: expected AFEW-VA's JSON, frames with valence and arousal ({error}).") from error
    video = options.get("video_id") or str(content.get("video_id") or path.stem)
    return Annotations(
        video, rows, usual_fps=FPS, notes=(f"{path.name} states no rate: {FPS:g} frames a second assumed.",)
    )
