"""What lies at a place that a pipeline reads, as one value that changes when it does.

Kubeflow's cache knows a task by its parameters. So the address of a data set is not enough: this value goes with it.
"""

from __future__ import annotations

from pathlib import Path

from mtclar import storage
from mtclar.errors import MtclarError
from mtclar.revision import listing_revision


def list_data(place: str) -> str:
    """The revision of the listing at a place: names, sizes and versions of the files, not their contents.

    Args:
        place: A local file or folder, or an address on S3.

    Returns:
        64 hexadecimal digits. On S3 the version of a file is its ETag, here the time of its last change.

    Raises:
        MtclarError: Nothing is there.
    """
    if storage.is_remote(place):
        files = {file.uri: f"{file.size} {file.etag}" for file in storage.list_files(place)}
    else:
        top = Path(place)
        found = sorted(path for path in top.rglob("*") if path.is_file()) if top.is_dir() else [top]
        stats = [(path, path.stat()) for path in found if path.exists()]
        files = {path.relative_to(top.parent).as_posix(): f"{at.st_size} {at.st_mtime_ns}" for path, at in stats}
    if not files:
        raise MtclarError(f"{place}: there is no file; give the folder or address of the data set with --data.")
    return listing_revision(files)
