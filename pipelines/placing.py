"""What tasks need of the place where they run, on a cluster; the local runner passes over it.

The names are those of infra/kubernetes, which makes the config map and says how the secrets are made. None of them is a
parameter: whoever starts a run must not choose who gets the task's keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kfp import dsl, kubernetes

from components.image import GPU_IMAGE, GPU_VARIABLE, IMAGE, VARIABLE
from mtclar.environment import SWITCHES
from mtclar.revision import git_revision
from mtclar.settings import PipelineSettings, Settings

CONFIG_MAP = "mtclar"
MLFLOW_SECRET = "mtclar-mlflow"  # noqa: S105 - the name of a secret
S3_SECRET = "mtclar-s3"  # noqa: S105
PULL_SECRET = "mtclar-pull"  # noqa: S105
GPU = "nvidia.com/gpu"
USER = 10001
"""The user of the images."""

MLFLOW_TASKS = frozenset({"train", "register", "promote", "list_videos", "label", "merge", "record"})
"""Tasks that ask MLflow or tell it something."""
S3_TASKS = frozenset({"list_data", "crop", "list_videos", "label", "merge"})
"""Tasks that read or write addresses on S3 themselves; what goes from task to task Kubeflow brings."""
MEMORY_TASKS = frozenset({"train", "evaluate"})
"""Tasks whose processes and threads hand pictures to each other through /dev/shm."""
WORLD_TASKS = frozenset({"list_data", "list_videos", "label", "merge", "register", "promote", "record"})
"""Tasks that change the world, or depend on a world that changes: the cache must not answer for them."""


def placed(settings: Settings, *tasks: dsl.PipelineTask, environment: Mapping[str, str] | None, gpus: int = 0) -> None:
    """Gives tasks what they need: silence here, and on a cluster resources, keys, a user, time and other tries.

    Args:
        settings: The section `pipeline` says how much.
        tasks: The tasks, each named by its component.
        environment: For a run on this machine, variables of the tasks, and no more: whoever waits for it wants to know
            at once what failed. None for a cluster.
        gpus: GPUs of each of these tasks.
    """
    for task in tasks:
        for variable, value in {**SWITCHES, **(environment or {})}.items():  # before any process of theirs begins
            task.set_env_variable(variable, value)
        if _verb(task) in WORLD_TASKS:
            task.set_caching_options(False)
        if environment is None:
            _place(settings.pipeline, task, gpus)


def facts(settings: Settings, *, gpus: int | None = None) -> dict[str, Any]:
    """What a submission will run with, as it is printed and recorded: images, code, resources."""
    s = settings.pipeline
    return {
        VARIABLE.lower(): IMAGE,
        GPU_VARIABLE.lower(): GPU_IMAGE,
        "submitted_from": git_revision(),
        "gpus": s.gpus if gpus is None else gpus,
        "retries": s.retries,
        "resources": {name: f"{t.cpu} CPU, {t.memory}, {t.hours:g} h" for name, t in s.tasks.items()},
    }


def workspace(settings: Settings) -> dsl.PipelineConfig:
    """A volume that lives as long as the run, so that a task that is tried again finds what it had."""
    return dsl.PipelineConfig(workspace=dsl.WorkspaceConfig(size=settings.pipeline.workspace))


def _verb(task: dsl.PipelineTask) -> str:
    """The name of its component."""
    return task.component_spec.name.replace("-", "_")


def _place(s: PipelineSettings, task: dsl.PipelineTask, gpus: int) -> None:
    name = _verb(task)
    resources = s.tasks[name]
    task.set_cpu_request(resources.cpu).set_cpu_limit(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    kubernetes.set_timeout(task, round(resources.hours * 3600))
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.set_image_pull_secrets(task, [PULL_SECRET])
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
    if name in MLFLOW_TASKS:
        _from_config_map(task, "MLFLOW_TRACKING_URI")
        _from_secret(task, MLFLOW_SECRET, "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
    if name in S3_TASKS:
        _from_config_map(task, "AWS_ENDPOINT_URL", "AWS_REGION")
        _from_secret(task, S3_SECRET, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    if name in MEMORY_TASKS:
        kubernetes.empty_dir_mount(task, "shared-memory", "/dev/shm", medium="Memory", size_limit=s.shared_memory)  # noqa: S108
    if s.retries and name != "record":
        task.set_retry(s.retries, backoff_duration="30s", backoff_factor=2.0)
    if gpus:
        task.set_accelerator_type(GPU).set_accelerator_limit(gpus)
        kubernetes.add_toleration(task, key=GPU, operator="Exists", effect="NoSchedule")


def _from_config_map(task: dsl.PipelineTask, *keys: str) -> None:
    """Variables from the namespace's config map; one that it does not have is left out."""
    kubernetes.use_config_map_as_env(
        task, config_map_name=CONFIG_MAP, config_map_key_to_env={key: key for key in keys}, optional=True
    )


def _from_secret(task: dsl.PipelineTask, secret: str, *keys: str) -> None:
    """Variables from a secret, where the namespace has it."""
    kubernetes.use_secret_as_env(task, secret_name=secret, secret_key_to_env={key: key for key in keys}, optional=True)
