"""`mtclar extract`, and that `mtclar label` never reads a video twice."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from bright_clip import EXTRACT, PLAIN, write_anchors
from typer.testing import CliRunner

from mtclar.cli import app
from mtclar.errors import MtclarError, PartialFailureError
from mtclar.features.file import read_features
from mtclar.steps import extract, label
from mtclar.video.container import ContainerVideo


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture
def no_decoding(monkeypatch):
    """From now on a decoder is a failure."""

    def stop(*args):
        raise AssertionError("the video was decoded")

    return lambda: monkeypatch.setattr(ContainerVideo, "_read", stop)


def test_extract_writes_one_features_file_a_video(clip, bundle, cache, tmp_path):
    (tmp_path / "videos" / "deep").mkdir(parents=True)
    for name in ("one", "deep/two"):
        shutil.copy(clip, tmp_path / "videos" / f"{name}.mp4")
    (tmp_path / "videos" / "bad.mp4").write_text("no video")
    with pytest.raises(PartialFailureError, match="2 of 3 videos are extracted") as caught:
        extract.run(EXTRACT, videos=[tmp_path / "videos"], model=bundle, out=tmp_path / "out")
    assert "holds text" in str(caught.value)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.features")) == ["one.features", "two.features"]
    features = read_features(tmp_path / "out" / "one.features")
    assert (len(features), len(features.faces)) == (12, 8)


def test_what_was_extracted_in_the_same_way_is_not_read_again_and_with_force_it_is(
    clip, bundle, cache, tmp_path, no_decoding
):
    first = extract.run(EXTRACT, videos=[clip], model=bundle, out=tmp_path / "out")
    assert not first.videos[0].known
    no_decoding()
    again = extract.run(EXTRACT, videos=[clip], model=bundle, out=tmp_path / "out")
    assert again.videos[0].known
    assert "12 frames, 8 faces in 1 track, read before" in str(again)
    shutil.rmtree(cache)
    (tmp_path / "out" / "clip.features").unlink()
    with pytest.raises(MtclarError, match="the video was decoded"):
        extract.run(EXTRACT, videos=[clip], model=bundle, out=tmp_path / "out")
    with pytest.raises(MtclarError, match="the video was decoded"):
        extract.run(EXTRACT, videos=[clip], model=bundle, out=tmp_path / "out", force=True)


def test_changing_anchors_subject_and_bands_never_decodes(clip, bundle, cache, tmp_path, no_decoding):
    def labelled(out, s=PLAIN, *lines):
        anchors = write_anchors(tmp_path, *lines) if lines else None
        label.run(s, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path / out)
        return pd.read_csv(tmp_path / out / "clip.va.csv")

    first = labelled("out", PLAIN, "clip,0,-0.5,0.1")
    no_decoding()
    assert labelled("out", PLAIN, "clip,0,0.5,0.1")["valence"][0] == 0.5
    assert labelled("elsewhere", PLAIN, "clip,0,-0.5,0.1").equals(first)
    more = labelled("out", PLAIN.model_copy(update={"subject": "all"}), "clip,0,-0.5,0.1", "clip,6,0.5,0.1")
    assert (more["source"] == "anchor").sum() == 2
    assert set(labelled("out")["source"]) >= {"zero-shot"}


def test_features_beside_the_labels_serve_without_a_cache(clip, bundle, cache, tmp_path, no_decoding):
    none = EXTRACT.model_copy(update={"cache_gb": 0.0})
    extract.run(none, videos=[clip], model=bundle, out=tmp_path / "out")
    assert not list(cache.glob("*.features"))
    no_decoding()
    label.run(PLAIN, none, videos=[clip], anchors=None, model=bundle, out=tmp_path / "out")
    assert (tmp_path / "out" / "clip.features").is_file()
    assert (tmp_path / "out" / "clip.va.csv").is_file()


def test_a_renamed_video_is_known_and_another_one_of_the_same_name_is_not(clip, bundle, cache, tmp_path, no_decoding):
    label.run(PLAIN, EXTRACT, videos=[clip], anchors=None, model=bundle, out=tmp_path / "out")
    no_decoding()
    shutil.copy(clip, tmp_path / "renamed.mp4")
    label.run(PLAIN, EXTRACT, videos=[tmp_path / "renamed.mp4"], anchors=None, model=bundle, out=tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "renamed.va.json").read_text())
    assert (facts["video"], facts["video_id"]) == ("renamed.mp4", "renamed")
    other = tmp_path / "other" / "clip.mp4"
    other.parent.mkdir()
    other.write_bytes(clip.read_bytes() + b"\0")
    with pytest.raises(MtclarError, match="the video was decoded"):
        label.run(PLAIN, EXTRACT, videos=[other], anchors=None, model=bundle, out=tmp_path / "out")


def test_what_is_labelled_already_is_not_labelled_again(clip, bundle, cache, tmp_path, monkeypatch):
    anchors = write_anchors(tmp_path, "clip,0,-0.5,0.1")
    first = label.run(PLAIN, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path / "out")
    before = (tmp_path / "out" / "clip.va.csv").stat().st_mtime_ns
    again = label.run(PLAIN, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path / "out")
    assert again == first
    assert (tmp_path / "out" / "clip.va.csv").stat().st_mtime_ns == before
    label.run(PLAIN, EXTRACT, videos=[clip], anchors=anchors, model=bundle, out=tmp_path / "out", force=True)
    assert (tmp_path / "out" / "clip.va.csv").stat().st_mtime_ns > before


def test_several_processes_label_as_one_does(clip, bundle, cache, tmp_path):
    (tmp_path / "videos").mkdir()
    for number in range(3):
        (tmp_path / "videos" / f"{number}.mp4").write_bytes(clip.read_bytes() + bytes(number))
    shutil.copy(clip, tmp_path / "videos" / "9.mp4")
    (tmp_path / "videos" / "bad.mp4").write_bytes(b"")
    for jobs in (1, 2):
        s = EXTRACT.model_copy(update={"jobs": jobs, "cache_gb": 0.0})
        out = tmp_path / f"out{jobs}"
        with pytest.raises(PartialFailureError, match="4 of 5 videos are labelled"):
            label.run(PLAIN, s, videos=[tmp_path / "videos"], anchors=None, model=bundle, out=out)
    one, two = ({path.name: path for path in (tmp_path / f"out{jobs}").iterdir()} for jobs in (1, 2))
    assert one.keys() == two.keys()
    for name in one:
        if name.endswith(".csv"):
            pd.testing.assert_frame_equal(pd.read_csv(one[name]), pd.read_csv(two[name]), atol=1e-4)


def test_two_calls_into_one_folder_are_both_in_its_index(clip, bundle, cache, tmp_path):
    shutil.copy(clip, tmp_path / "second.mp4")
    for video in (clip, tmp_path / "second.mp4"):
        label.run(PLAIN, EXTRACT, videos=[video], anchors=None, model=bundle, out=tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [row["video_id"] for row in summary["labelled"]] == ["clip", "second"]
    assert "clip.html" in (tmp_path / "out" / "index.html").read_text()


def test_an_error_of_a_library_is_the_failure_of_one_video_and_its_traceback_is_kept(
    clip, bundle, cache, tmp_path, monkeypatch
):
    shutil.copy(clip, tmp_path / "second.mp4")
    original = ContainerVideo._read

    def torn(self):
        if self.path.name == "second.mp4":
            raise RuntimeError("the codec has fallen over")
        return original(self)

    monkeypatch.setattr(ContainerVideo, "_read", torn)
    none = EXTRACT.model_copy(update={"cache_gb": 0.0})
    with pytest.raises(PartialFailureError, match=r"second\.mp4: failed unexpectedly.*codec has fallen over"):
        label.run(PLAIN, none, videos=[clip, tmp_path / "second.mp4"], anchors=None, model=bundle, out=tmp_path / "out")
    assert "Traceback" in (tmp_path / "out" / "failures.log").read_text()
    assert (tmp_path / "out" / "clip.va.csv").is_file()


def test_the_command_line_extracts(clip, bundle, cache, tmp_path):
    answer = CliRunner().invoke(app, ["extract", str(clip), "--out", str(tmp_path / "out"), "--model", str(bundle)])
    assert answer.exit_code == 0, answer.output
    assert "clip.mp4: 12 frames, 8 faces in 1 track" in answer.output
    assert len(read_features(tmp_path / "out" / "clip.features")) == 12


def test_videos_and_labels_may_lie_on_s3(clip, bundle, cache, tmp_path, s3):
    from mtclar import storage

    storage.upload(clip, f"{s3}/in/day/clip.mp4")
    out = f"{s3}/out"
    result = label.run(PLAIN, EXTRACT, videos=[f"{s3}/in"], anchors=None, model=bundle, out=out)
    assert result.videos[0].video == "clip.mp4"
    assert b"zero-shot" in storage.read(f"{out}/clip.va.csv")
    assert b"clip.html" in storage.read(f"{out}/index.html")
    extract.run(EXTRACT, videos=[f"{s3}/in/day/clip.mp4"], model=bundle, out=out)
    assert storage.exists(f"{out}/clip.features")
    with pytest.raises(MtclarError, match="no video below this address"):
        label.run(PLAIN, EXTRACT, videos=[f"{s3}/nothing"], anchors=None, model=bundle, out=out)


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = sys.argv[4:]
from bright_clip import EXTRACT, PLAIN
from mtclar.features import cache
from mtclar.steps import label
if __name__ == "__main__":
    seen = []
    def kill(done, total, what=""):
        seen.append(done)
        if len(seen) == 18:
            os.kill(os.getpid(), 9)
    label.run(PLAIN, EXTRACT, videos=[Path(sys.argv[1])], anchors=None, model=sys.argv[2], out=Path(sys.argv[3]),
              progress=kill)
"""


