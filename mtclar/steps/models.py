"""`mtclar models`: which models there are, on this machine and in the registry, and what is known of one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mtclar.data.whole import hold
from mtclar.environment import cache_root
from mtclar.errors import MtclarError, public
from mtclar.remote import local_folder
from mtclar.report.card_tables import table
from mtclar.serving import Bundle
from mtclar.serving.default import NAME, bundle_cache, default_bundle
from mtclar.settings import RegisterSettings

if TYPE_CHECKING:
    from mtclar.features.extract import Predictor

COLUMNS = ["model", "version", "MB", "card", "where"]


def open_predictor(model: Predictor | Path | str, registry: RegisterSettings | None) -> Predictor:
    """Opens the model that `model` names, unless it is open already; each question to it takes one thread."""
    return open_model(model, registry, threads=1) if isinstance(model, Path | str) else model


def open_model(model: Path | str, registry: RegisterSettings | None, *, threads: int = 0) -> Bundle:
    """Opens the model that a user names.

    Args:
        model: `default` for the one that ships, a bundle's folder or its address on S3, or `models:/NAME@ALIAS` of the
            registry.
        registry: The section `register` of params.yaml, to look `models:/` up.
        threads: Threads of ONNX Runtime; 0 lets it choose.

    Raises:
        MtclarError: There is no such model, or its bundle is not as it was written.
    """
    bundle = Bundle.load(_found(model, registry), threads=threads)
    if bundle.folder.is_relative_to(cache_root()):
        hold(bundle.folder)  # its graphs are read when they are first used
    return bundle


def _found(model: Path | str, registry: RegisterSettings | None) -> Path:
    """The folder of the model that a user names."""
    if model == NAME:
        return default_bundle()
    if not str(model).startswith("models:/"):
        return local_folder(model)
    if registry is None:
        raise MtclarError(f"{model}: a model of the registry needs the section 'register' of params.yaml.")
    try:
        from mtclar.registry.fetch import fetch_bundle

        return fetch_bundle(str(model), registry)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "mlflow":
            raise
        raise MtclarError(
            f"{model}: the model registry needs mlflow; pip install 'mtclar[registry]', or give a bundle's folder."
        ) from error


def known_models() -> list[list[str]]:
    """Rows for `COLUMNS`: the model that ships, if it is there, and those fetched from a registry before."""
    rows = []
    shipped: Path | None = None
    try:
        shipped = default_bundle()
        rows.append(_row(NAME, Bundle.load(shipped)))
    except MtclarError as error:
        rows.append([NAME, "–", "–", "–", str(error)])
    cache = bundle_cache()
    for folder in sorted(cache.iterdir()) if cache.is_dir() else []:
        if folder == shipped or folder.name.endswith(".part"):
            continue
        try:
            bundle = Bundle.load(folder)
        except MtclarError:
            continue  # half a bundle, or one of another mtclar
        rows.append(_row(_name(bundle), bundle))
    return rows


@dataclass(frozen=True)
class Registered:
    """What the registry has of a model.

    Attributes:
        title: Which registry and which model, or why there is nothing to show.
        header: Names of the columns.
        rows: A row a version, the newest first.
    """

    title: str
    header: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


def registered(registry: RegisterSettings) -> Registered:
    """The versions of the model that `registry` names; of a registry that is not there or needs mlflow, a sentence.

    Raises:
        MtclarError: There is a registry, but it cannot be asked.
    """
    from mtclar.registry import catalogue, tracking

    where = f"registry {public(tracking.store_uri(registry))}"
    if not catalogue.is_there(registry):
        return Registered(f"{where}: nothing is there yet; 'mtclar register' makes it.")
    try:
        import mlflow  # noqa: F401 - takes seconds, so only where there is something to ask
    except ModuleNotFoundError:
        return Registered(f"{where}: needs mlflow to be listed; use: pip install 'mtclar[registry]'.")
    rows = catalogue.versions(registry)
    if not rows:
        return Registered(f"{where}: has no model '{registry.model_name}' yet; 'mtclar register' makes it.")
    return Registered(f"{where}, model '{registry.model_name}':", catalogue.COLUMNS, rows)


def open_named(model: str, registry: RegisterSettings) -> Bundle:
    """Opens the model that a user names, by any name of `mtclar models show`.

    Raises:
        MtclarError: There is no such model, or its bundle is not as it was written.
    """
    if _is_local(model, registry):
        return open_model(model, registry)
    from mtclar.registry import catalogue

    return open_model(catalogue.find(model, registry).uri, registry)


def card(model: str, registry: RegisterSettings) -> str:
    """The card of a model as Markdown; of one in the registry also what became of it there.

    A registered bundle without a card gets one made of its facts.

    Raises:
        MtclarError: There is no such model, or its bundle is not as it was written.
    """
    if _is_local(model, registry):
        return about(open_model(model, registry))
    from mtclar.registry import catalogue
    from mtclar.report.card import model_card

    version = catalogue.find(model, registry)
    bundle = open_model(version.uri, registry)
    text = bundle.card
    if text is None:
        known = {"name": version.name, "version": str(version.number)}
        text = model_card(known | bundle.facts, catalogue.nested(version.metrics), {})
    rows = table(["", ""], catalogue.told(version, registry), numbers=False)
    return f"{text.rstrip()}\n\n## In the registry\n\n{rows}\n"


def compare(one: str, other: str, registry: RegisterSettings) -> tuple[list[str], list[list[str]], str]:
    """Header and rows of the table of two models, and whether their numbers may be compared.

    Raises:
        MtclarError: There is no such model, or the registry cannot be asked.
    """
    from mtclar.registry import catalogue

    sides = [
        catalogue.Side.of_bundle(name, open_model(name, registry))
        if _is_local(name, registry)
        else catalogue.Side.of_version(catalogue.find(name, registry))
        for name in (one, other)
    ]
    return catalogue.comparison(sides[0], sides[1])


def _is_local(model: str, registry: RegisterSettings) -> bool:
    """Whether a name is that of a model on this machine: there is such a bundle, or no registry could know it."""
    if model.startswith("models:/"):
        return False
    if model == NAME or (Path(model) / "bundle.json").is_file():
        return True
    from mtclar.registry import catalogue
    from mtclar.registry.fetch import is_address

    if "/" in model and not is_address(model):
        return True
    return not catalogue.is_there(registry)


def about(bundle: Bundle) -> str:
    """The bundle's card; of a bundle without one its facts, and that it has none. Markdown."""
    if bundle.card is not None:
        return bundle.card
    facts = bundle.facts
    rows = [
        ["model", f"{_name(bundle)} {_version(bundle)}"],
        ["sha256 of bundle.json", bundle.identity],
        ["size", f"{_megabytes(bundle)} MB"],
        ["input", f"{facts['crop']['input_size']} × {facts['crop']['input_size']} pixels"],
        ["tasks", ", ".join(facts["tasks"])],
        *([f"measured: {name}", f"{value:.3f}"] for name, value in facts["metrics"].items()),
        *([f"licence: {what}", terms] for what, terms in facts["licences"].items()),
        ["data revision", facts["data_revision"]],
        ["code revision", facts["git_revision"]],
    ]
    found = table(["", ""], rows, numbers=False)
    return (
        f"# {_name(bundle)} {_version(bundle)}\n\nThis bundle has no model card. What it says of itself:\n\n{found}\n"
    )


def facts_json(bundle: Bundle) -> str:
    """All of bundle.json, its sha256 and where it lies, as JSON."""
    content = {"folder": str(bundle.folder), "sha256": bundle.identity, **bundle.facts}
    return json.dumps(content, indent=2, ensure_ascii=False)


def _row(name: str, bundle: Bundle) -> list[str]:
    card = "yes" if bundle.card is not None else "no"
    return [name, _version(bundle), _megabytes(bundle), card, str(bundle.folder)]


def _name(bundle: Bundle) -> str:
    return str(bundle.facts.get("name", "mtclar"))


def _version(bundle: Bundle) -> str:
    return str(bundle.facts.get("version", bundle.facts["mtclar_version"]))


def _megabytes(bundle: Bundle) -> str:
    return f"{sum(item['bytes'] for item in bundle.facts['files'].values()) / 1e6:.1f}"
