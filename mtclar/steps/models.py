"""`mtclar models`: which models there are on this machine, and what is known of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mtclar.errors import MtclarError
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
        model: `default` for the one that ships, a bundle's folder, or `models:/NAME@ALIAS` of the registry.
        registry: The section `register` of params.yaml, to look `models:/` up.
        threads: Threads of ONNX Runtime; 0 lets it choose.

    Raises:
        MtclarError: There is no such model, or its bundle is not as it was written.
    """
    if model == NAME:
        return Bundle.load(default_bundle(), threads=threads)
    if not str(model).startswith("models:/"):
        return Bundle.load(Path(model), threads=threads)
    if registry is None:
        raise MtclarError(f"{model}: a model of the registry needs the section 'register' of params.yaml.")
    try:
        from mtclar.registry.fetch import fetch_bundle

        return Bundle.load(fetch_bundle(str(model), registry), threads=threads)
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
