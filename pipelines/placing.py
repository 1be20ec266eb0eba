"""What tasks need of the place where they run, on a cluster; the local runner passes over it."""

from __future__ import annotations

from kfp import dsl, kubernetes

from mtclar.environment import SWITCHES

CONFIG_MAP = "mtclar"
"""Holds MLFLOW_TRACKING_URI. It is not a parameter: whoever starts a run must not choose who gets the task's token."""

GPU = "nvidia.com/gpu"


def silent(*tasks: dsl.PipelineTask) -> None:
    """Switches the reports of libraries off in the containers of tasks, before any process of theirs begins."""
    for task in tasks:
        for name, value in SWITCHES.items():
            task.set_env_variable(name, value)


def in_registry(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Gives a task the address of MLflow, from the namespace's config map."""
    return kubernetes.use_config_map_as_env(
        task, config_map_name=CONFIG_MAP, config_map_key_to_env={"MLFLOW_TRACKING_URI": "MLFLOW_TRACKING_URI"}
    )


def acts_outside(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Keeps a task that changes the world, or depends on a world that changes, from being answered by the cache."""
    return task.set_caching_options(False)


def on_gpu(task: dsl.PipelineTask, gpus: int) -> dsl.PipelineTask:
    """Asks for GPUs, and for leave to run where only GPU work may; 0 leaves the task on a CPU."""
    if gpus:
        task.set_accelerator_type(GPU).set_accelerator_limit(gpus)
        kubernetes.add_toleration(task, key=GPU, operator="Exists", effect="NoSchedule")
    return task
