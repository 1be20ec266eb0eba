"""The pipelines as files: IR YAML, custom resources for GitOps, and training on several machines as a TrainJob."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml

from components.image import check_images
from mtclar.data.whole import whole_file
from mtclar.errors import MtclarError
from mtclar.revision import git_revision
from mtclar.settings import Settings
from pipelines.run import NAMES, build
from pipelines.trainjob import NAMESPACE, train_job


def write_ir(out: Path, name: str, settings: Settings) -> Path:
    """Writes one pipeline as IR YAML, NAME.yaml in `out`.

    Raises:
        MtclarError: An image could change under its name, or `out` cannot be written.
    """
    from kfp import compiler

    check_images()
    path = out / f"{name}.yaml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            named = partial.with_suffix(".yaml")  # kfp goes by the ending
            compiler.Compiler().compile(build(name, settings), str(named))
            named.replace(partial)
    except OSError as error:
        raise MtclarError(f"{out}: cannot be written ({error.strerror}); choose another --out.") from error
    return path


def version_name(ir: Path) -> str:
    """The name of a version of a pipeline: the revision of the code, and a hash of the compiled pipeline."""
    return f"{git_revision()[:12]}-{hashlib.sha256(ir.read_bytes()).hexdigest()[:8]}"


def write_all(
    out: Path, settings: Settings, *, namespace: str = "", nodes: int = 0, places: dict[str, str] | None = None
) -> list[Path]:
    """Writes every pipeline as IR YAML, and more where it is asked for.

    Args:
        out: Folder for training.yaml and labelling.yaml.
        settings: All of params.yaml, the defaults of the compiled pipelines.
        namespace: Also write the custom resources Pipeline and PipelineVersion in this namespace, NAME-resources.yaml,
            for a Kubeflow that keeps its pipelines in Kubernetes.
        nodes: Also write trainjob.yaml, training on so many machines, in `namespace` or that of infra/kubernetes.
        places: Addresses on S3 of what that reads and writes: faces, pairs, out.

    Returns:
        The files.

    Raises:
        MtclarError: An image could change under its name, or `out` cannot be written.
    """
    paths = [write_ir(out, name, settings) for name in NAMES]
    more: list[tuple[str, list[dict[str, Any]]]] = []
    if namespace:
        more += [(f"{path.stem}-resources.yaml", _resources(path, namespace)) for path in paths]
    if nodes:
        job = train_job(settings, nodes=nodes, places=places or {}, namespace=namespace or NAMESPACE)
        more.append(("trainjob.yaml", [job]))
    for name, documents in more:
        with whole_file(out / name) as partial:
            partial.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
        paths.append(out / name)
    return paths


def _resources(ir: Path, namespace: str) -> list[dict[str, Any]]:
    """A Pipeline and its PipelineVersion. A server refuses to change what a version holds, so its name goes by that."""
    spec, *platform = yaml.safe_load_all(ir.read_text(encoding="utf-8"))
    name = spec["pipelineInfo"]["name"]
    version = f"{name}-{version_name(ir)}"
    kind = "pipelines.kubeflow.org/v2beta1"
    description = spec["pipelineInfo"].get("description", "")
    return [
        {
            "apiVersion": kind,
            "kind": "Pipeline",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"displayName": name, "description": description},
        },
        {
            "apiVersion": kind,
            "kind": "PipelineVersion",
            "metadata": {"name": version, "namespace": namespace},
            "spec": {
                "displayName": version,
                "description": description,
                "pipelineName": name,
                "pipelineSpec": spec,
                **({"platformSpec": platform[0]} if platform else {}),
            },
        },
    ]
