from __future__ import annotations

import json
from pathlib import Path

import pytest

from mtclar.errors import MtclarError
from mtclar.serving.facts import calibration, headline, licences


def _metrics(folder: Path, valence: float | None = 0.8) -> Path:
    few_shot = {"first": {"mtclar": {"valence": {"ccc": valence}, "arousal": {"ccc": 0.7}}}}
    (folder / "metrics.json").write_text(json.dumps({"few_shot": few_shot}))
    return folder


def test_the_headline_is_read_from_its_place_in_metrics_json(tmp_path: Path) -> None:
    assert headline(_metrics(tmp_path)) == {"valence_ccc": 0.8, "arousal_ccc": 0.7}


def test_an_unknown_gated_metric_is_refused_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(MtclarError, match=r"'few_shot\.first\.mtclar\.valence\.ccc' is missing"):
        headline(_metrics(tmp_path, None))


def test_a_missing_or_broken_evaluation_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MtclarError, match=r"calibration\.json: cannot be read .*mtclar evaluate"):
        calibration(tmp_path)
    (tmp_path / "calibration.json").write_text('{"half_width": NaN}')
    with pytest.raises(MtclarError, match="NaN is not JSON"):
        calibration(tmp_path)
    (tmp_path / "calibration.json").write_text("[]")
    with pytest.raises(MtclarError, match="expected an object, got list"):
        calibration(tmp_path)


def test_the_terms_of_every_data_set_are_named_and_unknown_ones_said_to_be_unknown() -> None:
    terms = licences(["sample", "AffectNet", "holiday", "sample"])
    assert list(terms) == ["software", "AffectNet", "holiday", "sample"]
    assert "MIT" in terms["sample"]
    assert "non-commercial" in terms["AffectNet"]
    assert "not known" in terms["holiday"]
