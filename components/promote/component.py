"""Kubeflow component of `mtclar promote`: challenger -> champion, if the gate opens."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote(
    faces: dsl.Input[dsl.Dataset],
    pairs: dsl.Input[dsl.Dataset],
    version: int,
    settings: dict,
    evaluate: dict,
    registry: dict,
) -> str:
    """Judges a version; the champion is judged anew where it was judged on other data. Gives back the outcome."""
    from pathlib import Path
    from typing import Any

    from components.door import Logged, opened, told
    from mtclar.steps import promote as step

    gate, store = opened("promote", settings), opened("register", registry)
    again: Any = {"faces": Path(faces.path), "pairs": Path(pairs.path), "evaluate": opened("evaluate", evaluate)}
    result = step.run(gate, registry=store, version=version, reason="training pipeline", **again, progress=Logged())
    told(result)
    return result.outcome
