"""`mtclar label` as a command: several at once, several processes, killed, with names that are traps, and on S3."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from bright_clip import EXTRACT, PLAIN, picture, write_anchors
from make_video import write_video

from mtclar import storage
from mtclar.data.out_folder import OutFolder
from mtclar.steps import label


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    """A clip that takes a process long enough to be killed at it."""
    return write_video(tmp_path_factory.mktemp("long") / "long.mp4", range(0, 120 * 40, 40), lambda i: picture(i % 8))


@pytest.fixture
def start(bundle, tmp_path):
    """Starts the command; each test has a cache of its own, so that nothing is known of a video before."""

    def start(*arguments: object, **environment: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "mtclar", "label", "--model", bundle]
        root = str(Path(__file__).parents[2])
        own = {"PYTHONPATH": root, "MTCLAR_CACHE": str(tmp_path / "cache")}
        return subprocess.Popen(
            [*map(str, command), *map(str, arguments)],
            cwd=tmp_path, env={**os.environ, **own, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    return start


def ended(process: subprocess.Popen, code: int = 0) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, f"exit code {process.returncode}: {out}{err}"
    return out + err


def workers(parent: int) -> list[int]:
    """The processes that a command has started to work on videos."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            above = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if above == parent and b"spawn_main" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_until(true, process: subprocess.Popen, timeout_s=60.0):
    until = time.monotonic() + timeout_s
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def anchored(out: Path, name: str) -> set[tuple]:
    """What each file of a video says of its first anchor."""
    side = json.loads((out / f"{name}.va.json").read_text())
    tables = pd.read_csv(out / f"{name}.va.csv"), pd.read_parquet(out / f"{name}.va.parquet")
    return {side["anchors"][0]["valence"], *(round(float(table["valence"][0]), 6) for table in tables)}


def test_calls_at_once_into_one_folder_leave_every_video_whole_and_in_the_index(start, clip, tmp_path):
    out, calls = tmp_path / "out", []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name in ("shared", f"own-{number}"):
            shutil.copy(clip, folder / f"{name}.mp4")
        lines = [f"{name},0,{number / 4 - 0.5},0.1" for name in ("shared", f"own-{number}")]
        calls.append(start(folder, "--anchors", write_anchors(folder, *lines), "--out", out))
    for call in calls:
        ended(call)
    names = [*(f"own-{number}" for number in range(3)), "shared"]
    for name in names:
        assert len(anchored(out, name)) == 1, f"{name}: files of two calls"
    assert [row["video_id"] for row in json.loads((out / "summary.json").read_text())["labelled"]] == names
    assert all(f'href="{name}.html"' in (out / "index.html").read_text() for name in names)
    assert not list((out / ".mtclar").glob("*.part"))


def test_a_process_that_is_killed_fails_its_video_alone_and_the_next_call_does_only_that(
    start, clip, long_clip, tmp_path
):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    shutil.copy(long_clip, videos / "a.mp4")
    (videos / "b.mp4").write_bytes(long_clip.read_bytes() + b"\0")
    shutil.copy(clip, videos / "c.mp4")
    call = start(videos, "--out", out, "--jobs", 2)
    wait_until(lambda: len(workers(call.pid)) == 2, call)
    os.kill(workers(call.pid)[0], signal.SIGKILL)
    words = ended(call, code=3)
    assert "2 of 3 videos are labelled" in words
    assert "the process that worked on it was ended by SIGKILL" in words
    assert "Traceback" not in words
    done = {path.name: path.stat().st_mtime_ns for path in out.glob("*.va.csv")}
    assert len(done) == 2
    assert len(json.loads((out / "summary.json").read_text())["failed"]) == 1
    ended(start(videos, "--out", out, "--jobs", 2))
    assert len(list(out.glob("*.va.csv"))) == 3
    assert all((out / name).stat().st_mtime_ns == at for name, at in done.items())
    assert json.loads((out / "summary.json").read_text())["failed"] == []


