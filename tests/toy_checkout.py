"""A bundle put into a checkout's remote as `dvc add` and `dvc push` would lay it out, without DVC."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def track(bundle: Path, place: Path, remote: Path) -> str:
    """Puts the bundle's files into `remote` and names them in `place`.dvc; returns the md5 of their listing."""
    items = [{"md5": _put(remote, path.read_bytes()), "relpath": path.name} for path in sorted(bundle.iterdir())]
    md5 = _put(remote, json.dumps(items).encode(), ".dir")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.with_name(f"{place.name}.dvc").write_text(f"outs:\n- md5: {md5}.dir\n  hash: md5\n  path: {place.name}\n")
    return md5


def _put(remote: Path, data: bytes, ending: str = "") -> str:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    path = remote / "files" / "md5" / md5[:2] / (md5[2:] + ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return md5
