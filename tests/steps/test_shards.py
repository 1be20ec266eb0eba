"""Labelling in shards gives what labelling in one call gives, and a bad video costs its own labels alone."""

from __future__ import annotations

import json
import os
from itertools import product
from pathlib import Path

import pandas as pd
import pytest
from bright_clip import EXTRACT, picture, write_anchors
from hypothesis import given
from hypothesis import strategies as st
from make_video import write_video

from mtclar.errors import MtclarError
from mtclar.steps import label, shards


def all_of(folder: Path, videos: Path, anchors: Path | None, bundle: Path, settings, number: int) -> shards.Merged:
    """A whole labelling, as the pipeline does it."""
    where = str(anchors) if anchors else ""
    listing = folder / "listing"
    found = shards.list_videos(str(videos), anchors=where, model=str(bundle), shards=number, out=listing)
    parts = []
    for shard in range(len(found.shards)):
        parts.append(folder / f"shard-{shard}")
        shards.label_shard(settings, EXTRACT, listing=listing, shard=shard, out=parts[-1])
    return shards.merge(parts, listing=listing, out=folder / "out")


def test_labels_do_not_depend_on_how_the_videos_are_divided(clip, bundle, settings, tmp_path):
    videos = tmp_path / "videos"
    for name in ("mon/clip.mp4", "tue/clip.mp4", "Solo.mp4"):
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        (videos / name).write_bytes(clip.read_bytes())
    anchors = write_anchors(tmp_path, "mon/clip,0,0,0", "tue/clip.mp4,0,0.5,0", "solo,1,0.2,0.1")
    label.run(settings, EXTRACT, videos=[videos], anchors=anchors, model=bundle, out=tmp_path / "whole")
    told = all_of(tmp_path, videos, anchors, bundle, settings, number=3)
    assert (told.labelled, told.failed) == (3, {})
    for name in ("mon/clip", "tue/clip", "Solo"):
        for ending in (".va.csv", ".va.parquet", ".html"):
            ours, theirs = ((tmp_path / out / f"{name}{ending}").read_bytes() for out in ("out", "whole"))
            assert ours == theirs, name
    summaries = [json.loads((tmp_path / out / "summary.json").read_text()) for out in ("out", "whole")]
    assert summaries[0] == summaries[1]
    assert (tmp_path / "out" / "index.html").read_bytes() == (tmp_path / "whole" / "index.html").read_bytes()


def test_a_video_that_fails_fails_neither_its_shard_nor_the_run_and_is_listed(clip, bundle, settings, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "good.mp4").write_bytes(clip.read_bytes())
    (videos / "text.mp4").write_text("no video")
    write_video(videos / "nobody.mp4", [0, 40, 80])
    told = all_of(tmp_path, videos, None, bundle, settings, number=3)
    assert told.labelled == 1
    assert str(told).startswith(f"1 of 3 videos are labelled in {tmp_path / 'out'}; these could not be:\n  ")
    assert "text.mp4: the file holds text" in told.failed["text"] or "holds text" in told.failed["text"]
    assert "no face was found" in told.failed["nobody"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [entry["video_id"] for entry in summary["labelled"]] == ["good"]
    assert [entry["video"] for entry in summary["failed"]] == ["nobody", "text"]
    assert "holds text" in (tmp_path / "out" / "index.html").read_text()


def test_where_every_video_fails_the_run_does(bundle, settings, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("a", "b"):
        (videos / f"{name}.mp4").write_bytes(b"")
    with pytest.raises(MtclarError, match=r"(?s)none of the 2 videos could be labelled:\n  .*a.mp4.*\n  .*b.mp4"):
        all_of(tmp_path, videos, None, bundle, settings, number=2)


def test_which_anchors_are_whose_is_settled_among_all_videos_and_not_within_a_shard(clip, bundle, settings, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name in ("clip.mp4", "CLIP.mp4"):
        (videos / name).write_bytes(clip.read_bytes())
    anchors = write_anchors(tmp_path, "clip,0,0.5,0")
    all_of(tmp_path, videos, anchors, bundle, settings, number=2)
    assert pd.read_csv(tmp_path / "out" / "clip.va.csv")["valence"][0] == 0.5
    assert set(pd.read_csv(tmp_path / "out" / "CLIP.va.csv")["source"]) <= {"zero-shot", "none"}


def test_a_mistake_in_the_anchors_or_the_model_is_told_before_anything_is_labelled(clip, bundle, tmp_path):
    anchors = write_anchors(tmp_path, "clip,0,0.5,seven")
    with pytest.raises(MtclarError, match="seven"):
        shards.list_videos(str(clip), anchors=str(anchors), model=str(bundle), shards=2, out=tmp_path / "listing")
    with pytest.raises(MtclarError, match="no such video"):
        shards.list_videos(str(tmp_path / "gone"), anchors="", model="default", shards=2, out=tmp_path / "listing")


def test_a_name_that_is_no_text_goes_through_the_listing_and_is_listed_as_failed(clip, bundle, settings, tmp_path):
    (tmp_path / "videos").mkdir()
    for name in (b"clip.mp4", b"caf\xe9.mp4"):
        with open(os.path.join(os.fsencode(tmp_path / "videos"), name), "wb") as file:
            file.write(clip.read_bytes())
    told = all_of(tmp_path, tmp_path / "videos", None, bundle, settings, number=2)
    assert told.labelled == 1
    assert list(told.failed) == ["caf\\xe9"]


def test_long_videos_are_spread_over_the_shards(bundle, tmp_path):
    videos = tmp_path / "videos"
    videos.mkdir()
    for name, frames in {"a": 60, "b": 30, "c": 30, "d": 4}.items():
        write_video(videos / f"{name}.mp4", [40 * frame for frame in range(frames)], picture)
    found = shards.list_videos(str(videos), anchors="", model=str(bundle), shards=2, out=tmp_path / "listing")
    named = [{found.sources[position].name for position in shard} for shard in found.shards]
    assert {"a"} in named or {"a", "d"} in named
    assert shards.read_listing(tmp_path / "listing") == found


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=7), st.integers(1, 4))
def test_every_item_is_in_one_shard_and_the_longest_shard_is_near_the_best_there_is(lengths, number):
    groups = shards.divide(lengths, number)
    assert sorted(position for group in groups for position in group) == list(range(len(lengths)))
    assert all(groups)
    assert len(groups) == min(number, len(lengths))
    longest = max(sum(lengths[position] for position in group) for group in groups)
    best = min(
        max(sum(length for length, at in zip(lengths, where, strict=True) if at == group) for group in range(number))
        for where in product(range(number), repeat=len(lengths))
    )
    assert longest <= best * 4 / 3 + 1e-6
