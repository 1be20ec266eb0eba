"""The table of pairs holds what is true of the faces it names."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mtclar.errors import MtclarError
from mtclar.learning.pairs import Draw, check_belong, pairs_table
from mtclar.learning.pairs.wheel import ring_distances

APART = ring_distances(("happy", "surprise", "fear", "anger", "contempt", "disgust", "sad"))


@pytest.fixture
def faces() -> pd.DataFrame:
    labels = {"valence": [0.5, -0.25, np.nan], "arousal": [0.0, 1.0, 0.5]}
    return pd.DataFrame({**labels, "expression": ["happy", "anger", None]}, index=[10, 20, 30])


@pytest.fixture
def table(faces) -> pd.DataFrame:
    draw = Draw(np.zeros(3, np.int32), np.array([0, 1, 0], np.int32), np.array([1, 1, 2], np.int32))
    return pairs_table(faces, draw, "train", APART)


def test_differences_are_of_labels_left_less_right(table):
    assert table["left"].tolist() == [10, 20, 10]
    assert table["right"].tolist() == [20, 20, 30]
    np.testing.assert_array_equal(table["d_valence"], [0.75, 0, np.nan])
    np.testing.assert_array_equal(table["d_arousal"], [-1, 0, -0.5])


def test_similarity_and_distance_are_unknown_where_an_expression_is(table):
    assert table["similar"].tolist()[:2] == [False, True]
    assert table["wheel_distance"].tolist()[:2] == [4, 1]
    assert table["similar"].isna().tolist() == table["wheel_distance"].isna().tolist() == [False, False, True]


def test_pairs_of_other_faces_are_told_by_their_differences(table, faces):
    whole = faces.reindex(range(31))
    check_belong(table, whole)
    whole.loc[20, "arousal"] = 0.9
    with pytest.raises(MtclarError, match="other differences in arousal"):
        check_belong(table, whole)
