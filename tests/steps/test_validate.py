"""The gate: what a faces store must be, and what is said when it is not."""

import json
import re

import numpy as np
import pytest

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import EXPRESSIONS, FACES
from mtclar.errors import MtclarError
from mtclar.settings import ValidateSettings, load_section, read_params
from mtclar.steps import validate


def settings(**changes) -> ValidateSettings:
    return load_section("validate", {**read_params()["validate"], "min_rows": 10, **changes})


def rows(count: int = 24) -> list[dict]:
    common = {"dataset": "d", "x": 1.0, "y": 1.0, "w": 30.0, "h": 30.0, "score": 1.0, "track_id": 0}
    return [
        dict.fromkeys(FACES.names)
        | common
        | {
            "face_id": f"d/{i}",
            "subject_id": f"s{i // 2}",
            "split": ["train", "validation", "test"][i // 2 % 3],
            "valence": np.sin(i),
            "arousal": np.cos(i),
            "expression": EXPRESSIONS[i % 8],
        }
        for i in range(count)
    ]


def store(folder, table, crops=None):
    with FacesWriter(folder, size=32, quality=90) as writer:
        for i, row in enumerate(table):
            writer.add(row, (crops or {}).get(i, np.full((32, 32, 3), i, np.uint8)))
    return folder


def test_good_faces_pass_and_the_pages_need_no_network(tmp_path):
    result = validate.run(settings(), faces=store(tmp_path / "faces", rows()), out=tmp_path / "out")
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert verdict["success"] is True
    assert result.success
    assert verdict["faces"] == 24
    assert all(item["success"] and item["sentence"] and item["rows"] == [] for item in verdict["expectations"])
    pages = sorted((tmp_path / "out" / "data_docs").rglob("*.html"))
    assert (tmp_path / "out" / "data_docs" / "index.html") in pages
    fetched = re.compile(r"<script|<img|<iframe|<link|@import|(?:src\s*=|url\()\s*['\"]?\s*(?:https?:)?//", re.I)
    for page in [*pages, *(tmp_path / "out").rglob("*.css")]:
        assert not fetched.search(page.read_text()), page
    assert any("values must be unique" in page.read_text() for page in pages)


def test_the_terminal_hears_nothing_of_great_expectations_own_doings(tmp_path, caplog):
    validate.run(settings(), faces=store(tmp_path / "faces", rows()), out=tmp_path / "out")
    assert not [record.getMessage() for record in caplog.records if record.name.startswith("great_expectations")]


def test_every_broken_expectation_gets_one_sentence_and_the_verdict_is_still_written(tmp_path):
    table = rows()
    table[0]["valence"] = 1.5
    table[1]["face_id"] = "d/2"
    table[3]["expression"] = "bored"
    table[4]["split"] = "holdout"
    table[6]["arousal"] = float("nan")
    table[9]["w"] = 0.0
    table[10]["subject_id"] = "s0"
    for row in table[11:]:
        row["expression"] = "happy" if row["expression"] == "contempt" else row["expression"]
    table[7]["expression"] = "neutral"
    faces = store(tmp_path / "faces", table, crops={5: b"no picture"})
    with pytest.raises(MtclarError) as failure:
        validate.run(settings(min_rows=100, min_class_share=0.1), faces=faces, out=tmp_path / "out")
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    broken = {item["name"]: item for item in verdict["expectations"] if not item["success"]}
    assert verdict["success"] is False
    assert set(broken) == {
        "rows",
        "unique ids",
        "valence range",
        "known expressions",
        "all expressions",
        "class balance",
        "known splits",
        "w positive",
        "splits apart",
        "both or neither",
        "crops decode",
    }
    for item in broken.values():
        assert item["sentence"] in str(failure.value)
        assert len(item["rows"]) <= 3
    assert broken["valence range"]["rows"] == [{"valence": 1.5, "face_id": "d/0"}]
    assert broken["rows"]["sentence"] == "Expected: at least 100 faces; there are 24."
    assert "no contempt" in broken["all expressions"]["sentence"]
    assert "s0" in broken["splits apart"]["sentence"]
    assert broken["both or neither"]["rows"][0]["face_id"] == "d/6"
    assert broken["crops decode"]["rows"][0]["face_id"] == "d/5"
    assert (tmp_path / "out" / "data_docs" / "index.html").is_file()


def test_a_crop_of_another_size_does_not_count_as_decoded(tmp_path):
    small = np.zeros((16, 16, 3), np.uint8)
    finding = validate.check_crops(FacesStore(store(tmp_path / "f", rows(), crops={23: small})), 2)
    assert not finding.success
    assert finding.rows == [{"face_id": "d/23", "reason": "it is 16 x 16 pixels"}]


def test_a_limited_look_at_crops_reaches_from_the_first_to_the_last(tmp_path):
    faces = FacesStore(store(tmp_path / "f", rows(), crops={0: b"", 12: b"", 23: b""}))
    assert [row["face_id"] for row in validate.check_crops(faces, 2).rows] == ["d/0", "d/23"]
    assert len(validate.check_crops(faces, 0).rows) == 3


def test_a_subject_in_two_splits_is_named_with_both(tmp_path):
    table = FacesStore(store(tmp_path / "f", [*rows(), {**rows()[0], "face_id": "z", "split": "test"}])).table
    finding = validate.check_subjects(table)
    assert finding.rows == [{"subject_id": "s0", "splits": ["test", "train"]}]
    assert "1 of 12 subjects" in finding.sentence


def test_an_unknown_absent_expression_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(MtclarError, match="did you mean 'contempt'"):
        validate.run(settings(absent_expressions=["contemt"]), faces=tmp_path, out=tmp_path / "out")


def test_a_folder_that_is_no_store_is_one_sentence(tmp_path):
    with pytest.raises(MtclarError, match="mtclar crop"):
        validate.run(settings(), faces=tmp_path, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
