"""Files in folders and zips, and nothing from outside."""

import pickle
import zipfile

import pytest

from mtclar.data.readers.tree import Tree
from mtclar.errors import MtclarError

from .miniatures import picture_bytes, write, write_zip


def test_a_zip_with_its_own_top_folder_and_one_without_read_like_the_unpacked_folder(tmp_path):
    plain = write(tmp_path / "plain", {"part/images/0.jpg": b"x"})
    write_zip(tmp_path / "whole" / "part.zip", {"part/images/0.jpg": b"x"})
    write_zip(tmp_path / "bare" / "part.zip", {"images/0.jpg": b"x"})
    for folder in (plain, tmp_path / "whole", tmp_path / "bare"):
        tree = Tree(folder)
        assert list(tree.names()) == ["part/images/0.jpg"]
        assert tree.read("part/images/0.jpg") == b"x"


def test_a_zip_itself_can_be_the_data_folder(tmp_path):
    tree = Tree(write_zip(tmp_path / "set.zip", {"set/a.txt": "\ufeffhello\r\n"}))
    assert tree.text("set/a.txt") == "hello\r\n"
    assert list(tree.lines("set/a.txt")) == ["hello\r\n"]


def test_entries_and_links_that_lead_out_are_left_out(tmp_path):
    write(tmp_path, {"secret.txt": "s", "outside/deep.txt": "s"})
    data = write(tmp_path / "data", {"good.txt": "g"})
    write_zip(data / "evil.zip", {"../secret.txt": "e", "/abs.txt": "e", "a/../../b.txt": "e", "C:\\x.txt": "e"})
    (data / "link.txt").symlink_to(tmp_path / "secret.txt")
    (data / "folder").symlink_to(tmp_path / "outside")
    (data / "inside.txt").symlink_to(data / "good.txt")
    tree = Tree(data)
    assert list(tree.names()) == ["good.txt", "inside.txt"]
    with pytest.raises(MtclarError, match="no file"):
        tree.read("../secret.txt")


def test_files_that_dvc_has_linked_from_its_cache_are_files_of_the_folder(tmp_path):
    kept = write(tmp_path / "cache" / "files" / "md5" / "ab", {"c" * 30: "g"}) / ("c" * 30)
    data = write(tmp_path / "data", {"good.txt": "g"})
    (data / "linked.txt").symlink_to(kept)
    tree = Tree(data)
    assert list(tree.names()) == ["good.txt", "linked.txt"]
    assert tree.read("linked.txt") == b"g"


def test_an_entry_of_an_archive_can_be_sent_to_another_process(tmp_path):
    entry = Tree(write_zip(tmp_path / "a.zip", {"a/0.png": picture_bytes(".png")})).entry("a/0.png")
    assert pickle.loads(pickle.dumps(entry)).picture().shape == (32, 48, 3)  # noqa: S301


@pytest.mark.parametrize("content", [b"", b"no picture", picture_bytes()[:30]], ids=["empty", "text", "cut off"])
def test_a_file_that_is_no_picture_is_named(tmp_path, content):
    with pytest.raises(MtclarError, match=r"0\.jpg"):
        Tree(write(tmp_path, {"0.jpg": content})).entry("0.jpg").picture()


def test_damaged_data_inside_an_archive_are_named(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/0.txt", "abcdefgh" * 200)
    data = bytearray(path.read_bytes())
    data[45:50] = b"\xff" * 5
    path.write_bytes(data)
    with pytest.raises(MtclarError, match=r"a/0\.txt"):
        Tree(tmp_path).read("a/0.txt")


def test_a_damaged_archive_an_empty_folder_and_a_missing_one_are_refused(tmp_path):
    with pytest.raises(MtclarError, match="empty"):
        Tree(tmp_path)
    with pytest.raises(MtclarError, match="no such data folder"):
        Tree(tmp_path / "nowhere")
    write(tmp_path, {"bad.zip": b"PK no"})
    with pytest.raises(MtclarError, match="damaged"):
        Tree(tmp_path)
    with pytest.raises(MtclarError, match="expected a folder"):
        Tree(write(tmp_path, {"x.txt": "x"}) / "x.txt")
