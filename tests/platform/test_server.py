"""The settings of infra/mlflow/server.py: each that is missing or cannot be used is one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from team import SERVER, plain

GOOD = {
    "MLFLOW_BACKEND_STORE_URI": "postgresql://mlflow@nowhere/mlflow",
    "PGPASSWORD": "database-password",
    "MLFLOW_ARTIFACTS_DESTINATION": "s3://bucket/mlflow",
    "MLFLOW_SERVER_ALLOWED_HOSTS": "mlflow:5000",
    "MLFLOW_AUTH_ADMIN_USERNAME": "chief",
    "MLFLOW_AUTH_ADMIN_PASSWORD": "a-long-password",
    "MLFLOW_FLASK_SERVER_SECRET_KEY": "0123456789abcdef0123456789abcdef",
}


def refused(changes: dict[str, str | None], *arguments: str) -> str:
    environment = plain() | {name: value for name, value in (GOOD | changes).items() if value is not None}
    done = subprocess.run(
        [sys.executable, str(SERVER), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("name", [name for name in GOOD if name != "PGPASSWORD"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    assert f"{name} is not set" in refused({name: None})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MLFLOW_BACKEND_STORE_URI", "sqlite:///mlflow.db", "expected an address of PostgreSQL"),
        ("MLFLOW_BACKEND_STORE_URI", "postgresql://mlflow:hush-hush@db/mlflow", "leave the password out"),
        ("MLFLOW_ARTIFACTS_DESTINATION", "/var/mlflow", "expected an address on S3"),
        ("MLFLOW_SERVER_ALLOWED_HOSTS", "*", "no '*'"),
        ("MLFLOW_SERVER_ALLOWED_HOSTS", "mlflow:5000,*.example.org", "no '*'"),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "password1234", "not a known one"),
        ("MLFLOW_AUTH_ADMIN_PASSWORD", "short", "at least 12 characters"),
        ("MLFLOW_FLASK_SERVER_SECRET_KEY", "short", "at least 32 characters"),
        ("MLFLOW_PORT", "http", "expected a whole number"),
        ("MLFLOW_WORKERS", "0", "expected a whole number"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_no_secret_is_said(name: str, value: str, words: str) -> None:
    said = refused({name: value})
    assert words in said
    assert name in said
    assert "hush-hush" not in said
    assert GOOD["MLFLOW_AUTH_ADMIN_PASSWORD"] not in said


def test_a_file_without_a_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    assert "expected one line with the secret" in refused({"PGPASSWORD_FILE": str(tmp_path / "empty")})
    assert "the secret cannot be read" in refused({"PGPASSWORD_FILE": str(tmp_path / "gone")})
    (tmp_path / "known").write_text("password1234")
    said = refused({}, "user", "anna", "--role", "reader", "--password-file", str(tmp_path / "known"))
    assert "not a known one" in said
