import json
import os
import signal
import sys
from pathlib import Path

import pytest

from mtclar.data.out_folder import OutFolder
from mtclar.errors import MtclarError

FILES = ("clip.va.csv", "clip.va.parquet", "clip.html")
TOUCHING = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}


def write(out: Path, word: str, name: str = "clip", files=FILES) -> None:
    """One call that makes one video."""
    with OutFolder(out, "label") as folder:
        with folder.stage(name) as stage:
            for file in files:
                (stage.path / file).write_text(word)
            stage.inputs, stage.row = {"word": word}, {"said": word}
        folder.write_index(lambda path, contents: (path / "index.html").write_text(json.dumps(contents.rows)))


def words(out: Path) -> set[str]:
    return {(out / file).read_text() for file in FILES}


def killed_at(touch: int, out: Path, word: str) -> bool:
    """Writes in a child that kills itself before it touches `out` for that many-th time; whether it came to that."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    seen = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in TOUCHING and str(out) in str(arguments[0]):
            seen += 1
            if seen == touch:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    write(out, word)
    os._exit(0)


def test_the_files_of_a_video_appear_together_and_the_index_tells_of_all(tmp_path):
    write(tmp_path / "out", "one")
    write(tmp_path / "out", "two", "monday/other", ["other.va.csv"])
    assert words(tmp_path / "out") == {"one"}
    assert (tmp_path / "out" / "monday" / "other.va.csv").read_text() == "two"
    index = json.loads((tmp_path / "out" / "index.html").read_text())
    assert index == {"clip": {"said": "one"}, "monday/other": {"said": "two"}}


def test_after_an_error_the_earlier_files_are_there_and_nothing_of_the_new_ones(tmp_path):
    write(tmp_path, "one")
    with pytest.raises(RuntimeError), OutFolder(tmp_path, "label") as folder, folder.stage("clip") as stage:
        (stage.path / FILES[0]).write_text("two")
        raise RuntimeError
    assert words(tmp_path) == {"one"}
    assert not list((tmp_path / ".mtclar").glob("*.part"))


def test_a_folder_of_which_nothing_came_is_gone_again_but_never_what_somebody_else_put_there(tmp_path):
    with OutFolder(tmp_path / "out", "label") as folder:
        folder.fail("clip", "it was no video.")
    assert not (tmp_path / "out").exists()
    (tmp_path / "mine").write_text("x")
    with OutFolder(tmp_path, "label"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_video_is_finished_while_its_inputs_and_its_files_are_the_same(tmp_path):
    write(tmp_path, "one")
    with OutFolder(tmp_path, "label") as folder:
        assert folder.finished("clip", {"word": "one"}) == {"said": "one"}
        assert folder.finished("clip", {"word": "two"}) is None
        assert folder.finished("other", {"word": "one"}) is None
        (tmp_path / FILES[1]).write_text("on")
        assert folder.finished("clip", {"word": "one"}) is None


def test_a_failure_is_told_until_the_video_is_done_and_what_was_removed_is_not_told(tmp_path):
    write(tmp_path, "one", "other", ["other.csv"])
    with OutFolder(tmp_path, "label") as folder:
        folder.fail("clip", "it was no video.")
        assert folder.contents().failed == {"clip": "it was no video."}
    write(tmp_path, "one")
    (tmp_path / "other.csv").unlink()
    with OutFolder(tmp_path, "label") as folder:
        assert folder.contents().failed == {}
        assert list(folder.contents().rows) == ["clip"]


def test_a_failure_of_a_video_that_is_gone_is_not_told_by_the_next_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "out", "one")
    (tmp_path / "bad.mp4").write_text("no video")
    with OutFolder(tmp_path / "out", "label") as folder:
        folder.fail("bad", "it was no video.", "bad.mp4")
    monkeypatch.chdir("/")
    with OutFolder(tmp_path / "out", "label") as folder:
        assert folder.contents().failed == {"bad": "it was no video."}
    (tmp_path / "bad.mp4").unlink()
    with OutFolder(tmp_path / "out", "label") as folder:
        assert folder.contents().failed == {}


def test_files_that_an_earlier_call_made_of_a_video_and_this_one_did_not_are_gone(tmp_path):
    write(tmp_path, "one")
    write(tmp_path, "two", files=FILES[:2])
    assert not (tmp_path / FILES[2]).exists()


def added(out: Path, word: str, meanwhile=lambda: None) -> None:
    with OutFolder(out, "label") as folder, folder.stage("clip", adds=True) as stage:
        (stage.path / "clip.overlay.mp4").write_text(word)
        stage.inputs, stage.row = {"word": "one"}, {"said": "more"}
        meanwhile()


def test_files_that_are_added_count_with_the_earlier_ones_until_these_are_made_anew(tmp_path):
    write(tmp_path, "one")
    added(tmp_path, "film")
    assert words(tmp_path) == {"one"}
    with OutFolder(tmp_path, "label") as folder:
        assert folder.finished("clip", {"word": "one"}) == {"said": "more"}
        (tmp_path / FILES[0]).write_text("changed by hand")
        assert folder.finished("clip", {"word": "one"}) is None
    write(tmp_path, "two")
    assert not (tmp_path / "clip.overlay.mp4").exists()


def test_nothing_is_added_to_files_that_another_call_made_anew_meanwhile(tmp_path):
    write(tmp_path, "one")
    with pytest.raises(MtclarError, match="clip: another call made its other files anew meanwhile"):
        added(tmp_path, "film", meanwhile=lambda: write(tmp_path, "two"))
    assert words(tmp_path) == {"two"}
    assert not (tmp_path / "clip.overlay.mp4").exists()


def test_the_index_never_takes_the_place_of_a_file_of_a_video(tmp_path):
    write(tmp_path, "one", "index", ["index.html"])
    assert (tmp_path / "index.html").read_text() == "one"


def test_killed_at_any_moment_a_call_leaves_one_whole_set_and_what_is_finished_stays_so(tmp_path):
    seen, kills = set(), 0
    while True:
        out = tmp_path / str(kills)
        write(out, "old")
        if not killed_at(kills + 1, out, "new"):
            break
        kills += 1
        with OutFolder(out, "label") as folder:
            found = words(out)
            assert len(found) == 1, f"killed at {kills}: files of two calls"
            assert folder.finished("clip", {"word": found.pop()}) is not None
            assert not [path for path in (out / ".mtclar").iterdir() if path.suffix in {".part", ".ready"}]
        seen |= words(out)
    assert kills > 10
    assert seen == {"old", "new"}


def test_calls_at_once_leave_all_videos_in_the_index_and_of_one_video_one_whole_set(tmp_path):
    children = []
    for number in range(6):
        if not (pid := os.fork()):
            for turn in range(8):
                write(tmp_path, f"{number}-{turn}")
                write(tmp_path, "own", f"own-{number}", [f"own-{number}.csv"])
            os._exit(0)
        children.append(pid)
    mixed = []

    def look(_, contents):
        if "clip" in contents.rows:
            mixed.append(words(tmp_path) != {contents.rows["clip"]["said"]})

    for _ in range(200):  # whoever reads under the lock never sees a mixture
        with OutFolder(tmp_path, "label") as folder:
            folder.write_index(look)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 6
    assert mixed
    assert not any(mixed)
    assert len(words(tmp_path)) == 1
    index = json.loads((tmp_path / "index.html").read_text())
    assert sorted(index) == ["clip", *(f"own-{number}" for number in range(6))]
    assert not list((tmp_path / ".mtclar").glob("*.part"))


@pytest.mark.parametrize("name", ["../clip", "/etc/clip", ".mtclar/lock", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with (
        pytest.raises(MtclarError, match="rename the video"),
        OutFolder(tmp_path, "label") as folder,
        folder.stage(name),
    ):
        pass


def test_any_other_name_is_a_name(tmp_path):
    for name in ("a'b\"c; rm -rf $HOME\n", "%s{}<b>&", "x" * 230, "ü\u0308 – 你好", "-rf", "con.", " "):
        write(tmp_path, "x", name, [f"{name}.csv"])
        assert (tmp_path / f"{name}.csv").read_text() == "x"
        with OutFolder(tmp_path, "label") as folder:
            assert folder.finished(name, {"word": "x"}) is not None


def test_a_folder_that_cannot_be_written_is_one_sentence_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"), OutFolder(tmp_path / "file" / "out", "label"):
        raise AssertionError("this is work")
