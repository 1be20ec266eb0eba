"""Puts into a wheel or an sdist what a checkout has elsewhere: the model that ships and the revision of the code.

The model is taken from the remote inside the repository where nobody has run `dvc pull`; `pip install .` in a fresh
clone then labels without a download. Where it lies in its place already, hatch takes it from there (`artifacts` in
pyproject.toml), and in a checkout without a model there is nothing to do. The revision is written into
mtclar/git_revision.txt, since git can say nothing of an installed package.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PLACE = "mtclar/shipped/default"


class Carried(BuildHookInterface):
    """Adds the files that mtclar/shipped/default.dvc names, and the revision."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds them to what is built; an editable install finds both at run time by itself."""
        if version == "editable":
            return
        root, taken = Path(self.root), build_data["force_include"]
        sys.path.insert(0, str(root))
        from mtclar.data.tracked import tracked_files
        from mtclar.revision import CARRIED, git_revision

        self._folder = Path(tempfile.mkdtemp())
        if not (root / "mtclar" / CARRIED).is_file():  # an sdist has it, and keeps it
            (self._folder / CARRIED).write_text(git_revision() + "\n", encoding="utf-8")
            taken[str(self._folder / CARRIED)] = f"mtclar/{CARRIED}"
        pointer = root / f"{PLACE}.dvc"
        if (root / PLACE / "bundle.json").is_file() or not pointer.is_file():
            return
        for name, kept in tracked_files(pointer, root / "dvc-remote").items():
            taken[str(kept)] = f"{PLACE}/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes what was written for the build alone."""
        shutil.rmtree(getattr(self, "_folder", ""), ignore_errors=True)
