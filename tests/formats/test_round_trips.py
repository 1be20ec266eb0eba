"""What is written in a format is read back: frames exactly, values as far as the format keeps them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.formats import Annotations, Timeline, format_of, place, read_annotations, write_annotations

KEPT = {  # file, largest difference of a value
    "csv": ("clip.csv", 1e-6),
    "parquet": ("clip.parquet", 1e-12),
    "openface": ("of.csv", 1e-6),
    "nova": ("clip.annotation", 1e-6),
    "cvat": ("clip.xml", 1e-4),
    "afew-va": ("001.json", 1.1e-3),
}
ANCHORS_ONLY = {"anchors": ("anchors.csv", 1e-6), "label-studio": ("task.json", 1e-6), "elan": ("clip.eaf", 1e-4)}


def labels(n: int, fps: float, values: np.ndarray, anchors: list[int]) -> Annotations:
    """A clip of n frames with a face in each, labelled."""
    table = pd.DataFrame(
        {
            "frame": np.arange(n),
            "time_s": np.arange(n) / fps,
            "valence": values[:, 0],
            "arousal": values[:, 1],
            "confidence": 0.5,
            "source": ["anchor" if i in anchors else "model" for i in range(n)],
            "face_x": 10.25,
            "face_y": 20.5,
            "face_w": 64.0,
            "face_h": 66.0,
        }
    )
    return Annotations("clip", table, media="clip.mp4", size=(640, 360))


@st.composite
def clips(draw) -> Annotations:
    n = draw(st.integers(2, 60))
    fps = draw(st.sampled_from([10.0, 23.976, 25.0, 29.97, 30.0, 50.0]))
    flat = draw(st.lists(st.floats(-1, 1), min_size=2 * n, max_size=2 * n))
    anchors = draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True))
    return labels(n, fps, np.array(flat).reshape(n, 2), anchors)


def back(clip: Annotations, name: str, file: str) -> pd.DataFrame:
    """The rows of a clip after it was written and read, on its own timeline."""
    with tempfile.TemporaryDirectory() as folder:
        written = write_annotations(clip, Path(folder) / file, name)
        first = next(path for path in written if path.suffix in (".annotation", Path(file).suffix))
        found = read_annotations(first, name, video_id=None)
        return place(found, Timeline(clip.table["time_s"].to_numpy())).annotations.table


@pytest.mark.parametrize("name", KEPT)
@settings(max_examples=12, deadline=None)
@given(clip=clips())
def test_every_frame_comes_back_with_its_values(name, clip):
    file, precision = KEPT[name]
    found = back(clip, name, file)
    assert found["frame"].tolist() == clip.table["frame"].tolist()
    for dimension in ("valence", "arousal"):
        assert np.abs(found[dimension] - clip.table[dimension]).max() <= precision


@pytest.mark.parametrize("name", ["csv", "parquet", "nova", "cvat", *ANCHORS_ONLY])
@settings(max_examples=12, deadline=None)
@given(clip=clips())
def test_what_a_person_said_comes_back_as_such(name, clip):
    file, precision = (KEPT | ANCHORS_ONLY)[name]
    found = back(clip, name, file)
    said, expected = found[found["source"] == "anchor"], clip.human()
    assert said["frame"].tolist() == expected["frame"].tolist()
    for dimension in ("valence", "arousal"):
        assert np.abs(said[dimension].to_numpy() - expected[dimension].to_numpy()).max() <= precision


@settings(max_examples=20, deadline=None)
@given(low=st.floats(-1000, 0), size=st.floats(1, 1000), values=st.lists(st.floats(-1, 1), min_size=4, max_size=4))
def test_another_scale_is_linear_and_turns_back(low, size, values):
    clip = labels(2, 25.0, np.array(values).reshape(2, 2), [0])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.parquet"
        write_annotations(clip, path, va_range=(low, low + size))
        there = pd.read_parquet(path)
        again = read_annotations(path, va_range=(low, low + size)).table
    assert np.allclose(there["valence"], low + (clip.table["valence"] + 1) / 2 * size)
    assert np.allclose(again["valence"], clip.table["valence"], atol=1e-9)


def test_several_people_keep_their_tracks_and_names(tmp_path):
    one = labels(6, 25.0, np.zeros((6, 2)), [1]).table
    other = one.assign(track_id=3, person_id="Anna", valence=0.5)
    clip = Annotations("clip", pd.concat([one.assign(person_id=None), other]), media="clip.mp4")
    for name, file in (("csv", "c.csv"), ("cvat", "c.xml"), ("elan", "c.eaf"), ("label-studio", "c.json")):
        write_annotations(clip, tmp_path / file, name)
        found = read_annotations(tmp_path / file, name)
        means = found.human().groupby("person_id", dropna=False)["valence"].mean()
        assert sorted(means) == [0.0, 0.5], name
        assert "Anna" in found.table["person_id"].tolist(), name
    write_annotations(clip, tmp_path / "c.annotation")
    assert sorted(path.name for path in tmp_path.glob("*.annotation")) == [
        f"{dimension}.{role}.mtclar.annotation"
        for dimension in ("arousal", "valence")
        for role in ("c-Anna", "c-track-0")
    ]


def test_rows_after_the_end_are_refused_with_both_lengths():
    clip = labels(50, 25.0, np.zeros((50, 2)), [0])
    half = Timeline(np.arange(25) / 25)
    with pytest.raises(MtclarError, match=r"lie after the end, up to frame 49, but the video has 25 frames"):
        place(Annotations("clip", clip.table.drop(columns="time_s")), half)
    with pytest.raises(MtclarError, match=r"up to 1\.960 s, but the video has 25 frames and ends at 0\.960 s"):
        place(Annotations("clip", clip.table.drop(columns="frame")), half)


def test_a_rate_that_is_not_the_videos_is_refused():
    table = labels(20, 25.0, np.zeros((20, 2)), [0]).table
    with pytest.raises(MtclarError, match="counts 25 frames a second, but the video has 30"):
        place(Annotations("clip", table, fps=25.0), Timeline(np.arange(60) / 30))


def test_times_between_frames_go_to_the_nearest_and_it_is_said_how_far():
    table = pd.DataFrame({"time_s": [0.0, 0.051, 0.119], "valence": 0.1, "arousal": 0.1})
    placed = place(Annotations("clip", table), Timeline(np.arange(10) / 25))
    assert placed.annotations.table["frame"].tolist() == [0, 1, 3]
    assert (placed.moved, round(placed.largest_s, 6)) == (2, 0.011)
    assert "2 moved to the nearest frame, by at most 11.0 ms" in str(placed)


@pytest.mark.parametrize(
    ("file", "content", "name"),
    [
        ("a.csv", "video_id,frame,valence,arousal\nc,0,0,0\n", "anchors"),
        ("a.csv", "video_id,frame,valence,arousal,valence_lo\n", "csv"),
        ("a.csv", "frame, face_id, timestamp, confidence, success\n", "openface"),
        ("a.csv", '"Multimedia File","x.mp4"\n"Magnitude",100\n', "darma"),
        ("a.csv", '"Multimedia File","x.mp4"\n"Second","Rating"\n', "carma"),
        ("a.tsv", "Time\tBehavior\n", "boris"),
        ("a.json", '{"frames": {}}', "afew-va"),
        ("a.json", '[{"data": {}}]', "label-studio"),
    ],
)
def test_formats_are_known_by_what_stands_in_the_file(tmp_path, file, content, name):
    (tmp_path / file).write_text(content)
    assert format_of(tmp_path / file) == name


def test_unknown_files_and_formats_are_refused_by_name(tmp_path):
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(MtclarError, match=r"a\.doc: in none of the formats that can be read .* name it with --from"):
        format_of(tmp_path / "a.doc")
    with pytest.raises(MtclarError, match=r"unknown format 'elam'.*'elan'"):
        format_of(tmp_path / "a.doc", "elam")
    with pytest.raises(MtclarError, match=r"format carma .* can only be read"):
        format_of(tmp_path / "a.csv", "carma", writing=True)
