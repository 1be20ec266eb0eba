from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from mtclar.data.tables import PAIRS, read_table, write_table
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
