from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mtclar.data.tables import LABELS, PAIRS, read_table, write_columns, write_table
from mtclar.errors import MtclarError


def pairs() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "wheel_distance": [1, 3],
            "split": ["train", "test"],
            "block": [0, 0],
            "left": [0, 1],
            "right": [1, 2],
            "similar": [True, False],
            "d_valence": [0.5, np.nan],
            "d_arousal": [0.0, 1.0],
        }
    )


def test_a_table_comes_back_in_the_order_and_types_of_its_schema(tmp_path):
    write_table(pairs(), tmp_path / "deep" / "pairs.parquet", PAIRS, {"origin": "a test"})
    table = read_table(tmp_path / "deep" / "pairs.parquet", PAIRS)
    assert list(table.columns) == PAIRS.names
    assert table.similar.tolist() == [True, False]
    assert np.isnan(table.d_valence[1])
    assert pq.read_schema(tmp_path / "deep" / "pairs.parquet").metadata[b"origin"] == b"a test"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["pairs.parquet"]


def test_a_missing_column_is_named_on_writing_and_on_reading(tmp_path):
    with pytest.raises(MtclarError, match="similar"):
        write_table(pairs().drop(columns="similar"), tmp_path / "pairs.parquet", PAIRS)
    pairs().drop(columns="left").to_parquet(tmp_path / "other.parquet")
    with pytest.raises(MtclarError, match="left"):
        read_table(tmp_path / "other.parquet", PAIRS)


def test_a_value_of_the_wrong_type_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="declared type"):
        write_table(pairs().assign(left=["a", "b"]), tmp_path / "pairs.parquet", PAIRS)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"", b"a,b\n1,2\n"])
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, content):
    if content is not None:
        (tmp_path / "pairs.parquet").write_bytes(content)
    with pytest.raises(MtclarError, match=r"pairs\.parquet"):
        read_table(tmp_path / "pairs.parquet", PAIRS)


def test_columns_as_arrays_are_written_as_a_table_is(tmp_path):
    columns = {
        "video_id": np.array(["a", "b", "c"], object),
        "track_id": np.array([0, None, 2], object),
        "person_id": np.array([None, "Ada", None], object),
        **{name: np.arange(3) for name in ("frame", "pts", "shot_id")},
        **{field.name: np.array([0.5, np.nan, np.inf]) for field in LABELS if field.type == pa.float64()},
        **{name: np.array(["x", "", "y"], object) for name in ("source", "status", "anchor_ids")},
    }
    write_columns(columns, tmp_path / "arrays.parquet", LABELS, {"mtclar": "facts"})
    write_table(pd.DataFrame(columns), tmp_path / "frame.parquet", LABELS)
    found, known = (pq.read_table(tmp_path / f"{name}.parquet") for name in ("arrays", "frame"))
    assert found.schema.metadata == {b"mtclar": b"facts"}
    assert found.replace_schema_metadata(None).equals(known.replace_schema_metadata(None))
    assert found["valence"].null_count == 1
    with pytest.raises(MtclarError, match="does not have its declared type"):
        write_columns(columns | {"frame": np.array(["x"] * 3, object)}, tmp_path / "no.parquet", LABELS)
    with pytest.raises(MtclarError, match=r"lacks the column\(s\) frame"):
        write_columns({name: columns[name] for name in columns if name != "frame"}, tmp_path / "no.parquet", LABELS)
