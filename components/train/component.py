"""Kubeflow component of `mtclar train`: pairs -> checkpoint."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(
    faces: dsl.Input[dsl.Dataset],
    pairs: dsl.Input[dsl.Dataset],
    checkpoint: dsl.Output[dsl.Model],
    settings: dict,
    registry: dict,
    data_rev: str,
    git_sha: str,
):
    """Trains MT-CLAR on pairs and logs the run in MLflow."""
    from pathlib import Path

    from components.door import Logged, opened, told
    from mtclar.steps import train as step

    section = opened("train", settings, data_rev=data_rev, git_sha=git_sha)
    store = opened("register", registry)
    files = {"faces": Path(faces.path), "pairs": Path(pairs.path), "out": Path(checkpoint.path)}
    told(step.run(section, **files, registry=store, progress=Logged()))
