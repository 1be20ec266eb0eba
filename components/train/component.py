"""Kubeflow component of `mtclar train`: pairs -> checkpoint."""

from kfp import dsl

from components.image import GPU_IMAGE


@dsl.component(base_image=GPU_IMAGE, install_kfp_package=False)
def train(
    faces: dsl.Input[dsl.Dataset],
    pairs: dsl.Input[dsl.Dataset],
    checkpoint: dsl.Output[dsl.Model],
    settings: dict,
    registry: dict,
    state: str,
    processes: int,
):
    """Trains MT-CLAR on pairs and logs the run in MLflow. What a retry goes on from lies in the folder `state`."""
    from pathlib import Path
    from typing import Any

    from components.door import Logged, opened, stamp, told
    from mtclar.steps import train as step

    files: Any = {"faces": Path(faces.path), "pairs": Path(pairs.path), "out": Path(checkpoint.path)}
    section, store = opened("train", settings), opened("register", registry)
    how: Any = {"state": Path(state), "processes": processes, "progress": Logged()}
    told(step.run(section, **files, registry=store, **how))
    stamp(checkpoint, Path(checkpoint.path))
