"""`mtclar suggest`, `suspects`, `why` and `raters`: how to choose anchors, check them and merge those of two people.

Like mtclar/cli.py this module imports nothing heavy before a verb asks for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from mtclar.progress import Progress

Params = Annotated[Path | None, typer.Option("--params", help="Settings file; default: params.yaml.", metavar="FILE")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one setting, for example label.bridge_s=2.", metavar="KEY=VALUE"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Features = Annotated[
    str,
    typer.Argument(
        help="Features file that 'mtclar extract' wrote, or a video that was read before.", metavar="FEATURES"
    ),
]
Given = Annotated[
    str | None, typer.Option("--anchors", help="Frames that are labelled already, as CSV.", metavar="FILE")
]
Needed = Annotated[str, typer.Option("--anchors", help="The anchors file, as CSV.", metavar="FILE")]
Model = Annotated[
    str,
    typer.Option("--model", help="The model that the features are of; default: the one that ships.", metavar="BUNDLE"),
]
Subject = Annotated[
    str | None,
    typer.Option(help="Whose face: largest, central, 'track N' or all; default: the largest.", metavar="WHOM"),
]
VaRange = Annotated[
    str | None, typer.Option("--va-range", help="Scale of the values given, such as -100,100 or 1,9.", metavar="LO,HI")
]
AnchorClock = Annotated[
    Literal["video", "media"],
    typer.Option("--anchor-clock", help="Whether times given count from the first picture, or the start of the file."),
]
Bar = Callable[[bool, str], AbstractContextManager["Progress"]]
"""The command line's progress bar, given whether to be quiet and the unit of a pace."""


