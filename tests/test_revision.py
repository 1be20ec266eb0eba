from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mtclar import revision


@pytest.fixture(autouse=True)
def _nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(revision.GIT_VARIABLE, raising=False)
    monkeypatch.delenv(revision.DATA_VARIABLE, raising=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "tracked").write_text("1")
    git("add", "tracked")
    git("commit", "--no-verify", "-m", "first")
    return tmp_path


def test_a_clean_checkout_is_its_commit_even_beside_untracked_files(checkout: Path) -> None:
    (checkout / "untracked").write_text("1")
    head = subprocess.run(["git", "-C", str(checkout), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert revision.git_revision(checkout) == head.stdout.strip()


def test_a_changed_tracked_file_makes_it_dirty(checkout: Path) -> None:
    (checkout / "tracked").write_text("2")
    assert revision.git_revision(checkout).endswith("-dirty")


def test_outside_a_checkout_the_revision_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision.git_revision(tmp_path) == "unknown"
    assert revision.git_revision(tmp_path / "missing") == "unknown"


def test_the_data_revision_is_read_from_the_nearest_data_dvc_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert revision.data_revision(below) == "unknown"
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 0123.dir\n  path: data\n")
    assert revision.data_revision(below) == "0123.dir"
    (tmp_path / "a" / "data.dvc").write_text("outs: nonsense")
    assert revision.data_revision(below) == "unknown"


def test_a_declared_revision_wins_and_an_empty_one_declares_nothing(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(revision.DATA_VARIABLE, "from the environment")
    monkeypatch.setenv(revision.GIT_VARIABLE, "")
    revision.declare(data_rev="", git_sha="abc")
    assert revision.data_revision(checkout) == "from the environment"
    assert revision.git_revision(checkout) == "abc"