def test_a_command_that_is_killed_leaves_no_process_and_the_next_one_goes_on(start, clip, long_clip, tmp_path):
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    shutil.copy(clip, videos / "a.mp4")
    for name in "bc":
        (videos / f"{name}.mp4").write_bytes(long_clip.read_bytes() + name.encode())
    call = start(videos, "--out", out, "--jobs", 2)
    wait_until(lambda: (out / ".mtclar" / "label" / "a.json").is_file(), call)
    left = workers(call.pid)
    assert left
    call.kill()
    call.communicate()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in left):
        assert time.monotonic() < until, "a process works on alone"
        time.sleep(0.02)
    finished = (out / "a.va.csv").stat().st_mtime_ns
    ended(start(videos, "--out", out, "--jobs", 2))
    assert (out / "a.va.csv").stat().st_mtime_ns == finished
    assert sorted(path.name for path in out.glob("*.va.csv")) == ["a.va.csv", "b.va.csv", "c.va.csv"]
    assert not list((out / ".mtclar").glob("*.part"))


def test_a_file_may_be_called_anything(start, clip, tmp_path):
    names = ["$(touch hacked)", "`touch hacked`; touch hacked", "-rf", "[bold]x[oops]", "<img src=x onerror=alert(1)>",
             "%s {0} {name}", "line\nbreak", "é – 你好", "a'b\"c", "index"]  # fmt: skip
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    for name in names:
        shutil.copy(clip, videos / f"{name}.mp4")
    before = set(tmp_path.iterdir())
    ended(start(videos, "--out", out, "--jobs", 2))
    assert set(tmp_path.iterdir()) - before == {out, tmp_path / "cache"}
    for name in names:
        assert len(pd.read_csv(out / f"{name}.va.csv")) == 12, name
        assert "<img src=x" not in (out / f"{name}.html").read_text(), name
    assert "<title>Labels of" in (out / "index.html").read_text()  # of the video of that name, not of all
    with OutFolder(out, "label") as folder:
        assert sorted(folder.contents().rows) == sorted(names)


def test_videos_anchors_and_labels_on_s3_and_a_second_call_fetches_only_what_changed(
    start, clip, bundle, tmp_path, s3, monkeypatch
):
    anchors = write_anchors(tmp_path, "one,0,0.25,0.1")
    storage.upload(anchors, f"{s3}/anchors.csv")
    (tmp_path / "bad.mp4").write_text("no video")
    for place, name in ((clip, "day/one.mp4"), (clip, "day/two.mp4"), (tmp_path / "bad.mp4", "day/bad.mp4")):
        storage.upload(place, f"{s3}/in/{name}")
    out = f"{s3}/out"
    call = [f"{s3}/in", "--anchors", f"{s3}/anchors.csv", "--out", out, "--jobs", 2]
    words = ended(start(*call), code=3)
    assert f"2 of 3 videos are labelled in {out}" in words
    with storage.local(f"{out}/one.va.csv") as path:
        assert pd.read_csv(path)["valence"][0] == 0.25
    summary = json.loads(storage.read(f"{out}/summary.json"))
    assert [row["video_id"] for row in summary["labelled"]] == ["one", "two"]
    assert "holds text" in summary["failed"][0]["error"]
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in words
    made = storage.find(f"{out}/one.va.csv")
    storage.remove(f"{s3}/in/day/bad.mp4")
    fetched = []
    monkeypatch.setattr(
        storage, "download", lambda uri, folder, get=storage.download: fetched.append(uri) or get(uri, folder)
    )
    label.run(PLAIN, EXTRACT, videos=[f"{s3}/in"], anchors=f"{s3}/anchors.csv", model=bundle, out=out)
    assert fetched == [f"{s3}/anchors.csv"]
    assert storage.find(f"{out}/one.va.csv") == made
    assert json.loads(storage.read(f"{out}/summary.json"))["failed"] == []
    storage.upload(write_video(tmp_path / "other.mp4", [0, 40], picture), f"{s3}/in/day/two.mp4")
    label.run(PLAIN, EXTRACT, videos=[f"{s3}/in"], anchors=f"{s3}/anchors.csv", model=bundle, out=out)
    assert fetched[1:] == [f"{s3}/anchors.csv", f"{s3}/in/day/two.mp4"]
    assert [row["frames"] for row in json.loads(storage.read(f"{out}/summary.json"))["labelled"]] == [12, 2]