def add_to(app: typer.Typer, bar: Bar) -> None:
    """Adds the verbs to the command line."""

    @app.command()
    def suggest(
        features: Features,
        anchors: Given = None,
        budget: Annotated[int, typer.Option("--budget", "-n", help="How many frames; few at a time tell more.")] = 3,
        target_rmse: Annotated[
            float | None,
            typer.Option("--target-rmse", help="Say how many anchors it takes until valence and arousal err by less."),
        ] = None,
        out: Annotated[
            list[Path] | None,
            typer.Option(
                "--out",
                help="Also write a contact sheet (.png, .jpg), .json, or a form for anchors (.csv); repeatable.",
                metavar="FILE",
            ),
        ] = None,
        suspects: Annotated[
            bool, typer.Option("--suspects", help="Also list the anchors that contradict the others.")
        ] = False,
        model: Model = "default",
        subject: Subject = None,
        va_range: VaRange = None,
        anchor_clock: AnchorClock = "video",
        params: Params = None,
        overrides: Set = None,
        quiet: Quiet = False,
    ) -> None:
        """Say which frames of a video to label next, and how large the error of its labels is likely to be.

        Works without any anchor, and answers from the features file in about a second.

        Example: mtclar suggest features/interview.features --anchors anchors.csv --budget 5 --out next.png

        mtclar suggest features/interview.features --anchors anchors.csv --target-rmse 0.15
        """
        from mtclar.errors import MtclarError
        from mtclar.steps import suggest as step

        if suspects and anchors is None:
            raise MtclarError("--suspects looks at anchors; give them with --anchors.")
        s, scale = _settings(params, overrides, subject), _range(va_range)
        with bar(quiet, "frames") as progress:
            result = step.run(
                s,
                features=features,
                budget=budget,
                anchors=anchors,
                model=model,
                target_rmse=target_rmse,
                out=out or [],
                va_range=scale,
                anchor_clock=anchor_clock,
                progress=progress,
            )
        _show(quiet, result)
        if suspects and anchors is not None:
            from mtclar.steps import suspects as other

            _show(
                quiet,
                other.run(
                    s, features=features, anchors=anchors, model=model, va_range=scale, anchor_clock=anchor_clock
                ),
            )

    @app.command()
    def suspects(
        features: Features,
        anchors: Needed,
        most: Annotated[
            int, typer.Option("--most", min=1, help="Anchors that are shown, the most suspect first.")
        ] = 20,
        out: Annotated[
            list[Path] | None,
            typer.Option("--out", help="Also write a contact sheet (.png, .jpg) or .json; repeatable.", metavar="FILE"),
        ] = None,
        model: Model = "default",
        subject: Subject = None,
        va_range: VaRange = None,
        anchor_clock: AnchorClock = "video",
        params: Params = None,
        overrides: Set = None,
        quiet: Quiet = False,
    ) -> None:
        """Rank the anchors of a video by how much they contradict the others, so that you look at those again.

        Example: mtclar suspects features/interview.features --anchors anchors.csv --out suspects.png
        """
        from mtclar.steps import suspects as step

        with bar(quiet, "frames") as progress:
            result = step.run(
                _settings(params, overrides, subject),
                features=features,
                anchors=anchors,
                model=model,
                most=most,
                out=out or [],
                va_range=_range(va_range),
                anchor_clock=anchor_clock,
                progress=progress,
            )
        _show(quiet, result)

    @app.command()
    def why(
        features: Features,
        frame: Annotated[int, typer.Argument(help="The frame, counted from 0.", metavar="FRAME", min=0)],
        anchors: Given = None,
        track: Annotated[int | None, typer.Option("--track", help="Whose face, where several are labelled.")] = None,
        most: Annotated[int, typer.Option("--most", min=1, help="Anchors that are shown, the heaviest first.")] = 8,
        out: Annotated[
            list[Path] | None,
            typer.Option("--out", help="Also write a contact sheet (.png, .jpg) or .json; repeatable.", metavar="FILE"),
        ] = None,
        model: Model = "default",
        subject: Subject = None,
        va_range: VaRange = None,
        anchor_clock: AnchorClock = "video",
        params: Params = None,
        overrides: Set = None,
        quiet: Quiet = False,
    ) -> None:
        """Explain the label of a frame: what each anchor and the prediction add, and what makes the band wide.

        Example: mtclar why features/interview.features 400 --anchors anchors.csv
        """
        from mtclar.steps import why as step

        with bar(quiet, "frames") as progress:
            result = step.run(
                _settings(params, overrides, subject),
                features=features,
                frame=frame,
                track=track,
                anchors=anchors,
                model=model,
                most=most,
                out=out or [],
                va_range=_range(va_range),
                anchor_clock=anchor_clock,
                progress=progress,
            )
        _show(quiet, result)

    @app.command()
    def raters(
        files: Annotated[
            list[Path],
            typer.Argument(help="Ratings as CSV, one file a rater, or with a column 'annotator'.", metavar="FILE..."),
        ],
        out: Annotated[
            list[Path] | None,
            typer.Option(
                "--out",
                help="Also write the merged ratings (.csv) or what was found (.json); repeatable.",
                metavar="FILE",
            ),
        ] = None,
        fps: Annotated[
            float | None,
            typer.Option("--fps", min=0.001, help="Frames a second, where files give frames and no times."),
        ] = None,
        most_lag: Annotated[float, typer.Option("--most-lag", min=0, help="Lags that are tried, in seconds.")] = 5.0,
        va_range: VaRange = None,
        quiet: Quiet = False,
    ) -> None:
        """Compare raters of the same videos: lag, offset and scale between them, agreement, and merged ratings.

        The first rater is what the others are compared with. Merged ratings are an anchors file with the standard error
        of each rating.

        Example: mtclar raters anna.csv ben.csv --out merged.csv
        """
        from mtclar.steps import raters as step

        result = step.run(files, fps=fps, most_lag_s=most_lag, va_range=_range(va_range), out=out or [])
        _show(quiet, result)


def _settings(params: Path | None, overrides: list[str] | None, subject: str | None) -> Any:
    from mtclar.settings import load_settings

    extra = [] if subject is None else [f"label.subject={json.dumps(subject)}"]
    return load_settings(params, [*(overrides or []), *extra])


def _range(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    from mtclar.data.anchors import parse_range

    return parse_range(text)


def _show(quiet: bool, result: Any) -> None:
    """A table and sentences below it."""
    if quiet:
        return
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    header, rows = result.table()
    shown = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for k, name in enumerate(header):
        shown.add_column(name, justify="left" if k == 0 else "right")
    for row in rows:
        shown.add_row(*map(escape, row))
    console = Console()
    if not console.is_terminal:
        console.width = 160  # a log has no width of its own
    console.print(shown)
    for sentence in result.sentences():
        typer.echo(sentence)
