"""What a model learned from, counted again by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.data.tables import SYNTHESIS, write_table
from mtclar.serving.learned import MEASURED, learned_from, training


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Ten faces of three people: six to train on, of which four are frames of one clip."""
    splits = ["train"] * 6 + ["validation"] * 3 + ["test"]
    people = ["a", "a", "a", "a", "b", "b", "c", "c", "c", "d"]
    clips = ["k", "k", "k", "k", None, None, "m", "m", "m", None]
    with FacesWriter(tmp_path / "faces", size=64, quality=90) as writer:
        for i, (split, person, clip) in enumerate(zip(splits, people, clips, strict=True)):
            row = {"face_id": str(i), "dataset": "synthetic", "split": split, "subject_id": person, "clip_id": clip}
            writer.add(row, np.zeros((64, 64, 3), np.uint8))
    return tmp_path / "faces"


def test_faces_people_and_clips_are_counted_in_each_split(store: Path) -> None:
    assert learned_from(FacesStore(store)) == {
        "datasets": ["synthetic"],
        "faces": {"train": 6, "validation": 3, "test": 1},
        "people": {"train": 2, "validation": 1, "test": 1},
        "clips": {"train": 1, "validation": 1, "test": 0},
    }


def test_of_people_who_were_made_the_training_faces_ranges_and_shares_are_told(store: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.normal(size=10) for name in SYNTHESIS.names})
    table["blur_px"] = np.nan
    table["covering"] = ["none", "none", "hand", "none", "hair", "none"] + ["glasses"] * 4
    table["codec"], table["mouth"] = ["jpeg"] * 10, ["none"] * 10
    table["actions"], table["landmarks"] = [[0.5]] * 10, [[0.1, 0.2]] * 10
    table["face_id"] = [str(i) for i in range(10)]
    table = table.astype({"lights": int, "quality": int, "blink": bool})
    write_table(table, store / "synthesis.parquet", SYNTHESIS)
    found = learned_from(FacesStore(store))
    assert found["shares"] == {"covering": {"none": 0.6667, "hand": 0.1667, "hair": 0.1667}, "codec": {"jpeg": 1.0}}
    assert set(found["ranges"]) == set(MEASURED) - {"blur_px"}
    ordered = np.sort(table["yaw"][:6])
    assert found["ranges"]["yaw"][1] == pytest.approx((ordered[2] + ordered[3]) / 2, abs=1e-3)
    assert ordered[0] <= found["ranges"]["yaw"][0] <= found["ranges"]["yaw"][2] <= ordered[-1]
    json.dumps(found, allow_nan=False)


def test_of_the_training_the_settings_are_told_but_not_where_a_file_lies(tmp_path: Path) -> None:
    facts = {"settings": {"epochs": 3, "pretrained": "/home/somebody/emonet_8.pth"}, "kept_epoch": 2, "fingerprint": ""}
    (tmp_path / "model.json").write_text(json.dumps({"facts": facts}))
    assert training(tmp_path) == {"settings": {"epochs": 3, "pretrained": "emonet_8.pth"}, "kept_epoch": 2}
