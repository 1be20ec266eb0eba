"""Between us and a real S3 server things go wrong: nothing is lost, and it is one sentence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_faults import Faults, error, half_a_body, other_bytes, reset, s3_proxy, silence, then

from mtclar import remote, storage
from mtclar.errors import MtclarError

SECRET = "toy-secret"  # noqa: S105
FAULTS = {
    "a time-out": silence(1.5),
    "a 500": error(500),
    "a 503": error(503),
    "half a body": half_a_body,
    "a reset": reset,
}


@pytest.fixture
def faults(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """A proxy that spoils; it waits for nothing longer than a second."""
    monkeypatch.setattr(storage, "READ_S", 1)
    with s3_proxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        storage._client.cache_clear()
        yield proxy
    storage._client.cache_clear()


@pytest.fixture(params=[1000, 20_000_000], ids=["small", "large"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "file.bin"
    path.write_bytes(os.urandom(request.param))
    return path


def content(handler: object) -> bool:
    return handler.command == "GET" and "list-type" not in handler.path  # type: ignore[attr-defined]


def writes(handler: object) -> bool:
    return handler.command in ("PUT", "POST")  # type: ignore[attr-defined]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_passes_is_tried_again_when_a_file_is_fetched(
    s3: str, faults: Faults, file: Path, tmp_path: Path, fault: str
) -> None:
    storage.upload(file, f"{s3}/file.bin")
    faults.when, faults.queue = content, [FAULTS[fault], FAULTS[fault]]
    back = storage.download(f"{s3}/file.bin", tmp_path / "back")
    assert back.read_bytes() == file.read_bytes()
    assert not faults.queue
    assert [path.name for path in back.parent.iterdir()] == ["file.bin"]


def test_of_a_large_file_only_the_part_that_was_cut_is_fetched_again(s3: str, faults: Faults, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(40_000_000))
    storage.upload(file, f"{s3}/file.bin")
    faults.seen.clear()
    faults.when, faults.queue = content, [half_a_body]
    storage.download(f"{s3}/file.bin", tmp_path / "back")
    ranges = [part for command, _, part in faults.seen if command == "GET"]
    assert len(ranges) == len(set(ranges)) + 1
    assert len(set(ranges)) >= 4


@pytest.mark.parametrize("fault", ["a time-out", "a 500", "a reset"])
def test_what_passes_is_tried_again_when_a_file_is_put(s3: str, faults: Faults, file: Path, fault: str) -> None:
    faults.when, faults.queue = writes, [FAULTS[fault], FAULTS[fault]]
    storage.upload(file, f"{s3}/file.bin")
    assert not faults.queue
    assert storage.digest(f"{s3}/file.bin") == storage.file_sha256(file)
    assert storage.find(f"{s3}/file.bin").size == file.stat().st_size


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_pass_is_one_sentence_and_leaves_nothing(
    s3: str, faults: Faults, tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(100_000))
    storage.upload(file, f"{s3}/file.bin")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    storage._client.cache_clear()
    faults.when, faults.queue = content, [FAULTS[fault]] * 40
    with pytest.raises(MtclarError) as caught:
        storage.download(f"{s3}/file.bin", tmp_path / "back")
    assert str(caught.value).startswith(f"{s3}/file.bin: ")
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert not (tmp_path / "back").exists() or not list((tmp_path / "back").iterdir())


def test_a_large_upload_that_fails_leaves_no_parts_behind(
    s3: str, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(20_000_000))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    storage._client.cache_clear()
    faults.when = lambda handler: handler.command == "PUT" and "partNumber=2" in handler.path
    faults.queue = [error(500)] * 9
    with pytest.raises(MtclarError, match="S3 answered"):
        storage.upload(file, f"{s3}/file.bin")
    assert storage.find(f"{s3}/file.bin") is None
    bucket, key = storage.split(s3)
    left = storage._client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    assert not [upload for upload in left if upload["Key"].startswith(key)]


def test_bytes_that_are_not_those_that_were_put_are_refused(s3: str, faults: Faults, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(100_000))
    storage.upload(file, f"{s3}/file.bin")
    faults.when, faults.queue = content, [other_bytes] * 9
    with pytest.raises(MtclarError, match="did not arrive as it was put, or changed meanwhile"):
        storage.download(f"{s3}/file.bin", tmp_path / "back")


def test_a_file_that_vanishes_or_changes_while_it_is_fetched_is_named(s3: str, faults: Faults, tmp_path: Path) -> None:
    file, other = tmp_path / "file.bin", tmp_path / "other.bin"
    for path in (file, other):
        path.write_bytes(os.urandom(20_000_000))
    uri = f"{s3}/file.bin"
    storage.upload(file, uri)
    faults.when, faults.queue = content, [then(lambda: storage.upload(other, uri))]
    with pytest.raises(MtclarError, match=r"changed (meanwhile|while it was read); try again"):
        storage.download(uri, tmp_path / "back")
    faults.when, faults.queue = content, [then(lambda: storage.remove(uri))]
    with pytest.raises(MtclarError, match="it is not there"):
        storage.download(uri, tmp_path / "back")


def test_a_folder_is_fetched_once_and_again_when_it_changes(
    s3: str, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    for name in ("a.txt", "deep/é b.txt"):
        (tmp_path / "x").write_text(name)
        storage.upload(tmp_path / "x", f"{s3}/data/{name}")
    first = remote.local_folder(f"{s3}/data/")
    assert {path.relative_to(first).as_posix() for path in first.rglob("*.txt")} == {"a.txt", "deep/é b.txt"}
    faults.seen.clear()
    assert remote.local_folder(f"{s3}/data") == first
    assert all("list-type" in path for _, path, _ in faults.seen)
    (tmp_path / "x").write_text("new")
    storage.upload(tmp_path / "x", f"{s3}/data/a.txt")
    second = remote.local_folder(f"{s3}/data")
    assert second != first
    assert (second / "a.txt").read_text() == "new"
    assert (first / "a.txt").read_text() == "a.txt"  # somebody may be reading it
    with pytest.raises(MtclarError, match="there is no file below this address"):
        remote.local_folder(f"{s3}/nothing")
    assert remote.local_folder(tmp_path) == tmp_path


def test_a_fetch_that_was_cut_goes_on_with_the_files_that_are_missing(
    s3: str, faults: Faults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    storage._client.cache_clear()
    for number in range(12):
        (tmp_path / "x").write_text(str(number))
        storage.upload(tmp_path / "x", f"{s3}/data/{number}.txt")
    faults.when = lambda handler: content(handler) and handler.path.endswith("/7.txt")
    faults.queue = [error(403)]
    with pytest.raises(MtclarError, match=r"data/7.txt: access was refused"):
        remote.local_folder(f"{s3}/data")
    assert not [path for path in (tmp_path / "cache" / "s3").iterdir() if len(path.name) == 64]
    faults.seen.clear()
    whole = remote.local_folder(f"{s3}/data")
    assert len(list(whole.iterdir())) == 12
    fetched = [path for command, path, _ in faults.seen if command == "GET" and "list-type" not in path]
    assert 1 <= len(fetched) < 12


@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "a//b.txt"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(MtclarError, match="has a name that is no path below a folder"):
        storage.below(name, "s3://bucket/data")


def test_an_output_is_there_whole_with_the_file_it_is_known_by_put_last(
    s3: str, faults: Faults, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = f"{s3}/out"

    def write(number: int, *names: str) -> None:
        with remote.written_folder(uri, known_by="store.json") as folder:
            (folder / "deep").mkdir(parents=True)
            for name in ("store.json", *names):
                (folder / name).write_text(str(number))

    def there() -> set[str]:
        return {file.uri.removeprefix(f"{uri}/") for file in storage.list_files(uri)}

    write(1, "a", "deep/b")
    assert there() == {"store.json", "a", "deep/b"}
    faults.seen.clear()
    write(2, "a", "c")
    assert there() == {"store.json", "a", "c"}
    puts = [path.rpartition("/")[2].partition("?")[0] for command, path, _ in faults.seen if command == "PUT"]
    assert puts[-1] == "store.json"
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    storage._client.cache_clear()
    faults.when = lambda handler: handler.command == "PUT" and "/c" in handler.path
    faults.queue = [error(500)] * 9
    with pytest.raises(MtclarError):
        write(3, "a", "c")
    assert "store.json" not in there()  # what is there is no output
    with pytest.raises(RuntimeError), remote.written_folder(f"{s3}/new", known_by="store.json"):
        raise RuntimeError
    assert not storage.list_files(f"{s3}/new")
    storage.upload(Path(__file__), f"{s3}/foreign/thesis.txt")
    with (
        pytest.raises(MtclarError, match=r"there are files and no store.json"),
        remote.written_folder(f"{s3}/foreign", known_by="store.json"),
    ):
        pass


def test_a_few_bytes_of_a_large_file_are_read_without_the_rest(s3: str, faults: Faults, tmp_path: Path) -> None:
    file = tmp_path / "file.bin"
    file.write_bytes(os.urandom(5_000_000))
    storage.upload(file, f"{s3}/file.bin")
    faults.seen.clear()
    reader = storage.RemoteReader(f"{s3}/file.bin")
    reader.seek(-1000, os.SEEK_END)
    assert reader.read() == file.read_bytes()[-1000:]
    assert [part for command, _, part in faults.seen if command == "GET"] == ["bytes=4999000-4999999"]
    with pytest.raises(MtclarError, match="it is not there"):
        storage.RemoteReader(f"{s3}/gone")
