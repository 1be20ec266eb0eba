"""A bundle becomes a version of the registered model, with the alias challenger."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from mtclar import __version__
from mtclar.errors import MtclarError, brief
from mtclar.registry import tracking
from mtclar.registry.versions import CHALLENGER, DATA_TAG, GIT_TAG, Version, of_bundle, of_number, tags_of
from mtclar.serving import Bundle
from mtclar.settings import RegisterSettings

MODEL_CODE = Path(__file__).with_name("model.py")


def register_bundle(bundle: Bundle, settings: RegisterSettings, keep: list[Path]) -> tuple[Version, bool]:
    """Registers a bundle, unless it is registered already, and points the alias challenger at it.

    Args:
        bundle: What is registered; its headline metrics become tags of the version.
        settings: The section `register` of params.yaml.
        keep: Files kept with the run, such as the report of the evaluation.

    Returns:
        The version, and whether it is a new one.

    Raises:
        MtclarError: mlflow is not installed, or the registry refuses.
    """
    mlflow = tracking.require(settings)
    client, name = mlflow.MlflowClient(), settings.model_name
    try:
        found = of_bundle(client, name, bundle.identity)
        version = found or _create(mlflow, bundle, settings, keep)
        client.set_registered_model_alias(name, CHALLENGER, str(version.number))
    except mlflow.MlflowException as error:
        raise MtclarError(f"{name}: the model registry refuses ({brief(error)}).") from error
    return version, found is None


def _create(mlflow: Any, bundle: Bundle, settings: RegisterSettings, keep: list[Path]) -> Version:
    client, name, facts = mlflow.MlflowClient(), settings.model_name, bundle.facts
    tags = tags_of(
        bundle.identity,
        facts["data_revision"],
        facts["git_revision"],
        facts["metrics"],
        evaluation_set=facts.get("evaluation_set", ""),
        training_run=facts.get("training_run", ""),
    )
    revisions = {key: tags[key] for key in (DATA_TAG, GIT_TAG)}
    with tracking.start(settings, run_name="register", tags=revisions) as run:
        run.metrics(facts["metrics"])
        for path in keep:
            run.artifact(path)
        info = _log_model(mlflow, bundle)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description="Valence and arousal of faces (MT-CLAR), by mtclar.")
    source = client.get_logged_model(info.model_id).artifact_location
    made = client.create_model_version(name, source, run_id=info.run_id, tags=tags, model_id=info.model_id)
    version = of_number(client, name, int(made.version))
    if version is None or version.bundle_sha != bundle.identity:
        raise MtclarError(f"{name}: version {made.version} was made but the registry does not give it back.")
    return version


def _log_model(mlflow: Any, bundle: Bundle) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    signature = ModelSignature(
        inputs=Schema([ColSpec("binary", "image")]),
        outputs=Schema([ColSpec("double", "valence"), ColSpec("double", "arousal"), ColSpec("string", "expression")]),
    )
    loggers = [logging.getLogger(f"mlflow.{part}") for part in ("pyfunc", "models.model", "tracking.fluent")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:  # advice on type hints and input examples, which a signature makes needless
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return mlflow.pyfunc.log_model(
                name="model",
                python_model=str(MODEL_CODE),
                artifacts={"bundle": str(bundle.folder.resolve())},
                signature=signature,
                pip_requirements=[f"mtclar=={__version__}"],
            )
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
