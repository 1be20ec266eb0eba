"""Kubeflow component of `mtclar register`: bundle -> model version, alias challenger."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def register(
    bundle: dsl.Input[dsl.Model],
    evaluation: dsl.Input[dsl.Artifact],
    settings: dict,
) -> int:
    """Registers the bundle as the challenger; gives back its version."""
    from pathlib import Path

    from components.door import opened, told
    from mtclar.steps import register as step

    result = step.run(opened("register", settings), bundle=Path(bundle.path), evaluation=Path(evaluation.path))
    told(result)
    return result.version.number
