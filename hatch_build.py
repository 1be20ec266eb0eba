"""Puts the model that ships into a wheel or an sdist built in a checkout where nobody has run `dvc pull`.

`pip install .` in a fresh clone then labels without a download. Where the model lies in its place already, hatch takes
it from there (`artifacts` in pyproject.toml), and in a checkout without a model there is nothing to do.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "mtclar/shipped/default"


class ShippedModel(BuildHookInterface):
    """Takes the files that mtclar/shipped/default.dvc names out of the remote inside the repository."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds them to what is built; an editable install finds them at run time by itself."""
        root = Path(self.root)
        pointer = root / f"{PLACE}.dvc"
        if version == "editable" or (root / PLACE / "bundle.json").is_file() or not pointer.is_file():
            return
        sys.path.insert(0, str(root))
        from mtclar.data.tracked import tracked_files

        for name, kept in tracked_files(pointer, root / "dvc-remote").items():
            build_data["force_include"][str(kept)] = f"{PLACE}/{name}"
