"""Files that DVC keeps, read without it; DVC itself is the oracle of its layout."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mtclar.data.tracked import copy_tracked, tracked_files, tracked_md5
from mtclar.errors import MtclarError

CONTENTS = {"a.txt": b"first\r\n", "below/b.bin": bytes(range(256))}


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose folder `things` DVC has added and pushed to the remote in the folder `remote`."""
    root = tmp_path_factory.mktemp("pushed")
    for name, content in CONTENTS.items():
        (root / "things" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "things" / name).write_bytes(content)
    for command in (["init", "--no-scm"], ["remote", "add", "-d", "r", "remote"], ["add", "things"], ["push"]):
        answer = subprocess.run(
            [sys.executable, "-m", "dvc", *command, "-q"], cwd=root, capture_output=True, text=True, check=False
        )
        assert answer.returncode == 0, answer.stderr
    return root


@pytest.fixture
def repository_copy(pushed: Path, tmp_path: Path) -> Path:
    """The same, to break things in."""
    shutil.copytree(pushed / "remote", tmp_path / "remote", copy_function=shutil.copyfile)
    shutil.copy(pushed / "things.dvc", tmp_path / "things.dvc")
    return tmp_path


def test_what_dvc_pushed_is_found_and_copied_byte_for_byte(pushed: Path, tmp_path: Path) -> None:
    for store in (pushed / "remote", pushed / ".dvc" / "cache"):
        folder = tmp_path / store.name
        folder.mkdir()
        copy_tracked(tracked_files(pushed / "things.dvc", store), folder)
        found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        assert found == CONTENTS


def test_a_missing_or_changed_object_is_named(repository_copy: Path) -> None:
    pointer, remote = repository_copy / "things.dvc", repository_copy / "remote"
    files = tracked_files(pointer, remote)
    files["a.txt"].write_bytes(b"other")
    with pytest.raises(MtclarError, match=rf"{files['a.txt'].name}: changed since it was pushed"):
        copy_tracked(files, repository_copy)
    files["a.txt"].unlink()
    with pytest.raises(MtclarError, match=r"a\.txt of .*things\.dvc is not in the remote"):
        tracked_files(pointer, remote)


def test_a_missing_or_changed_listing_is_named(repository_copy: Path) -> None:
    pointer, remote = repository_copy / "things.dvc", repository_copy / "remote"
    listing = next(remote.rglob("*.dir"))
    listing.write_text("[]")
    with pytest.raises(MtclarError, match=r"\.dir: changed since it was pushed"):
        tracked_files(pointer, remote)
    listing.unlink()
    with pytest.raises(MtclarError, match=r"\.dir: the listing that .*things\.dvc names cannot be read"):
        tracked_files(pointer, remote)


@pytest.mark.parametrize("name", ["../outside", "/outside", "below/../../outside", ""])
def test_a_listing_cannot_name_a_file_outside_its_folder(repository_copy: Path, name: str) -> None:
    remote = repository_copy / "remote"
    item = json.loads(next(remote.rglob("*.dir")).read_text())[0]
    _relist(repository_copy, [item | {"relpath": name}])
    with pytest.raises(MtclarError, match="names a file outside its folder"):
        tracked_files(repository_copy / "things.dvc", remote)


@pytest.mark.parametrize("listing", [{"a": 1}, [{"md5": "ab"}], [1]])
def test_a_listing_of_another_form_is_refused(repository_copy: Path, listing: object) -> None:
    _relist(repository_copy, listing)
    with pytest.raises(MtclarError, match="not a listing of DVC"):
        tracked_files(repository_copy / "things.dvc", repository_copy / "remote")


@pytest.mark.parametrize("md5", ["../../../etc/passwd", "0" * 31])
def test_what_is_no_md5_is_never_a_path(repository_copy: Path, md5: str) -> None:
    _relist(repository_copy, [{"md5": md5, "relpath": "a.txt"}])
    with pytest.raises(MtclarError, match="is no md5"):
        tracked_files(repository_copy / "things.dvc", repository_copy / "remote")


@pytest.mark.parametrize("text", ["", "outs: []", "outs: [{md5: 12}]", "outs: [{md5: 0123}", "outs:\n- md5: ../x.dir"])
def test_a_pointer_that_names_no_folder_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.dvc").write_text(text)
    with pytest.raises(MtclarError, match=r"x\.dvc: expected the (file that 'dvc add' writes|md5 of a folder)"):
        tracked_md5(tmp_path / "x.dvc")
    with pytest.raises(MtclarError, match="No such file"):
        tracked_md5(tmp_path / "nowhere.dvc")


def _relist(root: Path, listing: object) -> None:
    """Puts another listing in the place of the one that things.dvc names, under its own md5."""
    data = json.dumps(listing).encode()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    path = root / "remote" / "files" / "md5" / md5[:2] / f"{md5[2:]}.dir"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    (root / "things.dvc").write_text(f"outs:\n- md5: {md5}.dir\n  path: things\n")
