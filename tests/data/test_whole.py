from __future__ import annotations

import pytest

from mtclar.data.whole import whole_file, whole_folder
from mtclar.errors import MtclarError


def test_a_folder_replaces_the_old_one_only_at_the_end(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").write_text("1")
    with whole_folder(out) as folder:
        (folder / "new").write_text("2")
        assert (out / "old").exists()
    assert [path.name for path in out.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [out]


def test_after_an_error_the_folder_is_as_it_was_and_nothing_lies_beside_it(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RuntimeError), whole_folder(out) as folder:
        (folder / "new").write_text("2")
        raise RuntimeError
    assert not list(out.iterdir())
    assert list(tmp_path.iterdir()) == [out]


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file"
    with pytest.raises(RuntimeError), whole_file(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert not list(path.parent.iterdir())
    with whole_file(path) as partial:
        partial.write_text("all")
    assert path.read_text() == "all"
    assert list(path.parent.iterdir()) == [path]


def test_an_output_below_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for writer in (whole_file, whole_folder):
        with pytest.raises(MtclarError, match="cannot be written"), writer(tmp_path / "file" / "out") as partial:
            (partial / "x").write_text("") if partial.is_dir() else partial.write_text("")


def test_a_file_in_the_place_of_the_folder_is_one_sentence(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(MtclarError, match="cannot be written"), whole_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out").read_text() == "mine"
