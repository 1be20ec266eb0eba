"""MLflow as infra/mlflow starts it, and who reaches it how."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from servers import wait_for

SERVER = Path(__file__).parents[2] / "infra" / "mlflow" / "server.py"
CLIENT_HAS_NOT = ("AWS_", "MLFLOW_", "PG")


@dataclass
class Platform:
    """What runs, and how it is reached.

    Attributes:
        settings: Variables of the server; secrets are files.
        passwords: By user.
        url: Address of MLflow.
        bucket: Where its artifacts lie.
        s3: Variables by which the bucket is reached, which no client has.
        secrets: Everything that must stand nowhere.
    """

    folder: Path
    settings: dict[str, str]
    url: str
    bucket: str
    s3: dict[str, str]
    passwords: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def call(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Runs a verb of server.py."""
        command = [sys.executable, str(SERVER), *arguments]
        environment = plain() | self.settings | more
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)

    def user(self, name: str, role: str) -> None:
        """Makes a user with a new password, or gives one a new password."""
        self.passwords[name] = secrets.token_hex(12)
        self.secrets.append(self.passwords[name])
        file = self.folder / f"{name}.txt"
        file.write_text(self.passwords[name] + "\n")
        made = self.call("user", name, "--role", role, "--password-file", str(file))
        assert made.returncode == 0, made.stderr

    def client(self, name: str, password: str | None = None) -> dict[str, str]:
        """The environment of a user's process: it knows MLflow's address and its own password, and nothing of S3."""
        given = {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password or self.passwords[name]}
        quick = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MTCLAR_CACHE": str(self.folder / f"cache-{name}")}
        return plain() | given | quick | {"MLFLOW_TRACKING_URI": self.url}

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen]:
        """The server, until the block ends."""
        with self.log.open("a") as log:
            server = subprocess.Popen(
                [sys.executable, str(SERVER)],
                env=plain() | self.settings, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        try:
            wait_for(f"{self.url}/health", server, self.log)
            yield server
        finally:
            os.killpg(server.pid, 15)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, 9)
                server.wait()


def plain() -> dict[str, str]:
    """The environment without anything that tells of S3, MLflow or PostgreSQL."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CLIENT_HAS_NOT)}
    path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    return kept | {"PYTHONPATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "1"}
