"""One small drawn sample for all tests of the synthesis, and where the face model lies, if anywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtclar.synthesis import make_sample

Make = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def make() -> Make:
    """`make_sample` of a few drawn people, unless told otherwise."""

    def make_small(out: Path, **changes: Any) -> dict[str, Any]:
        settings: dict[str, Any] = {"people": 6, "clips": 2, "frames": 10, "seed": 7, "artist": "drawn", "workers": 1}
        return make_sample(out=out, **settings | changes)

    return make_small


@pytest.fixture(scope="session")
def sample(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthesis") / "sample"
    make(out, workers=2)
    return out


@pytest.fixture(scope="session")
def face_model() -> Path:
    named = os.environ.get("MTCLAR_FACE_MODEL")
    folder = Path(__file__).parents[3] / "shared" / "facemodel"
    path = Path(named) if named else next(iter(sorted(folder.glob("*.npz"))), folder / "missing.npz")
    if not path.exists():
        pytest.skip("no face model here: set MTCLAR_FACE_MODEL to ICT-FaceKit's FaceXModel folder or a packed .npz")
    return path
