"""What is said of a store made in bulk is what a plain count finds; the sheet shows its labels and its people."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import CODECS, COVERINGS, EXPRESSIONS, MOUTHS
from mtclar.synthesis.bulk.sheet import COLUMNS, ROWS, chosen, sheet
from mtclar.synthesis.bulk.statistics import statistics


@pytest.fixture(scope="module")
def tables() -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """400 faces of 60 people, as if made."""
    rng = np.random.default_rng(3)
    n = 400
    people = rng.integers(60, size=n)
    faces = pd.DataFrame(
        {
            "face_id": [f"f{i}" for i in range(n)],
            "subject_id": [f"p{i}" for i in people],
            "split": np.array(["train", "validation", "test"])[people % 3],
            "clip_id": [f"c{i}" if i % 4 == 0 else None for i in people],
            "valence": rng.uniform(-1, 1, n),
            "arousal": rng.uniform(-1, 1, n),
            "expression": np.where(rng.uniform(size=n) < 0.2, None, np.array(EXPRESSIONS)[rng.integers(8, size=n)]),
        }
    )
    made = pd.DataFrame(
        {
            "skin": rng.uniform(0, 1, n),
            "age": rng.uniform(0, 1, n),
            "yaw": rng.normal(0, 30, n),
            "pitch": rng.normal(0, 10, n),
            "roll": rng.normal(0, 10, n),
            "lights": rng.integers(1, 4, n),
            "brightness": rng.uniform(0, 1, n),
            "covering": np.array(COVERINGS)[rng.integers(5, size=n)],
            "covered": rng.uniform(0, 0.6, n),
            "face_px": rng.uniform(20, 150, n),
            "blur_px": rng.gamma(1, 1, n),
            "quality": rng.integers(10, 96, n),
            "codec": np.array(CODECS)[rng.integers(3, size=n)],
            "noise": rng.gamma(1, 3, n),
            "mouth": np.array(MOUTHS)[rng.integers(len(MOUTHS), size=n)],
            "blink": rng.uniform(size=n) < 0.1,
        }
    )
    found = np.array([None if rng.uniform() < 0.5 else bool(rng.uniform() < 0.8) for _ in range(n)], object)
    return faces, made, found


def test_faces_people_and_clips_are_counted_by_split(tables) -> None:
    faces, made, found = tables
    counted = statistics(faces, made, found)
    for split in ("train", "validation", "test"):
        rows = [row for row in faces.to_dict("records") if row["split"] == split]
        assert counted["faces"][split] == len(rows)
        assert counted["people"][split] == len({row["subject_id"] for row in rows})
        assert counted["clips"][split] == len({row["clip_id"] for row in rows if not pd.isna(row["clip_id"])})


def test_the_histogram_of_labels_is_a_plain_count_with_valence_down_its_rows(tables) -> None:
    faces, made, found = tables
    labels = statistics(faces, made, found)["labels"]
    expected = np.zeros((20, 20), int)
    for v, a in zip(faces["valence"], faces["arousal"], strict=True):
        expected[int((v + 1) / 0.1), int((a + 1) / 0.1)] += 1
    assert labels["counts"] == expected.tolist()


def test_every_measured_histogram_counts_every_face_once_and_in_its_bin(tables) -> None:
    faces, made, found = tables
    measured = statistics(faces, made, found)["measured"]
    for name, item in measured.items():
        assert sum(item["counts"]) == len(faces)
        values = np.sort(made[name])
        edges, counts = item["edges"], item["counts"]
        for k in range(1, len(counts) - 1):  # the outer ones hold what lies beyond as well
            assert counts[k] == sum(edges[k] <= value < edges[k + 1] for value in values), name
        assert item["p50"] == pytest.approx(np.median(values), abs=1e-3)
        assert values[0] <= item["p01"] <= item["p50"] <= item["p99"] <= values[-1]


def test_every_kind_is_counted_even_one_that_does_not_come(tables) -> None:
    faces, made, found = tables
    made = made.assign(codec="jpeg")
    counted = statistics(faces, made, found)["counted"]
    assert counted["codec"] == {"none": 0, "jpeg": len(faces), "h264": 0}
    assert counted["expression"]["not named"] == sum(pd.isna(value) for value in faces["expression"])
    assert counted["expression"]["anger"] == sum(value == "anger" for value in faces["expression"])
    assert counted["lights"] == {str(k): int((made["lights"] == k).sum()) for k in (1, 2, 3)}
    assert counted["blink"]["true"] == int(made["blink"].sum())
    for values in counted.values():
        assert sum(values.values()) == len(faces)


def test_the_detectors_rate_is_told_of_those_it_was_tried_on_and_by_band(tables) -> None:
    faces, made, found = tables
    detection = statistics(faces, made, found)["detection"]
    assert detection["tried"] == sum(value is not None for value in found)
    assert detection["found"] == sum(value is True for value in found)
    turned = [hit for hit, yaw in zip(found, made["yaw"], strict=True) if 15 <= abs(yaw) < 30 and hit is not None]
    assert detection["bands"]["yaw"]["15-30"] == {"tried": len(turned), "found": sum(turned)}
    for bands in detection["bands"].values():
        assert sum(band["tried"] for band in bands.values()) == detection["tried"]


def test_the_sheet_goes_from_low_to_high_valence_and_from_high_to_low_arousal(tables) -> None:
    faces, _, _ = tables
    columns = chosen(faces, np.random.default_rng(0))
    assert [len(column) for column in columns] == [ROWS] * COLUMNS
    valence = [faces["valence"].to_numpy()[column] for column in columns]
    assert all(left.max() <= right.min() for left, right in pairwise(valence))
    for column in columns:
        assert (np.diff(faces["arousal"].to_numpy()[column]) <= 0).all()


def test_the_sheet_shows_as_many_people_as_it_can(tables) -> None:
    faces, _, _ = tables
    rows = [row for column in chosen(faces, np.random.default_rng(0)) for row in column]
    assert len(rows) == len(set(rows)) == COLUMNS * ROWS
    assert faces["subject_id"].iloc[rows].nunique() >= 58


def test_a_sheet_of_few_faces_leaves_places_empty(tables) -> None:
    faces, _, _ = tables
    rows = [row for column in chosen(faces.head(5), np.random.default_rng(0)) for row in column]
    assert sorted(row for row in rows if row is not None) == [0, 1, 2, 3, 4]


def test_the_sheet_is_as_high_as_it_must_be_and_shows_the_crops_in_their_places(tables, tmp_path) -> None:
    few = tables[0].head(30).assign(valence=np.arange(30) / 30, arousal=0.0)
    with FacesWriter(tmp_path / "faces", size=64, quality=95) as writer:
        for i, row in enumerate(few.to_dict("records")):
            writer.add(row, np.full((64, 64, 3), 8 * i, np.uint8))
    picture = sheet(FacesStore(tmp_path / "faces"), np.random.default_rng(0))
    assert picture.shape == (3 * 98 + 2, 12 * 98 + 2, 3)
    middles = picture[50:-10:98, 50::98, 0]
    shown = sorted((middles[middles != 235] / 8).round().astype(int).tolist())
    assert shown == list(range(30)), "every face is on it once, by its grey"
    assert (np.diff(middles[0].astype(int)) > 0).all(), "and valence goes up to the right"
