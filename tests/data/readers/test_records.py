"""Splits by subject, and the meaning of missing labels."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtclar.data.readers.records import Notes, divide, number, pair, together
from mtclar.errors import MtclarError

NAMES = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=60)


@given(NAMES, st.floats(0, 0.4), st.floats(0, 0.4), st.integers(0, 99))
def test_splits_have_their_shares_and_depend_only_on_names_and_seed(names, validation, test, seed):
    first = divide(sorted(names), validation=validation, test=test, seed=seed)
    again = divide(sorted(names, reverse=True) * 2, validation=validation, test=test, seed=seed)
    assert first == again
    assert set(first) == names
    counts = {split: list(first.values()).count(split) for split in ("train", "validation", "test")}
    assert counts["train"] >= 1
    for split, share in (("validation", validation), ("test", test)):
        assert abs(counts[split] - share * len(names)) <= 1
        if share > 0 and len(names) >= 3:
            assert counts[split] >= 1
        if share == 0:
            assert counts[split] == 0


def test_another_seed_divides_otherwise():
    names = [str(i) for i in range(40)]
    one, other = (divide(names, validation=0.2, test=0.2, seed=seed) for seed in (1, 2))
    assert one != other


def test_shares_that_leave_nobody_to_train_on_are_refused():
    with pytest.raises(MtclarError, match=r"crop\.validation"):
        divide("abc", validation=0.5, test=0.5, seed=0)


@pytest.mark.parametrize(("valence", "arousal"), [(-2.0, 0.3), (0.3, -2.0), (math.nan, 0.1), (0.1, math.inf)])
def test_half_a_label_is_none(valence, arousal):
    assert all(math.isnan(value) for value in pair(valence, arousal, -2.0))


def test_a_label_out_of_range_is_passed_on_for_the_gate_to_see():
    assert pair(1.7, -1.2, -2.0) == (1.7, -1.2)


def test_what_is_no_number_is_not_known():
    assert number(" 0.5 ") == 0.5
    assert math.isnan(number("n/a"))
    assert math.isnan(number(None))


def test_pictures_are_grouped_in_order_and_none_is_lost():
    groups = list(together(range(70), lambda items, notes: items, size=32))
    assert [len(list(group.records(Notes()))) for group in groups] == [32, 32, 6]
    assert [item for group in groups for item in group.records(Notes())] == list(range(70))
