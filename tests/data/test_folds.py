"""Who is trained on and who is tested."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.data.folds import balanced_folds, fold_count, splits_of
from mtclar.data.tables import SPLITS
from mtclar.errors import MtclarError
from mtclar.settings import SplitSettings

counts = st.lists(st.integers(1, 60), min_size=4, max_size=30)


def asked(**changes) -> SplitSettings:
    """Settings of `mtclar split`."""
    settings = {"protocol": "folds", "folds": 2, "fold": 0, "train_dataset": "", "test_dataset": ""}
    return SplitSettings(**{**settings, "validation": 0.2, "seed": 7, **changes})


def table(frames, dataset="a") -> pd.DataFrame:
    """Faces of subjects with so many frames each, mixed."""
    people = np.repeat([f"{dataset}{i}" for i in range(len(frames))], frames)
    people = np.random.default_rng(len(people)).permutation(people)
    return pd.DataFrame({"subject_id": people, "dataset": dataset})


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(2, 6), st.integers(0, 99), st.floats(0, 0.9))
def test_no_subject_stands_in_two_splits_and_each_is_tested_once_over_the_folds(frames, folds, seed, validation):
    folds = min(folds, len(frames) // 2)
    if folds < 2:
        return
    faces = table(frames)
    tested = []
    for fold in range(folds):
        split = splits_of(faces, asked(folds=folds, fold=fold, seed=seed, validation=validation))
        who = pd.Series(split).groupby(faces["subject_id"].to_numpy()).unique()
        assert (who.str.len() == 1).all()
        assert set(split) <= set(SPLITS)
        assert "train" in split
        tested += [subject for subject, names in who.items() if names[0] == "test"]
    assert sorted(tested) == sorted(faces["subject_id"].unique())


@settings(max_examples=60, deadline=None)
@given(counts, st.integers(2, 6), st.integers(0, 99))
def test_folds_hold_two_subjects_at_least_and_about_as_many_frames_each(frames, folds, seed):
    folds = min(folds, len(frames) // 2)
    names = {f"s{i}": count for i, count in enumerate(frames)}
    if folds < 2:
        return
    groups = balanced_folds(names, folds, seed)
    assert min(map(len, groups)) >= 2
    assert sorted(who for group in groups for who in group) == sorted(names)
    sizes = [sum(names[who] for who in group) for group in groups]
    assert max(sizes) - min(sizes) <= 2 * max(frames)


def test_many_subjects_are_balanced_to_within_a_hundredth():
    frames = {f"s{i}": int(count) for i, count in enumerate(np.random.default_rng(0).integers(10, 600, 240))}
    sizes = [sum(frames[who] for who in group) for group in balanced_folds(frames, 5, 7)]
    assert max(sizes) - min(sizes) < 0.01 * sum(sizes) / 5


def test_a_subject_with_most_of_the_frames_does_not_stand_alone():
    groups = balanced_folds({"star": 1000, **{f"s{i}": 5 + i for i in range(6)}}, 3, 0)
    assert min(map(len, groups)) == 2
    assert {"star", "s1"} in groups  # s1 is the smallest of {s5, s2, s1}, which had the most frames


def test_the_seed_decides_between_subjects_of_equal_frames_and_nothing_else_does():
    faces = table([7] * 12)
    same = [splits_of(faces, asked(folds=3, seed=1)).tolist() for _ in range(2)]
    assert same[0] == same[1]
    assert splits_of(faces, asked(folds=3, seed=2)).tolist() != same[0]
    mixed = faces.sample(frac=1, random_state=0)
    assert splits_of(mixed, asked(folds=3, seed=1)).tolist() == [same[0][i] for i in mixed.index]


def test_validation_subjects_are_a_share_of_the_rest_and_there_may_be_none():
    faces = table([5] * 20)
    some = pd.Series(splits_of(faces, asked(folds=2, validation=0.3))).groupby(faces["subject_id"].to_numpy()).first()
    assert some.value_counts().to_dict() == {"test": 10, "train": 7, "validation": 3}
    assert "validation" not in splits_of(faces, asked(folds=2, validation=0.0))


def test_leaving_one_out_tests_each_subject_once():
    faces = table([3, 9, 4, 5])
    s = asked(protocol="leave-one-out", validation=0.3)
    assert fold_count(faces, s) == 4
    tested = []
    for fold in range(4):
        split = splits_of(faces, s.model_copy(update={"fold": fold}))
        who = faces["subject_id"][split == "test"].unique()
        assert len(who) == 1
        assert set(split) == set(SPLITS)
        tested += list(who)
    assert sorted(tested) == sorted(faces["subject_id"].unique())


def test_one_data_set_trains_another_tests_and_a_third_is_left_out():
    faces = pd.concat([table([4, 5, 6], "a"), table([3, 3], "b"), table([2], "c")], ignore_index=True)
    split = pd.Series(splits_of(faces, asked(protocol="cross", train_dataset="a", test_dataset="b")), dtype=object)
    assert set(split[faces["dataset"] == "a"]) == {"train", "validation"}
    assert set(split[faces["dataset"] == "b"]) == {"test"}
    assert split[faces["dataset"] == "c"].isna().all()


def test_a_subject_of_both_data_sets_is_tested_and_not_trained_on():
    faces = pd.concat([table([4, 5, 6], "a"), table([3, 3], "b")], ignore_index=True)
    faces.loc[faces["subject_id"] == "b0", "subject_id"] = "a0"
    split = splits_of(faces, asked(protocol="cross", train_dataset="a", test_dataset="b", validation=0.0))
    assert all(name is None for name in split[(faces["subject_id"] == "a0") & (faces["dataset"] == "a")])
    assert set(split[(faces["subject_id"] == "a0") & (faces["dataset"] == "b")]) == {"test"}
    assert set(split[faces["subject_id"] == "a1"]) == {"train"}


@pytest.mark.parametrize(
    ("frames", "changes", "sentence"),
    [
        (
            [5] * 4,
            {"folds": 5},
            r"split\.folds is 5, .* there are 4 in all; set it to 2 at most, or use .*leave-one-out",
        ),
        ([5] * 3, {"folds": 2}, r"a fold needs two subjects at least and there are 3 in all; use split\.protocol"),
        ([5], {}, "only one subject in all"),
        ([5], {"protocol": "leave-one-out"}, "only one subject in all"),
        ([], {}, "no subject in all"),
        ([5] * 4, {"fold": 2}, r"split\.fold is 2, but folds count from 0 to 1 \(split\.folds is 2\)"),
        ([5] * 4, {"protocol": "leave-one-out", "fold": 4}, r"from 0 to 3 \(4 subjects\)"),
        ([5] * 4, {"validation": 1.0}, "leaves no subject to train on"),
        ([5] * 4, {"protocol": "cross"}, r"needs split\.train_dataset, one of: afew"),
        ([5] * 4, {"protocol": "cross", "train_dataset": "afw"}, r"no such data set \(did you mean 'afew'\?\)"),
        ([5] * 4, {"protocol": "cross", "train_dataset": "afew"}, r"needs split\.test_dataset"),
        ([5] * 4, {"protocol": "cross", "train_dataset": "afew", "test_dataset": "afew"}, "are both 'afew'"),
    ],
)
def test_what_cannot_be_divided_is_one_sentence(frames, changes, sentence):
    with pytest.raises(MtclarError, match=sentence):
        splits_of(table(frames, "afew"), asked(**changes))


def test_data_sets_of_the_very_same_people_leave_nobody_to_train_on():
    faces = pd.concat([table([4, 5], "a"), table([4, 5], "a").assign(dataset="b")], ignore_index=True)
    with pytest.raises(MtclarError, match="nobody is left to train on"):
        splits_of(faces, asked(protocol="cross", train_dataset="a", test_dataset="b"))


def test_a_face_of_nobody_is_refused():
    faces = table([4, 5, 6, 7])
    faces.loc[2, "subject_id"] = None
    with pytest.raises(MtclarError, match="1 faces have no subject_id"):
        splits_of(faces, asked())
