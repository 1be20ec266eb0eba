"""`mtclar convert`, `sync` and `serve label-studio`: labels in the files of other tools and back, or over HTTP.

Like mtclar/cli.py this module imports nothing heavy before a verb asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mtclar.errors import MtclarError

_FORMATS = "csv, parquet, anchors, r, openface, nova, elan, label-studio, cvat, afew-va, carma, darma or boris"
Range = Annotated[
    str | None, typer.Option("--va-range", help="Values of the file that mean -1 and 1.", metavar="LO,HI")
]
Features = Annotated[
    Path | None, typer.Option("--features", help="Features file of the video, for its times.", metavar="FILE")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]


serve = typer.Typer(no_args_is_help=True, help="Answer other tools over HTTP: label-studio.")


@serve.command("label-studio")
def label_studio(
    features: Annotated[Path, typer.Argument(help="Folder of features files.", metavar="DIR")],
    anchors: Annotated[
        Path | None,
        typer.Option("--anchors", help="Folder of the anchors files; default: that of the features.", metavar="DIR"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for other machines.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for one that is free.")] = 9090,
    model: Annotated[
        str, typer.Option(help="Which model labels: default, a bundle folder or models:/mtclar@champion.")
    ] = "default",
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Label Studio's address in the browser, whose pages may read curves; may be repeated. "
            "Default: http://localhost:8080 and http://127.0.0.1:8080.",
            metavar="URL",
            show_default=False,
        ),
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option("--password-env", help="Environment variable that holds the password to ask for.", metavar="NAME"),
    ] = None,
) -> None:
    """Be the ML backend of a Label Studio project: predictions from features, anchors from what is submitted.

    Features come from mtclar extract. Connect the address in the project's settings under Model; Label Studio then
    sends what is submitted by itself. A task's va_csv may be ADDRESS/curve/NAME.csv. See docs/tools.md.

    Example: mtclar serve label-studio features/ --anchors anchors/
    """
    import os

    from mtclar.settings import load_settings
    from mtclar.steps.label_video import calibration_of
    from mtclar.steps.models import open_predictor
    from mtclar.studio.label_studio import Backend
    from mtclar.studio.label_studio_server import ORIGINS
    from mtclar.studio.label_studio_server import serve as listen

    for folder in filter(None, (features, anchors)):
        if not folder.is_dir():
            raise MtclarError(f"{folder}: expected a folder.")
    password = "" if password_env is None else os.environ.get(password_env, "")
    if password_env is not None and not password:
        raise MtclarError(f"--password-env names {password_env}, which is not set or empty.")
    settings = load_settings()
    predictor = open_predictor(model, settings.register_)
    called = f"{predictor.facts.get('name', 'mtclar')}-{predictor.facts.get('version', '')}".rstrip("-")
    backend = Backend(features, anchors or features, predictor, settings, calibration_of(predictor)[0], called)
    server = listen(backend, host, port, password=password, origins=origin or ORIGINS)
    typer.echo(f"listening at {server.address}; stop with Ctrl-C.")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


def add_to(app: typer.Typer) -> None:
    """Adds the verbs to the command line."""
    app.add_typer(serve, name="serve")

    @app.command()
    def convert(
        source: Annotated[Path, typer.Argument(help="The file to read.", metavar="IN")],
        target: Annotated[Path, typer.Argument(help="The file to write.", metavar="OUT")],
        source_format: Annotated[
            str, typer.Option("--from", help=f"Format of IN: {_FORMATS}.", metavar="NAME", show_default=False)
        ] = "",
        target_format: Annotated[
            str, typer.Option("--to", help="Format of OUT.", metavar="NAME", show_default=False)
        ] = "",
        features: Features = None,
        fps: Annotated[
            float | None, typer.Option("--fps", min=0.01, help="Frames a second, where IN states none.", metavar="N")
        ] = None,
        video_id: Annotated[
            str | None, typer.Option("--video-id", help="Which video, where IN holds several.", metavar="NAME")
        ] = None,
        dimension: Annotated[
            str | None, typer.Option(help="What IN rates, where it has one dimension: valence or arousal.")
        ] = None,
        va_range: Range = None,
        out_range: Annotated[
            str | None, typer.Option("--out-range", help="Values that -1 and 1 become in OUT.", metavar="LO,HI")
        ] = None,
        all_rows: Annotated[bool, typer.Option("--all-keyframes", help="CVAT: every keyframe is a person's.")] = False,
        quiet: Quiet = False,
    ) -> None:
        """Convert labels into the file of another tool, or what was annotated there into anchors.

        Formats are known by ending and content. Rows are laid on the nearest frame by time; how far they moved is said.
        A CSV made of another tool's file is an anchors file for mtclar label.

        Example: mtclar convert labels/clip.va.csv clip.eaf

        mtclar convert clip.eaf anchors.csv --features labels/clip.features
        """
        from mtclar.data.anchors import parse_range
        from mtclar.steps import convert as step

        if dimension not in (None, "valence", "arousal"):
            raise MtclarError(f"--dimension is '{dimension}', expected valence or arousal.")
        options = {
            "va_range": parse_range(va_range) if va_range else None,
            "out_range": parse_range(out_range) if out_range else None,
            "video_id": video_id,
            "dimension": dimension,
            "all_rows": all_rows,
        }
        result = step.run(
            source,
            target,
            source_format=source_format,
            target_format=target_format,
            features=features,
            fps=fps,
            options=options,
        )
        if not quiet:
            typer.echo(str(result))

    @app.command()
    def sync(
        file: Annotated[Path, typer.Argument(help="A file that mtclar convert wrote.", metavar="FILE")],
        features: Features = None,
        anchors: Annotated[
            Path | None,
            typer.Option(help="Anchors file to add to; default: NAME.anchors.csv beside FILE.", metavar="FILE"),
        ] = None,
        model: Annotated[
            str, typer.Option(help="Which model labels: default, a bundle folder or models:/mtclar@champion.")
        ] = "default",
        quiet: Quiet = False,
    ) -> None:
        """Take what was changed by hand in a file as anchors, label again, and write the file anew.

        Example: mtclar sync clip.eaf --features labels/clip.features
        """
        from mtclar.steps import convert as step

        result = step.sync(file, anchors=anchors, features=features, model=model)
        if not quiet:
            typer.echo(str(result))
