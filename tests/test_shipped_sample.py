"""The sample and the model as a newcomer gets them: `dvc pull` of them on a fresh clone."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mtclar.data.readers import Notes, records
from mtclar.data.tracked import tracked_files, tracked_md5
from mtclar.faces import open_detector
from mtclar.serving import Bundle
from mtclar.settings import load_settings
from tools.clean_remote import clean

POINTERS = {"data.dvc": 20e6, "mtclar/shipped/default.dvc": 20e6}
"""What DVC tracks in a folder, and how many bytes of it the repository may hold."""


def pointers(repository: Path) -> list[str]:
    """Those that are there: a repository whose model has not been trained yet tracks the sample alone."""
    return [name for name in POINTERS if (repository / name).is_file()]


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Path:
    """A folder with what a clone holds of DVC, after `dvc pull`."""
    repository = Path(__file__).parents[1]
    folder = tmp_path_factory.mktemp("clone")
    for name in (".dvc/config", ".dvcignore", *pointers(repository), "dvc.yaml", "dvc.lock", "params.yaml"):
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        shutil.copy(repository / name, folder / name)
    shutil.copytree(repository / "dvc-remote", folder / "dvc-remote")
    pull = [sys.executable, "-m", "dvc", "pull", *pointers(repository)]
    for command in (["git", "init", "-q"], pull):
        answer = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture(scope="session")
def sample(clone) -> Path:
    """The sample of the clone."""
    return clone / "data" / "sample"


@pytest.fixture(scope="session")
def pictures(sample) -> list:
    """Every record of the sample, in order."""
    return list(records(sample, load_settings().crop, Notes()))


def test_the_remote_inside_the_repository_is_small(repository):
    for pointer in pointers(repository):
        files = set(tracked_files(repository / pointer, repository / "dvc-remote").values())
        assert sum(path.stat().st_size for path in files) <= POINTERS[pointer], pointer
        assert len(files) < 100


def test_the_remote_holds_nothing_that_is_not_tracked(clone):
    held = {path for path in (clone / "dvc-remote").rglob("*") if path.is_file()}
    tracked: set[Path] = set()
    for pointer in pointers(clone):
        md5 = tracked_md5(clone / pointer)
        tracked |= {*tracked_files(clone / pointer, clone / "dvc-remote").values()}
        tracked.add(clone / "dvc-remote" / "files" / "md5" / md5[:2] / md5[2:])
    assert held == tracked


def test_clearing_the_remote_removes_what_is_not_tracked_and_nothing_else(clone, tmp_path):
    remote = Path(shutil.copytree(clone / "dvc-remote", tmp_path / "dvc-remote"))
    stray = remote / "files" / "md5" / "00" / ("0" * 30)
    stray.parent.mkdir(exist_ok=True)
    stray.touch()
    before = {path for path in remote.rglob("*") if path.is_file()}
    assert clean(remote, [clone / name for name in pointers(clone)]) == [stray]
    assert {path for path in remote.rglob("*") if path.is_file()} == before - {stray}


def test_a_pull_fetches_all_that_the_remote_holds(clone):
    cached = {path.name for path in (clone / ".dvc" / "cache" / "files").rglob("*") if path.is_file()}
    assert cached == {path.name for path in (clone / "dvc-remote" / "files").rglob("*") if path.is_file()}


def test_the_model_that_was_pulled_is_whole_and_its_card_is_the_documentations(clone, repository):
    if "mtclar/shipped/default.dvc" not in pointers(clone):
        pytest.skip("no model ships yet")
    bundle = Bundle.load(clone / "mtclar" / "shipped" / "default")
    assert bundle.card == (repository / "docs" / "model-card.md").read_text(encoding="utf-8")
    assert set(bundle.facts["licences"]) <= {"weights", "software", "sample", "synthetic"}


def test_the_card_in_the_documentation_is_the_samples_own(sample, repository):
    assert (repository / "docs" / "sample.md").read_text() == (sample / "README.md").read_text()


def test_it_has_enough_people_and_clips_and_all_eight_expressions_in_every_split(pictures):
    assert len({record.subject_id for record in pictures}) >= 40
    assert len({record.clip_id for record in pictures if record.clip_id}) >= 48
    for split in ("train", "validation", "test"):
        assert len({r.expression for r in pictures if r.split == split and r.expression}) == 8


def test_no_person_is_in_two_splits(pictures):
    assert len({(r.subject_id, r.split) for r in pictures}) == len({r.subject_id for r in pictures})


def test_the_labels_of_clips_lie_on_the_grid_of_tenths(pictures):
    labels = np.array([(r.valence, r.arousal) for r in pictures if r.clip_id])
    assert np.abs(labels * 10 - np.round(labels * 10)).max() < 1e-9
    assert np.abs(labels).max() <= 1


def test_the_detector_finds_the_face_in_99_of_100_pictures(pictures):
    detector = open_detector()
    some = pictures[::11]
    found = sum(bool(detector.detect(record.load())) for record in some)
    assert found >= 0.99 * len(some)


def test_the_videos_have_labels_anchors_and_one_has_two_people(sample):
    names = {path.stem for path in (sample / "videos").glob("*.mp4")}
    with (sample / "videos" / "labels.csv").open() as file:
        people = {(row["video_id"], row["track_id"]) for row in csv.DictReader(file)}
    with (sample / "anchors.csv").open() as file:
        anchors = list(csv.DictReader(file))
    anchored = {row["video_id"] for row in anchors}
    assert all((row["face_x"] != "") == (row["video_id"] == "two_people") for row in anchors)
    assert (
        names
        == {video for video, _ in people}
        == anchored
        == set(json.loads((sample / "sample.json").read_text())["videos"])
    )
    assert ("two_people", "1") in people
    assert "leaves_frame" in names
