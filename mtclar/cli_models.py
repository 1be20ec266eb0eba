"""`mtclar models`: the models of this machine and of the registry, their cards, which one is champion, which one ships.

`mtclar promote` is here too: it is the same as `mtclar models promote`. Like mtclar/cli.py this module imports nothing
heavy before a verb asks for it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtclar.remote import local_folder

if TYPE_CHECKING:
    from mtclar.settings import Settings


models = typer.Typer(help="Which models there are, their cards, and which one is champion.", no_args_is_help=True)

_NAMES = (
    "default, a bundle folder here or on S3, or of the registry mtclar, mtclar@champion, mtclar/3, a number, an alias."
)
Model = Annotated[str, typer.Argument(help=_NAMES, metavar="[MODEL]")]
Compared = Annotated[str, typer.Argument(help=_NAMES, metavar="MODEL")]
Local = Annotated[
    str,
    typer.Argument(help="default, a bundle folder or its S3 address, or models:/mtclar@champion.", metavar="[MODEL]"),
]
Params = Annotated[Path | None, typer.Option("--params", help="Settings file; default: params.yaml.", metavar="FILE")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change one setting, for example register.model_name=faces.", metavar="KEY=VALUE"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Compare and decide, but change nothing.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the version and in the history.")]


@models.command("list")
def list_(
    local: Annotated[bool, typer.Option("--local", help="Only those on this machine.")] = False,
    params: Params = None,
    overrides: Set = None,
) -> None:
    """List the models on this machine, and the versions in the registry with their aliases and metrics.

    Example: mtclar models list
    """
    from mtclar.steps import models as step

    _rows([step.COLUMNS, *step.known_models()])
    if local:
        return
    found = step.registered(_settings(params, overrides).register_)
    typer.echo(f"\n{found.title}")
    if found.rows:
        _rows([found.header, *found.rows])


@models.command()
def show(
    model: Model = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json instead of the card.")] = False,
    params: Params = None,
    overrides: Set = None,
) -> None:
    """Show the card of a model: what it is for, how well it does, what it must not be used for.

    Example: mtclar models show default
    """
    from mtclar.steps import models as step

    settings = _settings(params, overrides).register_
    if as_json:
        typer.echo(step.facts_json(step.open_named(model, settings)))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    text, console = step.card(model, settings), Console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        typer.echo(text, nl=False)


@models.command()
def compare(one: Compared, other: Compared, params: Params = None, overrides: Set = None) -> None:
    """Compare two models by their metrics, and say whether these were measured on the same data.

    Example: mtclar models compare champion challenger
    """
    from mtclar.steps import models as step

    header, rows, said = step.compare(one, other, _settings(params, overrides).register_)
    _rows([header, *rows])
    typer.echo(said)


def promote(
    dry_run: DryRun = False,
    version: Annotated[int | None, typer.Option("--version", help="Judge this version, not the challenger.")] = None,
    reason: Reason = "",
    faces: Annotated[
        str | None,
        typer.Option(
            help="Faces store the version was judged on, here or on S3, to judge the champion on it too.", metavar="DIR"
        ),
    ] = None,
    pairs: Annotated[str | None, typer.Option(help="Pairs of that store, here or on S3.", metavar="DIR")] = None,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Make the challenger the champion, if the gate in params.yaml lets it; exit code 1 if it does not.

    Both are compared on the same data: where they were judged on different ones, give --faces and --pairs of the
    challenger's evaluation, and the champion is judged anew.

    Example: mtclar promote --dry-run

    Example: mtclar models promote --version 3 --reason "trained on the new clips"
    """
    from mtclar.steps import promote as step

    settings = _settings(params, overrides)
    result = step.run(
        settings.promote,
        registry=settings.register_,
        dry_run=dry_run,
        version=version,
        reason=reason,
        faces=local_folder(faces) if faces else None,
        pairs=local_folder(pairs) if pairs else None,
        evaluate=settings.evaluate,
    )
    if not quiet:
        typer.echo(str(result))
    if result.outcome == "refused":
        raise typer.Exit(1)


models.command("promote")(promote)


@models.command()
def rollback(
    to: Annotated[
        int | None, typer.Option("--to", help="Version of an earlier champion; default: the one before.")
    ] = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    params: Params = None,
    overrides: Set = None,
    quiet: Quiet = False,
) -> None:
    """Make an earlier champion the champion again; the history keeps both.

    Example: mtclar models rollback --reason "flickers in dark rooms"
    """
    from mtclar.registry.promote import roll_back

    result = roll_back(_settings(params, overrides).register_, to=to, reason=reason, dry_run=dry_run)
    if not quiet:
        typer.echo(str(result))


@models.command()
def history(
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is kept of each entry.")] = False,
    params: Params = None,
    overrides: Set = None,
) -> None:
    """Show who was champion when, over whom, by whom and why.

    Example: mtclar models history
    """
    from mtclar.registry import catalogue

    settings = _settings(params, overrides).register_
    entries = catalogue.history(settings) if catalogue.is_there(settings) else []
    if as_json:
        typer.echo(json.dumps([entry.told() for entry in entries], indent=2, ensure_ascii=False))
    elif entries:
        _rows([catalogue.HISTORY_COLUMNS, *catalogue.history_rows(entries)])
    else:
        typer.echo(f"{settings.model_name}: there was no champion yet.")


@models.command()
def path(model: Local = "default", params: Params = None) -> None:
    """Print the folder of a model.

    Example: mtclar models path default
    """
    from mtclar.steps import models as step

    typer.echo(str(step.open_model(model, _settings(params, None).register_).folder))


@models.command()
def ship(
    bundle: Annotated[str, typer.Option(help="Folder that 'mtclar export' wrote, here or on S3.", metavar="DIR")],
    evaluation: Annotated[str, typer.Option(help="Folder that 'mtclar evaluate' wrote, as --bundle.", metavar="DIR")],
    real: Annotated[str, typer.Option(help="Folder that 'mtclar evaluate --real' wrote, as --bundle.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")],
) -> None:
    """Give a bundle its model card, licence and credits, so that it can be given to everybody.

    Example: mtclar models ship --bundle artifacts/export --evaluation artifacts/evaluate --real artifacts/real
    --out mtclar/shipped/default
    """
    from mtclar.steps import ship as step

    given = {"bundle": local_folder(bundle), "evaluation": local_folder(evaluation), "real": local_folder(real)}
    typer.echo(str(step.run(**given, out=out)))


def _settings(params: Path | None, overrides: list[str] | None) -> Settings:
    from mtclar.settings import load_settings

    return load_settings(params, overrides or [])


def _rows(rows: list[list[str]]) -> None:
    """Prints rows in columns; nothing is cut, so that addresses and paths can be copied."""
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    for row in rows:
        cells = [*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]
        typer.echo("  ".join(cells).rstrip())
