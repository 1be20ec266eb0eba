"""Kubeflow component of `mtclar evaluate`: checkpoint -> metrics and report."""

from kfp import dsl

from components.image import GPU_IMAGE


@dsl.component(base_image=GPU_IMAGE, install_kfp_package=False)
def evaluate(
    faces: dsl.Input[dsl.Dataset],
    pairs: dsl.Input[dsl.Dataset],
    checkpoint: dsl.Input[dsl.Model],
    evaluation: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
    settings: dict,
):
    """Judges a checkpoint on people it has not seen."""
    from pathlib import Path
    from shutil import copy

    from components.door import Logged, opened, told
    from mtclar.serving.facts import headline
    from mtclar.steps import evaluate as step

    section, out = opened("evaluate", settings), Path(evaluation.path)
    files = {"faces": Path(faces.path), "pairs": Path(pairs.path), "checkpoint": Path(checkpoint.path)}
    told(step.run(section, **files, out=out, progress=Logged()))
    copy(out / "report.html", report.path)
    for name, value in headline(out).items():
        metrics.log_metric(name, value)
