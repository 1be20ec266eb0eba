"""The short table says what metrics.json says."""

from toy_world import judged, toy_world

from mtclar.evaluation.scores import plain
from mtclar.evaluation.summary import SUMMARY_COLUMNS, headline, summary_rows


def test_each_row_has_a_cell_for_each_column_and_names_its_metric():
    rows = summary_rows(plain(judged(*toy_world(), skill=0.8).metrics))
    assert all(len(row) == len(SUMMARY_COLUMNS) for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


def test_the_first_row_is_valence_ccc_with_its_interval_beside_the_baselines():
    metrics = plain(judged(*toy_world(), skill=0.8).metrics)
    found = metrics["few_shot"]["first"]
    row = dict(zip(SUMMARY_COLUMNS, summary_rows(metrics)[0], strict=True))
    ours = found["mtclar"]["valence"]
    assert row["metric"] == "valence CCC, one anchor a clip"
    low, high = ours["ci_low"]["ccc"], ours["ci_high"]["ccc"]
    assert row["mtclar [95 % CI]"] == f"{ours['ccc']:.3f} [{low:.3f}, {high:.3f}]"
    assert row["copy anchor"] == f"{found['copy']['valence']['ccc']:.3f}"
    assert row["training mean"] == "0.000"


def test_what_was_not_judged_is_a_dash_and_not_a_number():
    rows = summary_rows(plain(judged(*toy_world(clips=0, validation=0), skill=0.8).metrics))
    assert rows[0][1:] == ["–"] * 6
    assert summary_rows({})[0][1:] == ["–"] * 6


def test_metrics_before_and_after_writing_make_the_same_table():
    metrics = judged(*toy_world(clips=1), skill=0.8).metrics
    assert summary_rows(metrics) == summary_rows(plain(metrics))


def test_the_headline_is_a_handful_of_numbers_taken_from_the_metrics():
    metrics = judged(*toy_world(), skill=0.8).metrics
    found = headline(metrics)
    assert found["first_valence_ccc"] == metrics["few_shot"]["first"]["mtclar"]["valence"]["ccc"]
    assert found["stride_arousal_ccc_copy"] == metrics["few_shot"]["stride"]["copy"]["arousal"]["ccc"]
    assert len(found) == 14
    assert headline({}) == {}
