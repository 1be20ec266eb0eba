"""A bundle becomes a version of the registered model, with the alias challenger."""

from __future__ import annotations

import logging
import re
import shutil
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mtclar.data.store import encode
from mtclar.data.whole import scratch
from mtclar.errors import MtclarError, brief
from mtclar.registry import tracking
from mtclar.registry.versions import CHALLENGER, DATA_TAG, GIT_TAG, Version, of_bundle, of_number, tags_of
from mtclar.revision import CARRIED, git_revision
from mtclar.serving import Bundle
from mtclar.settings import RegisterSettings

PACKAGE = Path(__file__).parents[1]
MODEL_CODE = PACKAGE / "served.py"
LEFT_OUT = ("shipped", "synthesis", "learning", "model", "recipes", "__pycache__", "*.pyc")
"""Of the package, what a model that is served does not need: the model that ships, and all that learns or draws."""
DESCRIPTION = "Valence and arousal of faces (MT-CLAR), by mtclar."


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
    training = _training_run(client, facts.get("training_run", ""))
    tags = tags_of(
        bundle.identity,
        facts["data_revision"],
        facts["git_revision"],
        facts["metrics"],
        evaluation_set=facts.get("evaluation_set", ""),
        training_run=facts.get("training_run", ""),
    )
    said = _description(bundle, training)
    revisions = {key: tags[key] for key in (DATA_TAG, GIT_TAG)} | {"mlflow.note.content": said}
    if training:
        revisions[tracking.PARENT_TAG] = training
    learned = facts.get("training", {})
    about = {
        "bundle_sha": bundle.identity,
        **{key: facts[key] for key in ("tasks", "embedding_size", "crop")},
        **({"kept_epoch": learned["kept_epoch"]} if "kept_epoch" in learned else {}),
        "train": learned.get("settings", {}),
    }
    with tracking.start(settings, run_name=f"register {name}", params=about, tags=revisions) as run:
        seen = facts.get("learned_from", {}).get("datasets", [])
        run.dataset(", ".join(seen) or "faces", facts["data_revision"], context="training")
        if facts.get("evaluation_set"):
            run.dataset("evaluation set", facts["evaluation_set"], context="evaluation")
        run.metrics(facts["metrics"])
        for path in keep:
            run.artifact(path)
        info = _log_model(mlflow, bundle)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=DESCRIPTION)
    source = client.get_logged_model(info.model_id).artifact_location
    made = client.create_model_version(
        name, source, run_id=training or info.run_id, tags=tags, description=said, model_id=info.model_id
    )
    version = of_number(client, name, int(made.version))
    if version is None or version.bundle_sha != bundle.identity:
        raise MtclarError(f"{name}: version {made.version} was made but the registry does not give it back.")
    return version


def _training_run(client: Any, run_id: str) -> str:
    """The run that trained the bundle, if this store knows it; else ""."""
    from mlflow.exceptions import MlflowException

    if not run_id:
        return ""
    try:
        return str(client.get_run(run_id).info.run_id)
    except MlflowException:
        return ""


def _description(bundle: Bundle, training: str) -> str:
    """What people read beside a version."""
    facts = bundle.facts
    metrics = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in facts["metrics"].items())
    return (
        f"{metrics}.\n\nData {facts['data_revision'][:12]}, code {facts['git_revision'][:12]}, "
        f"{f'trained in run {training}' if training else 'trained elsewhere'}."
    )


def _log_model(mlflow: Any, bundle: Bundle) -> Any:
    loggers = [logging.getLogger(f"mlflow.{part}") for part in ("pyfunc", "models.model", "tracking.fluent")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:  # advice on type hints, which a signature makes needless
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), scratch("package") as folder:
            warnings.simplefilter("ignore", UserWarning)
            return mlflow.pyfunc.log_model(
                name="model",
                python_model=str(MODEL_CODE),
                artifacts={"bundle": str(bundle.folder.resolve())},
                code_paths=[str(_package(folder / "mtclar"))],
                signature=_signature(),
                input_example=_example(bundle),
                pip_requirements=_requirements(mlflow.__version__),
            )
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _signature() -> Any:
    """What goes in and comes out: pictures, or videos with their anchors. Every column may be missing; the model says
    what it misses better than MLflow does."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    given = [("binary", "image"), ("binary", "video"), ("string", "name"), ("string", "anchors")]
    made = [("double", "valence"), ("double", "arousal"), ("string", "expression")]
    bands = [f"{name}_{end}" for name in ("valence", "arousal") for end in ("lo", "hi")]
    made += [("string", "name"), ("long", "frame"), *(("double", name) for name in ("time_s", *bands, "confidence"))]
    made += [("string", "source"), ("string", "status")]
    return ModelSignature(
        inputs=Schema([ColSpec(kind, name, required=False) for kind, name in given]),
        outputs=Schema([ColSpec(kind, name, required=False) for kind, name in made]),
        params=ParamSchema([ParamSpec("pictures", "string", "auto")]),
    )


def _example(bundle: Bundle) -> tuple[Any, dict[str, str]]:
    """A request: one grey face crop."""
    import pandas as pd

    size = bundle.crop_spec.size
    grey = np.full((size, size, 3), 128, np.uint8)
    return pd.DataFrame({"image": [encode(grey, 90)]}), {"pictures": "crops"}


def _package(folder: Path) -> Path:
    """A copy of this package that lies beside the model, so that no index needs to have it."""
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    if not (folder / "params.yaml").exists():
        shutil.copyfile(PACKAGE.parent / "params.yaml", folder / "params.yaml")
    (folder / CARRIED).write_text(git_revision(), encoding="utf-8")
    return folder


def _requirements(mlflow_version: str) -> list[str]:
    """The packages that labelling needs, each at the version that is installed here; and what MLflow needs to serve.

    Args:
        mlflow_version: The version here, which images install as mlflow-skinny.
    """
    names = [re.match(r"[\w.-]+", line) for line in metadata.requires("mtclar") or () if "extra ==" not in line]
    found = sorted(name[0] for name in names if name)
    return [*(f"{name}=={metadata.version(name)}" for name in found), f"mlflow=={mlflow_version}"]
