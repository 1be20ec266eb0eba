"""Running a pipeline in the images, by the container engine of this machine: what its tasks see, and as whom they run.

A container sees the run's folder and nothing else of this machine, and shares its network. kfp's own runner takes a
task that fails within moments for one that succeeded (the container is gone before it is asked how it ended), so what a
run has done is judged in pipelines/run.py by what it left.
"""

from __future__ import annotations

import logging
import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

from components.image import check_images
from mtclar.errors import MtclarError, brief, public
from mtclar.registry import tracking
from mtclar.settings import Settings
from pipelines.placing import USER

log = logging.getLogger(__name__)

BROUGHT = "mtclar-data"
"""Folder below the run's that holds the data as containers see them; it is ours to replace."""
KEYS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
"""Variables that tasks need where the registry is a server that asks who calls."""


def runner(root: Path, settings: Settings) -> Any:
    """kfp's runner for containers: as the user who calls or, where root calls, as the images' own.

    Args:
        root: The run's folder, which is made writable for that user.
        settings: The section `pipeline` says how much shared memory a task gets, and whether it sees the GPUs.

    Raises:
        MtclarError: No container engine answers, or an image is neither there nor to be had.
    """
    from kfp import local

    _check_engine()
    root.mkdir(parents=True, exist_ok=True)
    (root / "workspace").mkdir(exist_ok=True)
    user, group = os.getuid(), os.getgid()
    if user == 0:
        user = group = USER
        for folder in (root, root / "workspace"):
            os.chown(folder, user, group)
    s = settings.pipeline
    more: dict[str, Any] = {}
    if s.gpus:
        from docker.types import DeviceRequest

        more["device_requests"] = [DeviceRequest(count=-1, capabilities=[["gpu"]])]
    return local.DockerRunner(
        user=f"{user}:{group}", network_mode="host", shm_size=s.shared_memory.removesuffix("i"), **more
    )


def keys(uri: str) -> dict[str, str]:
    """The variables of this process by which tasks may enter the registry, if it is a server."""
    return {name: os.environ[name] for name in KEYS if name in os.environ} if uri.startswith("http") else {}


def brought(data: Path, root: Path) -> Path:
    """The data below the folder that containers see: linked where that goes, else copied.

    Raises:
        MtclarError: They cannot be read, or there is no room for them.
    """
    if data.is_relative_to(root):
        return data
    place = root / BROUGHT / data.name
    try:
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir(parents=True)
        if data.is_dir():
            shutil.copytree(data, place, copy_function=_bring)
        else:
            _bring(str(data), str(place))
    except (OSError, shutil.Error) as error:
        raise MtclarError(f"{data}: cannot be brought to {place} ({brief(error)}); choose another --root.") from error
    return place


def store_below(root: Path, uri: str) -> str:
    """The registry's address as containers reach it: a file elsewhere than below `root` gives way to one there."""
    if not uri.startswith(tracking.SQLITE) or Path(uri.removeprefix(tracking.SQLITE)).is_relative_to(root):
        return uri
    log.warning("containers do not see %s; this run keeps its registry in %s.", uri, root / "mlflow.db")
    return f"{tracking.SQLITE}{root / 'mlflow.db'}"


def _check_engine() -> None:
    try:
        import docker

        client = docker.from_env()
        client.ping()
    except Exception as error:  # docker's own, requests' and the missing package
        place = public(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
        why = " (permission denied)" if "Permission" in str(error) else ""
        raise MtclarError(
            f"{place}: no container engine answers{why}; start Docker, set DOCKER_HOST, or use --local."
        ) from None
    with closing(client):
        for variable, image in check_images().items():
            try:
                client.images.get(image)
            except docker.errors.ImageNotFound:
                try:
                    client.images.pull(image)
                except docker.errors.DockerException:
                    raise MtclarError(
                        f"{variable}={image}: there is no such image here, and it cannot be pulled; "
                        "build it with 'make images', or name another."
                    ) from None


def _bring(source: str, target: str) -> None:
    source = os.path.realpath(source)  # a link would lead out of what the container sees
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
