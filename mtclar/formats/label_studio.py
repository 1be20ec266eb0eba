"""Label Studio: NAME.json, a task with predictions; NAME.config.xml, its labelling interface; NAME.va.csv, its curve.

Frames count from 1 there and ranges include their end. Predictions are the anchors and the few stretches in which the
interval is wide, never a region a frame; the curve is a time series in step with the video.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.formats.annotations import HUMAN, Annotations
from mtclar.formats.scale import Options, inward, number, outward

UNSURE_SHARE = 0.2
"""Share of frames, those with the widest intervals, that are shown for checking."""
MOST_STRETCHES = 20
DIMENSIONS = ("valence", "arousal")

CONFIG = """<View>
  <Video name="video" value="$video" frameRate="$fps" sync="va" timelineHeight="120"/>
  <TimelineLabels name="anchor" toName="video"><Label value="Anchor"/></TimelineLabels>
  <View visibleWhen="region-selected">
    <Header value="Valence" size="6"/>
    <Number name="valence" toName="video" perRegion="true" min="{low:g}" max="{high:g}" step="{step:g}" slider="true"/>
    <Header value="Arousal" size="6"/>
    <Number name="arousal" toName="video" perRegion="true" min="{low:g}" max="{high:g}" step="{step:g}" slider="true"/>
  </View>
  <TimeSeries name="ts" value="$va_csv" valueType="url" timeColumn="time" sync="va">
    <Channel column="valence"/>
    <Channel column="arousal"/>
  </TimeSeries>
  <TimeSeriesLabels name="unsure" toName="ts"><Label value="check"/></TimeSeriesLabels>
</View>
"""


def write(given: Annotations, path: Path, name: str, options: Options) -> list[Path]:
    """Writes the task, the interface and the curve of each person; the first person's are NAME's own."""
    tasks: list[dict[str, Any]] = []
    texts: dict[Path, str] = {}
    for track, person in given.people:
        rows = rows_of(given, track)
        times = rows["time_s"].to_numpy()
        curve = path.with_name(f"{path.stem}.{person}.va.csv" if tasks else f"{path.stem}.va.csv")
        texts[curve] = curve_of(rows, options)
        fps = round(given.fps or (1 / float(np.median(np.diff(times))) if len(times) > 1 else 25.0), 6)
        rows["frame"] = np.round(times * fps)  # what Label Studio calls a frame is a time
        data = {
            "video": given.media or given.video_id,
            "fps": fps,
            "va_csv": curve.name,
            "person": person,
            "video_id": given.video_id,
            "track_id": track,
        }
        tasks.append({"data": data, "predictions": [prediction_of(rows, options)]})
    texts[path] = json.dumps(tasks, indent=1, allow_nan=False) + "\n"
    texts[path.with_name(f"{path.stem}.config.xml")] = interface_of(options)
    for file, text in texts.items():
        with whole_file(file) as partial:
            partial.write_text(text, encoding="utf-8")
    return [path, *(file for file in texts if file != path)]


def rows_of(given: Annotations, track: int) -> pd.DataFrame:
    """The rows of a track by time."""
    return given.table[given.table["track_id"] == track].sort_values("time_s").reset_index(drop=True)


def interface_of(options: Options) -> str:
    """The labelling interface."""
    low, high = options.get("va_range") or (-1.0, 1.0)
    return CONFIG.format(low=low, high=high, step=(high - low) / 200)


def curve_of(rows: pd.DataFrame, options: Options) -> str:
    """The CSV of a time series: time, valence and arousal of one track."""
    values = {dimension: outward(rows[dimension], options) for dimension in DIMENSIONS}
    table = pd.DataFrame({"time": rows["time_s"], **values}).dropna()
    return table.to_csv(index=False, float_format="%.6f", lineterminator="\n")


def prediction_of(rows: pd.DataFrame, options: Options, version: str = "mtclar") -> dict[str, Any]:
    """A prediction of one track: its anchors, and the stretches whose intervals are widest."""
    values = {dimension: outward(rows[dimension], options) for dimension in DIMENSIONS}
    regions = [*_anchors(rows, values), *_stretches(rows, rows["time_s"].to_numpy())]
    score = float(rows["confidence"].mean())
    found: dict[str, Any] = {"model_version": version, "result": regions}
    return found | ({"score": round(score, 4)} if np.isfinite(score) else {})


def _anchors(rows: pd.DataFrame, values: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Three results an anchor, which share an id: the region and its two numbers."""
    human = (rows["source"] == HUMAN) & rows[list(DIMENSIONS)].notna().all(axis=1)
    for i in np.flatnonzero(human):
        frame = int(rows["frame"][i]) + 1
        ranges = [{"start": frame, "end": frame}]
        common = {"id": f"anchor-{frame}", "to_name": "video"}
        yield common | {
            "type": "timelinelabels",
            "from_name": "anchor",
            "value": {"ranges": ranges, "timelinelabels": ["Anchor"]},
        }
        for dimension in DIMENSIONS:
            said = {"ranges": ranges, "number": round(float(values[dimension][i]), 6)}
            yield common | {"type": "number", "from_name": dimension, "value": said}


