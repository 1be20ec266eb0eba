"""`mtclar pipeline`: the steps as Kubeflow pipelines, on this machine, in containers, or on a cluster.

Like mtclar/cli.py this module imports nothing heavy before a verb asks for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtclar.errors import MtclarError

if TYPE_CHECKING:
    from mtclar.settings import Settings
    from pipelines.cluster import Cluster, RunState

pipeline = typer.Typer(help="The same steps as Kubeflow pipelines.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="training or labelling.")]
Params = Annotated[Path | None, typer.Option("--params", help="Settings file; default: params.yaml.", metavar="FILE")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one setting, for example pipeline.shards=8.", metavar="KEY=VALUE"),
]
Gpus = Annotated[int | None, typer.Option("--gpus", min=0, help="GPUs for train, one process each; as pipeline.gpus.")]
Host = Annotated[
    str,
    typer.Option(help="Address of the Kubeflow Pipelines API.", envvar="KF_PIPELINES_ENDPOINT", show_envvar=True),
]
Namespace = Annotated[str, typer.Option(help="Profile namespace.", envvar="KF_NAMESPACE", show_envvar=True)]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file", help="File with the bearer token; default: the environment's KF_TOKEN.", metavar="FILE"
    ),
]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds that an answer may take.")]
Data = Annotated[str, typer.Option("--data", help="Address on S3 of the data.", metavar="S3_ADDRESS")]
OutAddress = Annotated[
    str, typer.Option("--out", help="labelling: where the labels are put too.", metavar="S3_ADDRESS")
]
Experiment = Annotated[str, typer.Option(help="Experiment of the run.")]
Account = Annotated[str, typer.Option("--service-account", help="Kubernetes service account of the pods.")]


@pipeline.command("compile")
def compile_(
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")],
    gpus: Gpus = None,
    namespace: Annotated[
        str,
        typer.Option("--resources", help="Also custom resources for GitOps, in this namespace.", metavar="NAMESPACE"),
    ] = "",
    nodes: Annotated[int, typer.Option("--nodes", min=0, help="Also a TrainJob for so many machines.")] = 0,
    faces: Annotated[str, typer.Option("--faces", help="TrainJob: its faces on S3.", metavar="S3_ADDRESS")] = "",
    pairs: Annotated[str, typer.Option("--pairs", help="TrainJob: its pairs on S3.", metavar="S3_ADDRESS")] = "",
    checkpoint: Annotated[
        str, typer.Option("--checkpoint", help="TrainJob: where its checkpoint goes.", metavar="S3_ADDRESS")
    ] = "",
    params: Params = None,
    overrides: Set = None,
) -> None:
    """Write the pipelines as IR YAML.

    Example: mtclar pipeline compile --out build/pipelines
    """
    settings = _settings(params, overrides, gpus)
    from pipelines.compiled import write_all

    places = {"faces": faces, "pairs": pairs, "out": checkpoint}
    for path in write_all(out, settings, namespace=namespace, nodes=nodes, places=places):
        typer.echo(str(path))


@pipeline.command()
def run(
    name: Name,
    local: Annotated[
        bool, typer.Option("--local", help="On this machine, no cluster and no container engine.")
    ] = False,
    containers: Annotated[bool, typer.Option("--containers", help="On this machine, in the images.")] = False,
    data: Annotated[Path, typer.Option(help="Data of the run.", metavar="DIR")] = Path("data/sample"),
    root: Annotated[Path, typer.Option(help="Where the run keeps its artifacts.", metavar="DIR")] = Path(
        "artifacts/pipeline"
    ),
    params: Params = None,
    overrides: Set = None,
) -> None:
    """Run a whole pipeline here.

    Example: mtclar pipeline run training --local
    """
    if local == containers:
        raise MtclarError(
            "'mtclar pipeline run' runs on this machine: add --local or --containers, or use 'mtclar pipeline submit'."
        )
    settings = _settings(params, overrides)
    from pipelines.run import run_here

    typer.echo(run_here(name, settings=settings, data=data, root=root, containers=containers))


@pipeline.command()
def submit(
    name: Name,
    host: Host,
    data: Data,
    out: OutAddress = "",
    namespace: Namespace = "kubeflow",
    experiment: Experiment = "mtclar",
    gpus: Gpus = None,
    service_account: Account = "",
    token_file: TokenFile = None,
    timeout: Timeout = 60.0,
    params: Params = None,
    overrides: Set = None,
) -> None:
    """Send a pipeline to a Kubeflow cluster, as a version with a name, and start it.

    Example: mtclar pipeline submit training --host http://localhost:8080 --data s3://bucket/data
    """
    settings = _settings(params, overrides, gpus)
    cluster = _cluster(host, namespace, token_file, timeout)
    given: dict[str, Any] = {"data": data, "out": out, "experiment": experiment, "service_account": service_account}
    made = cluster.submit(name, settings, **given)
    _facts(settings, pipeline=f"{name}, version {made.version}", data=data, namespace=namespace)
    typer.echo(f"Run {made.run_id}: {made.link}")


@pipeline.command()
def schedule(
    host: Host,
    name: Annotated[str, typer.Argument(help="training or labelling.")] = "",
    data: Data = "",
    cron: Annotated[str, typer.Option("--cron", help="When, in UTC: minute hour day month weekday.")] = "",
    out: OutAddress = "",
    list_: Annotated[bool, typer.Option("--list", help="List the schedules there are.")] = False,
    stop: Annotated[str, typer.Option("--stop", help="End a schedule.", metavar="ID")] = "",
    namespace: Namespace = "kubeflow",
    experiment: Experiment = "mtclar",
    gpus: Gpus = None,
    service_account: Account = "",
    token_file: TokenFile = None,
    timeout: Timeout = 60.0,
    params: Params = None,
    overrides: Set = None,
) -> None:
    """Run a pipeline again and again on a cluster, list such schedules, or end one.

    Example: mtclar pipeline schedule labelling --host http://localhost:8080 --data s3://bucket/week --cron "0 3 * * 1"
    """
    if list_ or stop:
        cluster = _cluster(host, namespace, token_file, timeout)
        if stop:
            cluster.stop_schedule(stop)
            typer.echo(f"The schedule {stop} has ended.")
        for row in cluster.schedules() if list_ else ():
            typer.echo("  ".join(row))
        return
    if not (name and data and cron):
        raise MtclarError("expected a pipeline, --data and --cron, or --list, or --stop ID; see --help.")
    settings = _settings(params, overrides, gpus)
    cluster = _cluster(host, namespace, token_file, timeout)
    given: dict[str, Any] = {"data": data, "out": out, "experiment": experiment, "service_account": service_account}
    identity = cluster.schedule(name, settings, cron=cron, **given)
    _facts(settings, pipeline=name, data=data, namespace=namespace, cron=cron)
    typer.echo(f"Schedule {identity}")


@pipeline.command()
def status(
    run_id: Annotated[str, typer.Argument(help="Id of the run, as 'submit' printed it.", metavar="RUN_ID")],
    host: Host,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended; fail if it failed.")] = False,
    namespace: Namespace = "kubeflow",
    token_file: TokenFile = None,
    timeout: Timeout = 60.0,
) -> None:
    """Show how a run on a cluster is, task by task.

    Example: mtclar pipeline status 0f1e2d3c --host http://localhost:8080 --wait
    """
    cluster = _cluster(host, namespace, token_file, timeout)
    state = cluster.wait(run_id, told=_show) if wait else cluster.status(run_id)
    if not wait:
        _show(state)
    if wait and state.state != "SUCCEEDED":
        failed = next((f" ({task.name}: {task.error})" for task in state.tasks if task.error), "")
        raise MtclarError(
            f"run {run_id}: {state.state.lower()}{failed or (f' ({state.error})' if state.error else '')}."
        )


def _cluster(host: str, namespace: str, token_file: Path | None, timeout: float) -> Cluster:
    from pipelines.cluster import Cluster, read_token

    return Cluster(host, namespace=namespace, token=read_token(token_file), timeout_s=timeout)


def _settings(params: Path | None, overrides: list[str] | None, gpus: int | None = None) -> Settings:
    from mtclar.settings import load_settings

    return load_settings(params, [*(overrides or []), *([] if gpus is None else [f"pipeline.gpus={gpus}"])])


def _facts(settings: Settings, **more: str) -> None:
    """What the run will be run with."""
    from pipelines.placing import facts

    known = {**more, **facts(settings), "changed": _changed(settings)}
    width = max(map(len, known))
    for name, value in known.items():
        lines = [f"{task}: {needs}" for task, needs in value.items()] if isinstance(value, dict) else [str(value)]
        for number, line in enumerate(lines):
            typer.echo(f"{name if number == 0 else '':<{width}}  {line}")


def _changed(settings: Settings) -> dict[str, str]:
    """The settings that are not as params.yaml has them, and how they are there."""
    from mtclar.settings import load_settings

    usual = load_settings().model_dump(mode="json", by_alias=True)
    given = settings.model_dump(mode="json", by_alias=True)
    return {
        f"{section}.{name}": f"{json.dumps(value)} (params.yaml: {json.dumps(usual[section][name])})"
        for section, values in given.items()
        for name, value in values.items()
        if value != usual[section][name]
    }


def _show(state: RunState) -> None:
    typer.echo(f"{state.run_id}: {state.state.lower()}{f' ({state.error})' if state.error else ''}  {state.link}")
    for task in state.tasks:
        took = "" if task.seconds is None else f"{task.seconds:8.0f} s"
        typer.echo(f"  {task.name:<24} {task.state.lower():<10} {took:>10}  {task.error}".rstrip())
