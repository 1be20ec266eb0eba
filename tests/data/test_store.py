from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mtclar.data.store import MADE, FacesStore, FacesWriter, decode, encode
from mtclar.data.tables import FACES, SYNTHESIS, write_table
from mtclar.errors import MtclarError


def face(i: int, **changes) -> dict:
    row = dict.fromkeys(FACES.names)
    row.update(
        face_id=f"t/{i}", dataset="t", subject_id="s", x=0.0, y=0.0, w=9.0, h=9.0, split="train", valence=i / 1000
    )
    return {**row, **changes}


def write(folder, n: int, size: int = 64) -> None:
    with FacesWriter(folder, size=size, quality=95, facts={"detector": "ladder"}) as writer:
        for i in range(n):
            writer.add(face(i), np.full((size, size, 3), i % 256, np.uint8))


def test_every_row_gives_back_its_own_crop_across_batches_and_shards(tmp_path, monkeypatch):
    monkeypatch.setattr("mtclar.data.store.SHARD_ROWS", 300)
    write(tmp_path / "faces", 700)
    store = FacesStore(tmp_path / "faces")
    assert len(list((tmp_path / "faces").glob("crops-*.arrow"))) == 2
    assert len(store) == 700
    for row in (0, 255, 256, 299, 300, 512, 699):
        assert abs(int(store.crop(row).mean()) - row % 256) <= 1
        assert store.table.valence[row] == row / 1000
    assert store.crops([3, 600]).shape == (2, 64, 64, 3)
    assert store.facts["detector"] == "ladder"


def test_a_row_outside_the_store_is_an_index_error(tmp_path):
    write(tmp_path / "faces", 3)
    for row in (-1, 3):
        with pytest.raises(IndexError):
            FacesStore(tmp_path / "faces").crop(row)


def test_a_writer_left_by_an_error_leaves_the_old_store_as_it_was(tmp_path):
    write(tmp_path / "faces", 2)
    with (
        pytest.raises(RuntimeError),
        FacesWriter(tmp_path / "faces", size=64, quality=95) as writer,
    ):
        writer.add(face(0), np.zeros((64, 64, 3), np.uint8))
        raise RuntimeError
    assert len(FacesStore(tmp_path / "faces")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["faces"]


def test_a_store_cut_short_is_refused_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("mtclar.data.store.SHARD_ROWS", 256)
    write(tmp_path / "faces", 500)
    (tmp_path / "faces" / "crops-00001.arrow").unlink()
    with pytest.raises(MtclarError, match="500 faces in the table but 256 crops"):
        FacesStore(tmp_path / "faces")


def test_a_damaged_crops_file_is_refused_by_name(tmp_path):
    write(tmp_path / "faces", 5)
    file = tmp_path / "faces" / "crops-00000.arrow"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(MtclarError, match=r"crops-00000\.arrow"):
        FacesStore(tmp_path / "faces")


@pytest.fixture(scope="module")
def made_store(tmp_path_factory) -> Path:
    """A store of made faces whose crops lie in two files."""
    folder = tmp_path_factory.mktemp("store") / "faces"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtclar.data.store.SHARD_ROWS", 256)
        write(folder, 300, size=16)
    write_table(made_rows(300), folder / MADE, SYNTHESIS)
    return folder


def made_rows(n: int) -> pd.DataFrame:
    """How n faces might have been made."""
    values = dict.fromkeys(SYNTHESIS.names, 1) | {
        "covering": "none",
        "codec": "jpeg",
        "mouth": "speech",
        "blink": False,
        "actions": [0.5],
        "landmarks": [0.1, 0.2],
    }
    return pd.DataFrame(
        {name: [value] * n for name, value in values.items()} | {"face_id": [f"t/{i}" for i in range(n)]}
    )


def test_how_faces_were_made_is_told_row_for_row(made_store, tmp_path):
    made = FacesStore(made_store).made()
    assert made is not None
    assert made["face_id"].tolist() == [f"t/{i}" for i in range(300)]
    write(tmp_path / "faces", 3)
    assert FacesStore(tmp_path / "faces").made() is None


def test_a_table_of_how_faces_were_made_must_be_as_long_as_the_store_and_speak_of_its_faces(made_store, tmp_path):
    shutil.copytree(made_store, tmp_path / "faces")
    write_table(made_rows(299), tmp_path / "faces" / MADE, SYNTHESIS)
    with pytest.raises(
        MtclarError, match=r"300 faces but 299 rows in synthesis\.parquet; .*run 'mtclar synthesize' again"
    ):
        FacesStore(tmp_path / "faces")
    write_table(made_rows(300).iloc[::-1], tmp_path / "faces" / MADE, SYNTHESIS)
    with pytest.raises(MtclarError, match="speaks of other faces"):
        FacesStore(tmp_path / "faces").made()


FILES = ["store.json", "faces.parquet", MADE, "crops-00000.arrow", "crops-00001.arrow"]


@hypothesis_settings(deadline=None, max_examples=60)
@given(name=st.sampled_from(FILES), share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_anywhere_is_one_sentence_that_names_the_store(made_store, tmp_path_factory, name, share):
    folder = tmp_path_factory.mktemp("cut") / "faces"
    shutil.copytree(made_store, folder)
    whole = (folder / name).read_bytes().rstrip()
    (folder / name).write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(MtclarError) as told:
        FacesStore(folder)
    assert str(folder) in str(told.value)
    assert "\n" not in str(told.value)


@hypothesis_settings(deadline=None, max_examples=80)
@given(name=st.sampled_from(FILES), at=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_file_with_a_wrong_byte_is_read_or_refused_in_a_sentence(made_store, tmp_path_factory, name, at, value):
    folder = tmp_path_factory.mktemp("wrong") / "faces"
    shutil.copytree(made_store, folder)
    data = bytearray((folder / name).read_bytes())
    data[int(at * len(data))] = value
    (folder / name).write_bytes(data)
    try:
        store = FacesStore(folder)
        store.made()
        for row in (0, 255, 299):
            store.encoded(row)
    except MtclarError:
        pass


def test_a_file_of_crops_with_other_columns_is_refused_by_them(made_store, tmp_path):
    shutil.copytree(made_store, tmp_path / "faces")
    other = pa.table({"picture": [b"x"] * 256})
    with pa.ipc.new_file(str(tmp_path / "faces" / "crops-00000.arrow"), other.schema) as sink:
        sink.write_table(other)
    with pytest.raises(MtclarError, match="its columns are picture"):
        FacesStore(tmp_path / "faces")


def test_a_folder_that_is_no_store_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="expected a faces store"):
        FacesStore(tmp_path)


def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"):
        write(tmp_path / "file" / "faces", 1)


def test_colours_survive_encoding():
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 200
    assert abs(decode(encode(red, 95), "red").astype(int) - red).max() <= 3


@pytest.mark.parametrize("data", [b"", b"not a picture"])
def test_bytes_that_are_no_picture_are_refused_by_name(data):
    with pytest.raises(MtclarError, match="somewhere"):
        decode(data, "somewhere")
