"""`mtclar check` and `mtclar normalise`: what a video is before it is labelled, and a copy that every tool plays.

Like mtclar/cli.py this module imports nothing heavy before a verb asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtclar.errors import MtclarError

if TYPE_CHECKING:
    from mtclar.progress import Progress

Params = Annotated[Path | None, typer.Option("--params", help="Settings file; default: params.yaml.", metavar="FILE")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one setting, for example check.frames=60.", metavar="KEY=VALUE"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
_VIDEOS = "Videos, folders of videos, or addresses s3://bucket/prefix."
Bar = Callable[[bool, str], AbstractContextManager["Progress"]]
"""The command line's progress bar, given whether to be quiet and the unit of a pace."""


def add_to(app: typer.Typer, bar: Bar, partly: Callable[[bool], AbstractContextManager[None]]) -> None:
    """Adds the two verbs to the command line; `partly` says what was done of a batch before what was not."""

    @app.command()
    def check(
        videos: Annotated[list[str], typer.Argument(help=_VIDEOS, metavar="VIDEO_OR_FOLDER...")],
        out: Annotated[
            Path | None, typer.Option("--out", help="Also write the table: .html, .csv or .json.", metavar="FILE")
        ] = None,
        model: Annotated[
            str,
            typer.Option(help="Whose time is measured: default, a bundle folder or models:/mtclar@champion."),
        ] = "default",
        params: Params = None,
        overrides: Set = None,
        quiet: Quiet = False,
    ) -> None:
        """Tell what videos are before a night is spent on them: rate, turn, faces, shots, time needed, what is odd.

        A file that cannot be read is one row with the reason; the exit code then is not 0.

        Example: mtclar check clips/ --out check.html
        """
        settings = _settings(params, overrides)
        from mtclar.steps import check as step

        with bar(quiet, "") as progress:
            result = step.run(
                settings.check,
                settings.extract,
                settings.label,
                videos=videos,
                model=model,
                registry=settings.register_,
                out=out,
                progress=progress,
            )
        if not quiet:
            _print(result.table(), result.sentences())
        result.raise_if_unread()

    @app.command()
    def normalise(
        videos: Annotated[list[str] | None, typer.Argument(help=_VIDEOS, metavar="[VIDEO_OR_FOLDER]...")] = None,
        out: Annotated[
            str,
            typer.Option(
                "--out",
                help="Folder of the copies, or an address s3://bucket/prefix.",
                metavar="DIR",
                show_default=False,
            ),
        ] = "",
        back: Annotated[
            str | None,
            typer.Option(
                "--back", help="Instead: labels or anchors of the copies in --out, CSV or Parquet.", metavar="FILE"
            ),
        ] = None,
        to: Annotated[
            Path | None,
            typer.Option("--to", help="With --back: where they are written for the sources.", metavar="FILE"),
        ] = None,
        jobs: Annotated[
            int | None,
            typer.Option("--jobs", "-j", min=1, help="Videos that are copied at the same time, each by a process."),
        ] = None,
        force: Annotated[bool, typer.Option("--force", help="Do again what was done before.")] = False,
        params: Params = None,
        overrides: Set = None,
        quiet: Quiet = False,
    ) -> None:
        """Copy videos so that every browser and tool plays them frame for frame, or carry labels of copies back.

        A copy is H.264 in MP4 of constant rate, upright, with square pixels. Beside it stands NAME.frames.csv: which
        frame and time of the source each of its frames is.

        Example: mtclar normalise clips/ --out copies/

        mtclar normalise --out copies/ --back copies/anchors.csv --to anchors.csv
        """
        from mtclar.steps import normalise as step

        if not out:
            raise MtclarError("expected --out, the folder of the copies.")
        if back is not None:
            if videos or to is None:
                raise MtclarError("--back takes no videos but --to, the file to write.")
            _say(quiet, step.back(back, copies=out, out=to))
            return
        if not videos or to is not None:
            raise MtclarError("expected videos to copy, or --back and --to to carry labels back.")
        given = [] if jobs is None else [f"extract.jobs={json.dumps(jobs)}"]
        settings = _settings(params, [*(overrides or []), *given])
        with partly(quiet), bar(quiet, "frames") as progress:
            result = step.run(
                settings.normalise, settings.extract, videos=videos, out=out, force=force, progress=progress
            )
        _say(quiet, result)


def _settings(params: Path | None, overrides: list[str] | None) -> Any:
    from mtclar.settings import load_settings

    return load_settings(params, overrides or [])


def _say(quiet: bool, words: object) -> None:
    if not quiet:
        typer.echo(str(words))


def _print(table: tuple[list[str], list[list[str]]], sentences: list[str]) -> None:
    """A table as wide as it needs, and sentences below it."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    header, rows = table
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in header:
        shown.add_column(name, overflow="fold", justify="left" if name in ("video", "streams") else "right")
    for row in rows:
        shown.add_row(*map(escape, row))
    console = Console()
    if not console.is_terminal:
        console.width = 160  # a log has no width of its own
    console.print(shown)
    for sentence in sentences:
        typer.echo(sentence)