def _stretches(rows: pd.DataFrame, times: np.ndarray) -> Iterator[dict[str, Any]]:
    """The stretches whose intervals are widest, as regions of the curve."""
    width = (rows["valence_hi"] - rows["valence_lo"] + rows["arousal_hi"] - rows["arousal_lo"]).to_numpy()
    if not np.isfinite(width).any():
        return
    bound = np.nanquantile(width, 1 - UNSURE_SHARE)
    wide = np.nan_to_num(width, nan=-1) > bound
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wide.astype(int), [0]])))
    spans = sorted(zip(edges[::2], edges[1::2], strict=True), key=lambda span: span[0] - span[1])[:MOST_STRETCHES]
    for start, end in sorted(spans):
        confidence = rows["confidence"][start:end].mean()
        value: dict[str, Any] = {
            "start": float(times[start]),
            "end": float(times[end - 1]),
            "instant": bool(end - start == 1),
        }
        region: dict[str, Any] = {
            "id": f"check-{start + 1}",
            "type": "timeserieslabels",
            "from_name": "unsure",
            "to_name": "ts",
        }
        region |= {"value": value | {"timeserieslabels": ["check"]}}
        yield region | ({"score": round(float(confidence), 4)} if np.isfinite(confidence) else {})


def read(path: Path, name: str, options: Options) -> Annotations:
    """Reads the anchors of an export, or of tasks; what was submitted is a person's, what was predicted the model's."""
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise MtclarError(f"{path}: expected JSON of Label Studio ({error}).") from error
    tasks = content if isinstance(content, list) else [content]
    if not all(isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks):
        raise MtclarError(f"{path}: expected tasks of Label Studio, each with its 'data'.")
    videos = {video_of(task): None for task in tasks}
    video = options.get("video_id") or next(iter(videos), path.stem)
    if len(videos) > 1 and not options.get("video_id"):
        raise MtclarError(
            f"{path}: holds tasks of {len(videos)} videos; choose one with --video-id: {', '.join(videos)}."
        )
    tasks = [task for task in tasks if video_of(task) == video]
    if not tasks:
        raise MtclarError(f"{path}: no task is of video {video}; there are {', '.join(videos)}.")
    rows: list[dict[str, Any]] = []
    fps: float | None = None
    for number_of_task, task in enumerate(tasks):
        data = task["data"]
        fps = options.get("fps") or (number(data["fps"], f"{path}: fps") if "fps" in data else None)
        track = data.get("track_id", number_of_task)
        for kind, source in (("annotations", HUMAN), ("predictions", "model")):
            found = [one for one in task.get(kind) or [] if isinstance(one, dict) and not one.get("was_cancelled")]
            for one in found:
                regions = regions_of(one.get("result") or [], str(path), options)
                if fps:
                    regions = [{**region, "time_s": region.pop("frame") / fps} for region in regions]
                rows += [{"track_id": track, "person_id": data.get("person"), "source": source} | r for r in regions]
            if found and kind == "annotations":
                break  # what was predicted stands in the annotation too, as far as it was kept
    if not rows:
        raise MtclarError(f"{path}: no region of video {video} has a number named valence or arousal.")
    # predictions made of anchors are a person's too
    table = pd.DataFrame(rows)
    table.loc[table.pop("is_anchor").astype(bool), "source"] = HUMAN
    media = str(tasks[0]["data"].get("video", ""))
    return Annotations(video, table, usual_fps=fps, media=media.rsplit("/", 1)[-1])


def video_of(task: dict[str, Any]) -> str:
    """What the video of a task is called: its `video_id`, or its file without what an upload puts before the name."""
    data = task["data"]
    if data.get("video_id"):
        return str(data["video_id"])
    return re.sub(r"^[0-9a-f]{8}-", "", Path(str(data.get("video", "")).rsplit("/", 1)[-1]).stem)


def regions_of(result: list[Any], path: str, options: Options) -> list[dict[str, Any]]:
    """A row a region that has a number: its middle frame, from 0, its values, and whether that was predicted so."""
    found: dict[str, dict[str, Any]] = {}
    for one in result:
        if not isinstance(one, dict) or one.get("type") not in ("number", "timelinelabels"):
            continue
        value = one.get("value") or {}
        row = found.setdefault(str(one.get("id")), {"is_anchor": False, "unchanged": True})
        row["unchanged"] &= one.get("origin") == "prediction"
        ranges = value.get("ranges") or []
        if ranges:
            first, last = (number(ranges[0].get(key, ""), f"{path}: a range") for key in ("start", "end"))
            row["frame"] = int((first + last) // 2) - 1
        if one["type"] == "timelinelabels":
            row["is_anchor"] = True
        elif one.get("from_name") in DIMENSIONS:
            row[one["from_name"]] = float(inward([number(value.get("number"), f"{path}: a number")], options)[0])
    return [row for row in found.values() if "frame" in row and ("valence" in row or "arousal" in row)]
