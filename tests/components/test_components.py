from __future__ import annotations

import importlib
import inspect
import logging
from pathlib import Path

import pytest
from kfp import dsl

from components.door import Logged, opened
from components.image import check_image
from mtclar.errors import MtclarError
from mtclar.settings import SECTIONS, load_settings

VERBS = ("crop", "validate", "pair", "train", "evaluate", "export", "register", "promote", "label")


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_one_component_that_only_calls_its_step(verb: str) -> None:
    component = getattr(importlib.import_module(f"components.{verb}.component"), verb)
    assert component.name == verb
    container = component.component_spec.implementation.container
    assert container.image == check_image()
    assert "pip install" not in " ".join(container.command)
    assert f"from mtclar.steps import {verb} as step" in inspect.getsource(component.python_func)
    lines = [line for line in inspect.getsource(component.python_func).splitlines() if line.startswith("    ")]
    body = [line for line in lines[lines.index(next(x for x in lines if '"""' in x)) + 1 :] if "import" not in line]
    assert len([line for line in body if line.strip()]) <= 8


def test_no_component_is_without_a_verb(repository: Path) -> None:
    assert {path.parent.name for path in repository.glob("components/*/component.py")} == set(VERBS)
    assert set(VERBS) <= set(SECTIONS)


def test_whole_numbers_that_kubeflow_made_floats_are_whole_again() -> None:
    settings = load_settings().train
    floats = {
        name: float(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in settings.model_dump(mode="json").items()
    }
    floats["projector"] = [float(width) for width in floats["projector"]]
    assert opened("train", floats) == settings


def test_a_parameter_with_a_typo_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    values = load_settings().export.model_dump() | {"opsett": 18}
    with pytest.raises(MtclarError, match=r"unknown key 'opsett' \(did you mean 'opset'\?\)"):
        opened("export", values)


def test_progress_is_logged_at_the_end_and_otherwise_seldom(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        progress = Logged()
        for done in range(1, 101):
            progress(done, 100, "faces")
    assert [record.getMessage() for record in caplog.records] == ["faces 1 of 100", "faces 100 of 100"]


@pytest.mark.parametrize("image", ["mtclar:0.1.0", "registry.example:5000/a/mtclar:1", "mtclar@sha256:0123"])
def test_an_image_that_stays_the_same_is_taken(image: str) -> None:
    assert check_image(image) == image


@pytest.mark.parametrize("image", ["mtclar", "mtclar:latest", "registry.example:5000/mtclar", "mtclar:"])
def test_an_image_that_may_change_under_its_name_is_refused(image: str) -> None:
    with pytest.raises(MtclarError, match="expected an image with a digest or a tag other than 'latest'"):
        check_image(image)


def test_the_step_behind_a_component_gets_the_paths_of_its_artifacts(tmp_path: Path) -> None:
    from components.pair.component import pair

    with pytest.raises(MtclarError, match="nowhere"):
        pair.python_func(
            faces=dsl.Dataset(uri=str(tmp_path / "nowhere")),
            verdict=dsl.Artifact(uri=str(tmp_path / "nowhere")),
            pairs=dsl.Dataset(uri=str(tmp_path / "pairs")),
            settings=load_settings().pair.model_dump(),
        )
