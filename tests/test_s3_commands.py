"""Commands whose data, outputs and models lie on a real S3 server, and DVC's remote on one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bright_clip import TIMES_MS, picture, write_anchors
from make_video import write_video
from s3_server import BUCKET
from toy_bundle import toy_bundle

from mtclar import remote, storage
from mtclar.cli import main
from mtclar.data.whole import own_part
from mtclar.settings import load_settings
from mtclar.steps import cached, shards
from mtclar.steps.listing import list_data
from mtclar.synthesis.sample import make_sample


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return int(ended.value.code or 0)


def put(folder: Path, uri: str) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            storage.upload(path, storage.join(uri, path.relative_to(folder).as_posix()))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_faces_are_cropped_checked_and_paired_on_s3_as_here(
    s3: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "sample"
    make_sample(out=data, people=15, clips=3, frames=10, seed=7, artist="drawn", face_model=None, workers=1)
    put(data, f"{s3}/data")
    small = ["--set", "crop.detector=given", "--set", "crop.workers=1"]
    assert run("crop", "--data", data, "--out", tmp_path / "faces", *small) == 0
    capsys.readouterr()
    assert run("crop", "--data", f"{s3}/data", "--out", f"{s3}/faces", *small) == 0
    assert f"in {s3}/faces" in capsys.readouterr().out
    here, there = (json.loads(path.read_text()) for path in (tmp_path / "faces/store.json", fetched(f"{s3}/faces")))
    assert here["data_revision"] == there["data_revision"]
    checks = ["--set", "validate.min_rows=20", "--set", "validate.min_class_share=0.001"]
    assert run("validate", "--faces", f"{s3}/faces", "--out", f"{s3}/validate", *checks) == 0
    few = ["--set", "pair.pairs=64", "--set", "pair.pairs_held_out=16"]
    verdict = ["--verdict", f"{s3}/validate"]
    assert run("pair", "--faces", f"{s3}/faces", *verdict, "--out", f"{s3}/pairs", *few) == 0
    assert storage.exists(f"{s3}/pairs/pairs.parquet")
    assert run("pair", "--faces", f"{s3}/gone", *verdict, "--out", f"{s3}/pairs", *few) == 1
    assert "there is no file below this address" in capsys.readouterr().err


def fetched(uri: str) -> Path:
    return remote.local_folder(uri) / "store.json"


def test_a_bundle_on_s3_labels_and_a_bundle_that_is_not_whole_is_refused(s3: str, tmp_path: Path) -> None:
    put(toy_bundle(tmp_path / "bundle"), f"{s3}/bundle")
    clip = write_video(tmp_path / "clip.mp4", TIMES_MS, picture)
    anchors = write_anchors(tmp_path, "clip,0,0.5,0")
    order = ["label", clip, "--anchors", anchors, "--out", tmp_path / "labels"]
    assert run(*order, "--model", f"{s3}/bundle") == 0
    assert (tmp_path / "labels" / "clip.va.csv").is_file()
    storage.remove(f"{s3}/bundle/pair.onnx")
    assert run(*order, "--model", f"{s3}/bundle") == 1


def test_the_listing_of_an_address_changes_when_a_file_there_does(s3: str, tmp_path: Path) -> None:
    seen = []
    for content in ("one", "two", "one"):
        (tmp_path / "x").write_text(content)
        storage.upload(tmp_path / "x", f"{s3}/data/x")
        seen.append(list_data(f"{s3}/data"))
    assert seen[0] == seen[2] != seen[1]


def test_videos_on_s3_are_divided_by_their_length_labelled_in_shards_and_put_back(s3: str, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for name, frames in (("long", 60), ("short", 20), ("brief", 20)):
        write_video(tmp_path / "videos" / f"{name}.mp4", [40 * frame for frame in range(frames)], picture)
    (tmp_path / "videos" / "text.mp4").write_text("no video")
    put(tmp_path / "videos", f"{s3}/week/videos")
    storage.upload(write_anchors(tmp_path, "long,0,0.5,0"), f"{s3}/week/anchors.csv")
    settings, listing = load_settings(), tmp_path / "listing"
    bundle = toy_bundle(tmp_path / "bundle")
    found = shards.list_videos(
        f"{s3}/week/videos", anchors=f"{s3}/week/anchors.csv", model=str(bundle), shards=2, out=listing
    )
    names = [{found.sources[position].name for position in shard} for shard in found.shards]
    assert {"short", "brief"} <= next(shard for shard in names if "long" not in shard)
    parts = [tmp_path / f"shard-{shard}" for shard in range(len(found.shards))]
    for shard, part in enumerate(parts):
        shards.label_shard(settings.label, settings.extract, listing=listing, shard=shard, out=part)
    told = shards.merge(parts, listing=listing, out=f"{s3}/labels")
    assert told.labelled == 3
    assert list(told.failed) == ["text"]
    summary = json.loads(storage.read(f"{s3}/labels/summary.json") or b"")
    assert [video["video_id"] for video in summary["labelled"]] == ["brief", "long", "short"]


def test_the_cache_is_shown_and_cleared_by_kind_and_age(
    s3: str, tmp_path: Path, own_cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x").write_text("x" * 1_000_000)
    storage.upload(tmp_path / "x", f"{s3}/data/x")
    fetch = "import sys; from mtclar.remote import local_folder; print(local_folder(sys.argv[1]), flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", fetch, f"{s3}/data"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        kept = Path(other.stdout.readline().strip())
        for name in ("features", "out/abc/out"):
            (own_cache / name).mkdir(parents=True)
        (own_cache / "features" / "abc.features").write_text("y")
        (own_cache / "out" / "abc" / "out" / "store.json").write_text("{}")
        assert {kind.name: kind.files for kind in cached.show()} == {"features": 1, "bundles": 0, "s3": 1, "out": 1}
        assert run("cache", "show") == 0
        assert "1.0 MB" in capsys.readouterr().out
        assert run("cache", "clear", "--older-than", "1") == 0
        assert "removed 0 things" in capsys.readouterr().out
        os.utime(kept, (0, 0))
        assert run("cache", "clear", "s3", "--older-than", "1") == 0
        assert "removed 0 things, 0.0 MB; 1 thing in use left" in capsys.readouterr().out
        other.communicate("\n")
    assert run("cache", "clear", "s3", "--older-than", "1") == 0
    assert "removed 1 thing, 1.0 MB" in capsys.readouterr().out
    assert (own_cache / "features" / "abc.features").exists()
    with own_part(own_cache / "features", "def.features") as somebodys:
        assert run("cache", "clear") == 0
        assert list((own_cache / "features").iterdir()) == [somebodys]
    assert (own_cache / "out" / "abc" / "out" / "store.json").exists()  # nobody else has it
    assert run("cache", "clear", "out") == 0
    assert not (own_cache / "out" / "abc").exists()
    assert remote.local_folder(f"{s3}/data") == kept
    assert run("cache", "clear", "feature") == 1
    assert "did you mean 'features'" in capsys.readouterr().err


def test_dvc_pushes_to_s3_and_a_fresh_clone_pulls_from_there(s3: str, tmp_path: Path) -> None:
    pytest.importorskip("dvc_s3")
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    who = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b.c",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b.c",
    }
    environment = {
        **os.environ,
        **who,
        "PATH": programs,
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path / "site"),
    }

    def do(folder: Path, *command: str) -> str:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    do(first, "git", "init", "-q")
    do(first, "dvc", "init", "-q")
    do(first, "dvc", "remote", "add", "-d", "team", f"s3://{BUCKET}/{s3.rpartition('/')[2]}/dvc")
    do(first, "dvc", "remote", "modify", "team", "endpointurl", os.environ["AWS_ENDPOINT_URL"])
    (first / "data").mkdir()
    for number in range(3):
        (first / "data" / f"{number}.bin").write_bytes(os.urandom(1000))
    do(first, "dvc", "add", "-q", "data")
    stage = "import pathlib; pathlib.Path('made').write_bytes(pathlib.Path('data/1.bin').read_bytes()[::-1])"
    (first / "stage.py").write_text(stage)
    do(
        first,
        "dvc",
        "stage",
        "add",
        "-q",
        "-n",
        "turn",
        "-d",
        "data",
        "-d",
        "stage.py",
        "-o",
        "made",
        "python stage.py",
    )
    do(first, "dvc", "repro", "-q")
    do(first, "git", "add", ".")
    do(first, "git", "commit", "-q", "-m", "data")
    do(first, "dvc", "push", "-q")
    do(tmp_path, "git", "clone", "-q", str(first), str(second))
    do(second, "dvc", "pull", "-q")
    for number in range(3):
        assert (second / "data" / f"{number}.bin").read_bytes() == (first / "data" / f"{number}.bin").read_bytes()
    assert (second / "made").read_bytes() == (first / "data" / "1.bin").read_bytes()[::-1]
    assert "up to date" in do(second, "dvc", "status")
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in (first / ".dvc" / "config").read_text()
