from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from mtclar.data.whole import whole_file, whole_folder
from mtclar.errors import MtclarError


def test_a_folder_replaces_the_old_one_only_at_the_end(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "known").write_text("1")
    with whole_folder(out, known_by="known") as folder:
        (folder / "new").write_text("2")
        assert (out / "known").exists()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [out]


def test_after_an_error_the_folder_is_as_it_was_and_nothing_lies_beside_it(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RuntimeError), whole_folder(out, known_by="known") as folder:
        (folder / "new").write_text("2")
        raise RuntimeError
    assert not list(out.iterdir())
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file"
    with pytest.raises(RuntimeError), whole_file(path) as beside:
        beside.write_text("half")
        raise RuntimeError
    assert not list(path.parent.iterdir())
    with whole_file(path) as beside:
        beside.write_text("all")
    assert path.read_text() == "all"
    assert list(path.parent.iterdir()) == [path]


def test_an_output_below_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for writer in (whole_file, partial(whole_folder, known_by="known")):
        with pytest.raises(MtclarError, match="cannot be written"), writer(tmp_path / "file" / "out") as beside:
            (beside / "x").write_text("") if beside.is_dir() else beside.write_text("")


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(MtclarError, match="cannot be written"), whole_folder(tmp_path / "out", known_by="known"):
        pass
    assert (tmp_path / "out").read_text() == "mine"


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(MtclarError, match="not an earlier output"), whole_folder(out, known_by="known") as folder:
        (folder / "known").write_text("")
    assert (out / "thesis.txt").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("out", [".", "..", "/", "../here"])
def test_the_working_folder_and_those_above_it_are_never_replaced(tmp_path, monkeypatch, out):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(MtclarError, match="working folder"), whole_folder(Path(out), known_by="known"):
        pass
    assert here.is_dir()


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    (tmp_path / "disk" / "out").mkdir(parents=True)
    link = tmp_path / "out"
    link.symlink_to(tmp_path / "disk" / "out")
    with whole_folder(link, known_by="known") as folder:
        (folder / "known").write_text("1")
    assert link.is_symlink()
    assert (tmp_path / "disk" / "out" / "known").read_text() == "1"


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    ready, go = os.pipe(), os.pipe()
    if not (pid := os.fork()):
        with whole_file(tmp_path / "file") as beside:
            beside.write_text("theirs")
            os.write(ready[1], b".")
            os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    (tmp_path / "file.1-dead.part").mkdir()
    with whole_file(tmp_path / "file") as beside:
        assert not (tmp_path / "file.1-dead.part").exists()
        beside.write_text("ours")
    assert (tmp_path / "file").read_text() == "ours"
    os.write(go[1], b".")
    assert os.waitpid(pid, 0)[1] == 0
    assert (tmp_path / "file").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
