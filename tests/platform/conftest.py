"""PostgreSQL, an S3 server and MLflow as infra/mlflow starts it, once for all tests of this folder."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from s3_server import BUCKET, s3_server
from servers import free_port, postgres, postgres_programs
from team import Platform


@pytest.fixture(scope="session")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """All but MLflow runs."""
    pytest.importorskip("psycopg")
    if postgres_programs() is None:
        pytest.skip("no PostgreSQL here: its initdb is neither on the path nor under /usr/lib/postgresql")
    folder = tmp_path_factory.mktemp("platform")
    port = free_port()
    known = {name: secrets.token_hex(24) for name in ("admin", "flask", "postgres")}
    with postgres(known["postgres"]) as database, s3_server(folder / "s3") as s3:
        files = {}
        s3_keys = {name: s3[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
        for name, secret in (known | s3_keys).items():
            files[name] = folder / f"{name}.secret"
            files[name].write_text(secret + "\n")
        settings = {
            "MLFLOW_BACKEND_STORE_URI": database,
            "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{BUCKET}/mlflow",
            "MLFLOW_SERVER_ALLOWED_HOSTS": f"127.0.0.1:{port}",
            "MLFLOW_AUTH_ADMIN_USERNAME": "chief",
            "MLFLOW_AUTH_ADMIN_PASSWORD_FILE": str(files["admin"]),
            "MLFLOW_FLASK_SERVER_SECRET_KEY_FILE": str(files["flask"]),
            "MLFLOW_PORT": str(port),
            "MLFLOW_LISTEN": "127.0.0.1",
            "PGPASSWORD_FILE": str(files["postgres"]),
            "AWS_ENDPOINT_URL": s3["AWS_ENDPOINT_URL"],
            "AWS_REGION": s3["AWS_REGION"],
            **{f"{name}_FILE": str(files[name]) for name in s3_keys},
        }
        made = Platform(folder, settings, f"http://127.0.0.1:{port}", BUCKET, s3)
        made.passwords["chief"] = known["admin"]
        made.secrets += [*known.values(), s3_keys["AWS_SECRET_ACCESS_KEY"]]
        yield made


@pytest.fixture(scope="session")
def platform(stopped: Platform) -> Iterator[Platform]:
    """The server with a trainer and a reader."""
    assert stopped.call("migrate").returncode == 0
    for name, role in (("tina", "trainer"), ("rita", "reader")):
        stopped.user(name, role)
    with stopped.running():
        yield stopped
