"""`mtclar synthesize`: people who do not exist, straight into a faces store that the line takes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import FacesStore
from mtclar.data.tables import CODECS, COVERINGS, EXPRESSIONS, FACES, SYNTHESIS, write_table
from mtclar.errors import MtclarError
from mtclar.revision import data_revision
from mtclar.settings import SynthesizeSettings, load_section, read_params
from mtclar.steps import pair, synthesize, validate
from mtclar.synthesis.bulk.parts import MADE_OF, draw_part, made_of, open_parts, read_part, revision_of
from mtclar.synthesis.bulk_plan import bulk_jobs

PARAMS = read_params(Path(__file__).parents[2] / "recipes" / "tiny.yaml")
FEW = {"people": 6, "stills": 5, "stills_held_out": 3, "clips": 1, "detect": 6, "workers": 1, "size": 64}


def settings(**changes: object) -> SynthesizeSettings:
    return load_section("synthesize", {**PARAMS["synthesize"], **FEW, **changes})


FEWER = settings(people=3, stills=2, stills_held_out=2, clips=0)


def digest(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("synthesize") / "faces"
    synthesize.run(settings(), out=out)
    return out


@pytest.fixture(scope="module")
def store(made) -> FacesStore:
    return FacesStore(made)


def test_two_processes_make_the_bytes_that_one_makes(made, tmp_path):
    told = []
    result = synthesize.run(
        settings(workers=2), out=tmp_path / "faces", progress=lambda done, total, what="": told.append((done, total))
    )
    assert digest(tmp_path / "faces") == digest(made)
    faces = sum(result.faces.values())
    assert told[0] == (0, faces)
    assert (faces, faces) in told
    assert [path.name for path in tmp_path.iterdir()] == ["faces"]


def test_a_store_of_aligned_faces_says_so(tmp_path):
    synthesize.run(FEWER.model_copy(update={"align": "mesh"}), out=tmp_path / "faces")
    assert FacesStore(tmp_path / "faces").facts["align"] == "mesh"


def test_another_seed_makes_other_faces(made, tmp_path):
    other = settings(seed=1, stills=1)
    draw_part(tmp_path, bulk_jobs(other)[0], 0, other, None)
    image = read_part(tmp_path, bulk_jobs(other)[0])["image"][0].as_py()
    assert image != FacesStore(made).encoded(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_run_killed_at_any_moment_goes_on_to_the_same_bytes(repository, tmp_path):
    (tmp_path / "settings.json").write_text(FEWER.model_dump_json())
    script = Path(__file__).with_name("killing_synthesis.py")
    told = subprocess.run(
        [sys.executable, script, tmp_path], cwd=repository, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert int(told.stdout.split()[0]) >= 6, told.stdout
    whole = digest(tmp_path / "whole")
    for out in [tmp_path / "killed", *tmp_path.glob("late-*")]:
        assert digest(out) == whole, out
    assert not list(tmp_path.glob(".*")), "the parts are gone"


def test_the_store_holds_every_face_of_the_plan_in_its_order(store):
    jobs = bulk_jobs(settings())
    table = store.table
    assert len(table) == sum(job.count for job in jobs)
    assert table["face_id"].is_unique
    assert set(table["dataset"]) == {"synthetic"}
    start = 0
    for job in jobs:
        rows = table.iloc[start : start + job.count]
        assert set(rows["subject_id"]) == {f"p{job.person:04d}"}
        assert set(rows["split"]) == {job.split}
        if job.kind == "clip":
            assert set(rows["clip_id"]) == {f"p{job.person:04d}-clip"}
            assert rows["frame"].tolist() == rows["pts"].tolist() == list(range(job.count))
            assert rows["time_s"].tolist() == pytest.approx([i / 25 for i in range(job.count)])
            assert set(rows["track_id"]) == {0}
        else:
            assert rows[["clip_id", "frame", "pts", "time_s", "track_id"]].isna().all(axis=None)
        start += job.count


def test_the_store_carries_a_revision_that_follows_from_settings_code_and_face_model(made, tmp_path):
    facts = json.loads((made / "store.json").read_text())
    assert "align" not in facts  # cut by the box
    assert facts["data_revision"] == revision_of(facts["made_of"])
    other = facts["made_of"] | {"settings": facts["made_of"]["settings"] | {"seed": 1}}
    assert revision_of(other) != facts["data_revision"]
    shutil.copytree(made, tmp_path / "before")
    del facts["data_revision"]
    (tmp_path / "before" / "store.json").write_text(json.dumps(facts))
    assert data_revision(tmp_path / "before") == "unknown"
    assert synthesize.run(settings(), out=tmp_path / "before").kept, "one of an earlier mtclar is kept, and stamped"
    assert data_revision(tmp_path / "before") == data_revision(made)


def test_nobody_stands_in_two_splits(store):
    assert (store.table.groupby("subject_id")["split"].nunique() == 1).all()
    assert set(store.table["split"]) == {"train", "validation", "test"}


def test_every_column_lies_in_its_range(store):
    table, made = store.table, store.made()
    assert made is not None
    assert list(made.columns) == SYNTHESIS.names
    assert not made.isna().any(axis=None)
    assert (np.hypot(table["valence"], table["arousal"]) <= 1 + 1e-9).all()
    assert set(table["expression"].dropna()) <= set(EXPRESSIONS)
    assert (table[["w", "h"]] > 0).all(axis=None)
    assert table["score"].isna().all()
    for name in ("skin", "age", "brightness", "covered"):
        assert made[name].between(0, 1).all(), name
    assert (made[["yaw", "pitch", "roll"]].abs() <= 90).all(axis=None)
    assert made["lights"].between(1, 3).all()
    assert made["quality"].between(1, 100).all()
    assert set(made["covering"]) <= set(COVERINGS)
    assert set(made["codec"]) <= set(CODECS)
    assert (made["face_px"] > 0).all()
    assert (made[["blur_px", "noise"]] >= 0).all(axis=None)
    assert ((made["covering"] == "none") == (made["covered"] == 0)).mean() > 0.9


def test_crops_are_pictures_of_the_size_asked_for(store):
    crops = store.crops(range(len(store)))
    assert crops.shape[1:] == (64, 64, 3)
    assert crops.std(axis=(1, 2, 3)).min() > 2, "no crop is blank"


def test_what_is_said_of_the_store_is_what_is_in_it(made, store):
    counted = json.loads((made / "statistics.json").read_text())
    assert counted["faces"] == {s: int((store.table["split"] == s).sum()) for s in ("train", "validation", "test")}
    assert counted["clips"] == {"train": 0, "validation": 1, "test": 1}
    assert np.sum(counted["labels"]["counts"]) == len(store)
    assert counted["detection"]["tried"] == 6
    assert counted["counted"]["blink"]["true"] == int(store.made()["blink"].sum())
    card, page = ((made / name).read_text() for name in ("README.md", "statistics.html"))
    assert f"{len(store)} faces of 6 people" in card
    assert "    people: 6\n" in card
    assert "no third party's data was used" in card
    assert f"{len(store)} faces of 6 people" in page
    asked = page.replace("http://www.w3.org", "")  # the name of SVG, which nobody asks for
    assert not any(word in asked for word in ("<script", "http://", "https://", "<link"))
    assert cv2.imread(str(made / "sheet.jpg")).shape[2] == 3


def test_validate_and_pair_take_the_store(made, store, tmp_path):
    judged = {**PARAMS["validate"], "min_rows": 10, "min_class_share": 0.0, "absent_expressions": list(EXPRESSIONS)}
    validate.run(load_section("validate", judged), faces=made, out=tmp_path / "verdict")
    shutil.copytree(made, tmp_path / "faces")
    # So few people show too few expressions to pair by: their affect must do.
    write_table(store.table.assign(expression=None), tmp_path / "faces" / "faces.parquet", FACES)
    drawn = {**PARAMS["pair"], "pairs": 64, "pairs_held_out": 32, "block_faces": 8, "block_pairs": 16}
    s = load_section("pair", drawn | {"sampling": "affect"})
    result = pair.run(s, faces=tmp_path / "faces", verdict=tmp_path / "verdict", out=tmp_path / "pairs")
    assert result.pairs == {"train": 64, "validation": 32, "test": 32}


def test_a_store_that_is_there_already_is_kept_and_no_face_is_drawn_again(made):
    before = {path.name: path.stat().st_mtime_ns for path in made.iterdir()}
    result = synthesize.run(settings(workers=2), out=made)
    assert {path.name: path.stat().st_mtime_ns for path in made.iterdir()} == before
    assert result.kept == sum(result.faces.values())
    assert "drawn before" in str(result)


def test_a_store_that_was_cut_short_is_made_anew(made, tmp_path):
    shutil.copytree(made, tmp_path / "faces")
    (tmp_path / "faces" / "crops-00000.arrow").write_bytes(b"")
    assert synthesize.run(settings(), out=tmp_path / "faces").kept == 0
    assert digest(tmp_path / "faces") == digest(made)


@pytest.fixture
def stopped(tmp_path, monkeypatch) -> Path:
    """The parts of a run that stopped before it put them together."""

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(synthesize, "_put_together", stop)
        with pytest.raises(KeyboardInterrupt):
            synthesize.run(FEWER, out=tmp_path / "faces")
    return tmp_path / ".faces.parts"


def test_a_part_that_is_damaged_is_drawn_again_and_the_others_are_kept(stopped, tmp_path):
    part = stopped / "p0001.arrow"
    part.write_bytes(part.read_bytes()[:-40])
    with pytest.raises(MtclarError, match=r"p0001\.arrow: the part is damaged"):
        read_part(stopped, bulk_jobs(FEWER)[1])
    result = synthesize.run(FEWER, out=tmp_path / "faces")
    assert result.kept == 4
    assert sum(result.faces.values()) == 6


def test_parts_of_other_settings_are_refused_by_the_first_that_differs(stopped, tmp_path):
    with pytest.raises(MtclarError, match=r"made with synthesize\.people 3, not 4; remove the folder"):
        synthesize.run(FEWER.model_copy(update={"people": 4}), out=tmp_path / "faces")
    (stopped / MADE_OF).write_text("{")
    with pytest.raises(MtclarError, match="cannot be read"):
        synthesize.run(FEWER, out=tmp_path / "faces")


def test_parts_whose_stamp_is_gone_are_not_trusted(stopped, tmp_path):
    (stopped / MADE_OF).unlink()
    (stopped / "p0002.arrow").unlink()
    open_parts(stopped, made_of(FEWER, None))
    assert [path.name for path in stopped.iterdir()] == [MADE_OF]


def test_the_number_of_processes_is_no_reason_to_draw_anything_again():
    assert made_of(settings(workers=1), None) == made_of(settings(workers=7), None)
    assert made_of(settings(pose=0.5), None) != made_of(settings(), None)


def test_a_folder_with_other_things_in_it_is_refused_before_anything_is_drawn(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(MtclarError, match="not an earlier output"):
        synthesize.run(settings(), out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_face_model_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(MtclarError, match="no face model"):
        synthesize.run(settings(artist="rendered"), out=tmp_path / "faces", face_model=tmp_path / "nowhere")
    assert not list(tmp_path.iterdir())


def test_how_faces_were_made_is_a_plain_table_for_others_too(made):
    assert len(pd.read_parquet(made / "synthesis.parquet")) == len(FacesStore(made))
