"""Kubeflow component that looks at the data before they are read: address -> revision of what is there."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def list_data(data: str) -> str:
    """Gives a value that changes when the data do, for the cache of the tasks that read them."""
    from components.door import told
    from mtclar.steps import listing as step

    revision = step.list_data(data)
    told(f"{data}: listing {revision}")
    return revision
