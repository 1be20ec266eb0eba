"""NOVA (SSI): NAME.annotation, an XML header, and NAME.annotation~, a line or a pair of floats a sample.

A track has a constant rate, so labels are resampled by time. What a person said has confidence 1, what the model says
less, which NOVA marks for revision.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.formats.annotations import HUMAN, Annotations, track_of
from mtclar.formats.scale import Options, inward, number, outward, parse_xml, text_of

DIMENSIONS = ("valence", "arousal")
ANNOTATOR = "mtclar"
SURE, UNSURE = 1.0, 0.999
"""Confidence of what a person said, and the most that anything else gets."""


def write(given: Annotations, path: Path, name: str, options: Options) -> list[Path]:
    """Writes DIMENSION.ROLE.mtclar.annotation and its data for both dimensions and each person, beside `path`."""
    written: list[Path] = []
    low, high = options.get("va_range") or (-1.0, 1.0)
    people = given.people
    for track, person in people:
        rows = given.table[given.table["track_id"] == track].sort_values("time_s")
        times = rows["time_s"].to_numpy()
        rate = round(given.fps or (1 / float(np.median(np.diff(times))) if len(times) > 1 else 25.0), 3)
        at = np.arange(round(times[-1] * rate) + 1) / rate if len(times) else np.empty(0)
        nearest = _nearest(times, at)
        seen = np.abs(times[nearest] - at) <= 0.75 / rate if len(at) else np.empty(0, bool)
        human = (rows["source"] == HUMAN).to_numpy()
        sure = np.where(human, SURE, rows["confidence"].fillna(0.5).clip(0, UNSURE))
        role = f"{path.stem}-{person}" if len(people) > 1 else path.stem
        for dimension in DIMENSIONS:
            values = outward(rows[dimension], options)
            lines = [
                f"{values[i]:.6f};{sure[i]:.4f}" if there and np.isfinite(values[i]) else "NaN;0.0000"
                for i, there in zip(nearest, seen, strict=True)
            ]
            root = ElementTree.Element("annotation", {"ssi-v": "3"})
            ElementTree.SubElement(root, "info", ftype="ASCII", size=str(len(lines)))
            ElementTree.SubElement(
                root, "meta", annotator=ANNOTATOR, role=role, description=f"{given.video_id}, {person}"
            )
            scheme = {"name": dimension, "type": "CONTINUOUS", "sr": f"{rate:g}", "min": f"{low:g}", "max": f"{high:g}"}
            ElementTree.SubElement(root, "scheme", scheme | {"mincolor": "#FFFFFFFF", "maxcolor": "#FF4F81BD"})
            header = path.with_name(f"{dimension}.{role}.{ANNOTATOR}.annotation")
            for file, text in ((header.with_name(header.name + "~"), "\n".join(lines) + "\n"), (header, text_of(root))):
                with whole_file(file) as partial:
                    partial.write_text(text, encoding="utf-8")
                written.append(file)
    return written


def read(path: Path, name: str, options: Options) -> Annotations:
    """Reads a continuous track, and that of the other dimension where it lies beside it."""
    first = path.name
    here = next((dimension for dimension in DIMENSIONS if dimension in _scheme(path).get("name", "").lower()), None)
    here = here or options.get("dimension")
    if here is None:
        raise MtclarError(
            f"{path}: its scheme is '{_scheme(path).get('name')}', neither valence nor arousal; say which with "
            "--dimension."
        )
    other = DIMENSIONS[here == DIMENSIONS[0]]
    beside = path.with_name(re.sub(here, other, first, flags=re.IGNORECASE))
    columns, human, rate, role, video = {}, [], 0.0, "", ""
    for dimension, file in ((here, path), (other, beside)):
        if dimension == other and (beside == path or not beside.is_file()):
            continue
        scores, confidence, found, meta = _track(file, options)
        if rate and abs(rate - found) > 1e-6:
            raise MtclarError(f"{file}: its rate is {found:g} a second, that of {path.name} {rate:g}.")
        columns[dimension], rate = scores, found
        human.append(confidence >= SURE)
        if meta.get("annotator") == ANNOTATOR:
            video, _, role = meta.get("description", "").rpartition(", ")
        role = role or meta.get("role", "")
    n = max(map(len, columns.values()))
    table = pd.DataFrame({"time_s": np.arange(n) / rate})
    for dimension, scores in columns.items():
        table[dimension] = np.pad(scores, (0, n - len(scores)), constant_values=np.nan)
    said = np.any([np.pad(one, (0, n - len(one))) for one in human], axis=0)
    table["source"] = np.where(said, HUMAN, "model")
    table["person_id"] = role or None
    table["track_id"] = track_of(role, {})
    table = table.dropna(subset=[*columns], how="all")
    return Annotations(options.get("video_id") or video or path.name.split(".")[0], table)


def _scheme(path: Path) -> dict[str, str]:
    root = parse_xml(path, "a header of NOVA (.annotation)")
    scheme = root.find("scheme")
    if root.tag != "annotation" or scheme is None:
        raise MtclarError(f"{path}: expected a header of NOVA, <annotation> with a <scheme>; found <{root.tag}>.")
    return dict(scheme.attrib)


def _track(path: Path, options: Options) -> tuple[np.ndarray, np.ndarray, float, dict[str, str]]:
    """Values in [-1, 1], confidences, samples a second, and the header's meta element."""
    root, scheme = parse_xml(path, "a header of NOVA (.annotation)"), _scheme(path)
    if scheme.get("type", "").upper() != "CONTINUOUS":
        raise MtclarError(f"{path}: expected a CONTINUOUS scheme, found {scheme.get('type', 'FREE')}.")
    low, high, rate = (number(scheme.get(key, ""), f"{path}: {key}") for key in ("min", "max", "sr"))
    if not (rate > 0 and high > low):
        raise MtclarError(f"{path}: expected sr above 0 and min below max, found {rate:g}, {low:g} and {high:g}.")
    data = path.with_name(path.name + "~")
    info, meta = root.find("info"), root.find("meta")
    binary = info is not None and info.get("ftype", "ASCII").upper() != "ASCII"
    try:
        if binary:
            pairs = np.frombuffer(data.read_bytes(), "<f4").astype(float).reshape(-1, 2)
        else:
            lines = data.read_text(encoding="utf-8").splitlines()
            pairs = np.array([_pair(line, data, i) for i, line in enumerate(lines, 1) if line.strip()]).reshape(-1, 2)
    except (OSError, ValueError) as error:
        raise MtclarError(f"{data}: the samples of {path.name} cannot be read ({error}).") from error
    size = int(number(info.get("size", len(pairs)), str(path))) if info is not None else len(pairs)
    if binary and size != len(pairs):
        raise MtclarError(f"{data}: expected {size} samples, found {len(pairs)}; the file was cut short.")
    scale = options if options.get("va_range") else {"va_range": (low, high)}
    return inward(pairs[:, 0], scale), pairs[:, 1], rate, dict(meta.attrib) if meta is not None else {}


def _pair(line: str, path: Path, row: int) -> tuple[float, float]:
    parts = line.split(";")
    return number(parts[0], f"{path}, line {row}"), number(parts[1], f"{path}, line {row}") if len(parts) > 1 else 1.0


def _nearest(times: np.ndarray, at: np.ndarray) -> np.ndarray:
    right = np.searchsorted(times, at).clip(0, max(len(times) - 1, 0))
    left = (right - 1).clip(0)
    return np.where(np.abs(times[left] - at) <= np.abs(times[right] - at), left, right) if len(at) else right
