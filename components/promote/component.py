"""Kubeflow component of `mtclar promote`: challenger -> champion, if the gate opens."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote(
    version: int,
    settings: dict,
    registry: dict,
) -> str:
    """Judges a version, which must be the challenger; gives back the outcome."""
    from components.door import opened, told
    from mtclar.steps import promote as step

    gate, store = opened("promote", settings), opened("register", registry)
    result = step.run(gate, registry=store, version=version)
    told(result)
    return result.outcome
