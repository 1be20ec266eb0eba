"""The faces store that all studies share: the stores of studies/out/crop put together into one.

python -m studies.faces
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.errors import MtclarError
from studies.plan import OUT, read_plan


def put_together(stores: list[Path], out: Path) -> int:
    """Writes the faces of several stores, one after the other, into one.

    Args:
        stores: Folders that `mtclar crop` wrote with one size, scale and quality.
        out: The folder to write.

    Returns:
        Number of faces.

    Raises:
        MtclarError: There is no store, or two of them differ in their crops.
    """
    if not stores:
        raise MtclarError("studies/params.yaml: no data is named; put a source and its folder under 'data'.")
    parts = [FacesStore(folder) for folder in stores]
    known = ("size", "scale", "quality")
    facts: dict[str, Any] = {name: parts[0].facts.get(name) for name in known}
    for part in parts[1:]:
        if (other := {name: part.facts.get(name) for name in known}) != facts:
            raise MtclarError(
                f"{part.folder}: its crops are {other}, those of {stores[0]} are {facts}; crop them alike."
            )
    with FacesWriter(out, size=parts[0].size, quality=int(facts["quality"]), facts={"scale": facts["scale"]}) as writer:
        for part in parts:
            for row, values in enumerate(part.table.to_dict("records")):
                writer.add({str(name): value for name, value in values.items()}, part.encoded(row))
    return sum(map(len, parts))


def main() -> None:
    """Puts the stores of all sources of studies/params.yaml together."""
    faces = put_together([OUT / "crop" / source for source in read_plan().data], OUT / "faces")
    typer.echo(f"{faces} faces in {OUT / 'faces'}")


if __name__ == "__main__":
    typer.run(main)
