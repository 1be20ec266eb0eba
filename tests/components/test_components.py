from __future__ import annotations

import importlib
import inspect
import logging
from pathlib import Path

import pytest
from kfp import dsl

from components.door import Logged, opened
from components.image import GPU_IMAGE, IMAGE, check_image, gpu_image_of
from mtclar import __version__
from mtclar.errors import MtclarError
from mtclar.settings import SECTIONS, load_settings

VERBS = ("crop", "validate", "pair", "train", "evaluate", "export", "register", "promote", "label")
STEPS = {verb: verb for verb in VERBS} | {
    "label": "shards",
    "list_data": "listing",
    "list_videos": "shards",
    "merge": "shards",
    "record": "record",
}
WITH_TORCH = {"train", "evaluate", "export"}


@pytest.mark.parametrize("verb", STEPS)
def test_each_verb_has_one_component_that_only_calls_its_step(verb: str) -> None:
    component = getattr(importlib.import_module(f"components.{verb}.component"), verb)
    assert component.name == verb.replace("_", "-")
    container = component.component_spec.implementation.container
    assert container.image == (GPU_IMAGE if verb in WITH_TORCH else IMAGE)
    assert "pip install" not in " ".join(container.command)
    assert f"from mtclar.steps import {STEPS[verb]} as step" in inspect.getsource(component.python_func)
    lines = [line for line in inspect.getsource(component.python_func).splitlines() if line.startswith("    ")]
    body = [line for line in lines[lines.index(next(x for x in lines if '"""' in x)) + 1 :] if "import" not in line]
    assert len([line for line in body if line.strip()]) <= 8


def test_no_component_is_without_a_verb(repository: Path) -> None:
    assert {path.parent.name for path in repository.glob("components/*/component.py")} == set(STEPS)
    assert set(load_settings().pipeline.tasks) == set(STEPS)
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


DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    "image",
    [
        "mtclar:0.1.0",
        "mtclar:0.1.0-gpu",
        "registry.example:5000/a/mtclar:v1.2.3rc1",
        "registry.example:5000/a/mtclar:0123456789abcdef0123456789abcdef01234567",
        "mtclar:0123456789ab-gpu",
        f"mtclar@{DIGEST}",
        f"registry.example/mtclar:latest@{DIGEST}",
    ],
)
def test_an_image_that_stays_the_same_is_taken(image: str) -> None:
    assert check_image(image) == image


@pytest.mark.parametrize(
    "image",
    [
        "mtclar",
        "mtclar:latest",
        "mtclar:latest-gpu",
        "mtclar:main",
        "mtclar:1",
        "mtclar:dev-2026",
        "registry.example:5000/mtclar",
        "mtclar:",
        "mtclar@sha256:0123",
        "mtclar:0123456789ab-dirty-gpu",
    ],
)
def test_an_image_that_may_change_under_its_name_is_refused(image: str) -> None:
    with pytest.raises(MtclarError, match=r"expected an image by digest .* or with a git revision or a version"):
        check_image(image)


def test_the_image_for_gpus_goes_by_the_other_where_that_has_a_tag_and_is_asked_for_where_it_has_not() -> None:
    assert gpu_image_of({}) == f"mtclar:{__version__}-gpu"
    assert gpu_image_of({"MTCLAR_IMAGE": "team/mtclar:1.2.3"}) == "team/mtclar:1.2.3-gpu"
    assert gpu_image_of({"MTCLAR_IMAGE": f"team/mtclar@{DIGEST}"}) == ""
    assert gpu_image_of({"MTCLAR_IMAGE": "a:1.2.3", "MTCLAR_GPU_IMAGE": f"b@{DIGEST}"}) == f"b@{DIGEST}"


def test_the_step_behind_a_component_gets_the_paths_of_its_artifacts(tmp_path: Path) -> None:
    from components.pair.component import pair

    with pytest.raises(MtclarError, match="nowhere"):
        pair.python_func(
            faces=dsl.Dataset(uri=str(tmp_path / "nowhere")),
            verdict=dsl.Artifact(uri=str(tmp_path / "nowhere")),
            pairs=dsl.Dataset(uri=str(tmp_path / "pairs")),
            settings=load_settings().pair.model_dump(),
        )
