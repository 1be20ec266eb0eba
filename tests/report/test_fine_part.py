"""The tables of finer metrics and of pictures say what metrics.json says."""

import numpy as np
import pytest
from toy_world import SETTINGS, judged, toy_world

from mtclar.report.fine_part import fine_part, pictures_part


@pytest.fixture(scope="module")
def fair():
    return judged(*toy_world(), skill=0.8)


def test_every_method_has_a_row_in_both_tables_and_its_own_numbers(fair):
    found = fair.metrics["few_shot"]["first"]
    page = fine_part(found, ["mtclar", "copy"])
    assert page.count("<table>") == 2
    assert page.count("<td>mtclar, valence</td>") == page.count("<td>copy anchor, arousal</td>") == 2
    fine = found["mtclar"]["valence"]["fine"]
    for value in (fine["ta_05"], fine["p95_ae"], fine["skill"]["copy"], fine["kendall"], fine["per_clip"]["dtw"]):
        assert f"<td>{value:.3f}</td>" in page


def test_what_is_not_defined_is_a_dash_and_counted(fair):
    page = fine_part(fair.metrics["few_shot"]["first"], ["train_mean"])
    assert "nan" not in page
    assert "<td>–</td>" in page
    assert page.count("<td>8</td>") == 2


def test_pictures_stand_raw_and_cleaned_side_by_side(fair):
    page = pictures_part(fair.metrics, fair.confusion)
    assert "<td>raw, 8 expressions</td><td>32</td>" in page
    assert f"<td>cleaned, 8 expressions</td><td>{fair.metrics['single_clean']['n_pictures']}</td>" in page
    assert "Judged here, raw: 4 neutral" in page
    assert "Chance is 0.125" in page
    assert "<svg" in page


def test_with_seven_expressions_chance_is_a_seventh_and_contempt_is_not_judged():
    settings = SETTINGS.model_copy(update={"expressions": 7, "clean": True, "bootstrap": 100})
    found = judged(*toy_world(clips=1, validation=0), skill=0.8, settings=settings)
    page = pictures_part(found.metrics, found.confusion)
    assert "Chance is 0.143" in page
    assert "Judged here, cleaned" in page
    assert "contempt," not in page.split("Chance")[0]
    assert found.confusion[7].sum() == 0


def test_pictures_without_expressions_have_one_protocol_and_no_matrix():
    faces, pairs = toy_world(clips=1, validation=0)
    found = judged(faces.assign(expression=None), pairs.assign(similar=False), skill=0.8)
    page = pictures_part(found.metrics, np.zeros((8, 8), int))
    assert "<td>all</td><td>32</td>" in page
    assert "<svg" not in page
    assert "Chance" not in page
