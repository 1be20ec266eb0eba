import json
import threading

import pytest

from mtclar import storage
from mtclar.data.out_folder import OutFolder
from mtclar.data.out_s3 import open_out
from mtclar.errors import MtclarError

FILES = ("clip.va.csv", "clip.va.parquet", "clip.html")


def write(out: str, word: str, name: str = "clip", files=FILES) -> None:
    with open_out(out, "label") as folder:
        with folder.stage(name) as stage:
            for file in files:
                (stage.path / file).write_text(word)
            stage.inputs, stage.row = {"word": word}, {"said": word}
        folder.write_index(lambda path, contents: (path / "index.html").write_text(json.dumps(contents.rows)))


def words(out: str) -> set[str]:
    return {storage.read(f"{out}/{file}").decode() for file in FILES}


def test_a_local_path_is_a_local_folder(tmp_path):
    with open_out(tmp_path, "label") as folder:
        assert type(folder) is OutFolder


def test_files_are_put_whole_with_a_manifest_and_the_index_tells_of_all(s3):
    write(s3, "one")
    write(s3, "two", "monday/other", ["other.csv", "other.html"])
    write(s3, "three", "monday/other", ["other.csv"])
    assert words(s3) == {"one"}
    assert json.loads(storage.read(f"{s3}/index.html")) == {"clip": {"said": "one"}, "monday/other": {"said": "three"}}
    below = [file.uri.removeprefix(f"{s3}/") for file in storage.list_files(s3)]
    assert below == sorted([
        ".mtclar/label/clip.json", ".mtclar/label/monday/other.json", *FILES, "index.html", "monday/other.csv",
    ])  # fmt: skip


def test_a_video_is_finished_while_inputs_and_files_are_the_same(s3, tmp_path):
    write(s3, "one")
    with open_out(s3, "label") as folder:
        assert folder.finished("clip", {"word": "one"}) == {"said": "one"}
        assert folder.finished("clip", {"word": "two"}) is None
        assert folder.fetch("clip.html").read_text() == "one"
        assert folder.fetch("clip.xml") is None
        storage.remove(f"{s3}/clip.html")
        assert folder.finished("clip", {"word": "one"}) is None
        assert folder.contents().rows == {}


def test_where_nothing_came_of_it_nothing_is_left_but_the_log(s3):
    with open_out(s3, "label") as folder:
        folder.fail("clip", "it was no video.")
        assert folder.contents().failed == {"clip": "it was no video."}
        assert folder.log("Traceback: one") == f"{s3}/failures.log"
    with open_out(s3, "label") as folder:
        folder.log("Traceback: two")
    assert [file.uri for file in storage.list_files(s3)] == [f"{s3}/failures.log"]
    assert storage.read(f"{s3}/failures.log").decode() == "Traceback: one\n\nTraceback: two\n\n"


def test_calls_at_once_leave_all_videos_in_the_index_and_of_one_video_one_whole_set(s3):
    def call(number: int) -> None:
        for turn in range(3):
            write(s3, f"{number}-{turn}")
        write(s3, "own", f"own-{number}", [f"own-{number}.csv"])

    calls = [threading.Thread(target=call, args=(number,)) for number in range(3)]
    for each in calls:
        each.start()
    for each in calls:
        each.join()
    assert len(words(s3)) == 1
    assert sorted(json.loads(storage.read(f"{s3}/index.html"))) == ["clip", "own-0", "own-1", "own-2"]
    with open_out(s3, "label") as folder:
        assert folder.finished("clip", {"word": words(s3).pop()}) is not None


def test_a_bucket_that_cannot_be_written_is_one_sentence_before_any_work(s3):
    with pytest.raises(MtclarError, match="there is no such bucket"), open_out("s3://no-such-bucket/out", "label"):
        raise AssertionError("this is work")
