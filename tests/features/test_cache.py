"""The cache of features: found by content, bounded, and never a reason to fail."""

import os
from dataclasses import replace

import pytest
from make_video import write_video
from toy_features import toy_features

from mtclar.features.cache import cache_folder, find_features, keep_features, key_of, known_sha256
from mtclar.features.file import write_features
from mtclar.video import open_video


def features(sha256="ab" * 32, seed=0):
    made = toy_features(seed)
    return replace(made, video=made.video | {"sha256": sha256})


def test_what_is_kept_is_found_by_the_content_of_the_video_and_how_it_was_read(tmp_path):
    made = features()
    keep_features(made, most_gb=1, folder=tmp_path)
    found = find_features("ab" * 32, made.identity, folder=tmp_path)
    assert found.time_s.tolist() == made.time_s.tolist()
    assert find_features("cd" * 32, made.identity, folder=tmp_path) is None
    assert find_features("ab" * 32, {**made.identity, "extraction": 2}, folder=tmp_path) is None


def test_a_file_beside_is_taken_first_if_it_is_of_the_same_content(tmp_path):
    made = features(seed=1)
    write_features(made, tmp_path / "clip.features")
    found = find_features("ab" * 32, made.identity, beside=tmp_path / "clip.features", folder=tmp_path / "none")
    assert found.time_s.tolist() == made.time_s.tolist()
    other = find_features("cd" * 32, made.identity, beside=tmp_path / "clip.features", folder=tmp_path / "none")
    assert other is None


def test_a_damaged_file_is_as_good_as_none(tmp_path):
    made = features()
    keep_features(made, most_gb=1, folder=tmp_path)
    path = tmp_path / f"{key_of('ab' * 32, made.identity)}.features"
    path.write_bytes(path.read_bytes()[:-100])
    assert find_features("ab" * 32, made.identity, folder=tmp_path) is None


def test_beyond_its_bound_the_least_recently_used_are_removed(tmp_path):
    names = ["aa" * 32, "bb" * 32, "cc" * 32]
    for age, name in enumerate(names):
        keep_features(features(name), most_gb=1, folder=tmp_path)
        path = tmp_path / f"{key_of(name, features(name).identity)}.features"
        os.utime(path, (1000 + age, 1000 + age))
    assert find_features(names[0], features().identity, folder=tmp_path) is not None  # used just now
    size = path.stat().st_size
    keep_features(features("dd" * 32), most_gb=2.5 * size / 1e9, folder=tmp_path)
    there = [name for name in [*names, "dd" * 32] if find_features(name, features().identity, folder=tmp_path)]
    assert there == [names[0], "dd" * 32]


def test_no_gigabytes_are_no_cache_and_one_that_cannot_be_written_is_no_failure(tmp_path):
    keep_features(features(), most_gb=0, folder=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    (tmp_path / "file").write_text("in the way")
    keep_features(features(), most_gb=1, folder=tmp_path / "file" / "cache")


def test_the_place_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("MTCLAR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "mtclar" / "features"
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own" / "features"


def test_a_file_that_has_not_changed_is_hashed_once(tmp_path, monkeypatch):
    path = write_video(tmp_path / "clip.mp4", [0, 40])
    first = known_sha256(open_video(path), tmp_path)
    assert first == open_video(path).sha256
    monkeypatch.setattr(type(open_video(path)), "sha256", property(lambda self: pytest.fail("read again")))
    assert known_sha256(open_video(path), tmp_path) == first


def test_a_file_that_has_changed_is_hashed_again(tmp_path):
    path = write_video(tmp_path / "clip.mp4", [0, 40])
    first = known_sha256(open_video(path), tmp_path / "cache")
    stamp = path.stat().st_mtime_ns
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(stamp, stamp + 1))
    assert known_sha256(open_video(path), tmp_path / "cache") != first
