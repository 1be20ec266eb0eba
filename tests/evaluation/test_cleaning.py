"""EmoNet's automatic cleaning and AffectNet's two protocols, each rule as it stands in words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_world import embedded, faces_table, picture_rows

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.evaluation.cleaning import consistent, in_protocol
from mtclar.evaluation.heads import Pictures, score_protocols, training_facts

CASES = [
    ("neutral", 0.1, 0.1, True),
    ("neutral", 0.2, 0.0, False),
    ("happy", 0.3, -0.5, True),
    ("happy", -0.3, 0.5, False),
    ("happy", 0.1, 0.1, False),
    ("sad", -0.3, 0.4, True),
    ("sad", 0.0, -0.4, False),
    ("surprise", -0.3, 0.4, True),
    ("surprise", 0.3, 0.0, False),
    ("fear", 0.0, 0.4, True),
    ("fear", -0.4, 0.0, True),
    ("fear", 0.1, 0.4, False),
    ("fear", -0.1, -0.4, False),
    ("disgust", -0.4, 0.0, True),
    ("disgust", -0.25, 0.0, False),
    ("anger", 0.2, 0.3, True),
    ("anger", -0.4, 0.0, False),
    ("contempt", -0.1, 0.3, True),
    ("contempt", 0.1, 0.3, False),
    ("contempt", -0.1, 0.1, False),
]


@pytest.mark.parametrize(("expression", "valence", "arousal", "kept"), CASES)
def test_a_picture_is_kept_if_its_affect_agrees_with_its_expression(expression, valence, arousal, kept):
    found = consistent(np.array([EXPRESSIONS.index(expression)]), np.array([valence]), np.array([arousal]))
    assert found.tolist() == [kept]


@given(st.lists(st.tuples(st.integers(-1, 7), st.floats(-1, 1), st.floats(-1, 1)), max_size=30))
def test_each_picture_is_judged_on_its_own_and_an_unknown_expression_is_never_kept(rows):
    columns = [np.array(column, float if i else int) for i, column in enumerate(zip(*rows, strict=True))]
    columns = columns or [np.zeros(0, int), np.zeros(0), np.zeros(0)]
    found = consistent(*columns)
    assert found.tolist() == [bool(consistent(*(column[[i]] for column in columns))[0]) for i in range(len(rows))]
    assert not found[columns[0] < 0].any()


def test_unknown_affect_is_never_kept():
    assert not consistent(np.array([0, 1, 6]), np.full(3, np.nan), np.array([0.0, 0.3, 0.3])).any()


def test_columns_of_different_length_and_unknown_codes_are_refused():
    with pytest.raises(MtclarError, match="one length"):
        consistent(np.zeros(2, int), np.zeros(3), np.zeros(3))
    with pytest.raises(MtclarError, match=r"outside -1\.\.7"):
        consistent(np.array([8]), np.zeros(1), np.zeros(1))


def test_seven_expressions_leave_out_contempt_and_both_leave_out_pictures_of_none():
    codes, affect = np.array([0, 7, -1, 3]), np.array([[0.0, 0.0], [-0.5, 0.2], [0.3, 0.3], [0.2, -0.3]])
    assert in_protocol(codes, affect, expressions=8, clean=False).tolist() == [True, True, False, True]
    assert in_protocol(codes, affect, expressions=7, clean=False).tolist() == [True, False, False, True]
    assert in_protocol(codes, affect, expressions=8, clean=True).tolist() == [True, True, False, False]
    assert in_protocol(np.full(2, -1), affect[:2], expressions=7, clean=True).all()


@pytest.fixture
def pictures():
    """Pictures of six people that a model sees through, contempt sometimes taken for anger."""
    rng = np.random.default_rng(0)
    faces = faces_table(picture_rows(rng, [f"p{i}" for i in range(6)], "test"))
    code = embedded(faces, np.arange(len(faces))).values[:, 2].astype(int)
    affect = faces[["valence", "arousal"]].to_numpy(float)
    probabilities = 0.5 * np.eye(8)[code]
    probabilities[code == 6, 7] = 0.9
    people = faces["subject_id"].to_numpy(str)
    return Pictures(people, code, affect, probabilities, 0.8 * affect), training_facts(code, affect, np.zeros((1, 2)))


def scored(pictures, training, **changes):
    asked = {"expressions": 8, "clean": False, "resamples": 100, "rng": np.random.default_rng(0), **changes}
    return score_protocols(pictures, training, **asked)


def test_raw_and_clean_numbers_stand_side_by_side_and_single_is_what_was_asked_for(pictures):
    raw, judged = scored(*pictures)
    assert raw["single"] == raw["single_raw"]
    assert judged.all()
    clean, kept = scored(*pictures, clean=True)
    assert clean["single"] == clean["single_clean"]
    assert clean["single"]["n_pictures"] == kept.sum() == sum(clean["single"]["kept"].values())
    assert 0 < clean["single"]["n_pictures"] < clean["single_raw"]["n_pictures"] == 48
    assert clean["single_raw"]["kept"] == dict.fromkeys(EXPRESSIONS, 6)


def test_among_seven_expressions_the_answer_is_one_of_the_seven(pictures):
    eight, seven = scored(*pictures)[0]["single"], scored(*pictures, expressions=7)[0]["single"]
    assert eight["expression"]["accuracy"] == pytest.approx(7 / 8)
    assert seven["expression"]["accuracy"] == 1
    assert seven["expression"]["chance"]["accuracy"] == 1 / 7
    assert seven["n_pictures"] == 42
    assert "contempt" not in seven["kept"]


def test_without_expressions_there_is_one_protocol_and_no_accuracy(pictures):
    some, training = pictures
    blank = Pictures(some.person, np.full(48, -1), some.truth, some.expression_p, some.affect_p)
    found, judged = scored(blank, training, clean=True, expressions=7)
    assert set(found) == {"single"}
    assert judged.all()
    assert "expression" not in found["single"]
    assert found["single"]["valence"]["fine"]["ta_30"] > 0.9


def test_a_protocol_that_keeps_no_picture_says_so_with_a_zero(pictures):
    some, training = pictures
    odd = Pictures(some.person, np.zeros(48, int), np.full((48, 2), 0.9), some.expression_p, some.affect_p)
    assert scored(odd, training)[0]["single_clean"] == {"n_pictures": 0, "n_people": 0}


def test_pictures_have_the_finer_metrics_but_no_course_in_time(pictures):
    fine = scored(*pictures)[0]["single"]["arousal"]["fine"]
    assert fine["kendall"] == pytest.approx(1)
    assert fine["ci_low"]["ta_05"] <= fine["ta_05"] <= fine["ci_high"]["ta_05"]
    assert fine["off_grid"] == 48
    assert np.isnan(fine["grid"])
    assert "per_clip" not in fine
    assert "sda_1" not in fine
