"""How a run of a pipeline ended, and what it was to run with, as a run in MLflow."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.revision import git_revision
from mtclar.settings import RegisterSettings

log = logging.getLogger(__name__)

ERROR_LENGTH = 500
"""Characters of an error that are kept; what a tag of MLflow holds is limited."""


def run(
    registry: RegisterSettings,
    *,
    pipeline: str,
    state: str,
    error: str = "",
    identity: str = "",
    facts: Mapping[str, Any],
) -> str:
    """Records the outcome. It never fails: that a record could not be kept must not make a run a failure.

    Args:
        registry: The section `register` of params.yaml: store and experiment.
        pipeline: What the run is called.
        state: How it ended: SUCCEEDED, FAILED or CANCELLED.
        error: Why, if it failed.
        identity: What Kubeflow calls the run.
        facts: What it was to run with: data, images, resources.

    Returns:
        A sentence on what was recorded.
    """
    said = f"{pipeline}: {state.lower()}" + (f" ({' '.join(error.split())[:ERROR_LENGTH]})" if error else "")
    tags = {
        "outcome": state.lower(),
        "error": error[:ERROR_LENGTH],
        "kubeflow_run": identity,
        "git_sha": git_revision(),
        "mlflow.note.content": said,
    }
    params = {name: value if isinstance(value, str | Mapping) else json.dumps(value) for name, value in facts.items()}
    try:
        with tracking.start(registry, run_name=pipeline, params=params, tags=tags):
            return said
    except MtclarError as refused:
        log.warning("%s; the outcome is not recorded in MLflow: %s", said, refused)
    return said
