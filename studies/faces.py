"""The faces store that all studies share: the stores of studies/out/crop put together into one.

python -m studies.faces
"""

from __future__ import annotations

from pathlib import Path

import typer

from mtclar.data.regroup import joined, write_regrouped
from mtclar.data.store import FacesStore
from mtclar.data.whole import whole_folder
from mtclar.errors import MtclarError
from mtclar.revision import STAMP, data_revision, joint_revision
from studies.plan import OUT, read_plan


def put_together(stores: list[Path], out: Path) -> int:
    """Writes the faces of several stores, one after the other, into one.

    Args:
        stores: Folders that `mtclar crop` wrote with one size and scale.
        out: The folder to write; appears whole or not at all.

    Returns:
        Number of faces.

    Raises:
        MtclarError: There is no store, or two of them do not fit together.
    """
    if not stores:
        raise MtclarError("studies/params.yaml: no data is named; put a source and its folder under 'data'.")
    parts = [FacesStore(folder) for folder in stores]
    table = joined(parts)
    with whole_folder(out, known_by="store.json") as folder:
        facts = {STAMP: joint_revision([data_revision(store) for store in stores]), "made_of": list(map(str, stores))}
        write_regrouped(parts, table, folder, {"scale": parts[0].facts.get("scale"), **facts})
    return len(table)


def main() -> None:
    """Puts the stores of all sources of studies/params.yaml together."""
    faces = put_together([OUT / "crop" / source for source in read_plan().data], OUT / "faces")
    typer.echo(f"{faces} faces in {OUT / 'faces'}")


if __name__ == "__main__":
    typer.run(main)
