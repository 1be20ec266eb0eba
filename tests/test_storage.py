import os
import sys

import pytest

from mtclar import storage
from mtclar.errors import MtclarError

SECRETS = ("toy-secret", "another-secret")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "clip é '\"$(x) .mp4"
    path.write_bytes(os.urandom(9_000_000))  # larger than one part of a multipart upload
    return path


def test_a_file_comes_back_as_it_was_put(s3, file, tmp_path):
    uri = storage.join(s3, "monday", file.name)
    assert not storage.exists(uri)
    storage.upload(file, uri)
    assert storage.exists(uri)
    back = storage.download(uri, tmp_path / "back")
    assert back.name == file.name
    assert back.read_bytes() == file.read_bytes()
    assert storage.digest(uri) == storage.file_sha256(file)
    assert storage.find(uri).size == 9_000_000
    with storage.local(uri) as path:
        assert path.read_bytes() == file.read_bytes()
    assert not path.exists()
    storage.remove(uri)
    assert not storage.exists(uri)
    assert storage.read(uri) is None


def test_a_folder_lists_what_is_below_it_and_not_its_neighbours(s3, tmp_path):
    (tmp_path / "x").write_text("x")
    for key in ("clips/b.mp4", "clips/a.mp4", "clips/deep/c.mp4", "clips-of-others/d.mp4", "clips.csv"):
        storage.upload(tmp_path / "x", f"{s3}/{key}")
    below = [file.uri.removeprefix(f"{s3}/") for file in storage.list_files(f"{s3}/clips")]
    assert (
        below
        == ["clips/a.mp4", "clips/b.mp4", "clips/deep/c.mp4"]
        == [file.uri.removeprefix(f"{s3}/") for file in storage.list_files(f"{s3}/clips/")]
    )
    assert [file.uri for file in storage.list_files(f"{s3}/clips.csv")] == [f"{s3}/clips.csv"]
    assert storage.list_files(f"{s3}/nothing") == []


def test_the_tag_of_a_file_changes_with_its_content(s3, tmp_path):
    tags = set()
    for word in ("one", "two"):
        (tmp_path / "x").write_text(word)
        storage.upload(tmp_path / "x", f"{s3}/x")
        tags.add(storage.find(f"{s3}/x").etag)
    assert len(tags) == 2


def test_a_file_that_is_not_what_was_put_is_refused(s3, tmp_path):
    (tmp_path / "x").write_text("x")
    storage.upload(tmp_path / "x", f"{s3}/x")
    bucket, key = storage.split(f"{s3}/x")
    storage._client().put_object(Bucket=bucket, Key=key, Body=b"y", Metadata={"sha256": storage.digest(f"{s3}/x")})
    with pytest.raises(MtclarError, match="did not arrive as it was put"):
        storage.download(f"{s3}/x", tmp_path / "back")
    assert not list((tmp_path / "back").iterdir())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "another-secret"}, "access was refused; check the keys"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "access was refused; check the keys"),
        ({"AWS_ENDPOINT_URL": "http://me:another-secret@127.0.0.1:9"}, "cannot be reached; check AWS_ENDPOINT_URL"),
        ({"AWS_SECRET_ACCESS_KEY": None}, "one of the two keys is missing"),
        ({"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}, "no keys were found"),
        ({"AWS_PROFILE": "nobody"}, "a profile that does not exist"),
    ],
)
def test_what_goes_wrong_is_one_sentence_without_a_secret(s3, file, tmp_path, monkeypatch, change, words):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    for name, value in change.items():
        monkeypatch.setenv(name, value) if value is not None else monkeypatch.delenv(name)
    storage._client.cache_clear()
    calls = [
        lambda: storage.list_files(s3),
        lambda: storage.exists(f"{s3}/x"),
        lambda: storage.upload(file, f"{s3}/x"),
        lambda: storage.download(f"{s3}/x", tmp_path),
    ]
    for call in calls:
        with pytest.raises(MtclarError, match=words) as caught:
            call()
        assert str(caught.value).startswith(s3)
        assert "\n" not in str(caught.value)
        assert not any(secret in str(caught.value) for secret in SECRETS)


def test_a_bucket_or_a_file_that_is_not_there_is_named(s3, file, tmp_path):
    with pytest.raises(MtclarError, match="s3://no-such-bucket/x: there is no such bucket"):
        storage.list_files("s3://no-such-bucket/x")
    with pytest.raises(MtclarError, match="s3://no-such-bucket/x: there is no such bucket"):
        storage.upload(file, "s3://no-such-bucket/x")
    with pytest.raises(MtclarError, match="it is not there"):
        storage.download(f"{s3}/nothing.mp4", tmp_path)
    with pytest.raises(MtclarError, match="expected an address such as"):
        storage.list_files("s3:///clip.mp4")


def test_a_local_path_is_itself(tmp_path):
    (tmp_path / "x").write_text("x")
    with storage.local(tmp_path / "x") as path:
        assert path == tmp_path / "x"
    assert path.exists()
    assert storage.exists(str(path))
    assert not storage.exists(tmp_path / "y")


def test_without_boto3_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    storage._client.cache_clear()
    with pytest.raises(MtclarError, match=r"pip install 'mtclar\[s3\]'"):
        storage.exists("s3://bucket/x")
    storage._client.cache_clear()
