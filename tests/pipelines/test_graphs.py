"""dvc.yaml and the Kubeflow pipelines say the same line twice; here they are held together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.image import GPU_IMAGE, IMAGE
from mtclar.environment import SWITCHES
from mtclar.settings import load_settings
from pipelines.compiled import write_all

Edges = set[tuple[str, str]]
ONLY_KUBEFLOW = {"list-data", "register", "promote", "record"}
ONLY_SHARDS = {"list-videos", "merge", "record"}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The first document of each IR file."""
    paths = write_all(tmp_path_factory.mktemp("ir"), load_settings(overrides=["pipeline.gpus=4"]))
    return {path.stem: next(yaml.safe_load_all(path.read_text())) for path in paths}


@pytest.fixture(scope="module")
def platforms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the training pipeline asks of Kubernetes, by executor."""
    paths = write_all(tmp_path_factory.mktemp("ir"), load_settings(overrides=["pipeline.gpus=4"]))
    second = list(yaml.safe_load_all(paths[0].read_text()))[1]
    return second["platforms"]["kubernetes"]["deploymentSpec"]["executors"]


@pytest.fixture
def stages(repository: Path) -> dict[str, dict[str, Any]]:
    return yaml.safe_load((repository / "dvc.yaml").read_text())["stages"]


def _tasks(ir: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All tasks, also those inside the exit handler and the loop over shards, by name."""
    found: dict[str, dict[str, Any]] = {}
    waiting = [ir["root"]]
    while waiting:
        for name, task in waiting.pop().get("dag", {}).get("tasks", {}).items():
            component = ir["components"][task["componentRef"]["name"]]
            if "dag" in component:
                waiting.append(component)
            else:
                found[name] = task
    return found


def _edges_of_ir(ir: dict[str, Any]) -> Edges:
    """Who gives an artifact or a value to whom."""
    edges = set()
    for name, task in _tasks(ir).items():
        for group in ("artifacts", "parameters"):
            for source in task["inputs"].get(group, {}).values():
                for kind in ("taskOutputArtifact", "taskOutputParameter"):
                    if kind in source:
                        edges.add((source[kind]["producerTask"], name))
    return edges


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
    assert labelling - ONLY_SHARDS == {"label"}
    assert labelling >= ONLY_SHARDS


def test_both_graphs_have_the_same_edges(compiled: dict, stages: dict) -> None:
    kubeflow = {(a, b) for a, b in _edges_of_ir(compiled["training"]) if not {a, b} & ONLY_KUBEFLOW}
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
            if "settings" in task["inputs"]["parameters"]:
                (source,) = task["inputs"]["parameters"]["settings"].values()
                assert source.removeprefix("pipelinechannel--") == name
                assert parameters[name]["defaultValue"] == sections[name]


def test_what_acts_on_the_world_is_never_answered_by_the_cache(compiled: dict) -> None:
    cached = {
        name: task["cachingOptions"].get("enableCache", False)
        for ir in compiled.values()
        for name, task in _tasks(ir).items()
    }
    assert {name for name, value in cached.items() if value} == {
        "crop",
        "validate",
        "pair",
        "train",
        "evaluate",
        "export",
    }


def test_what_lies_at_the_address_of_the_data_is_part_of_the_cache_key(compiled: dict) -> None:
    inputs = _tasks(compiled["training"])["crop"]["inputs"]["parameters"]
    assert inputs["listing"] == {"taskOutputParameter": {"outputParameterKey": "Output", "producerTask": "list-data"}}


def test_nobody_who_starts_a_run_says_by_which_code_or_from_which_data_it_is_made(compiled: dict) -> None:
    for ir in compiled.values():
        assert not {"data_rev", "git_sha"} & set(ir["root"]["inputDefinitions"]["parameters"])
        for task in _tasks(ir).values():
            assert not {"data_rev", "git_sha"} & set(task["inputs"]["parameters"])


def test_gpus_are_asked_for_where_a_network_is_run_and_nowhere_else(compiled: dict, platforms: dict) -> None:
    executors = compiled["training"]["deploymentSpec"]["executors"]
    asking = {
        name: item["container"]["resources"]["accelerator"]["resourceCount"]
        for name, item in executors.items()
        if "accelerator" in item["container"]["resources"]
    }
    assert asking == {"exec-train": "4", "exec-evaluate": "1"}
    assert {name for name, item in platforms.items() if "tolerations" in item} == set(asking)
    assert _tasks(compiled["training"])["train"]["inputs"]["parameters"]["processes"] == {
        "runtimeValue": {"constant": 4.0}
    }


