"""Removes from the DVC remote inside the repository whatever the .dvc files given no longer name.

python -m tools.clean_remote dvc-remote data.dvc mtclar/shipped/default.dvc
"""

from __future__ import annotations

import sys
from pathlib import Path

from mtclar.data.tracked import tracked_files, tracked_md5


def clean(remote: Path, pointers: list[Path]) -> list[Path]:
    """Removes the objects of `remote` that no pointer names; returns their paths.

    Raises:
        MtclarError: A pointer cannot be read, or the remote lacks what it names; then nothing is removed.
    """
    kept: set[Path] = set()
    for pointer in pointers:
        md5 = tracked_md5(pointer)
        kept |= {remote / "files" / "md5" / md5[:2] / md5[2:], *tracked_files(pointer, remote).values()}
    removed = [path for path in sorted((remote / "files").rglob("*")) if path.is_file() and path not in kept]
    for path in removed:
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
    return removed


if __name__ == "__main__":
    place, *names = map(Path, sys.argv[1:])
    for removed in clean(place, names):
        print("removed", removed)
