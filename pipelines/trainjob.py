"""Training on several machines, as a TrainJob of Kubeflow Trainer 2 (trainer.kubeflow.org/v1alpha1).

A task of a pipeline is one pod; what needs more of them is this job. The pods find each other by the variables that the
runtime `torch-distributed` sets and torchrun reads (PET_NNODES and so on). They read faces and pairs from S3, and the
first puts the checkpoint there.
"""

from __future__ import annotations

import json
from typing import Any

from components.image import GPU_IMAGE
from mtclar.environment import SWITCHES
from mtclar.errors import MtclarError
from mtclar.settings import Settings
from mtclar.storage import is_remote
from pipelines.placing import CONFIG_MAP, GPU, MLFLOW_SECRET, PULL_SECRET, S3_SECRET, USER

RUNTIME = "torch-distributed"
NAMESPACE = "mtclar"
"""That of infra/kubernetes."""
PLACES = ("faces", "pairs", "out")


def train_job(settings: Settings, *, nodes: int, places: dict[str, str], namespace: str = NAMESPACE) -> dict[str, Any]:
    """The job.

    Args:
        settings: All of params.yaml: the section `train` becomes arguments, `pipeline` says what each pod gets; its
            GPUs are those of one machine, with a process each.
        nodes: How many machines.
        places: Addresses on S3 of faces, pairs and out.
        namespace: Where it runs; config map and secrets of infra/kubernetes are expected there.

    Raises:
        MtclarError: An address is missing, or is none on S3.
    """
    for name in PLACES:
        if not is_remote(places.get(name, "")):
            raise MtclarError(
                f"--{name} {places.get(name) or '(not given)'}: several machines need an address that all of them "
                "reach, s3://bucket/folder."
            )
    s, resources = settings.pipeline, settings.pipeline.tasks["train"]
    limits = {"cpu": resources.cpu, "memory": resources.memory} | ({GPU: str(s.gpus)} if s.gpus else {})
    values = settings.train.model_dump(mode="json")
    overrides = [part for key, value in values.items() for part in ("--set", f"train.{key}={json.dumps(value)}")]
    return {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainJob",
        "metadata": {"name": "mtclar-train", "namespace": namespace, "labels": {"app.kubernetes.io/name": "mtclar"}},
        "spec": {
            "runtimeRef": {"apiGroup": "trainer.kubeflow.org", "kind": "ClusterTrainingRuntime", "name": RUNTIME},
            "activeDeadlineSeconds": round(resources.hours * 3600),
            "trainer": {
                "image": GPU_IMAGE,
                "command": ["python", "-m", "torch.distributed.run", "-m", "mtclar", "train"],
                "args": [*(f"--{name}={places[name]}" for name in PLACES), *overrides],
                "numNodes": nodes,
                "numProcPerNode": max(1, s.gpus),
                "env": _environment(),
                "resourcesPerNode": {"requests": limits, "limits": limits},
            },
            "runtimePatches": [{"manager": "mtclar.io/pipeline", "trainingRuntimeSpec": _patch(settings)}],
        },
    }


def _environment() -> list[dict[str, Any]]:
    """Variables of the pods: silence, and where MLflow and S3 are, which the namespace says."""
    sources = {
        "MLFLOW_TRACKING_URI": ("configMapKeyRef", CONFIG_MAP),
        "AWS_ENDPOINT_URL": ("configMapKeyRef", CONFIG_MAP),
        "AWS_REGION": ("configMapKeyRef", CONFIG_MAP),
        "MLFLOW_TRACKING_USERNAME": ("secretKeyRef", MLFLOW_SECRET),
        "MLFLOW_TRACKING_PASSWORD": ("secretKeyRef", MLFLOW_SECRET),
        "AWS_ACCESS_KEY_ID": ("secretKeyRef", S3_SECRET),
        "AWS_SECRET_ACCESS_KEY": ("secretKeyRef", S3_SECRET),
    }
    fixed: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in SWITCHES.items()]
    return fixed + [
        {"name": name, "valueFrom": {kind: {"name": source, "key": name, "optional": True}}}
        for name, (kind, source) in sources.items()
    ]


def _patch(settings: Settings) -> dict[str, Any]:
    """What the runtime's pods get besides: a user, no rights, shared memory, and leave to run where GPU work may."""
    pod: dict[str, Any] = {
        "serviceAccountName": "mtclar",
        "imagePullSecrets": [{"name": PULL_SECRET}],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "node",
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "volumeMounts": [{"name": "shared-memory", "mountPath": "/dev/shm"}],  # noqa: S108
            }
        ],
        "volumes": [
            {
                "name": "shared-memory",
                "emptyDir": {"medium": "Memory", "sizeLimit": settings.pipeline.shared_memory},
            }
        ],
    }
    if settings.pipeline.gpus:
        pod["tolerations"] = [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}]
    job = {"name": "node", "template": {"spec": {"template": {"spec": pod}}}}
    return {"template": {"spec": {"replicatedJobs": [job]}}}