def test_torch_is_in_the_image_of_what_needs_it_alone(compiled: dict) -> None:
    images = {
        name.removeprefix("exec-"): executor["container"]["image"]
        for ir in compiled.values()
        for name, executor in ir["deploymentSpec"]["executors"].items()
    }
    assert {name for name, image in images.items() if image == GPU_IMAGE} == {"train", "evaluate", "export"}
    assert set(images.values()) == {IMAGE, GPU_IMAGE}


def test_every_task_begins_with_the_reports_of_libraries_switched_off(compiled: dict) -> None:
    for ir in compiled.values():
        executors = ir["deploymentSpec"]["executors"]
        assert len(executors) == len(_tasks(ir))
        for executor in executors.values():
            said = {item["name"]: item["value"] for item in executor["container"]["env"]}
            assert said.items() >= SWITCHES.items()


def test_every_task_has_limits_a_user_a_time_and_other_tries(compiled: dict, platforms: dict) -> None:
    for ir in compiled.values():
        for executor in ir["deploymentSpec"]["executors"].values():
            resources = executor["container"]["resources"]
            for kind in ("resourceCpu", "resourceMemory"):
                assert resources[f"{kind}Limit"] == resources[f"{kind}Request"]
        for name, task in _tasks(ir).items():
            assert task.get("retryPolicy", {}).get("maxRetryCount", 0) == (0 if name == "record" else 2)
    for placed in platforms.values():
        assert placed["securityContext"] == {"runAsUser": "10001", "runAsGroup": "10001", "runAsNonRoot": True}
        assert int(placed["activeDeadlineSeconds"]) >= 3600
        assert [item["secretName"] for item in placed["imagePullSecret"]] == ["mtclar-pull"]
    for name in ("exec-train", "exec-evaluate"):
        (mount,) = platforms[name]["emptyDirMounts"]
        assert (mount["mountPath"], mount["medium"], mount["sizeLimit"]) == ("/dev/shm", "Memory", "4Gi")


def test_addresses_come_from_the_namespace_and_keys_from_its_secrets(platforms: dict) -> None:
    def given(name: str, kind: str, inner: str) -> set[str]:
        return {item[inner] for source in platforms[name].get(kind, ()) for item in source["keyToEnv"]}

    for name in ("exec-train", "exec-register", "exec-promote", "exec-record"):
        assert given(name, "configMapAsEnv", "envVar") == {"MLFLOW_TRACKING_URI"}
        assert given(name, "secretAsEnv", "envVar") == {"MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
    for name in ("exec-crop", "exec-list-data"):
        assert given(name, "configMapAsEnv", "envVar") == {"AWS_ENDPOINT_URL", "AWS_REGION"}
        assert given(name, "secretAsEnv", "envVar") == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    for name in ("exec-validate", "exec-pair", "exec-evaluate", "exec-export"):
        assert not given(name, "secretAsEnv", "envVar")
    names = {item["configMapName"] for task in platforms.values() for item in task.get("configMapAsEnv", ())}
    assert names == {"mtclar"}
    secrets = {item["secretName"] for task in platforms.values() for item in task.get("secretAsEnv", ())}
    assert secrets == {"mtclar-mlflow", "mtclar-s3"}


def test_what_a_retry_of_training_goes_on_from_lies_on_a_volume_of_the_run(compiled: dict, platforms: dict) -> None:
    state = _tasks(compiled["training"])["train"]["inputs"]["parameters"]["state"]
    assert state == {"runtimeValue": {"constant": "{{$.workspace_path}}/train"}}


def test_how_a_run_ends_is_recorded_also_when_it_fails(compiled: dict) -> None:
    for ir in compiled.values():
        recorded = ir["root"]["dag"]["tasks"]["record"]
        assert recorded["triggerPolicy"] == {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
        assert recorded["inputs"]["parameters"]["submission"] == {"componentInputParameter": "submission"}
        submission = ir["root"]["inputDefinitions"]["parameters"]["submission"]["defaultValue"]
        assert submission["mtclar_image"] == IMAGE
        assert submission["resources"]["crop"] == "4 CPU, 8Gi, 24 h"


def test_shards_are_labelled_side_by_side_and_put_together(compiled: dict) -> None:
    ir = compiled["labelling"]
    inner = ir["components"]["comp-exit-handler-1"]["dag"]["tasks"]
    ((name, loop),) = [item for item in inner.items() if item[0].startswith("for-loop")]
    assert loop["iteratorPolicy"] == {"parallelismLimit": load_settings().pipeline.shards}
    assert {(a, b) for a, b in _edges_of_ir(ir) if b == "merge"} == {("list-videos", "merge"), (name, "merge")}


def test_no_branch_hangs_on_a_condition(compiled: dict) -> None:
    for ir in compiled.values():
        for name, task in _tasks(ir).items():
            assert "condition" not in task.get("triggerPolicy", {}), name
