"""`mtclar label --overlay`: added to what is labelled, made once, gone when the labels it shows are."""

import json

import pytest
from bright_clip import EXTRACT, TIMES_MS, picture, write_anchors
from make_video import write_video
from typer.testing import CliRunner

from mtclar.cli import app
from mtclar.errors import MtclarError, NothingDoneError
from mtclar.features.cache import known_sha256
from mtclar.steps import label, label_video
from mtclar.video import find_videos, open_video


@pytest.fixture
def labels(clip, bundle, settings, tmp_path):
    """Labels the clip into `out` and returns the result; a later call may change how."""
    anchors = write_anchors(tmp_path, "clip,0,-0.5,0.1")

    def run(**options):
        given = {"videos": [clip], "anchors": anchors, "model": str(bundle), "out": tmp_path / "out", "overlay": True}
        return label.run(settings, EXTRACT, **(given | options))

    return run


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir() if path.is_file()}


def test_the_overlay_has_every_frame_of_the_video_at_its_time(labels, tmp_path):
    result = labels()
    assert result.videos[0].files[-1] == "clip.overlay.mp4"
    assert str(result).splitlines()[0].endswith("clip.html and clip.overlay.mp4")
    with open_video(tmp_path / "out" / "clip.overlay.mp4") as video:
        assert [round(1000 * frame.time_s) for frame in video] == TIMES_MS


def test_added_later_only_the_overlay_is_made_and_called_again_nothing_is(labels, tmp_path):
    labels(overlay=False)
    before = stamps(tmp_path / "out")
    assert "clip.overlay.mp4" not in before
    labels()
    after = stamps(tmp_path / "out")
    assert set(after) - set(before) == {"clip.overlay.mp4"}
    unchanged = ("clip.va.csv", "clip.va.parquet", "clip.va.json", "clip.html")
    assert [after[name] for name in unchanged] == [before[name] for name in unchanged]
    labels()
    labels(overlay=False)
    assert stamps(tmp_path / "out")["clip.overlay.mp4"] == after["clip.overlay.mp4"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["labelled"][0]["files"][-1] == "clip.overlay.mp4"


def test_labels_made_anew_without_the_overlay_leave_no_overlay_of_the_old_ones(labels, tmp_path):
    labels()
    first = (tmp_path / "out" / "clip.overlay.mp4").read_bytes()
    changed = write_anchors(tmp_path, "clip,0,0.9,0.9")
    labels(anchors=changed, overlay=False)
    assert not (tmp_path / "out" / "clip.overlay.mp4").exists()
    labels(anchors=changed)
    assert (tmp_path / "out" / "clip.overlay.mp4").read_bytes() != first


def test_if_the_overlay_cannot_be_made_the_labels_are_there_and_half_an_overlay_is_not(labels, tmp_path, monkeypatch):
    def broken(path, *_, **__):
        path.write_bytes(b"half")
        raise MtclarError("the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(label_video, "write_overlay", broken)
        with pytest.raises(NothingDoneError, match="the disk is full"):
            labels()
    assert (tmp_path / "out" / "clip.va.csv").is_file()
    assert not (tmp_path / "out" / "clip.overlay.mp4").exists()
    labels()
    assert (tmp_path / "out" / "clip.overlay.mp4").is_file()


def test_an_overlay_never_takes_the_place_of_a_video_of_others(labels, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "clip.overlay.mp4").write_bytes(b"mine")
    with pytest.raises(NothingDoneError, match=r"the overlay would take the place of clip\.overlay\.mp4 in .*out"):
        labels()
    assert (tmp_path / "out" / "clip.overlay.mp4").read_bytes() == b"mine"


def test_the_progress_counts_reading_and_drawing_and_never_goes_back(labels, tmp_path, bundle):
    told = []
    other = write_video(tmp_path / "clip.mp4", [*TIMES_MS, 560], picture)  # not read before
    labels(videos=[other], progress=lambda done, total, what="": told.append((done, total)))
    done = [step for step, _ in told]
    assert done == sorted(done)
    assert told[-1] == (26, 26)


def test_in_other_processes_and_where_labels_lie_beside_their_videos_overlays_are_no_videos(
    labels, tmp_path, clip, bundle
):
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.mp4").write_bytes(clip.read_bytes())
    options = ["--model", str(bundle), "--out", str(folder), "--overlay", "--jobs", "2"]
    for _ in range(2):
        answer = CliRunner().invoke(app, ["label", str(folder), *options])
        assert answer.exit_code == 0, answer.output
        assert [path.name for path in find_videos([folder])] == ["a.mp4", "b.mp4"]
    assert (folder / "b.overlay.mp4").is_file()
    (folder / "c.overlay.mp4").write_bytes(clip.read_bytes())  # somebody's own: no labels beside it
    assert len(find_videos([folder])) == 3
    with open_video(folder / "a.overlay.mp4") as video:
        assert known_sha256(video)


def test_on_s3_the_overlay_is_put_beside_the_labels_and_only_it_is_added(labels, s3, clip):
    from mtclar import storage

    storage.upload(clip, f"{s3}/videos/clip.mp4")
    there = {"videos": [f"{s3}/videos"], "out": f"{s3}/videos"}

    def put():
        files = {file.uri.removeprefix(f"{s3}/videos/"): file.etag for file in storage.list_files(f"{s3}/videos")}
        return {name: etag for name, etag in files.items() if name.startswith("clip.")}

    labels(**there, overlay=False)
    before = put()
    labels(**there)
    after = put()
    assert {name: etag for name, etag in after.items() if name in before} == before
    assert set(after) - set(before) == {"clip.overlay.mp4"}
    assert len(labels(**there).videos) == 1  # the overlay is not taken for a video
    assert put() == after
