"""The command line: one verb a step, and nothing but that.

Heavy packages are imported by the steps that use them, never here: `mtclar --help` answers at once.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mtclar import __version__
from mtclar.cli_anchors import add_to as add_anchors
from mtclar.cli_formats import add_to as add_formats
from mtclar.cli_models import models, promote
from mtclar.cli_pipeline import pipeline
from mtclar.cli_videos import add_to as add_videos
from mtclar.errors import MtclarError, PartialFailureError
from mtclar.remote import local_folder, shown, written_folder
from mtclar.storage import join

if TYPE_CHECKING:
    from mtclar.progress import Progress
    from mtclar.settings import Settings

INTERRUPTED = 130

app = typer.Typer(
    name="mtclar",
    help="Valence and arousal for every frame of a video, from a few labelled anchor frames or from none.\n\n"
    "Example: mtclar label clips/ --anchors anchors.csv",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cache = typer.Typer(help="What was extracted or fetched before, and is kept.", no_args_is_help=True)
app.add_typer(pipeline, name="pipeline")
app.add_typer(cache, name="cache")
app.add_typer(models, name="models")

Params = Annotated[Path | None, typer.Option("--params", help="Settings file; default: params.yaml.", metavar="FILE")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Change one setting, for example train.epochs=3.", metavar="KEY=VALUE")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Out = Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")]
Videos = Annotated[
    list[str],
    typer.Argument(help="Videos, folders of videos, or addresses s3://bucket/prefix.", metavar="VIDEO_OR_FOLDER..."),
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", min=1, help="Videos that are read at the same time, each by a process.")
]
Place = Annotated[str, typer.Option("--out", help="Folder to write, or an address s3://bucket/prefix.", metavar="DIR")]
Model = Annotated[
    str,
    typer.Option(
        "--model", help="default, a bundle folder or its S3 address, or models:/mtclar@champion.", metavar="BUNDLE"
    ),
]
VaRange = Annotated[
    str | None,
    typer.Option(
        "--va-range", help="Scale of the values given, such as -100,100 or 1,9; default: -1,1.", metavar="LO,HI"
    ),
]
AnchorClock = Annotated[
    Literal["video", "media"],
    typer.Option(
        "--anchor-clock", help="Whether times given count from the first picture, or from the start of the file."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Do again what was done before.")]
_S3 = "here or on S3"
Faces = Annotated[str, typer.Option("--faces", help=f"Faces store that 'mtclar crop' wrote, {_S3}.", metavar="DIR")]
Pairs = Annotated[str, typer.Option("--pairs", help=f"Folder that 'mtclar pair' wrote, {_S3}.", metavar="DIR")]
Checkpoint = Annotated[
    str, typer.Option("--checkpoint", help=f"Folder that 'mtclar train' wrote, {_S3}.", metavar="DIR")
]
Evaluation = Annotated[
    str, typer.Option("--evaluation", help=f"Folder that 'mtclar evaluate' wrote, {_S3}.", metavar="DIR")
]


def _settings(params: Path | None, overrides: list[str] | None) -> Settings:
    from mtclar.settings import load_settings

    return load_settings(params, overrides or [])


def _with(overrides: list[str] | None, given: Mapping[str, object]) -> list[str]:
    """The overrides, and after them what was given by options of its own."""
    return [*(overrides or []), *(f"{key}={json.dumps(value)}" for key, value in given.items() if value is not None)]


@contextmanager
def _progress(quiet: bool, unit: str = "") -> Iterator[Progress]:
    """A progress bar on standard error where that is a terminal; with a `unit` it says how many of them a second."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    from mtclar.progress import Pace

    console, pace = Console(stderr=True), Pace()
    left = TextColumn("{task.fields[pace]}") if unit else TimeRemainingColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), left)
    with Bar(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task("", total=None, pace="")

        def tell(done: int, total: int, what: str = "", /) -> None:
            pace.see(done)
            words = pace.words(total, unit) if unit else ""
            bar.update(task, completed=done, total=total, description=what, pace=words)

        yield tell


def _first_process() -> bool:
    """Whether this is the first of the processes that torchrun started, the one that speaks; or the only one."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def _partly(quiet: bool) -> Iterator[None]:
    """Says what was done of a batch before the error says what was not."""
    try:
        yield
    except PartialFailureError as error:
        if error.done is not None:
            _say(quiet, error.done)
        raise


@contextmanager
def _written(
    out: str, known_by: str, quiet: bool, *, put: bool = True
) -> Iterator[tuple[Path, Callable[[object], None]]]:
    """A folder to write, here or on S3, and what to call with the result, which is said when the folder is there."""
    said: list[object] = []
    with written_folder(out, known_by=known_by, put=put) as folder:
        yield folder, said.append
    for words in said:
        _say(quiet, words)


def _here(place: str, quiet: bool) -> Path:
    """A folder that a command reads: itself, or fetched from S3."""
    with _progress(quiet) as progress:
        return local_folder(place, progress=progress)


def _say(quiet: bool, words: object) -> None:
    if not quiet:
        typer.echo(shown(str(words)))


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


def _range(text: str | None) -> tuple[float, float] | None:
    """The two ends of the scale that `--va-range` names."""
    if text is None:
        return None
    from mtclar.data.anchors import parse_range

    return parse_range(text)


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Options of the whole command line."""


@app.command()
def sample(
    out: Out,
    people: Annotated[int | None, typer.Option(help="How many people.")] = None,
    clips: Annotated[int | None, typer.Option(help="How many clips.")] = None,
    frames: Annotated[int | None, typer.Option(help="Mean number of frames a clip.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; the same seed makes the same people.")] = None,
    artist: Annotated[str | None, typer.Option(help="rendered or drawn.")] = None,
    face_model: Annotated[
        Path | None,
        typer.Option(help="ICT-FaceKit's FaceXModel folder or its packed file.", envvar="MTCLAR_FACE_MODEL"),
    ] = None,
    archive: Annotated[bool, typer.Option(help="Pack the pictures into zip files.")] = False,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Make people who do not exist: pictures, clips and videos with labels.

    Example: mtclar sample --out /tmp/people --artist drawn --people 20 --clips 6
    """
    given = {"people": people, "clips": clips, "frames": frames, "seed": seed, "artist": artist}
    extra = [f"sample.{key}={value}" for key, value in given.items() if value is not None]
    settings = _settings(params, [*(overrides or []), *extra]).sample
    from mtclar.synthesis.sample import make_sample

    with _progress(quiet) as progress:
        make_sample(out=out, face_model=face_model, archive=archive, progress=progress, **settings.model_dump())
    _say(quiet, f"{settings.people} people and {settings.clips} clips: {out}/README.md")


@app.command()
def synthesize(
    out: Place,
    people: Annotated[int | None, typer.Option(help="How many people.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed; the same seed makes the same faces.")] = None,
    artist: Annotated[str | None, typer.Option(help="rendered or drawn.")] = None,
    face_model: Annotated[
        Path | None,
        typer.Option(help="ICT-FaceKit's FaceXModel folder or its packed file.", envvar="MTCLAR_FACE_MODEL"),
    ] = None,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Make a faces store of people who do not exist, to train on; a killed run goes on where it was.

    Example: mtclar synthesize --out artifacts/synthetic --face-model FaceXModel/
    """
    given = {"people": people, "seed": seed, "artist": artist}
    extra = [f"synthesize.{key}={value}" for key, value in given.items() if value is not None]
    settings = _settings(params, [*(overrides or []), *extra]).synthesize
    from mtclar.steps import synthesize as step

    with _progress(quiet) as progress, _written(out, "synthesis.parquet", quiet) as (folder, done):
        done(step.run(settings, out=folder, face_model=face_model, progress=progress))


@app.command()
def crop(
    data: Annotated[str, typer.Option(help=f"Folder of the data set, {_S3}.", metavar="DIR")],
    out: Place,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Cut the faces out of pictures and videos into a faces store.

    Example: mtclar crop --data afew-va/ --out artifacts/crop --set crop.source=afew-va
    """
    settings = _settings(params, overrides).crop
    from mtclar.steps import crop as step

    with _progress(quiet) as progress, _written(out, "store.json", quiet) as (folder, done):
        done(step.run(settings, data=_here(data, quiet), out=folder, progress=progress))


@app.command()
def split(
    faces: Annotated[
        list[str],
        typer.Option("--faces", help=f"Faces store that 'mtclar crop' wrote, {_S3}; may be repeated.", metavar="DIR"),
    ],
    out: Place,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Divide faces anew by subject: k folds, leave one out, or train on one data set and test on another.

    Example: mtclar split --faces artifacts/crop --out artifacts/fold-0 --set split.folds=5 --set split.fold=0
    """
    settings = _settings(params, overrides).split
    from mtclar.steps import split as step

    with _written(out, "store.json", quiet) as (folder, done):
        done(step.run(settings, faces=[_here(store, quiet) for store in faces], out=folder))


@app.command()
def validate(faces: Faces, out: Place, params: Params = None, overrides: Set = None, quiet: Quiet = False) -> None:
    """Check faces and labels before anything is learned from them.

    Example: mtclar validate --faces artifacts/crop --out artifacts/validate
    """
    settings = _settings(params, overrides).validate_
    from mtclar.steps import validate as step

    with _written(out, "verdict.json", quiet) as (folder, done):
        done(step.run(settings, faces=_here(faces, quiet), out=folder))


@app.command()
def pair(
    faces: Faces,
    verdict: Annotated[str, typer.Option(help=f"Folder that 'mtclar validate' wrote, {_S3}.", metavar="DIR")],
    out: Place,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Draw pairs of faces: by expression, half similar and half not, or spread over valence and arousal.

    Example: mtclar pair --faces artifacts/crop --verdict artifacts/validate --out artifacts/pair
    """
    settings = _settings(params, overrides).pair
    from mtclar.steps import pair as step

    with _written(out, "pairs.parquet", quiet) as (folder, done):
        done(step.run(settings, faces=_here(faces, quiet), verdict=_here(verdict, quiet), out=folder))


@app.command()
def train(
    faces: Faces,
    pairs: Pairs,
    out: Place,
    state: Annotated[
        Path | None,
        typer.Option(help="Folder of what a killed run resumes from; default: --out itself.", metavar="DIR"),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share every step, one a GPU.")] = 1,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Train MT-CLAR on pairs; a killed run resumes where it was.

    On N GPUs of one machine: --processes N. On several machines: torchrun --nnodes ... -m mtclar train ...

    Example: mtclar train --faces artifacts/crop --pairs artifacts/pair --out artifacts/train --set train.epochs=3
    """
    settings = _settings(params, overrides)
    from mtclar.steps import train as step

    quiet = quiet or not _first_process()
    first = _first_process()
    with _progress(quiet) as progress, _written(out, "model.json", quiet, put=first) as (folder, done):
        done(
            step.run(
                settings.train,
                faces=_here(faces, quiet),
                pairs=_here(pairs, quiet),
                out=folder,
                state=state,
                registry=settings.register_,
                processes=processes,
                progress=progress,
            )
        )


@app.command()
def evaluate(
    faces: Faces = "artifacts/crop",
    pairs: Pairs = "artifacts/pair",
    checkpoint: Checkpoint = "artifacts/train",
    out: Annotated[
        str | None,
        typer.Option(
            "--out",
            help=f"Folder to write, {_S3}; default: artifacts/evaluate, or artifacts/real.",
            metavar="DIR",
        ),
    ] = None,
    real: Annotated[
        str | None,
        typer.Option(
            "--real", help=f"Judge a bundle on this folder of rated clips of real people, {_S3}.", metavar="DIR"
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Judge a bundle instead of a checkpoint: default, a bundle folder or its S3 address, or "
            "models:/mtclar@champion; default where --real is given.",
            metavar="BUNDLE",
        ),
    ] = None,
    va_range: VaRange = None,
    anchor_clock: AnchorClock = "video",
    show: Annotated[bool, typer.Option("--show", help="Only print the table of what --out holds already.")] = False,
    folds: Annotated[
        list[str] | None,
        typer.Option("--folds", help="Only print the table over these evaluations, one a fold.", metavar="DIR"),
    ] = None,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Judge a checkpoint on people it has not seen, beside its trivial baselines, and calibrate it.

    With --model, judge and calibrate a finished model; 'mtclar export --model' puts the calibration into it. With
    --real, judge a finished model on real people: clips of which a person has rated a few frames.

    Example: mtclar evaluate --out artifacts/evaluate
    """
    if real is not None:
        settings = _settings(params, overrides)
        _evaluate_real(
            real, model or "default", out or "artifacts/real", settings, _range(va_range), anchor_clock, quiet
        )
        return
    out = out or "artifacts/evaluate"
    from mtclar.steps import evaluate as step

    if folds:
        _table(*step.folds([_here(folder, quiet) for folder in folds]))
        return
    if show:
        _table(*step.summary(_here(out, quiet)))
        typer.echo(f"Report: {join(out, 'report.html')}")
        return
    settings = _settings(params, overrides)
    with _progress(quiet) as progress, _written(out, "metrics.json", quiet) as (folder, _):
        bundle = None
        if model is not None:
            from mtclar.steps.models import open_model

            bundle = open_model(model, settings.register_).folder
        step.run(
            settings.evaluate,
            faces=_here(faces, quiet),
            pairs=_here(pairs, quiet),
            checkpoint=Path(checkpoint) if bundle else _here(checkpoint, quiet),
            bundle=bundle,
            out=folder,
            progress=progress,
        )
        table = step.summary(folder)
    if not quiet:
        _table(*table)
        typer.echo(f"Report: {join(out, 'report.html')}")


def _evaluate_real(
    data: str,
    model: str,
    out: str,
    settings: Settings,
    va_range: tuple[float, float] | None,
    clock: Literal["video", "media"],
    quiet: bool,
) -> None:
    """Judges a bundle on real people and prints the tables of its errors and agreement."""
    from mtclar.steps import evaluate_real as step

    with _progress(quiet) as progress, _written(out, "real.json", quiet) as (folder, done):
        result = step.run(
            settings.evaluate,
            settings.label,
            settings.extract,
            data=_here(data, quiet),
            model=model,
            out=folder,
            registry=settings.register_,
            va_range=va_range,
            clock=clock,
            progress=progress,
        )
        done(result)
        for table in [] if quiet else result.tables():
            _table(*table)


@app.command()
def export(
    evaluation: Evaluation,
    out: Place,
    checkpoint: Annotated[
        str | None, typer.Option("--checkpoint", help=f"Folder that 'mtclar train' wrote, {_S3}.", metavar="DIR")
    ] = None,
    faces: Annotated[
        str | None, typer.Option("--faces", help=f"Faces store that 'mtclar crop' wrote, {_S3}.", metavar="DIR")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Instead of a checkpoint: a bundle (default, a folder, s3://..., models:/...), to calibrate it anew.",
            metavar="BUNDLE",
        ),
    ] = None,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Write the bundle: three ONNX graphs that agree with torch, and what a labeller must know.

    With --model: the graphs of a finished bundle with the calibration of a new evaluation.

    Example: mtclar export --checkpoint artifacts/train --faces artifacts/crop
    --evaluation artifacts/evaluate --out artifacts/export
    """
    settings = _settings(params, overrides)
    from mtclar.steps import export as step

    if model is not None:
        from mtclar.steps.models import open_model

        if checkpoint is not None or faces is not None:
            raise MtclarError("give either --model, or --checkpoint and --faces.")
        bundle = open_model(model, settings.register_).folder
        with _written(out, "bundle.json", quiet) as (folder, done):
            done(step.recalibrate(bundle=bundle, evaluation=_here(evaluation, quiet), out=folder))
        return
    if checkpoint is None or faces is None:
        raise MtclarError("a checkpoint is exported with --checkpoint and --faces; a bundle with --model.")
    with _written(out, "bundle.json", quiet) as (folder, done):
        trained, store, judged = (_here(place, quiet) for place in (checkpoint, faces, evaluation))
        done(step.run(settings.export, checkpoint=trained, faces=store, evaluation=judged, out=folder))


@app.command()
def adopt(
    encoder: Annotated[Path, typer.Argument(help="A face network, as ONNX.", metavar="ENCODER.onnx")],
    out: Place,
    faces: Annotated[
        str | None, typer.Option(help=f"Faces store with labelled clips to fit bands on, {_S3}.", metavar="DIR")
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="Of pixels from 0 to 1: one number or three.", metavar="R,G,B")
    ] = None,
    std: Annotated[str | None, typer.Option(help="As --mean.", metavar="R,G,B")] = None,
    range_: Annotated[str | None, typer.Option("--range", help="Instead: 0-1, 0-255 or -1-1.")] = None,
    colour: Annotated[str | None, typer.Option(help="rgb, bgr or grey.")] = None,
    input_: Annotated[str | None, typer.Option("--input", help="Input that takes the picture.")] = None,
    input_size: Annotated[int | None, typer.Option(help="Side of the picture where the graph leaves it open.")] = None,
    layout: Annotated[str | None, typer.Option(help="nchw or nhwc, where the shape leaves it open.")] = None,
    embedding: Annotated[str | None, typer.Option(help="Output or tensor that is the embedding.")] = None,
    valence: Annotated[str | None, typer.Option(help="Where valence is.", metavar="OUTPUT:COLUMN")] = None,
    arousal: Annotated[str | None, typer.Option(help="Where arousal is.", metavar="OUTPUT:COLUMN")] = None,
    label_range: Annotated[
        str | None, typer.Option(help="In which both lie; default: -1,1.", metavar="LOW,HIGH")
    ] = None,
    expression: Annotated[str | None, typer.Option(help="Where expressions are.", metavar="OUTPUT:FIRST-LAST")] = None,
    expressions: Annotated[str | None, typer.Option(help="Their names in order.", metavar="NAME,NAME,...")] = None,
    crop_scale: Annotated[
        float | None, typer.Option(help="Side of what it sees over the side of the face box.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the model; default: the file's.")] = None,
    licence: Annotated[str | None, typer.Option(help="Terms of the weights.")] = None,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Wrap a face network somebody else trained as a bundle: few-shot labels and bands over its embedding.

    Example: mtclar adopt enet_b0_8_va_mtl.onnx --out build/adopted --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
    --valence output:8 --arousal output:9
    """
    words = {"range": range_, "colour": colour, "input": input_, "layout": layout, "embedding": embedding}
    words |= {"valence": valence, "arousal": arousal, "expression": expression, "name": name, "licence": licence}
    numbers = {"mean": mean, "std": std, "label_range": label_range}
    plain = {"input_size": input_size, "crop_scale": crop_scale}
    extra = [f"adopt.{key}={json.dumps(value)}" for key, value in (words | plain).items() if value is not None]
    extra += [f"adopt.{key}=[{value}]" for key, value in numbers.items() if value is not None]
    extra += [f"adopt.expressions={json.dumps(expressions.split(','))}"] if expressions is not None else []
    settings = _settings(params, [*(overrides or []), *extra])
    from mtclar.steps import adopt as step

    store = _here(faces, quiet) if faces else None
    with _progress(quiet) as progress, _written(out, "bundle.json", quiet) as (folder, done):
        done(step.run(settings, encoder=encoder, out=folder, faces=store, progress=progress))


@app.command()
def register(
    bundle: Annotated[
        str, typer.Option(help=f"Folder that 'mtclar export' wrote, {_S3}.", metavar="DIR")
    ] = "artifacts/export",
    evaluation: Evaluation = "artifacts/evaluate",
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Put the bundle into the model registry as the challenger.

    Example: mtclar register --bundle artifacts/export
    """
    settings = _settings(params, overrides).register_
    from mtclar.steps import register as step

    _say(quiet, step.run(settings, bundle=_here(bundle, quiet), evaluation=_here(evaluation, quiet)))


app.command("promote")(promote)


@cache.command("show")
def cache_show() -> None:
    """Show what the cache holds, kind by kind.

    Example: mtclar cache show
    """
    from mtclar.steps import cached as step

    for kind in step.show():
        typer.echo(f"{kind.name:<10} {kind.files:>7} files  {kind.megabytes:>9.1f} MB  {kind.folder}  ({kind.what})")


@cache.command("clear")
def cache_clear(
    kind: Annotated[str, typer.Argument(help="features, bundles, s3 or out; without it all but out.")] = "",
    days: Annotated[float, typer.Option("--older-than", min=0, help="Only what was not used for so many days.")] = 0.0,
) -> None:
    """Remove what the cache holds; it is made or fetched again where it is needed. What is in use stays.

    Example: mtclar cache clear features --older-than 30
    """
    from mtclar.steps import cached as step

    typer.echo(step.clear(kind, older_than_days=days))


@app.command()
def extract(
    videos: Videos,
    out: Place,
    model: Model = "default",
    jobs: Jobs = None,
    force: Force = False,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Read videos once: one features file each, all that labelling needs.

    Example: mtclar extract clips/ --out features/
    """
    settings = _settings(params, _with(overrides, {"extract.jobs": jobs}))
    from mtclar.steps import extract as step

    with _partly(quiet), _progress(quiet, "frames") as progress:
        result = step.run(
            settings.extract,
            videos=videos,
            model=model,
            out=out,
            registry=settings.register_,
            force=force,
            progress=progress,
        )
    _say(quiet, result)


@app.command()
def label(
    videos: Videos,
    anchors: Annotated[
        str | None,
        typer.Option(
            help="CSV with video_id, frame or time_s, valence, arousal; without it no frame is labelled by hand.",
            metavar="FILE",
        ),
    ] = None,
    model: Model = "default",
    out: Place = "labels",
    subject: Annotated[
        str | None,
        typer.Option(help="Whose face: largest, central, 'track N' or all; default: the largest.", metavar="WHOM"),
    ] = None,
    va_range: VaRange = None,
    anchor_clock: AnchorClock = "video",
    overlay: Annotated[
        bool,
        typer.Option("--overlay", help="Also write NAME.overlay.mp4: the video with boxes, curves and circumplex."),
    ] = False,
    jobs: Jobs = None,
    force: Force = False,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Label every frame of videos: alone or, better, from a few labelled ones.

    A video is read once; when anchors are added or corrected, the labels follow at once.

    Example: mtclar label interview.mp4

    mtclar label clips/ --anchors anchors.csv --model artifacts/export --out labels/ --overlay
    """
    given = {"extract.jobs": jobs, "label.subject": subject}
    settings, scale = _settings(params, _with(overrides, given)), _range(va_range)
    from mtclar.steps import label as step

    with _partly(quiet), _progress(quiet, "frames") as progress:
        result = step.run(
            settings.label,
            settings.extract,
            videos=videos,
            anchors=anchors,
            model=model,
            out=out,
            registry=settings.register_,
            force=force,
            va_range=scale,
            anchor_clock=anchor_clock,
            overlay=overlay,
            progress=progress,
        )
    _say(quiet, result)


add_videos(app, _progress, _partly)
add_formats(app)
add_anchors(app, _progress)


@app.command()
def reproduce(
    affectnet: Annotated[str, typer.Option(help=f"AffectNet, its CSV or its npy release, {_S3}.", metavar="DIR")],
    afew_va: Annotated[str, typer.Option(help=f"AFEW-VA as it was released, {_S3}.", metavar="DIR")],
    out: Out,
    pretrained: Annotated[
        Path | None, typer.Option(help="EmoNet's weights to start from (emonet_8.pth).", metavar="FILE")
    ] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Folds of AFEW-VA, grouped by actor.")] = None,
    params: Annotated[
        Path | None, typer.Option("--params", help="Settings file; default: recipes/paper.yaml.", metavar="FILE")
    ] = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Run the paper's whole protocol and print its tables; a killed run goes on where it was.

    Example: mtclar reproduce --affectnet AffectNet/ --afew-va AFEW-VA/ --out artifacts/reproduce
    --pretrained emonet_8.pth
    """
    given = {"train.pretrained": pretrained, "split.folds": folds}
    extra = [f"{key}={value}" for key, value in given.items() if value is not None]
    from mtclar.settings import recipe

    settings = _settings(params or recipe("paper"), [*(overrides or []), *extra])
    from mtclar.steps import reproduce as step

    with _progress(quiet) as progress:
        sets = {"affectnet": _here(affectnet, quiet), "afew_va": _here(afew_va, quiet)}
        result = step.run(settings, **sets, out=out, progress=progress)
    if not quiet:
        for table in result.tables:
            typer.echo(f"{table.title}. {table.note}")
            _table(list(table.frame.columns), table.frame.to_numpy(str).tolist())
    _say(quiet, f"Tables: {out / 'tables'}; report: {out / 'report.html'}")


def _table(header: list[str], rows: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in header:
        table.add_column(name, no_wrap=True, justify="left" if name == header[0] else "right")
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = 120  # a log has no width of its own
    console.print(table)


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line; a user's mistake ends with one sentence and its exit code."""
    level = logging.WARNING if _first_process() else logging.ERROR
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level, stream=sys.stderr)
    # Each try again; what became of them is said at the end. (kfp sets the level of its parent anew.)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    _run(lambda: app(arguments, standalone_mode=True))


def _run(call: Callable[[], Any]) -> None:
    try:
        call()
    except MtclarError as error:
        typer.echo(f"mtclar: {shown(str(error))}", err=True)
        raise SystemExit(error.exit_code) from None
    except SystemExit as end:
        if end.code == INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            typer.echo("mtclar: stopped.", err=True)
        raise


if __name__ == "__main__":
    main()
