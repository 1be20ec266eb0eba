"""`mtclar check`: what videos are, how many faces they show, and how long their labels will take on this machine."""

from __future__ import annotations

import csv
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from mtclar import __version__, storage
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError, NothingDoneError, PartialFailureError, brief, counted
from mtclar.faces import by_shot, open_detector
from mtclar.features.extract import Predictor
from mtclar.progress import Progress, silent
from mtclar.report.folder_page import write_check_page
from mtclar.settings import CheckSettings, ExtractSettings, LabelSettings, RegisterSettings
from mtclar.steps.check_looks import Looks, Speed
from mtclar.steps.models import open_predictor
from mtclar.steps.videos import Source, find_sources, passed
from mtclar.video import VideoFacts, open_video
from mtclar.video.streams import described

FORMATS = (".html", ".csv", ".json")


@dataclass(frozen=True)
class Checked:
    """What is known of one video without reading all of it.

    Attributes:
        video: Name of its file.
        error: Why it cannot be read; then nothing else is known.
        codec, width, height, rotation, mirrored, sar: As `VideoFacts`: sizes are upright, with square pixels.
        fps: The rate that the frames have on average; None of a single frame.
        variable: Whether the intervals between frames differ by more than rounding.
        streams: What the file holds.
        duration_s: From the first frame to the end of the last.
        frames: How many there are, as far as the packets tell.
        megabytes: Size of the file.
        scanned: How many frames faces were looked for in.
        face_share: Of them, the share with a face.
        faces_per_minute: Faces of all frames in a minute of video: what `extract` has to embed.
        face_px: Median side of a face box, in pixels of the upright picture; None without a face.
        shots: How many there are, or at least are where `shots_exact` is not true.
        extract_s, label_s: Seconds that `extract` and `annotate` will take here, about.
        notes: What is odd, one sentence each.
    """

    video: str
    error: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    rotation: int = 0
    mirrored: bool = False
    sar: str = ""
    fps: float | None = None
    variable: bool = False
    streams: tuple[str, ...] = ()
    duration_s: float = 0.0
    frames: int = 0
    megabytes: float = 0.0
    scanned: int = 0
    face_share: float = 0.0
    faces_per_minute: float = 0.0
    face_px: float | None = None
    shots: int = 0
    shots_exact: bool = True
    extract_s: float = 0.0
    label_s: float = 0.0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """What was found of each video, and what was passed over in the folders given."""

    videos: tuple[Checked, ...]
    passed: tuple[str, ...] = ()

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Head and rows for people."""
        header = ["video", "streams", "size", "turn", "fps", "length", "faces in", "faces/min", "face", "shots"]
        return [*header, "extract", "label"], [_row(one) for one in self.videos]

    def sentences(self) -> list[str]:
        """What is odd, what could not be read, and what all of it takes."""
        said = [
            f"{one.video}: note: {note.removeprefix(f'{one.video}: ')}" for one in self.videos for note in one.notes
        ]
        said += [f"{one.video}: cannot be read: {one.error}" for one in self.videos if one.error]
        said += [f"note: {sentence}" for sentence in self.passed]
        read = [one for one in self.videos if not one.error]
        hours, seconds = sum(one.duration_s for one in read), sum(one.extract_s + one.label_s for one in read)
        said.append(f"{counted(len(read), 'video')} of {_span(hours)}: about {_span(seconds)} here, one at a time.")
        return said

    def raise_if_unread(self) -> None:
        """Raises:
        MtclarError: Some, or all, of the videos could not be read.
        """
        failed = {one.video: one.error for one in self.videos if one.error}
        if not failed:
            return
        sentence = f"{len(failed)} of {counted(len(self.videos), 'video')} cannot be read: {', '.join(failed)}."
        if len(failed) == len(self.videos):
            raise NothingDoneError(sentence, failed)
        raise PartialFailureError(sentence, failed=failed)


def run(
    s: CheckSettings,
    extract_settings: ExtractSettings,
    label: LabelSettings,
    *,
    videos: Sequence[Path | str],
    model: Predictor | Path | str,
    registry: RegisterSettings | None = None,
    out: Path | None = None,
    progress: Progress = silent,
) -> CheckResult:
    """Looks at every video; one that cannot be read is a row that says why.

    Args:
        s: The section `check` of params.yaml.
        extract_settings, label: The sections whose work is timed.
        videos: Files and folders, a folder meaning all videos in it, or addresses on S3.
        model: As `mtclar.steps.models.open_model` takes it, or a model that is open already.
        registry: The section `register`, to look `models:/` up.
        out: Where to write the table too, as its ending says: one of `FORMATS`.
        progress: Called once a video.

    Raises:
        MtclarError: There is no video, the model cannot be opened, or `out` cannot be written.
    """
    if out is not None and out.suffix not in FORMATS:
        raise MtclarError(f"{out}: expected a file that ends in {', '.join(FORMATS)}; change --out.")
    sources = find_sources(videos)
    speed = Speed(open_predictor(model, registry), extract_settings, label, s.timed_frames)
    found = []
    for number, source in enumerate(sources):
        progress(number, len(sources), source.file)
        try:
            found.append(_checked(source, s, extract_settings, speed))
        except Exception as error:  # whatever a library raises about one file is of that file alone
            found.append(Checked(source.file, error=str(error) if isinstance(error, MtclarError) else brief(error)))
    progress(len(sources), len(sources), "")
    result = CheckResult(tuple(found), passed(videos))
    if out is not None:
        _write(result, out)
    return result


def _checked(source: Source, s: CheckSettings, extract_settings: ExtractSettings, speed: Speed) -> Checked:
    """Looks at one video.

    Raises:
        MtclarError: It cannot be read.
    """
    with storage.local(source.place) as path, open_video(path, fps=extract_settings.fps) as video:
        times_s = video.timeline()
        looks, detector = Looks(), open_detector()
        for frame in video.sampled(s.frames):
            looks.see(frame.image, [(face.w + face.h) / 2 for face in detector.detect(frame.image)])
        if not looks.faces:
            raise MtclarError(f"{path}: no frame of the video can be decoded.")
        facts, steps = video.outline, np.diff(times_s)
        short = len(times_s) <= 8 * s.frames
        shots = sum(new for _, new in by_shot(video)) if short else looks.shots
        start = time.perf_counter()
        decoded = sum(1 for _ in itertools.islice(iter(video), s.timed_frames))
        decode_s = (time.perf_counter() - start) / decoded
        n, step = len(times_s), float(np.median(steps)) if len(steps) else 0.0
        duration_s = (float(times_s[-1]) if n else 0.0) + step
        per_frame = float(np.mean(looks.faces))
        sides = float(np.median(looks.sides)) if looks.sides else None
        extract_s, label_s = speed.seconds(looks.typical(), decode_s, n)
        return Checked(
            video=source.file,
            codec=facts.codec,
            width=facts.width,
            height=facts.height,
            rotation=facts.rotation,
            mirrored=facts.mirrored,
            sar=facts.sar,
            fps=round((n - 1) / float(times_s[-1]), 3) if n > 1 and times_s[-1] > 0 else None,
            variable=bool(len(steps)) and _vary(steps, facts),
            streams=described(path) if path.is_file() else (f"{n} pictures",),
            duration_s=round(duration_s, 3),
            frames=n,
            megabytes=round(sum(file.stat().st_size for file in video.files()) / 1e6, 3),
            scanned=len(looks.faces),
            face_share=round(float(np.mean([count > 0 for count in looks.faces])), 3),
            faces_per_minute=round(per_frame * n / duration_s * 60, 1) if duration_s else 0.0,
            face_px=None if sides is None else round(sides, 1),
            shots=shots,
            shots_exact=short,
            extract_s=round(extract_s, 1),
            label_s=round(label_s, 2),
            notes=(*video.warnings, *looks.notes()),
        )


def _vary(steps: np.ndarray, facts: VideoFacts) -> bool:
    """As `mtclar.video.frames.Intervals`, of times in seconds."""
    numerator, denominator = map(float, facts.time_base.split("/"))
    return bool(steps.max() - steps.min() > numerator / denominator + 0.01 * steps.min() + 1e-9)


def _row(one: Checked) -> list[str]:
    """A video as cells for people."""
    if one.error:
        return [one.video, "cannot be read", *[""] * 10]
    turn = f"{one.rotation}°" + (", mirrored" if one.mirrored else "") if one.rotation or one.mirrored else "–"
    size = f"{one.width}x{one.height}" + ("" if one.sar == "1/1" else f", SAR {one.sar}")
    rate = "–" if one.fps is None else f"{one.fps:g}" + (", varies" if one.variable else "")
    return [
        one.video,
        "; ".join(
            stream.removeprefix("video ").split(" ")[0] if stream.startswith("video ") else stream
            for stream in one.streams
        ),
        size,
        turn,
        rate,
        _span(one.duration_s),
        f"{100 * one.face_share:.0f} %",
        f"{one.faces_per_minute:.0f}",
        "–" if one.face_px is None else f"{one.face_px:.0f} px",
        f"{'' if one.shots_exact else '≥ '}{one.shots}",
        _span(one.extract_s),
        _span(one.label_s),
    ]


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _write(result: CheckResult, out: Path) -> None:
    """Writes the table, whole or not at all."""
    rows: list[dict[str, Any]] = [asdict(one) for one in result.videos]
    if out.suffix == ".html":
        header, cells = result.table()
        write_check_page(out, header, cells, rows, result.sentences(), __version__)
        return
    with whole_file(out) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        if out.suffix == ".json":
            content = {"tool_version": __version__, "videos": rows, "passed_over": list(result.passed)}
            file.write(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
            return
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([item.name for item in fields(Checked)])
        for row in rows:
            plain = [" | ".join(value) if isinstance(value, tuple) else value for value in row.values()]
            writer.writerow(["" if value is None else value for value in plain])
