"""dvc.yaml and the Kubeflow pipelines say the same line twice; here they are held together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mtclar.environment import SWITCHES
from mtclar.settings import load_settings
from pipelines.run import compile_all

Edges = set[tuple[str, str]]
ONLY_KUBEFLOW = {"register", "promote"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The first document of each IR file."""
    paths = compile_all(tmp_path_factory.mktemp("ir"), load_settings(), gpus=1)
    return {path.stem: next(yaml.safe_load_all(path.read_text())) for path in paths}


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the training pipeline asks of Kubernetes, by executor."""
    paths = compile_all(tmp_path_factory.mktemp("ir"), load_settings(), gpus=1)
    second = list(yaml.safe_load_all(paths[0].read_text()))[1]
    return second["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


@pytest.fixture
def stages(repository: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((repository / "dvc.yaml").read_text())["stages"]


def _tasks(ir: dict[str, Any]) -> dict[str, dict[str, Any]]:
    tasks = ir["root"]["dag"]["tasks"]
    return {name: task for name, task in tasks.items() if not name.startswith("importer")}


def _edges_of_ir(ir: dict[str, Any]) -> Edges:
    """Who gives an artifact or a value to whom."""
    edges = set()
    for name, task in _tasks(ir).items():
        for group in ("artifacts", "parameters"):
            for source in task["inputs"].get(group, {}).values():
                for kind in ("taskOutputArtifact", "taskOutputParameter"):
                    if kind in source:
                        edges.add((source[kind]["producerTask"], name))
    return {(a, b) for a, b in edges if not a.startswith("importer")}


def _edges_of_dvc(stages: dict[str, dict[str, Any]]) -> Edges:
    """Whose output is whose dependency."""
    made = {}
    for name, stage in stages.items():
        for out in stage["outs"]:
            made[out if isinstance(out, str) else next(iter(out))] = name
    return {(made[dep], name) for name, stage in stages.items() for dep in stage["deps"] if dep in made}


def test_both_graphs_have_the_same_stages(compiled: dict, stages: dict) -> None:
    training, labelling = set(_tasks(compiled["training"])), set(_tasks(compiled["labelling"]))
    assert training - ONLY_KUBEFLOW == set(stages) - {"label"}
    assert training >= ONLY_KUBEFLOW
    assert labelling == {"label"}


def test_both_graphs_have_the_same_edges(compiled: dict, stages: dict) -> None:
    kubeflow = {(a, b) for a, b in _edges_of_ir(compiled["training"]) if b not in ONLY_KUBEFLOW}
    dvc = _edges_of_dvc(stages)
    assert kubeflow == {(a, b) for a, b in dvc if b != "label"}
    # DVC labels with the bundle; Kubeflow with the champion that the bundle becomes.
    assert {a for a, b in dvc if b == "label"} == {"export"}
    assert {("export", "register"), ("evaluate", "register"), ("register", "promote")} <= _edges_of_ir(
        compiled["training"]
    )
    defaults = compiled["labelling"]["root"]["inputDefinitions"]["parameters"]
    assert defaults["model"]["defaultValue"] == "models:/mtclar@champion"


def test_each_stage_takes_its_own_section_and_the_defaults_are_those_of_params_yaml(
    compiled: dict, stages: dict
) -> None:
    for name, stage in stages.items():
        assert stage["params"] == (["extract", "label"] if name == "label" else [name])  # a label reads videos, too
        assert f"mtclar {name} " in stage["cmd"]
    sections = load_settings().model_dump(mode="json", by_alias=True)
    for ir in compiled.values():
        parameters = ir["root"]["inputDefinitions"]["parameters"]
        for name, task in _tasks(ir).items():
            assert task["inputs"]["parameters"]["settings"] == {"componentInputParameter": name}
            assert parameters[name]["defaultValue"] == sections[name]


def test_what_acts_on_the_world_is_never_answered_by_the_cache(compiled: dict) -> None:
    cached = {
        name: task["cachingOptions"].get("enableCache", False)
        for ir in compiled.values()
        for name, task in _tasks(ir).items()
    }
    assert {name for name, value in cached.items() if not value} == {"register", "promote", "label"}


def test_the_revisions_of_data_and_code_are_part_of_the_cache_key(compiled: dict) -> None:
    for name in ("crop", "train", "evaluate", "export"):
        inputs = _tasks(compiled["training"])[name]["inputs"]["parameters"]
        assert inputs["data_rev"] == {"componentInputParameter": "data_rev"}
        assert inputs["git_sha"] == {"componentInputParameter": "git_sha"}


def test_gpus_are_asked_for_where_a_network_is_run_and_nowhere_else(compiled: dict, platforms: dict) -> None:
    executors = compiled["training"]["deploymentSpec"]["executors"]
    asking = {name for name, item in executors.items() if "resources" in item.get("container", {})}
    assert asking == {"exec-train", "exec-evaluate"}
    assert {name for name, item in platforms.items() if "tolerations" in item} == asking


def test_every_task_begins_with_the_reports_of_libraries_switched_off(compiled: dict) -> None:
    for ir in compiled.values():
        executors = ir["deploymentSpec"]["executors"]
        containers = [executor["container"] for executor in executors.values() if "container" in executor]
        assert len(containers) == len(_tasks(ir))
        for container in containers:
            said = {item["name"]: item["value"] for item in container["env"]}
            assert said.items() >= SWITCHES.items()


def test_the_address_of_the_registry_comes_from_the_namespace(platforms: dict) -> None:
    for name in ("exec-train", "exec-register", "exec-promote"):
        (source,) = platforms[name]["configMapAsEnv"]
        assert source["configMapName"] == "mtclar"
        assert source["keyToEnv"] == [{"configMapKey": "MLFLOW_TRACKING_URI", "envVar": "MLFLOW_TRACKING_URI"}]


def test_no_branch_hangs_on_a_condition(compiled: dict) -> None:
    for ir in compiled.values():
        assert "triggerPolicy" not in str(ir)
