"""Who may ask the backend of Label Studio, and what of."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from urllib.parse import urlsplit

import pytest
from bright_clip import CALIBRATION
from label_studio_asks import ask, features_of, running
from toy_bundle import toy_bundle

from mtclar.cli import main
from mtclar.errors import MtclarError
from mtclar.features.file import write_features
from mtclar.settings import load_settings
from mtclar.steps.models import open_predictor
from mtclar.studio.label_studio import Backend
from mtclar.studio.label_studio_server import LARGEST, serve

OPENS = "päss"


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    bundle = toy_bundle(folder / "bundle", calibration=CALIBRATION)
    for name in ("clip", "größe 1"):
        write_features(features_of(1, 25.0), folder / f"{name}.features")
    return Backend(
        folder, folder, open_predictor(str(bundle), load_settings().register_), load_settings(), CALIBRATION, "toy-1"
    )


@pytest.fixture
def address(backend):
    with running(backend) as address:
        yield address


def raw(address: str, *lines: str, body: bytes = b"") -> http.client.HTTPResponse:
    """The answer to a request that is written by hand."""
    host = urlsplit(address)
    with socket.create_connection((str(host.hostname), host.port or 0), 10) as sender:
        sender.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = http.client.HTTPResponse(sender)
        answer.begin()
        answer.read()
        return answer


def test_what_is_too_large_has_no_length_or_is_unknown_is_refused(address):
    request = urllib.request.Request(f"{address}/predict", b"x", {"Content-Length": str(LARGEST + 1)})
    with pytest.raises(urllib.request.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 413
    assert raw(address, "POST /predict HTTP/1.1", "Host: localhost", "Content-Type: application/json").status == 411
    for length in ("-1", "1e3", "²"):
        assert raw(address, "POST /predict HTTP/1.1", "Host: localhost", f"Content-Length: {length}").status == 411
    assert ask(f"{address}/nothing").status == 404
    assert ask(f"{address}/nothing", {}).status == 404
    assert ask(f"{address}/train", {"annotations": []}).content == {"status": "ok"}


def test_a_page_elsewhere_cannot_send_what_only_looks_like_json(address):
    body = json.dumps({"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}).encode()
    answer = ask(f"{address}/webhook", body, Content_Type="text/plain")
    assert answer.status == 415
    assert "application/json" in answer.content["error"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:9090", 200),
        ("127.0.0.1", 200),
        ("[::1]:9090", 200),
        ("host.docker.internal:9090", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("[::1", 403),
    ],
)
def test_a_server_of_this_machine_answers_to_no_foreign_name(address, host, status):
    for path in ("/health", "/curve/clip.csv"):
        assert ask(f"{address}{path}", Host=host).status == status
    assert ask(f"{address}/setup", {}, Host=host).status == status


def test_the_pages_of_label_studio_alone_may_read_a_curve(backend, address):
    for origin, allowed in (("http://localhost:8080", True), ("http://evil.example", False), ("null", False)):
        answer = ask(f"{address}/curve/clip.csv", Origin=origin)
        assert (answer.headers["Access-Control-Allow-Origin"] == origin) is allowed
        assert answer.headers["Cache-Control"] == "no-store"
    with running(backend, origins=["https://label.example/"]) as other:
        headers = ask(f"{other}/curve/clip.csv", Origin="https://label.example").headers
        assert headers["Access-Control-Allow-Origin"] == "https://label.example"
        assert ask(f"{other}/curve/clip.csv", Origin="http://localhost:8080").headers["Vary"] is None


def test_a_curve_has_a_row_a_frame_and_may_be_of_a_name_in_any_script(address):
    lines = ask(f"{address}/curve/clip.csv").text.splitlines()
    assert lines[0] == "time,valence,arousal"
    assert len(lines) == 76
    assert ask(f"{address}/curve/gr%C3%B6%C3%9Fe%201.csv").status == 200
    assert "expected the number of a track" in ask(f"{address}/curve/clip.csv?track=x").text
    assert ask(f"{address}/curve/..%2Fclip.csv").status == 400


def test_a_password_is_asked_for_where_there_is_one(backend):
    with running(backend, password=OPENS) as address:
        for path, content in (("/health", None), ("/setup", {}), ("/webhook", {}), ("/curve/clip.csv", None)):
            assert ask(f"{address}{path}", content).status == 401
            assert ask(f"{address}{path}", content, "wrong").status == 401
            assert ask(f"{address}{path}", content, OPENS).status == 200
        assert ask(f"{address}/health", Authorization="Basic !").status == 401


def test_the_key_of_a_curve_opens_that_curve_alone(backend):
    with running(backend, password=OPENS) as address:
        assert ask(f"{address}/curves").status == 401
        curves = ask(f"{address}/curves", None, OPENS).content
        assert set(curves) == {"clip", "größe 1"}
        for curve in curves.values():
            assert ask(curve).status == 200
        key = urlsplit(curves["clip"]).query
        assert ask(f"{address}/curve/gr%C3%B6%C3%9Fe%201.csv?{key}").status == 401
        assert ask(f"{address}/health?{key}").status == 401
        assert ask(f"{address}/curve/clip.csv?key=").status == 401
    with running(backend) as address:
        assert ask(f"{address}/curves").content["clip"] == f"{address}/curve/clip.csv"


def test_the_log_holds_no_key(backend, caplog):
    caplog.set_level("DEBUG")
    with running(backend, password=OPENS) as address:
        curve = ask(f"{address}/curves", None, OPENS).content["clip"]
        ask(curve)
    assert "/curve/clip.csv" in caplog.text
    assert urlsplit(curve).query not in caplog.text


def test_a_fault_of_ours_is_told_without_what_it_was(backend, address, monkeypatch, caplog):
    def broken(self, request):
        raise RuntimeError("secret")

    monkeypatch.setattr(Backend, "setup", broken)
    answer = ask(f"{address}/setup", {})
    assert answer.status == 500
    assert "secret" not in answer.text
    assert "secret" in caplog.text


def test_a_port_that_is_taken_is_said_in_one_sentence(backend, address):
    with pytest.raises(MtclarError, match="choose another --host or --port"):
        serve(backend, "127.0.0.1", urlsplit(address).port or 0)


def test_the_command_serves_until_it_is_stopped(backend, tmp_path):
    command = [sys.executable, "-m", "mtclar", "serve", "label-studio", str(backend.features), "--port", "0"]
    command += ["--anchors", str(tmp_path), "--model", str(backend.features / "bundle"), "--password-env", "GIVEN"]
    environment = {**os.environ, "GIVEN": OPENS}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as running_command:
        try:
            said = running_command.stdout.readline()
            address = said.split()[2].rstrip(";")
            assert ask(f"{address}/health").status == 401
            assert ask(f"{address}/predict", {"tasks": [{"data": {"video_id": "clip"}}]}, OPENS).status == 200
        finally:
            running_command.send_signal(signal.SIGINT)
        assert running_command.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere: expected a folder"),
        ([".", "--anchors", "nowhere"], "nowhere: expected a folder"),
        ([".", "--password-env", "NOT_SET_ANYWHERE"], "NOT_SET_ANYWHERE, which is not set or empty"),
    ],
)
def test_what_the_command_cannot_use_is_said_in_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as refused:
        main(["serve", "label-studio", *arguments])
    assert refused.value.code != 0
    assert sentence in capsys.readouterr().err
