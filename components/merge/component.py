"""Kubeflow component that ends a labelling: labels of all shards -> labels, report."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def merge(
    listing: dsl.Input[dsl.Dataset],
    shards: dsl.Input[list[dsl.Dataset]],
    labels: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.HTML],
    out: str,
    registry: dict,
) -> str:
    """Puts the labels together, also at the address `out` if one is given; says what could not be labelled."""
    from pathlib import Path
    from shutil import copy

    from components.door import opened, told
    from mtclar.steps import shards as step

    parts, store, folder = [Path(part.path) for part in shards], opened("register", registry), Path(labels.path)
    for place in (folder, out) if out else (folder,):
        result = step.merge(parts, listing=Path(listing.path), out=place, registry=store)
    told(result)
    copy(folder / "index.html", report.path)
    return str(result)
