"""The pipelines as files, checked by the published schemas where they are at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from crd_schema import faults

from components.image import GPU_IMAGE
from mtclar.errors import MtclarError
from mtclar.settings import load_settings
from pipelines.compiled import write_all

PLACES = {"faces": "s3://bucket/faces", "pairs": "s3://bucket/pairs", "out": "s3://bucket/checkpoint"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    settings = load_settings(overrides=["pipeline.gpus=8"])
    paths = write_all(tmp_path_factory.mktemp("ir"), settings, namespace="team", nodes=2, places=PLACES)
    return {path.name: list(yaml.safe_load_all(path.read_text())) for path in paths}


@pytest.fixture(scope="module")
def schemas(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    """Published schemas of custom resources, by kind; they are not part of the repository."""
    folder = Path(__file__).parents[3] / "shared" / "schemas" / "kubernetes"
    if not folder.is_dir():
        pytest.skip(f"no published schemas in {folder}")
    found = {}
    for path in folder.glob("*.yaml"):
        for crd in yaml.safe_load_all(path.read_text()):
            for version in crd["spec"]["versions"]:
                found[f"{crd['spec']['names']['kind']} {version['name']}"] = version["schema"]["openAPIV3Schema"]
    return found


def check(document: dict[str, Any], schemas: dict[str, dict[str, Any]]) -> list[str]:
    return list(faults(document, schemas[f"{document['kind']} {document['apiVersion'].partition('/')[2]}"]))


def test_the_custom_resources_hold_the_pipelines_that_the_ir_holds(written: dict) -> None:
    for name in ("training", "labelling"):
        pipeline, version = written[f"{name}-resources.yaml"]
        assert pipeline["metadata"] == {"name": f"mtclar-{name}", "namespace": "team"}
        assert version["spec"]["pipelineName"] == pipeline["metadata"]["name"]
        assert [version["spec"]["pipelineSpec"], version["spec"]["platformSpec"]] == written[f"{name}.yaml"]


def test_a_strict_server_would_take_the_custom_resources_and_the_training_job(written: dict, schemas: dict) -> None:
    for file in ("training-resources.yaml", "labelling-resources.yaml", "trainjob.yaml"):
        for document in written[file]:
            assert check(document, schemas) == []


def test_the_check_refuses_what_a_strict_server_refuses(written: dict, schemas: dict) -> None:
    (job,) = written["trainjob.yaml"]
    spec = job["spec"]
    trainer = spec["trainer"]
    for broken, words in [
        ({**spec, "podTemplateOverrides": []}, "unknown field podTemplateOverrides"),
        ({**spec, "trainer": {**trainer, "numNodes": "2"}}, "expected integer, got '2'"),
        ({**spec, "trainer": {**trainer, "env": [{"value": "x"}]}}, "name is missing"),
        ({key: value for key, value in spec.items() if key != "runtimeRef"}, "runtimeRef is missing"),
    ]:
        assert any(words in fault for fault in check({**job, "spec": broken}, schemas)), words


def test_the_training_job_starts_a_process_a_gpu_on_every_machine(written: dict) -> None:
    ((job),) = written["trainjob.yaml"]
    trainer = job["spec"]["trainer"]
    assert job["metadata"]["namespace"] == "team"
    assert (trainer["numNodes"], trainer["numProcPerNode"], trainer["image"]) == (2, 8, GPU_IMAGE)
    assert trainer["command"] == ["python", "-m", "torch.distributed.run", "-m", "mtclar", "train"]
    assert trainer["args"][:3] == [f"--{name}={place}" for name, place in PLACES.items()]
    assert trainer["resourcesPerNode"]["limits"]["nvidia.com/gpu"] == "8"
    settings = [value for key, value in zip(trainer["args"], trainer["args"][1:], strict=False) if key == "--set"]
    assert load_settings(overrides=settings).train == load_settings().train
    values = [item.get("value", "") for item in trainer["env"]]
    assert not any("KEY" in item["name"] and "value" in item for item in trainer["env"]), values
    pod = job["spec"]["runtimePatches"][0]["trainingRuntimeSpec"]["template"]["spec"]["replicatedJobs"][0]
    spec = pod["template"]["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_other_settings_make_another_version_and_the_same_ones_the_same(tmp_path: Path, written: dict) -> None:
    def name(gpus: int) -> str:
        write_all(tmp_path, load_settings(overrides=[f"pipeline.gpus={gpus}"]), namespace="team")
        _, version = yaml.safe_load_all((tmp_path / "training-resources.yaml").read_text())
        return str(version["metadata"]["name"])

    same = written["training-resources.yaml"][1]["metadata"]["name"]
    assert name(8) == same
    assert name(1) != same


def test_several_machines_need_addresses_that_all_of_them_reach(tmp_path: Path) -> None:
    for places in ({}, PLACES | {"pairs": "artifacts/pair"}):
        with pytest.raises(MtclarError, match="several machines need an address that all of them reach"):
            write_all(tmp_path, load_settings(), nodes=2, places=places)


def test_an_output_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MtclarError, match="cannot be written"):
        write_all(tmp_path / "file" / "ir", load_settings())


def test_an_image_by_digest_asks_for_the_other_one_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTCLAR_IMAGE", "mtclar@sha256:" + "0" * 64)
    monkeypatch.delenv("MTCLAR_GPU_IMAGE", raising=False)
    with pytest.raises(MtclarError, match="MTCLAR_GPU_IMAGE is not set"):
        write_all(tmp_path, load_settings())
