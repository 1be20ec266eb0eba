"""The features file: what is written is read, and nothing else is."""

import json
from dataclasses import fields

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_features import DIMENSIONS, toy_features

from mtclar.errors import MtclarError
from mtclar.features import Faces, file
from mtclar.features.file import read_features, read_origin, write_features


def assert_same(found, given):
    for item in fields(Faces):
        one, other = getattr(found.faces, item.name), getattr(given.faces, item.name)
        assert one.dtype == other.dtype, item.name
        np.testing.assert_array_equal(one, other, err_msg=item.name)
    for name in ("pts", "time_s", "shot"):
        np.testing.assert_array_equal(getattr(found, name), getattr(given, name))
    for name in ("video", "identity", "notes", "person", "face_pictures", "shot_pictures"):
        assert getattr(found, name) == getattr(given, name), name


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), n=st.integers(0, 30), tracks=st.integers(0, 4), share=st.floats(0, 1))
def test_what_is_written_is_read_back_bit_by_bit(tmp_path, seed, n, tracks, share):
    features = toy_features(seed, n, tracks, share)
    write_features(features, tmp_path / "clip.features")
    assert_same(read_features(tmp_path / "clip.features"), features)


def test_a_video_of_more_rows_than_a_batch_is_read_back_too(tmp_path, monkeypatch):
    monkeypatch.setattr(file, "ROWS_A_BATCH", 7)
    features = toy_features(n=40)
    write_features(features, tmp_path / "clip.features")
    assert pa.ipc.open_file(tmp_path / "clip.features").num_record_batches > 5
    assert_same(read_features(tmp_path / "clip.features"), features)


def test_other_programs_read_a_row_per_frame_and_track_and_an_empty_track_without_a_face(tmp_path):
    features = toy_features()
    write_features(features, tmp_path / "clip.features")
    table = pd.read_feather(tmp_path / "clip.features")
    assert table["frame"].is_monotonic_increasing
    seen = table.dropna(subset="track").sort_values(["track", "frame"])
    np.testing.assert_array_equal(seen["frame"], features.faces.frame)
    np.testing.assert_array_equal(seen[["x", "y", "w", "h"]], features.faces.box)
    np.testing.assert_array_equal(np.stack(seen["embedding"].to_list()), features.faces.embedding)
    np.testing.assert_array_equal(seen["expression_fear"], features.faces.expression[:, 4])
    alone = table[table["track"].isna()]
    assert set(alone["frame"]) == set(range(12)) - set(features.faces.frame.tolist())
    assert alone["x"].isna().all()
    assert alone["embedding"].isna().all()
    stored = pa.feather.read_table(tmp_path / "clip.features").schema.metadata[b"mtclar.features"]
    assert json.loads(stored)["video"]["width"] == 640


def test_what_it_was_made_from_is_read_without_the_rows(tmp_path):
    write_features(toy_features(), tmp_path / "clip.features")
    identity = {"detector": {"name": "toy", "threshold": 0.5}}
    assert read_origin(tmp_path / "clip.features") == ("ab" * 32, identity)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused_in_one_sentence(tmp_path, share):
    path = tmp_path / "clip.features"
    write_features(toy_features(n=200), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    for read in (read_features, read_origin):
        with pytest.raises(MtclarError, match=r"clip\.features: .*(cut short or damaged|something else)"):
            read(path)


def test_what_is_no_features_file_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "clip.features"
    with pytest.raises(MtclarError, match=r"cannot be read \(No such file.*mtclar extract"):
        read_features(path)
    path.write_text("frame,valence\n")
    with pytest.raises(MtclarError, match="expected a features file"):
        read_features(path)
    pa.feather.write_feather(pd.DataFrame({"frame": [1]}), path)
    with pytest.raises(MtclarError, match="an Arrow file, but not one of features"):
        read_features(path)


def rewritten(path, change=None, table=None):
    """The file with other metadata or another table."""
    table = pa.feather.read_table(path) if table is None else table
    facts = json.loads(pa.feather.read_table(path).schema.metadata[b"mtclar.features"])
    (change or (lambda facts: None))(facts)
    table = table.replace_schema_metadata({b"mtclar.features": json.dumps(facts)})
    pa.feather.write_feather(table, path)


def test_a_newer_file_names_both_versions_and_the_way_out(tmp_path):
    path = tmp_path / "clip.features"
    write_features(toy_features(), path)
    rewritten(path, lambda facts: facts.update(schema_version=2))
    with pytest.raises(MtclarError, match="schema version 2, this mtclar reads 1; install the mtclar that wrote it"):
        read_features(path)


@pytest.mark.parametrize("lost", ["score", "embedding", "time_s", "face_picture"])
def test_a_file_without_a_column_or_with_another_type_is_refused(tmp_path, lost):
    path = tmp_path / "clip.features"
    write_features(toy_features(), path)
    table = pa.feather.read_table(path)
    place = table.column_names.index(lost)
    rewritten(path, table=table.set_column(place, lost, pa.array(["x"] * len(table))))
    with pytest.raises(MtclarError, match="damaged"):
        read_features(path)
    write_features(toy_features(), path)
    rewritten(path, table=table.drop_columns([lost]))
    with pytest.raises(MtclarError, match="damaged"):
        read_features(path)


def test_rows_that_are_missing_are_noticed(tmp_path):
    path = tmp_path / "clip.features"
    write_features(toy_features(), path)
    rewritten(path, table=pa.feather.read_table(path).slice(0, 9))
    with pytest.raises(MtclarError, match="its rows are not of 12 frames"):
        read_features(path)


def test_a_file_that_cannot_be_written_whole_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "clip.features"
    write_features(toy_features(seed=1), path)
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(file.pa.ipc, "new_file", full)
    with pytest.raises(MtclarError, match="No space left"):
        write_features(toy_features(seed=2), path)
    assert path.read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["clip.features"]


def test_embeddings_keep_their_width_where_there_is_no_face(tmp_path):
    write_features(toy_features(share=0.0), tmp_path / "clip.features")
    assert read_features(tmp_path / "clip.features").faces.embedding.shape == (0, DIMENSIONS)
