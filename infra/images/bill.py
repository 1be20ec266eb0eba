"""Writes the bill of materials of the environment it runs in, and fails if a version is not that of the lock.

    python bill.py requirements.lock sbom.json

The bill is CycloneDX 1.5 (JSON): name, version, package URL and licence of each Python package. What the base image
holds besides is the business of the base's own bill.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from packages import canonical, locked

FREE = ("nvidia-", "cuda-", "triton", "setuptools")
"""Names begin so of what the lock leaves out: the CUDA packages, which torch itself names by exact version and which a
lock made without a GPU does not hold, and what `pip freeze` does not list."""


def component(found: Distribution) -> dict[str, Any]:
    """What the bill says of one package."""
    name, version = canonical(found.metadata["Name"]), found.version
    said: dict[str, Any] = {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{version.replace('+', '%2B')}",
    }
    licence = found.metadata.get("License-Expression") or found.metadata.get("License") or ""
    if licence and len(licence) < 100:  # some packages put the whole text there
        said["licenses"] = [{"license": {"name": licence}}]
    return said


def main() -> None:
    """Checks and writes."""
    lock, out = locked(Path(sys.argv[1])), Path(sys.argv[2])
    found = sorted((component(one) for one in distributions()), key=lambda item: item["name"])
    bound = [item for item in found if not item["name"].startswith(FREE)]
    other = [f"{c['name']} {c['version']}" for c in bound if lock.get(c["name"]) != c["version"].partition("+")[0]]
    if other:
        sys.exit(f"not at the version of the lock: {', '.join(other)}; run 'make lock'.")
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": found}
    out.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
    print(f"{len(found)} packages at the versions of the lock")


if __name__ == "__main__":
    main()
