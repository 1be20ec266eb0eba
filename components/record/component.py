"""Kubeflow component that ends every run, failed or not: what it was to run with and how it ended -> MLflow."""

from kfp import dsl

from components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def record(status: dsl.PipelineTaskFinalStatus, pipeline: str, data: str, submission: dict, registry: dict):
    """Records the outcome of a run of a pipeline."""
    from components.door import opened, told
    from mtclar.steps import record as step

    facts = {"data": data, **submission}
    store, error, name = opened("register", registry), status.error_message or "", status.pipeline_job_resource_name
    told(step.run(store, pipeline=pipeline, state=status.state, error=error, identity=name, facts=facts))
