"""The sample as a whole: layouts, labels, splits, and the same bytes from the same seed."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from mtclar.errors import MtclarError
from mtclar.synthesis.draw import draw_job
from mtclar.synthesis.layouts import pack_folder
from mtclar.synthesis.plan import Job

Make = Callable[..., dict[str, Any]]


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def pictures_of(video: Path) -> np.ndarray:
    with av.open(str(video)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def index_of(sample: Path) -> dict:
    return json.loads((sample / "sample.json").read_text())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_the_same_seed_gives_the_same_bytes_whatever_the_number_of_workers(
    make: Make, sample: Path, tmp_path: Path
) -> None:
    make(tmp_path / "again", workers=1)
    first, again = digest(sample), digest(tmp_path / "again")
    assert first.keys() == again.keys()
    # The encoder does not always decide alike, even in one thread: of videos the pictures are compared.
    assert {path for path in first if first[path] != again[path]} <= {path for path in first if path.endswith(".mp4")}
    for path in sample.glob("videos/*.mp4"):
        ours, others = pictures_of(path), pictures_of(tmp_path / "again" / "videos" / path.name)
        assert np.abs(ours.astype(int) - others).mean() < 1


def test_another_seed_gives_other_people(make: Make, sample: Path, tmp_path: Path) -> None:
    make(tmp_path / "other", people=3, clips=0, seed=8)
    ours, others = digest(sample), digest(tmp_path / "other")
    assert ours["affectnet/train_set/images/0.jpg"] != others["affectnet/train_set/images/0.jpg"]


def test_an_archived_sample_holds_the_same_files_in_zips(make: Make, sample: Path, tmp_path: Path) -> None:
    make(tmp_path / "packed", workers=2, archive=True)
    for zipped, parent in (("affectnet/train_set.zip", "affectnet"), ("afew-va/01.zip", "afew-va")):
        with zipfile.ZipFile(tmp_path / "packed" / zipped) as packed:
            assert packed.namelist() == sorted(packed.namelist())
            for name in packed.namelist():
                assert packed.read(name) == (sample / parent / name).read_bytes()


def test_the_same_folder_packs_to_the_same_bytes_whenever_it_was_written(sample: Path, tmp_path: Path) -> None:
    shutil.copytree(sample / "afew-va" / "01", tmp_path / "01")
    pack_folder(sample / "afew-va" / "01", tmp_path / "one.zip")
    pack_folder(tmp_path / "01", tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_pictures_lie_as_in_affectnets_npy_release(sample: Path) -> None:
    index = index_of(sample)
    ids = {}
    for split in ("train_set", "val_set"):
        folder = sample / "affectnet" / split
        ids[split] = sorted(int(path.stem) for path in (folder / "images").glob("*.jpg"))
        assert ids[split][0] == 0
        assert ids[split] != list(range(len(ids[split]))), "ids have gaps"
        assert len(list((folder / "annotations").iterdir())) == 4 * len(ids[split])
        for number in ids[split]:
            note = {k: np.load(folder / "annotations" / f"{number}_{k}.npy") for k in ("exp", "val", "aro", "lnd")}
            assert [note[k].shape for k in ("exp", "val", "aro", "lnd")] == [(), (), (), (136,)]
            assert int(note["exp"]) in range(8)
            assert np.hypot(float(note["val"]), float(note["aro"])) <= 1.0001
            picture = cv2.imread(str(folder / "images" / f"{number}.jpg"))
            marks = note["lnd"].reshape(-1, 2)
            assert (marks.mean(0) > 0).all()
            assert (marks.mean(0) < picture.shape[1::-1]).all()
            assert f"{split}/{number}" in index["pictures"]
    assert set(ids["train_set"]) & set(ids["val_set"]), "the same id occurs in both splits"


def test_every_person_is_pictured_once_in_each_expression(sample: Path) -> None:
    shown: dict[str, list[int]] = {}
    for key, person in index_of(sample)["pictures"].items():
        split, number = key.split("/")
        shown.setdefault(person, []).append(
            int(np.load(sample / "affectnet" / split / "annotations" / f"{number}_exp.npy"))
        )
    assert len(shown) == 6
    assert all(sorted(expressions) == list(range(8)) for expressions in shown.values())


def test_no_person_is_in_two_splits_and_all_three_splits_are_filled(sample: Path) -> None:
    index = index_of(sample)
    splits = {person: entry["split"] for person, entry in index["people"].items()}
    assert set(splits.values()) == {"train", "validation", "test"}
    for key, person in index["pictures"].items():
        assert (splits[person] == "train") == key.startswith("train_set/")
    for video in index["videos"].values():
        assert {splits[person] for person in video["people"]} == {"test"}


def test_clips_lie_as_in_afew_va(sample: Path) -> None:
    clips = sorted((sample / "afew-va" / "01").iterdir())
    assert [clip.name for clip in clips] == ["001", "002"]
    for clip in clips:
        content = json.loads((clip / f"{clip.name}.json").read_text())
        assert content["video_id"] == clip.name
        assert content["actor"] == index_of(sample)["clips"][clip.name]["person_id"]
        assert sorted(content["frames"]) == sorted(path.stem for path in clip.glob("*.jpg"))
        for frame in content["frames"].values():
            assert all(isinstance(frame[k], int) and -10 <= frame[k] <= 10 for k in ("valence", "arousal"))
            assert np.array(frame["landmarks"]).shape == (68, 2)


def test_some_clips_have_the_real_sets_pitfalls() -> None:
    frames = {}
    for number in range(1, 21):
        job = Job("clip", f"{number:03d}", (0,), "test", (0, number), 2, Fraction(25))
        files = draw_job(job, 7, "drawn", None).files
        frames[number] = json.loads(files[f"afew-va/01/{job.name}/{job.name}.json"])["frames"]
    assert [n for n, f in frames.items() if min(f) == "00001"] == [5, 14]
    assert [n for n, f in frames.items() if "emotion" in f[min(f)]] == [7, 18]


def test_videos_tell_true_times_and_have_a_row_for_every_frame_and_person(sample: Path) -> None:
    labels = rows_of(sample / "videos" / "labels.csv")
    for name, entry in index_of(sample)["videos"].items():
        with av.open(str(sample / "videos" / f"{name}.mp4")) as container:
            times = [frame.pts * frame.time_base for frame in container.decode(video=0)]
        assert len(times) == entry["frames"]
        assert times == [pytest.approx(float(i / Fraction(entry["fps"])), abs=1e-4) for i in range(len(times))]
        rows = [row for row in labels if row["video_id"] == name]
        assert len(rows) == entry["frames"] * len(entry["people"])
        for row in rows:
            assert float(row["time_s"]) == pytest.approx(float(times[int(row["frame"])]), abs=1e-4)


def test_a_face_out_of_view_has_no_label_and_comes_back(sample: Path) -> None:
    seen = [
        row["valence"] != "" for row in rows_of(sample / "videos" / "labels.csv") if row["video_id"] == "leaves_frame"
    ]
    changes = [b for a, b in pairwise(seen) if a != b]
    assert seen[0]
    assert changes == [False, True]


def test_anchors_are_rows_of_the_labels_and_start_at_the_first_frame(sample: Path) -> None:
    truth = {(r["video_id"], r["frame"]): r for r in rows_of(sample / "videos" / "labels.csv") if r["track_id"] == "0"}
    anchors = rows_of(sample / "anchors.csv")
    for row in anchors:
        face = truth[row["video_id"], row["frame"]]
        assert row["valence"] == face["valence"] != ""
        if len(index_of(sample)["videos"][row["video_id"]]["people"]) == 2:
            assert 0 < float(row["face_x"]) - float(face["x"]) < float(face["w"])
            assert 0 < float(row["face_y"]) - float(face["y"]) < float(face["h"])
        else:
            assert row["face_x"] == row["face_y"] == ""
    for name in index_of(sample)["videos"]:
        assert next(int(row["frame"]) for row in anchors if row["video_id"] == name) == 0


def test_the_detector_finds_the_drawn_faces(sample: Path) -> None:
    detection = index_of(sample)["detection"]
    assert detection["found"] / detection["faces"] >= 0.95


def test_the_data_card_tells_how_to_make_it_again_and_counts_what_is_there(sample: Path) -> None:
    card = (sample / "README.md").read_text()
    assert "mtclar sample --artist drawn --people 6 --clips 2 --frames 10 --seed 7" in card
    assert "48 |" in card
    assert "Apache-2.0" in card


def test_progress_is_told_for_every_job(make: Make, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    make(tmp_path / "s", people=3, clips=0, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"people": 2}, "at least 3"),
        ({"frames": 3}, "frames >= 10"),
        ({"artist": "sculptor"}, "no artist 'sculptor'"),
        ({"artist": "rendered", "face_model": Path("nowhere")}, "no face model at nowhere"),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(make: Make, tmp_path: Path, wrong: dict, said: str) -> None:
    with pytest.raises(MtclarError, match=said):
        make(tmp_path / "s", **wrong)
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_in_it_is_not_overwritten(make: Make, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(MtclarError, match="holds no sample"):
        make(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_the_working_folder_is_not_replaced(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MtclarError, match="working folder"):
        make(Path("."), people=3, clips=0)
    assert not list(tmp_path.iterdir())


def test_an_earlier_sample_is_replaced_as_a_whole(make: Make, tmp_path: Path) -> None:
    out = tmp_path / "s"
    make(out, people=3, clips=0)
    (out / "affectnet" / "left_over").mkdir()
    make(out, people=3, clips=0)
    assert not (out / "affectnet" / "left_over").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
