"""How many faces a second one core makes, and where the time goes.

    python bench/synthesis.py --faces 200 --artist drawn

Faces are drawn as `mtclar synthesize` draws them, stills and clips, in this one process, and timed by what they take of
its core. `draw` is the artist (render and paint), `cover` what comes before the face, `photograph` the scene around it,
`camera` its faults and its compression, `cut` the crop, `encode` its JPEG; `rest` is chance, motion and everything
else. The rendered artist is left out where no face model is at hand (MTCLAR_FACE_MODEL).
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtclar.data.store import encode
from mtclar.errors import MtclarError
from mtclar.settings import SynthesizeSettings, load_settings
from mtclar.synthesis import shots as drawing
from mtclar.synthesis.artists.facemodel import find_face_model
from mtclar.synthesis.bulk_plan import Job
from mtclar.synthesis.plan import CLIPS, PICTURES

STAGES = {
    "photograph": "photograph",
    "shaded": "camera",
    "taken": "camera",
    "filmed": "camera",
    "draw_covering": "cover",
    "_shot": "cut",
}
"""Functions that `shots` calls, and what they count as."""


def timed(call: Callable[..., Any], name: str, spent: dict[str, float]) -> Callable[..., Any]:
    """The same function, which adds what it takes of the core to `spent[name]`."""

    def measured(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        try:
            return call(*args, **kwargs)
        finally:
            spent[name] += time.process_time() - start

    return measured


class Timed:
    """An object one of whose methods is timed."""

    def __init__(self, inner: Any, method: str, name: str, spent: dict[str, float]) -> None:
        self._inner = inner
        setattr(self, method, timed(getattr(inner, method), name, spent))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def watch(spent: dict[str, float]) -> None:
    """Puts a clock around the stages of drawing."""
    for name, stage in STAGES.items():
        setattr(drawing, name, timed(getattr(drawing, name), stage, spent))
    artist, covering = drawing._artist, drawing.draw_covering
    drawing._artist = lambda *args: Timed(artist(*args), "draw", "draw", spent)  # type: ignore[assignment]
    drawing.draw_covering = lambda *args: Timed(covering(*args), "paint", "cover", spent)  # type: ignore[assignment]


def jobs_of(kind: str, s: SynthesizeSettings, faces: int) -> list[Job]:
    """Jobs of one kind with so many faces in all."""
    each = min(s.frames if kind == "clip" else s.stills, faces)
    place = CLIPS if kind == "clip" else PICTURES
    return [Job(kind, person, "train", (place, person), each) for person in range(max(1, faces // each))]  # type: ignore[arg-type]


def measure(kind: str, s: SynthesizeSettings, model: Path | None, faces: int, spent: dict[str, float]) -> str:
    """One line of the table."""
    for _ in drawing.shots(Job("stills", 10_000, "train", (PICTURES, 10_000), 2), s, model):
        pass  # opens the face model, warms up
    spent.clear()
    start, sizes = time.process_time(), []
    for job in jobs_of(kind, s, faces):
        for shot in drawing.shots(job, s, model):
            sizes.append(len(timed(encode, "encode", spent)(shot.crop, s.quality)))
    whole = time.process_time() - start
    parts = {name: spent[name] for name in ("draw", "cover", "photograph", "camera", "cut", "encode")}
    parts["rest"] = whole - sum(parts.values())
    cells = "".join(f"{1000 * part / len(sizes):>12.2f}" for part in parts.values())
    return f"{s.artist:<10}{kind:<8}{len(sizes) / whole:>10.1f}{cells}{sum(sizes) / len(sizes):>12,.0f}"


def main() -> None:
    """Prints one line an artist and kind."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--faces", type=int, default=300, help="faces an artist and kind")
    arguments.add_argument("--artist", choices=["rendered", "drawn"], help="this one alone")
    given = arguments.parse_args()
    settings = load_settings().synthesize
    spent: dict[str, float] = defaultdict(float)
    watch(spent)
    print(f"{settings.size} pixel crops; milliseconds a face of each stage, bytes a face")
    stages = "".join(f"{name:>12}" for name in ("draw", "cover", "photograph", "camera", "cut", "encode", "rest"))
    print(f"{'artist':<10}{'kind':<8}{'faces/s':>10}{stages}{'bytes':>12}")
    for artist in [given.artist] if given.artist else ["rendered", "drawn"]:
        try:
            model = find_face_model(None) if artist == "rendered" else None
        except MtclarError as error:
            print(f"{artist:<10}left out: {error}")
            continue
        s = settings.model_copy(update={"artist": artist})
        for kind in ("stills", "clip"):
            print(measure(kind, s, model, given.faces, spent), flush=True)


if __name__ == "__main__":
    main()
