"""Labels and anchors of a copy, carried back to its source."""

import csv

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar import storage
from mtclar.data.frame_map import FrameMap, map_back, read_frame_map
from mtclar.errors import MtclarError

TIMES_S = np.array([0.0, 0.033, 0.1, 0.14, 0.5])


@pytest.fixture
def maps(tmp_path):
    frame_map(TIMES_S).write(tmp_path / "clip.frames.csv")
    frame_map(TIMES_S + 1).write(tmp_path / "monday" / "clip.frames.csv")
    return tmp_path


def frame_map(source_s):
    n = len(source_s)
    return FrameMap(np.arange(n) / 25, np.arange(n), np.arange(n) * 7, np.asarray(source_s, float))


def carried(maps, text):
    (maps / "given.csv").write_text(text, encoding="utf-8")
    map_back(maps / "given.csv", maps, maps / "out.csv")
    return list(csv.DictReader((maps / "out.csv").read_text(encoding="utf-8").splitlines()))


def test_a_table_that_was_written_is_read_back(maps):
    found = read_frame_map(maps / "clip.frames.csv")
    assert found.source_time_s.tolist() == TIMES_S.tolist()
    assert found.source_pts.tolist() == [0, 7, 14, 21, 28]
    assert len(found) == 5


def test_an_anchor_by_its_frame_gets_the_time_of_that_frame_in_the_source(maps):
    rows = carried(maps, "video_id,frame,time_s,valence,arousal\nclip,3,0.12,0.5,-0.25\nmonday/clip,4,,1,1\n")
    assert rows[0] == {"video_id": "clip", "frame": "3", "time_s": "0.140000", "valence": "0.5", "arousal": "-0.25"}
    assert (rows[1]["frame"], rows[1]["time_s"]) == ("4", "")


def test_labels_keep_every_other_column_as_it_is_written(maps):
    text = 'video_id,track_id,frame,pts,time_s,note\nclip,0,1,512,0.040000,"a, ""b"""\nclip,,2,1024,0.080000,é\n'
    rows = carried(maps, text)
    assert [(row["pts"], row["time_s"], row["note"]) for row in rows] == [
        ("7", "0.033000", 'a, "b"'),
        ("14", "0.100000", "é"),
    ]


@given(k=st.integers(0, 4), off=st.floats(-0.49, 0.49))
def test_a_time_nearest_to_a_frame_of_the_copy_is_nearest_to_the_same_frame_of_the_source(k, off):
    known = frame_map(TIMES_S)
    time_s = known.source_time_of(k / 25 + off / 25)
    assert int(np.abs(TIMES_S - time_s).argmin()) == k


def test_times_are_carried_in_proportion_between_frames(maps):
    rows = carried(maps, "video_id,time_s,valence,arousal\nclip,0.02,0,0\nclip,0.16,0,0\nclip,0.165,0,0\n")
    assert [float(row["time_s"]) for row in rows] == pytest.approx([0.0165, 0.5, 0.505])


def test_a_parquet_table_keeps_its_columns_and_metadata(maps):
    table = pa.table({"video_id": ["clip", "clip"], "frame": [0, 2], "time_s": [0.0, 0.08], "valence": [0.5, -0.5]})
    pq.write_table(table.replace_schema_metadata({"mtclar": "{}"}), maps / "given.parquet")
    assert map_back(maps / "given.parquet", maps, maps / "out.parquet") == 2
    found = pq.read_table(maps / "out.parquet")
    assert found.column("time_s").to_pylist() == [0.0, 0.1]
    assert found.column("valence").to_pylist() == [0.5, -0.5]
    assert found.schema.metadata == {b"mtclar": b"{}"}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("video_id,frame\nclip,5\n", r"given\.csv, line 2: expected a frame of the copy, 0 to 4, got '5'"),
        ("video_id,frame\nclip,1.5\n", r"got '1\.5'"),
        ("video_id,time_s\nclip,0.3\n", r"line 2: the copy ends at 0\.160 s, so there is no 0\.3 s in it"),
        ("video_id,time_s\nclip,\n", r"line 2: expected a frame or a time in seconds, got neither"),
        ("video_id,frame\nother,1\n", r"the video 'other' has no other\.frames\.csv in"),
        ("frame,valence\n1,0\n", r"expected the columns video_id and frame or time_s, got frame, valence"),
        ("video_id,frame\nclip,1,2\n", r"line 2: expected 2 cells as in the first line, got 3"),
    ],
)
def test_what_is_of_no_frame_of_the_copy_is_refused_and_nothing_is_written(maps, text, sentence):
    with pytest.raises(MtclarError, match=sentence):
        carried(maps, text)
    assert not (maps / "out.csv").exists()


@pytest.mark.parametrize("content", ["", "frame,time_s\n0,0\n", "a,b\n1,2\n", "\0\xff"])
def test_a_table_that_is_something_else_is_refused(tmp_path, content):
    (tmp_path / "x.frames.csv").write_text(content, encoding="latin-1")
    with pytest.raises(MtclarError, match="expected the table that 'mtclar normalise' writes"):
        read_frame_map(tmp_path / "x.frames.csv")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd"])
def test_no_table_outside_of_the_folder_is_read(tmp_path, name):
    file = tmp_path / "anchors.csv"
    file.write_text(f"video_id,frame\n{name},0\n")
    with pytest.raises(MtclarError, match="the name of a video below the output folder"):
        map_back(file, tmp_path, tmp_path / "out.csv")


def test_the_tables_of_copies_on_s3_are_read_there(tmp_path, maps, s3):
    storage.upload(maps / "clip.frames.csv", f"{s3}/clip.frames.csv")
    file = tmp_path / "anchors.csv"
    file.write_text("video_id,frame,valence,arousal\nclip,3,0.1,0.2\n")
    assert map_back(file, s3, tmp_path / "there.csv") == map_back(file, maps, tmp_path / "here.csv") == 1
    assert (tmp_path / "there.csv").read_bytes() == (tmp_path / "here.csv").read_bytes()
    file.write_text("video_id,frame,valence,arousal\nother,3,0.1,0.2\n")
    with pytest.raises(MtclarError, match=r"the video 'other' has no other\.frames\.csv in s3://"):
        map_back(file, s3, tmp_path / "there.csv")
