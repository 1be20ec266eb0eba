"""Several evaluations, one a fold, against the frames of all folds."""

import copy

import numpy as np
import pytest
from toy_world import SETTINGS, judged, toy_world

from mtclar.errors import MtclarError
from mtclar.evaluation import metrics
from mtclar.evaluation.across_folds import FOLD_COLUMNS, fold_rows, pool_folds
from mtclar.evaluation.scores import plain


@pytest.fixture(scope="module")
def judgements():
    """Three folds of other people."""
    small = SETTINGS.model_copy(update={"bootstrap": 100, "supports": ("first",), "budgets": ()})
    return [judged(*toy_world(seed, clips=3, validation=0), skill=0.6, settings=small) for seed in range(3)]


@pytest.fixture(scope="module")
def pooled(judgements):
    return pool_folds([plain(one.metrics) for one in judgements])


def test_pooled_values_are_those_of_the_frames_of_all_folds(judgements, pooled):
    parts = [item for one in judgements for item in one.labelled["first"]]
    truth = np.concatenate([item.clip.truth[item.queries] for item in parts])
    ours = np.concatenate([item.methods["mtclar"][item.queries] for item in parts])
    for k, dimension in enumerate(("valence", "arousal")):
        found = pooled["few_shot"]["first"]["mtclar"][dimension]["pooled"]
        assert found == pytest.approx(metrics.regression(truth[:, k], ours[:, k]), abs=1e-9)


def test_mean_and_spread_are_those_of_the_folds_own_numbers(judgements, pooled):
    for protocol in ("first", "stride", "stride_with_anchors"):
        for method in ("mtclar", "copy", "train_mean"):
            each = [one.metrics["few_shot"][protocol][method]["arousal"]["ccc"] for one in judgements]
            found = pooled["few_shot"][protocol][method]["arousal"]["per_fold"]
            assert found["mean"]["ccc"] == pytest.approx(np.mean(each), abs=1e-9)
            assert found["sd"]["ccc"] == pytest.approx(np.std(each), abs=1e-9)
    each = [one.metrics["single"]["valence"]["rmse"] for one in judgements]
    assert pooled["single"]["valence"]["per_fold"]["mean"]["rmse"] == pytest.approx(np.mean(each), abs=1e-9)
    assert pooled["accuracy"]["single.expression.accuracy"]["mean"]["accuracy"] == 1
    assert pooled["folds"] == 3


def test_the_table_has_a_cell_a_column_and_dashes_for_what_is_not_defined(pooled):
    rows = fold_rows(pooled, 20)
    assert all(len(row) == len(FOLD_COLUMNS) for row in rows)
    assert rows[0][0] == "valence CCC, one anchor a clip"
    mean = pooled["few_shot"]["first"]["mtclar"]["valence"]["per_fold"]["mean"]["ccc"]
    assert rows[0][1].startswith(f"{mean:.3f} ± ")
    assert next(row for row in rows if row[0] == "valence PCC, one anchor a clip")[-1] == "–"
    assert rows[-1][0] == "picture expression accuracy"


def test_what_one_fold_lacks_is_left_out(judgements):
    folds = [copy.deepcopy(plain(one.metrics)) for one in judgements]
    del folds[1]["few_shot"]["first"]["copy"], folds[2]["single"]
    found = pool_folds(folds)
    assert "copy" not in found["few_shot"]["first"]
    assert "copy" in found["few_shot"]["stride"]
    assert found["single"] == {}
    assert "single.expression.accuracy" not in found["accuracy"]
    assert all(len(row) == len(FOLD_COLUMNS) for row in fold_rows(found, 20))


def test_evaluations_that_were_not_made_alike_are_refused(judgements):
    first = plain(judgements[0].metrics)
    with pytest.raises(MtclarError, match=r"differ in evaluate\.stride \(20, 5\)"):
        pool_folds([first, {**first, "stride": 5}])
    with pytest.raises(MtclarError, match="got none"):
        pool_folds([])