def test_a_killed_run_loses_and_repeats_nothing_that_was_finished(clip, bundle, cache, tmp_path, repository):
    videos = tmp_path / "videos"
    videos.mkdir()
    shutil.copy(clip, videos / "a.mp4")
    (videos / "b.mp4").write_bytes(clip.read_bytes() + b"\0")
    (tmp_path / "kill.py").write_text(KILLED)
    died = subprocess.run(
        [sys.executable, tmp_path / "kill.py", videos, bundle, tmp_path / "out", repository, repository / "tests"],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert died.returncode == -9, died.stderr
    finished = (tmp_path / "out" / "a.va.csv").stat().st_mtime_ns
    read = []
    label.run(
        PLAIN, EXTRACT, videos=[videos], anchors=None, model=bundle, out=tmp_path / "out",
        progress=lambda done, total, what="": read.append((done, what)),
    )  # fmt: skip
    assert (tmp_path / "out" / "a.va.csv").stat().st_mtime_ns == finished
    assert not any("a.mp4" in what and done and "b.mp4" not in what for done, what in read)
    tables = [pd.read_csv(tmp_path / "out" / f"{name}.va.csv") for name in "ab"]
    np.testing.assert_allclose(tables[0]["valence"], tables[1]["valence"], atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "out" / ".mtclar").iterdir() if "part" in path.name) == []
