"""`mtclar models`: the models of this machine, their cards, and the one that ships.

Like mtclar/cli.py it imports nothing heavy before a verb asks for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models = typer.Typer(help="Which models there are, and their model cards.", no_args_is_help=True)

Model = Annotated[str, typer.Argument(help="default, a bundle folder, or models:/mtclar@champion.", metavar="[MODEL]")]
Params = Annotated[Path | None, typer.Option("--params", help="Settings file; default: params.yaml.", metavar="FILE")]


@models.command("list")
def list_() -> None:
    """List the model that ships and those fetched from a registry.

    Example: mtclar models list
    """
    from mtclar.steps import models as step

    rows = [step.COLUMNS, *step.known_models()]
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    for row in rows:  # paths are never cut, so that they can be copied
        typer.echo("  ".join([*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]))


@models.command()
def show(
    model: Model = "default",
    as_json: Annotated[bool, typer.Option("--json", help="Print bundle.json instead of the card.")] = False,
    params: Params = None,
) -> None:
    """Show the card of a model: what it is for, how well it does, what it must not be used for.

    Example: mtclar models show default
    """
    from mtclar.settings import load_settings
    from mtclar.steps import models as step

    bundle = step.open_model(model, load_settings(params).register_)
    if as_json:
        typer.echo(step.facts_json(bundle))
        return
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console()
    if console.is_terminal:
        console.print(Markdown(step.about(bundle)))
    else:
        typer.echo(step.about(bundle), nl=False)


@models.command()
def path(model: Model = "default", params: Params = None) -> None:
    """Print the folder of a model.

    Example: mtclar models path default
    """
    from mtclar.settings import load_settings
    from mtclar.steps import models as step

    typer.echo(str(step.open_model(model, load_settings(params).register_).folder))


@models.command()
def ship(
    bundle: Annotated[Path, typer.Option(help="Folder that 'mtclar export' wrote.", metavar="DIR")],
    evaluation: Annotated[Path, typer.Option(help="Folder that 'mtclar evaluate' wrote.", metavar="DIR")],
    real: Annotated[Path, typer.Option(help="Folder that 'mtclar evaluate --real' wrote.", metavar="DIR")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write.", metavar="DIR")],
) -> None:
    """Give a bundle its model card, licence and credits, so that it can be given to everybody.

    Example: mtclar models ship --bundle artifacts/export --evaluation artifacts/evaluate --real artifacts/real
    --out mtclar/shipped/default
    """
    from mtclar.steps import ship as step

    typer.echo(str(step.run(bundle=bundle, evaluation=evaluation, real=real, out=out)))
