"""A team's platform as infra/mlflow starts it: from logging to rolling back over HTTP, and who may do what."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path

import boto3
import pytest
from bright_clip import TIMES_MS, picture, write_anchors
from make_video import write_video
from team import Platform
from toy_bundle import toy_bundle

METRICS = {"valence_ccc": 0.8, "arousal_ccc": 0.7}


def mtclar(platform: Platform, who: str, *arguments: object, password: str | None = None) -> tuple[int, str]:
    """A call of the command line by a user: its exit code, and all it said."""
    done = subprocess.run(
        [sys.executable, "-m", "mtclar", *map(str, arguments)],
        env=platform.client(who, password),
        cwd=platform.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert not [secret for secret in platform.secrets if secret in said]
    return done.returncode, said


def bundle_of(folder: Path, name: str, valence: float) -> Path:
    evaluation = folder / f"evaluation-{name}"
    evaluation.mkdir()
    (evaluation / "report.html").write_text("<p>report</p>")
    judged = {"valence": {"ccc": valence}, "arousal": {"ccc": METRICS["arousal_ccc"]}}
    (evaluation / "metrics.json").write_text(json.dumps({"few_shot": {"first": {"mtclar": judged}}}))
    return toy_bundle(folder / name, metrics=METRICS | {"valence_ccc": valence}, evaluation_set="e" * 64)


def register(platform: Platform, who: str, bundle: Path) -> tuple[int, str]:
    evaluation = bundle.with_name(f"evaluation-{bundle.name}")
    return mtclar(platform, who, "register", "--bundle", bundle, "--evaluation", evaluation)


@pytest.fixture(scope="module")
def registered(platform: Platform) -> Platform:
    """Two versions of the model, promoted one after the other by the trainer, and a third that is not."""
    for name, valence in (("one", 0.7), ("two", 0.8), ("three", 0.9)):
        code, said = register(platform, "tina", bundle_of(platform.folder, name, valence))
        assert code == 0, said
        if name != "three":
            code, said = mtclar(platform, "tina", "promote", "--reason", f"the {name}")
            assert code == 0, said
    return platform


def test_what_is_registered_lies_in_the_bucket_though_no_client_has_its_keys(registered: Platform) -> None:
    assert not [name for name in registered.client("tina") if name.startswith("AWS_")]
    keys = {name.lower(): value for name, value in registered.s3.items() if "KEY" in name}
    client = boto3.client("s3", endpoint_url=registered.s3["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)
    found = [item["Key"] for item in client.list_objects_v2(Bucket=registered.bucket)["Contents"]]
    assert sum(key.startswith("mlflow/") and key.endswith("/bundle.json") for key in found) == 3


def test_a_reader_labels_with_the_champion_and_the_trainer_rolls_it_back(registered: Platform) -> None:
    clip = write_video(registered.folder / "clip.mp4", TIMES_MS, picture)
    anchors = write_anchors(registered.folder, "clip,0,0.5,0")
    order = ["label", clip, "--anchors", anchors, "--model", "models:/mtclar@champion", "--out", "labels"]
    code, said = mtclar(registered, "rita", *order)
    assert code == 0, said
    facts = json.loads((registered.folder / "labels" / "clip.va.json").read_text())
    assert facts["model"]
    code, said = mtclar(registered, "tina", "models", "rollback", "--reason", "worse on our clips")
    assert code == 0, said
    code, said = mtclar(registered, "rita", "models", "history")
    assert code == 0
    assert "worse on our clips" in said
    assert "tina" in said


def test_a_reader_may_neither_register_nor_promote_nor_roll_back(registered: Platform) -> None:
    code, said = register(registered, "rita", bundle_of(registered.folder, "four", 0.95))
    assert code == 1, said
    for order in (["promote", "--version", "3"], ["models", "rollback", "--to", "2", "--reason", "mine"]):
        code, said = mtclar(registered, "rita", *order)
        assert code == 1, said
        assert "may not" in said, said
    code, said = mtclar(registered, "rita", "models", "list")
    assert code == 0
    assert len([line for line in said.splitlines() if line.strip().startswith(("1 ", "2 ", "3 ", "4 "))]) == 3, said


def test_a_wrong_password_and_a_stranger_are_refused_in_one_sentence(registered: Platform) -> None:
    for who, password in (("rita", "not-the-password"), ("nobody", "whatever-it-is")):
        code, said = mtclar(registered, who, "models", "history", password=password)
        assert code == 1
        assert len(said.strip().splitlines()) == 1, said
        assert "MLFLOW_TRACKING_USERNAME" in said, said


def answer(platform: Platform, host: str, who: str | None = "tina") -> int:
    """The status of a request under a name of the server."""
    place = f"{platform.url}/api/2.0/mlflow/registered-models/search"
    request = urllib.request.Request(place, headers={"Host": host})
    if who:
        login = b64encode(f"{who}:{platform.passwords[who]}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    try:
        with urllib.request.urlopen(request) as found:
            return found.status
    except urllib.error.HTTPError as error:
        return error.code


def test_the_server_answers_under_its_own_names_and_to_those_who_log_in_alone(registered: Platform) -> None:
    ours = registered.settings["MLFLOW_SERVER_ALLOWED_HOSTS"]
    assert answer(registered, ours) == 200
    assert answer(registered, ours, who=None) == 401
    assert answer(registered, "evil.example.org") == 403
    assert registered.call("healthy").returncode == 0


def test_a_password_that_is_changed_is_refused_at_once_and_the_new_one_taken(registered: Platform) -> None:
    registered.user("rota", "reader")
    old = registered.passwords["rota"]
    registered.user("rota", "reader")
    assert mtclar(registered, "rota", "models", "list", password=old)[0] == 1
    assert mtclar(registered, "rota", "models", "list")[0] == 0


def test_no_secret_is_in_the_log_the_process_list_or_the_files_of_the_server(registered: Platform) -> None:
    seen = registered.log.read_text(errors="replace")
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            seen += line.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
    for path in Path("/tmp").glob("mlflow-*/auth.ini"):
        seen += path.read_text()
        assert path.stat().st_mode & 0o077 == 0
    assert not [secret for secret in registered.secrets if secret in seen]
