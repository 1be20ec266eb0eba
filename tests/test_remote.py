"""Folders on S3: names that lead nowhere else, several processes at once, and outputs that are never half there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from s3_faults import Faults, error, half_a_body, other_bytes, s3_proxy, then

from mtclar import remote, storage
from mtclar.cli import main
from mtclar.errors import MtclarError

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)
KEYS = TEXT | st.lists(st.sampled_from(["..", ".", "", "a", "é b", "\0", "\\", "%2e%2e"]), max_size=5).map("/".join)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def faults(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with s3_proxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        storage._client.cache_clear()
        yield proxy
    storage._client.cache_clear()


def put(uri: str, **files: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / "x").write_text(content)
            storage.upload(Path(folder) / "x", storage.join(uri, name))


def content(handler: object) -> bool:
    return handler.command == "GET" and "list-type" not in handler.path  # type: ignore[attr-defined]


@given(KEYS)
def test_whatever_a_key_is_its_file_lies_below_the_folder_or_is_refused(key: str) -> None:
    root = "/somewhere/cache"
    try:
        name = storage.below(key, "s3://bucket/data")
    except MtclarError:
        return
    where = os.path.normpath(os.path.join(root, name))
    assert where == f"{root}/{name}"


@given(st.from_regex(r"[a-z0-9.-]{3,20}", fullmatch=True), TEXT)
def test_an_address_is_divided_into_what_it_was_joined_of(bucket: str, key: str) -> None:
    assert storage.split(f"s3://{bucket}/{key}") == (bucket, key)
    inner = key.strip("/")
    assert storage.split(storage.join(f"s3://{bucket}/", inner)) == (bucket, inner)


def test_names_with_spaces_and_signs_of_all_kinds_come_back(s3: str, tmp_path: Path) -> None:
    names = ["a b/é ü.txt", "plus+%20&?#=", "日本/語", "tab\there", "\U0001f600", "q'\"$(x)`"]
    put(f"{s3}/data", **{name: name for name in names})
    folder = remote.local_folder(f"{s3}/data")
    found = {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert found == {name: name for name in names}


def test_one_file_is_fetched_as_that_file_and_a_file_that_is_a_folder_too_is_refused(s3: str) -> None:
    put(s3, **{"data.zip": "zip", "data/x": "x"})
    assert remote.local_folder(f"{s3}/data.zip").name == "data.zip"
    assert remote.local_folder(f"{s3}/data.zip").read_text() == "zip"
    both = [storage.RemoteFile(f"s3://bucket/data/{name}", 1, "e") for name in ("a", "a/b")]
    with pytest.raises(MtclarError, match="'a' is a file and a folder there"):
        remote._paths("s3://bucket/data", both)


def test_processes_that_want_a_folder_at_the_same_time_fetch_it_once(s3: str, faults: Faults) -> None:
    put(f"{s3}/data", **{f"{number}.txt": str(number) for number in range(20)})
    faults.seen.clear()
    fetch = "import sys; from mtclar.remote import local_folder; print(len(list(local_folder(sys.argv[1]).iterdir())))"
    calls = [
        subprocess.Popen([sys.executable, "-c", fetch, f"{s3}/data"], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [call.communicate(timeout=60)[0].strip() for call in calls] == ["20"] * 3
    assert len([path for command, path, _ in faults.seen if command == "GET" and "list-type" not in path]) == 20


def test_a_body_that_is_wrong_once_is_fetched_again_and_that_something_was_amiss_is_said_once(
    s3: str, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    put(f"{s3}/data", a="a" * 1000, b="b" * 1000)
    faults.when, faults.queue = content, [other_bytes, half_a_body, error(500), half_a_body]
    folder = remote.local_folder(f"{s3}/data")
    assert {path.read_text()[0] for path in folder.iterdir()} == {"a", "b"}
    assert not faults.queue
    assert [record.message for record in caplog.records if "trying again" in record.message] == [
        "S3 cannot be reached or does not answer as it should; trying again"
    ]


def test_a_small_file_is_read_again_when_its_body_was_cut(s3: str, faults: Faults) -> None:
    put(s3, x="0123456789")
    faults.when, faults.queue = content, [half_a_body, half_a_body]
    assert storage.read(f"{s3}/x") == b"0123456789"
    faults.queue = [half_a_body]
    assert storage.RemoteReader(f"{s3}/x").read() == b"0123456789"


def test_a_folder_that_changes_while_it_is_fetched_is_one_sentence_and_nothing_of_it_counts(
    s3: str, faults: Faults, own_cache: Path
) -> None:
    put(f"{s3}/data", a="a", b="b")
    faults.when = lambda handler: content(handler) and handler.path.endswith("/b")
    faults.queue = [then(lambda: put(f"{s3}/data", b="B"))]
    with pytest.raises(MtclarError, match="data/b: it was changed while it was read; try again"):
        remote.local_folder(f"{s3}/data")
    assert not [path for path in (own_cache / "s3").iterdir() if len(path.name) == 64]
    assert (remote.local_folder(f"{s3}/data") / "b").read_text() == "B"


def test_what_could_not_be_put_is_kept_and_what_is_half_there_is_not_read(
    s3: str, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"{s3}/store"

    def write(*, broken: bool = False) -> None:
        with remote.written_folder(uri, known_by="store.json") as folder:
            folder.mkdir(exist_ok=True)
            for name in ("store.json", "crops"):
                (folder / name).write_text("hours of work")
            if broken:
                raise MtclarError("the verdict is no.")

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    storage._client.cache_clear()
    faults.when, faults.queue = lambda handler: handler.path.startswith(f"/{uri[5:]}/crops"), [error(500)]
    with pytest.raises(MtclarError, match=r"S3 answered 500 .*; try later\. What was to be put is kept in ") as caught:
        write()
    kept = Path(str(caught.value).rpartition(" ")[2].rstrip("."))
    assert (kept / "crops").read_text() == "hours of work"
    with pytest.raises(MtclarError, match="an output is being put there, or that was cut short"):
        remote.local_folder(uri)
    with remote.written_folder(uri, known_by="store.json") as folder:  # goes on where it was
        assert (folder / "crops").read_text() == "hours of work"
        with (
            pytest.raises(MtclarError, match="another process of this machine writes there"),
            remote.written_folder(uri, known_by="store.json"),
        ):
            pass
    assert {path.name for path in remote.local_folder(uri).iterdir()} == {"store.json", "crops"}
    assert not kept.exists()
    for file in storage.list_files(uri):
        storage.remove(file.uri)
    with pytest.raises(MtclarError, match="the verdict is no"):
        write(broken=True)
    assert storage.exists(f"{uri}/store.json")  # which is an output all the same


def test_of_two_calls_that_put_one_output_one_gives_up_and_the_other_is_whole(
    s3: str, faults: Faults, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    uri = f"{s3}/store"
    monkeypatch.setattr(remote, "LOOK_S", 0.0)

    def write(content: str) -> None:
        with remote.written_folder(uri, known_by="store.json") as folder:
            folder.mkdir()
            for name in ("store.json", "a", "b", content):
                (folder / name).write_text(content)

    def other_machine() -> None:
        with monkeypatch.context() as there:
            there.setenv("MTCLAR_CACHE", str(tmp_path / "there"))
            write("second")

    faults.when = lambda handler: handler.command == "PUT" and handler.path.startswith(f"/{uri[5:]}/a")
    faults.queue = [then(other_machine)]
    with pytest.raises(MtclarError, match=r"another call puts an output"):
        write("first")
    put_by = {file.uri.rpartition("/")[2]: storage.read(file.uri) for file in storage.list_files(uri)}
    assert put_by.get("store.json") == b"second" or ".mtclar-put" in put_by


def test_a_message_of_the_command_line_calls_a_fetched_folder_by_its_address(
    s3: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    put(f"{s3}/faces", **{"readme.txt": "no store"})
    with pytest.raises(SystemExit) as ended:
        main(["validate", "--faces", f"{s3}/faces", "--out", str(tmp_path / "out")])
    assert ended.value.code == 1
    assert f"mtclar: {s3}/faces: expected a faces store" in capsys.readouterr().err
