"""Which data and which code: read from where they were stamped, never guessed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mtclar import revision
from mtclar.errors import MtclarError

REPOSITORY = Path(__file__).parents[1]
SHA = "0123456789abcdef" * 4


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True, env=environment()
    )
    return done.stdout.strip()


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MTCLAR_"))} | more


def package(folder: Path) -> Path:
    """The package in a folder, as far as it takes to ask it for its revision."""
    (folder / "mtclar").mkdir(parents=True)
    (folder / "mtclar" / "__init__.py").touch()
    for name in ("revision.py", "errors.py"):
        shutil.copy(REPOSITORY / "mtclar" / name, folder / "mtclar" / name)
    return folder


def answer(folder: Path, cwd: Path, **more: str) -> str:
    """What the package at `folder` says, asked from another working folder."""
    code = "from mtclar.revision import git_revision; print(git_revision())"
    env = environment(
        PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1", GIT_CEILING_DIRECTORIES=str(cwd.parent), **more
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = package(tmp_path / "checkout")
    (folder / "dvc.lock").write_text("1")
    (folder / "params.yaml").write_text("1")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--no-verify", "--message", "first")
    return folder


def test_the_code_revision_is_the_commit_of_the_checkout_that_the_package_lies_in(checkout, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    (other / "theirs").touch()
    git(other, "add", "--all")
    git(other, "commit", "--quiet", "--no-verify", "--message", "theirs")
    assert answer(checkout, other) == git(checkout, "rev-parse", "HEAD")
    hook = {"GIT_DIR": str(other / ".git"), "GIT_WORK_TREE": str(other)}
    assert answer(checkout, other, **hook) == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("changed", ["mtclar/errors.py", "params.yaml"])
def test_a_tracked_file_that_differs_makes_it_dirty(checkout, tmp_path, changed):
    with (checkout / changed).open("a") as file:
        file.write("\n")
    assert answer(checkout, tmp_path) == git(checkout, "rev-parse", "HEAD") + "-dirty"


def test_a_module_that_is_not_tracked_makes_it_dirty(checkout, tmp_path):
    (checkout / "mtclar" / "new.py").touch()
    assert answer(checkout, tmp_path).endswith("-dirty")


def test_neither_notes_beside_the_code_nor_the_lock_that_a_run_writes_make_it_dirty(checkout, tmp_path):
    (checkout / "notes.py").touch()
    (checkout / "dvc.lock").write_text("2")
    assert answer(checkout, tmp_path) == git(checkout, "rev-parse", "HEAD")


def test_a_package_installed_within_the_checkout_of_something_else_does_not_take_its_commit(checkout, tmp_path):
    installed = package(checkout / ".venv" / "site-packages")
    assert answer(installed, tmp_path) == "unknown"
    (installed / "mtclar" / revision.CARRIED).write_text("abc\n")
    assert answer(installed, tmp_path) == "abc"


def test_what_an_image_declares_wins(checkout, tmp_path):
    assert answer(checkout, tmp_path, MTCLAR_GIT_SHA="from the image") == "from the image"
    assert answer(checkout, tmp_path, MTCLAR_GIT_SHA="") == git(checkout, "rev-parse", "HEAD")


def test_without_git_a_package_without_a_carried_revision_does_not_know_it(checkout, tmp_path):
    assert answer(checkout, tmp_path, PATH=str(tmp_path)) == "unknown"


def test_a_listing_revision_is_the_sha256_of_the_sorted_listing():
    expected = hashlib.sha256(b"a\x001\nb\x002\n").hexdigest()
    assert revision.listing_revision({"b": "2", "a": "1"}) == expected
    assert revision.listing_revision({"a": "2", "b": "1"}) != expected


def test_the_data_revision_is_what_the_store_was_stamped_with(tmp_path):
    (tmp_path / "store.json").write_text(json.dumps({"size": 1, "data_revision": SHA}))
    assert revision.data_revision(tmp_path) == SHA


def test_of_a_store_without_a_stamp_the_data_revision_is_unknown(tmp_path, monkeypatch):
    monkeypatch.setenv("MTCLAR_DATA_REV", SHA)
    (tmp_path / "data.dvc").write_text("outs:\n- md5: 0123.dir\n  path: data\n")
    (tmp_path / "store.json").write_text("{}")
    assert revision.data_revision(tmp_path) == "unknown"


@pytest.mark.parametrize("content", [None, "{", "[]", '{"data_revision": "0123.dir"}', '{"data_revision": 1}'])
def test_what_is_no_store_or_no_stamp_is_said_in_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "store.json").write_text(content)
    with pytest.raises(MtclarError, match="expected"):
        revision.data_revision(tmp_path)


def test_what_is_made_of_several_data_sets_has_a_revision_of_its_own():
    other = SHA[::-1]
    assert revision.joint_revision([SHA]) == revision.joint_revision([SHA, SHA]) == SHA
    assert revision.joint_revision([SHA, other]) == revision.joint_revision([other, SHA]) not in (SHA, other)
    assert revision.joint_revision([SHA, "unknown"]) == "unknown"
