"""CVAT for video 1.1: a track of boxes a person; attributes are valence, arousal, and whether a person said so."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.formats.annotations import HUMAN, Annotations
from mtclar.formats.scale import Options, inward, number, outward, parse_xml, text_of

INSIDE = "annotations.xml"
"""The file of annotations in an archive, as CVAT exports it."""
LARGEST = 2**30
"""Bytes of annotations that are unpacked at most."""
BOX = ("face_x", "face_y", "face_w", "face_h")
CORNERS = ("xtl", "ytl", "xbr", "ybr")


def write(given: Annotations, path: Path, name: str, options: Options) -> list[Path]:
    """Writes the XML, or an archive with it where the file is called .zip. Frames without a face box are left out."""
    table = given.table
    boxed = table[table[list(BOX)].notna().all(axis=1)]
    if boxed.empty:
        raise MtclarError(f"{path}: CVAT needs face boxes, and {given.video_id} has none; write labels of a video.")
    root = ElementTree.Element("annotations")
    ElementTree.SubElement(root, "version").text = "1.1"
    _add_meta(root, given, int(table["frame"].max()) + 1, options)
    for number_of_track, (track, person) in enumerate(given.people):
        rows = boxed[boxed["track_id"] == track].sort_values("frame")
        element = ElementTree.SubElement(root, "track", id=str(number_of_track), label="face", source="auto")
        frames = rows["frame"].to_numpy(int)
        values = {dimension: outward(rows[dimension], options) for dimension in ("valence", "arousal")}
        human = (rows["source"] == HUMAN).to_numpy()
        corners = rows[list(BOX)].to_numpy()
        corners[:, 2:] += corners[:, :2]
        for i, frame in enumerate(frames):
            said = {key: f"{found[i]:.4f}" for key, found in values.items() if np.isfinite(found[i])}
            said |= {"human": str(bool(human[i])).lower(), "person": person}
            _add_box(element, int(frame), corners[i], said, outside=False)
            if i + 1 == len(frames) or frames[i + 1] > frame + 1:
                _add_box(element, int(frame) + 1, corners[i], said, outside=True)
    text = text_of(root)
    with whole_file(path) as partial:
        if path.suffix.lower() == ".zip":
            with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(INSIDE, text)
        else:
            partial.write_text(text, encoding="utf-8")
    return [path]


def _add_meta(root: ElementTree.Element, given: Annotations, frames: int, options: Options) -> None:
    low, high = options.get("va_range") or (-1.0, 1.0)
    meta = ElementTree.SubElement(root, "meta")
    task = ElementTree.SubElement(meta, "task")
    facts = {
        "name": given.video_id,
        "size": str(frames),
        "mode": "interpolation",
        "start_frame": "0",
        "stop_frame": str(frames - 1),
        "frame_filter": "",
        "z_order": "False",
    }
    for key, value in facts.items():
        ElementTree.SubElement(task, key).text = value
    labels = ElementTree.SubElement(task, "labels")
    label = ElementTree.SubElement(labels, "label")
    ElementTree.SubElement(label, "name").text = "face"
    attributes = ElementTree.SubElement(label, "attributes")
    scale = ("number", f"{(low + high) / 2:g}", f"{low:g}\n{high:g}\n{(high - low) / 200:g}")
    kinds = {"valence": scale, "arousal": scale, "human": ("checkbox", "false", "false"), "person": ("text", "", "")}
    for key, (kind, default, values) in kinds.items():
        one = ElementTree.SubElement(attributes, "attribute")
        told = {"name": key, "mutable": str(key != "person"), "input_type": kind}
        for tag, text in (told | {"default_value": default, "values": values}).items():
            ElementTree.SubElement(one, tag).text = text
    if given.size:
        size = ElementTree.SubElement(task, "original_size")
        for tag, pixels in zip(("width", "height"), given.size, strict=True):
            ElementTree.SubElement(size, tag).text = str(pixels)
    ElementTree.SubElement(meta, "source").text = given.media or given.video_id


def _add_box(track: ElementTree.Element, frame: int, corners: np.ndarray, said: dict[str, str], outside: bool) -> None:
    """A keyframe: CVAT keeps no other boxes, and attributes until the next."""
    facts = {"frame": str(frame), "outside": str(int(outside)), "occluded": "0", "keyframe": "1"}
    facts |= {key: f"{value:.2f}" for key, value in zip(CORNERS, corners, strict=True)}
    box = ElementTree.SubElement(track, "box", facts | {"z_order": "0"})
    for key, value in said.items():
        ElementTree.SubElement(box, "attribute", name=key).text = value


def read(path: Path, name: str, options: Options) -> Annotations:
    """Reads the keyframes of each track; those with `human`, or with `all_rows` every one, are a person's."""
    root = parse_xml(path, "annotations of CVAT (for video 1.1)", _unpacked(path))
    if root.tag != "annotations" or root.find("track") is None:
        what = "has no track" if root.tag == "annotations" else f"is <{root.tag}>"
        raise MtclarError(f"{path}: expected 'CVAT for video 1.1' with tracks of boxes; the file {what}.")
    rows: list[dict[str, Any]] = []
    for track in root.iter("track"):
        for box in track.iter("box"):
            if box.get("outside") == "1" or box.get("keyframe") == "0":
                continue
            where = f"{path}, track {track.get('id')}, frame {box.get('frame')}"
            said = {str(one.get("name")): (one.text or "").strip() for one in box.iter("attribute")}
            xtl, ytl, xbr, ybr = (number(box.get(corner, ""), where) for corner in CORNERS)
            row: dict[str, Any] = {
                "track_id": int(number(track.get("id", "0"), where)),
                "person_id": said.get("person") or None,
                "frame": int(number(box.get("frame", ""), where)),
                **dict(zip(BOX, (xtl, ytl, xbr - xtl, ybr - ytl), strict=True)),
            }
            for dimension in ("valence", "arousal"):
                if said.get(dimension):
                    row[dimension] = float(inward([number(said[dimension], where)], options)[0])
            human = said.get("human", "").lower() == "true" or bool(options.get("all_rows"))
            rows.append(row | {"source": HUMAN if human else "model"})
    if not rows:
        raise MtclarError(f"{path}: no track has a visible keyframe.")
    source = root.findtext("meta/source") or root.findtext("meta/task/source") or ""
    video = options.get("video_id") or root.findtext("meta/task/name") or Path(source).stem or path.stem
    sizes = [root.findtext(f"meta/{at}original_size/{key}") for at in ("task/", "") for key in ("width", "height")]
    known = [int(text) for text in sizes if text and re.fullmatch(r"\d+", text)][:2]
    size = (known[0], known[1]) if len(known) == 2 else None
    return Annotations(video, pd.DataFrame(rows), size=size, media=source)


def _unpacked(path: Path) -> bytes | None:
    if path.suffix.lower() != ".zip":
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [one for one in archive.infolist() if Path(one.filename).name == INSIDE]
            if not inside:
                raise MtclarError(f"{path}: expected {INSIDE} in the archive, found {len(archive.namelist())} others.")
            if inside[0].file_size > LARGEST:
                raise MtclarError(f"{path}: its {INSIDE} is larger than {LARGEST >> 20} MiB; unpack it and give that.")
            return archive.read(inside[0])
    except (OSError, zipfile.BadZipFile) as error:
        raise MtclarError(f"{path}: expected an archive of CVAT ({error}).") from error
