"""The crop step: from data sets to a faces store."""

import csv
import hashlib
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from make_video import with_face, write_video

from mtclar.data.readers import Record
from mtclar.data.store import FacesStore
from mtclar.errors import MtclarError
from mtclar.faces import Face, open_detector, overlap
from mtclar.revision import data_revision, listing_revision
from mtclar.settings import CropSettings, load_section, read_params
from mtclar.steps import crop

FACE = (84, 52, 112, 112)  # about where `with_face` draws it


def settings(source: str, **changes) -> CropSettings:
    return load_section(
        "crop", {**read_params()["crop"], "source": source, "workers": 1, "max_unreadable": 0.5, **changes}
    )


def encoded(picture: np.ndarray, suffix: str = ".png") -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def landmarks(x: float, y: float, w: float, h: float) -> list[list[float]]:
    inside = np.random.default_rng(0).uniform(0.1, 0.9, (64, 2)) * (w, h) + (x, y)
    return [[x, y], [x + w, y], [x, y + h], [x + w, y + h], *inside.tolist()]


def clip(root: Path, name: str, pictures: list[bytes], points, actor: str | None = None) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    frames = {}
    for i, picture in enumerate(pictures):
        (folder / f"{i:05d}.png").write_bytes(picture)
        frames[f"{i:05d}"] = {"landmarks": points, "valence": i % 10, "arousal": -1}
    content = {"actor": actor or name, "frames": frames, "video_id": name}
    (folder / f"{name}.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def face_bytes() -> bytes:
    return encoded(with_face())


def test_the_detected_face_stands_in_the_middle_of_its_crop(tmp_path, face_bytes):
    data = clip(tmp_path / "data", "001", [face_bytes], landmarks(*FACE))
    result = crop.run(settings("afew-va"), data=data, out=tmp_path / "out")
    store = FacesStore(tmp_path / "out")
    row = store.table.iloc[0]
    assert row["score"] > 0
    assert overlap(Face(*row[["x", "y", "w", "h"]]), Face(*FACE)) > 0.5
    found = open_detector().detect(store.crop(0))
    side = store.size / 1.5
    assert overlap(found[0], Face((store.size - side) / 2, (store.size - side) / 2, side, side)) > 0.6
    assert (result.faces, result.given, result.unreadable) == (1, 0, ())
    assert store.facts["scale"] == 1.5


def test_where_the_detector_sees_nothing_the_given_landmarks_are_taken_with_no_score(tmp_path):
    blank = encoded(np.full((192, 288, 3), 90, np.uint8))
    data = clip(tmp_path / "data", "001", [blank], landmarks(100, 60, 50, 50))
    result = crop.run(settings("afew-va"), data=data, out=tmp_path / "out")
    row = FacesStore(tmp_path / "out").table.iloc[0]
    assert np.isnan(row["score"])
    assert row[["x", "y", "w", "h"]].tolist() == pytest.approx([97.5, 53, 55, 55])
    assert result.given == 1


def test_with_detector_given_nothing_is_detected(tmp_path, face_bytes):
    data = clip(tmp_path / "data", "001", [face_bytes], landmarks(10, 10, 50, 50))
    crop.run(settings("afew-va", detector="given"), data=data, out=tmp_path / "out")
    row = FacesStore(tmp_path / "out").table.iloc[0]
    assert row[["x", "w"]].tolist() == pytest.approx([7.5, 55])


def record(**facts) -> Record:
    common = {"name": "n", "dataset": "d", "face_id": "i", "subject_id": "s", "split": "train"}
    return Record(load=lambda: np.zeros((100, 300, 3), np.uint8), **common, **facts)


class Two:
    """A detector that always sees a small face on the left and a large one on the right."""

    def detect(self, picture: np.ndarray) -> list[Face]:
        return [Face(180, 10, 80, 80, 2.0), Face(20, 30, 40, 40, 1.0)]


@pytest.mark.parametrize(
    ("facts", "previous", "left"),
    [
        ({}, None, 180),
        ({}, Face(25, 30, 40, 40), 20),
        ({"landmarks": np.array(landmarks(22, 34, 36, 36))}, Face(180, 10, 80, 80), 20),
        ({"box": (25.0, 30.0, 40.0, 40.0)}, None, 20),
        ({"side": "left"}, None, 20),
        ({"side": "right"}, None, 180),
    ],
    ids=["the largest", "the followed", "the landmarks'", "the box's", "the left", "the right"],
)
def test_of_several_faces_the_one_that_is_meant_is_taken(facts, previous, left):
    assert crop.choose(np.zeros((100, 300, 3), np.uint8), record(**facts), Two(), previous).x == left


def test_a_box_outside_the_picture_counts_as_not_given():
    picture = np.zeros((100, 300, 3), np.uint8)
    with pytest.raises(MtclarError, match="neither a box nor landmarks"):
        crop.choose(picture, record(box=(900.0, 0.0, 50.0, 50.0)), None)
    assert crop.choose(picture, record(box=(900.0, 0.0, 50.0, 50.0)), Two()).x == 180


def test_unreadable_pictures_are_listed_with_their_reason_and_are_not_fatal(tmp_path, face_bytes):
    bad = [face_bytes[:200], b"", b"this is text", encoded(np.full((192, 288, 3), 90, np.uint8))]
    data = clip(tmp_path / "data", "001", [face_bytes, *bad, *[face_bytes] * 4], points=[])
    result = crop.run(settings("afew-va"), data=data, out=tmp_path / "out")
    with (tmp_path / "out" / "unreadable.csv").open() as file:
        listed = list(csv.DictReader(file))
    assert [row["name"] for row in listed] == [f"001/0000{i}.png" for i in (1, 2, 3, 4)]
    assert [row["reason"] for row in listed[1:]] == ["not a picture that can be decoded"] * 2 + ["no face found"]
    assert result.faces == 5
    assert FacesStore(tmp_path / "out").facts["unreadable"] == 4


def test_too_many_unreadable_pictures_fail_the_step_with_numbers_and_examples(tmp_path, face_bytes):
    data = clip(tmp_path / "data", "001", [face_bytes, b"", b"", b"", b""], points=[])
    with pytest.raises(
        MtclarError, match=r"4 of 5 pictures \(80\.0%\) gave no face.*00001\.png.*00003\.png"
    ) as failure:
        crop.run(settings("afew-va"), data=data, out=tmp_path / "out")
    assert "00004.png" not in str(failure.value)
    assert list(tmp_path.iterdir()) == [data]


def test_data_without_any_face_fail_even_when_all_may_be_unreadable(tmp_path):
    data = clip(tmp_path / "data", "001", [b""], points=[])
    with pytest.raises(MtclarError, match="no face at all"):
        crop.run(settings("afew-va", max_unreadable=1.0), data=data, out=tmp_path / "out")


def test_the_store_is_the_same_for_one_process_and_for_two(tmp_path, face_bytes):
    data = tmp_path / "data"
    for i in range(5):
        clip(data, f"{i + 1:03d}", [encoded(with_face(0.8 + 0.05 * i)), b"", face_bytes], points=[])
    for workers in (1, 2):
        crop.run(settings("afew-va", workers=workers), data=data, out=tmp_path / str(workers))
    one, two = (FacesStore(tmp_path / name) for name in ("1", "2"))
    assert len(one) == 10
    assert one.table.equals(two.table)
    assert [one.encoded(i) for i in range(10)] == [two.encoded(i) for i in range(10)]
    listed = [(tmp_path / name / "unreadable.csv").read_text() for name in ("1", "2")]
    assert listed[0] == listed[1]


def test_a_video_gives_a_face_a_frame_with_the_containers_times(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_video(data / "v.mp4", [0, 40, 120], lambda index: with_face(left=60 + 4 * index))
    crop.run(settings("videos"), data=data, out=tmp_path / "out")
    table = FacesStore(tmp_path / "out").table
    assert table["frame"].tolist() == [0, 1, 2]
    assert table["time_s"].tolist() == pytest.approx([0, 0.04, 0.12])
    assert table["valence"].isna().all()


def test_an_earlier_store_is_replaced_and_progress_is_told(tmp_path, face_bytes):
    data = clip(tmp_path / "data", "001", [face_bytes], points=[])
    told = []
    for _ in range(2):
        crop.run(settings("afew-va"), data=data, out=tmp_path / "out", progress=lambda *args: told.append(args))
    assert told == [(1, 2, "content of the data"), (2, 2, "content of the data"), (1, 1, "001/001.json")] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]


def test_the_store_carries_the_revision_of_the_data_it_was_made_of(tmp_path, face_bytes):
    def revision(data: Path, **changes) -> str:
        crop.run(settings("afew-va", **changes), data=data, out=tmp_path / "out")
        return data_revision(tmp_path / "out")

    data = clip(tmp_path / "data", "001", [face_bytes], points=[])
    listing = {
        f"001/{name}": hashlib.sha256((data / "001" / name).read_bytes()).hexdigest()
        for name in ("00000.png", "001.json")
    }
    first = revision(data)
    assert first == listing_revision(listing)
    assert revision(data, quality=50) == first, "settings are not the data"
    shutil.copytree(data, tmp_path / "elsewhere")
    assert revision(tmp_path / "elsewhere") == first, "nor is the place"
    (tmp_path / "elsewhere" / "001" / "001.json").write_bytes((data / "001" / "001.json").read_bytes() + b" ")
    assert revision(tmp_path / "elsewhere") != first


def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path, face_bytes):
    data = clip(tmp_path / "data", "001", [face_bytes], points=[])
    (tmp_path / "file").write_text("x")
    with pytest.raises(MtclarError, match="cannot be written"):
        crop.run(settings("afew-va"), data=data, out=tmp_path / "file" / "out")


def test_missing_data_are_one_sentence(tmp_path):
    with pytest.raises(MtclarError, match="no such data folder"):
        crop.run(settings("affectnet-npy"), data=tmp_path / "nowhere", out=tmp_path / "out")
