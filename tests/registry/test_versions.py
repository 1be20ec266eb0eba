"""Register, promote, fetch and serve, on a real MLflow store."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from toy_bundle import WEIGHTS, toy_bundle

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.registry.fetch import fetch_bundle
from mtclar.registry.promote import promote_challenger
from mtclar.registry.register import register_bundle
from mtclar.registry.versions import Version
from mtclar.serving import Bundle
from mtclar.serving.default import bundle_cache
from mtclar.settings import PromoteSettings, RegisterSettings

GATE = PromoteSettings.model_validate(
    {"gate": {"valence_ccc": {"floor": 0.5, "margin": -0.01}, "arousal_ccc": {"floor": 0.4, "margin": -0.01}}}
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")


def _register(store: RegisterSettings, folder: Path, valence: float = 0.8, **changes) -> Version:
    toy_bundle(folder, metrics={"valence_ccc": valence, "arousal_ccc": 0.7}, **changes)
    return register_bundle(Bundle.load(folder), store, [])[0]


def _aliases(store: RegisterSettings) -> dict[str, str]:
    aliases = tracking.connect(store).MlflowClient().get_registered_model(store.model_name).aliases
    return {name: str(version) for name, version in aliases.items()}


def test_a_version_carries_where_it_came_from_how_good_it_is_and_the_alias(
    store: RegisterSettings, tmp_path: Path
) -> None:
    report = tmp_path / "report.html"
    report.write_text("<p>")
    bundle = Bundle.load(toy_bundle(tmp_path / "bundle"))
    version, new = register_bundle(bundle, store, [report])
    assert new
    client = tracking.connect(store).MlflowClient()
    found = client.get_model_version(store.model_name, "1")
    assert found.tags == {
        "data_rev": "0123.dir",
        "git_sha": "abc",
        "bundle_sha": bundle.identity,
        "valence_ccc": "0.8",
        "arousal_ccc": "0.7",
    }
    assert version == Version("mtclar", 1, bundle.identity, "0123.dir", "abc", {"valence_ccc": 0.8, "arousal_ccc": 0.7})
    assert _aliases(store) == {"challenger": "1"}
    run = client.get_run(found.run_id)
    assert run.data.metrics == {"valence_ccc": 0.8, "arousal_ccc": 0.7}
    assert [item.path for item in client.list_artifacts(found.run_id)] == ["report.html"]


def test_the_same_bundle_twice_is_one_version(store: RegisterSettings, tmp_path: Path) -> None:
    first = _register(store, tmp_path / "a")
    second = _register(store, tmp_path / "b", valence=0.9)
    assert (first.number, second.number) == (1, 2)
    again, new = register_bundle(Bundle.load(tmp_path / "a"), store, [])
    assert (again, new) == (first, False)
    assert len(tracking.connect(store).MlflowClient().search_model_versions("name = 'mtclar'")) == 2
    assert _aliases(store) == {"challenger": "1"}


def test_the_registered_model_predicts_without_pickle(store: RegisterSettings, tmp_path: Path) -> None:
    _register(store, tmp_path / "bundle")
    mlflow = tracking.connect(store)
    model = mlflow.pyfunc.load_model("models:/mtclar@challenger")
    colours = np.array([[200, 100, 50], [10, 20, 30]], np.uint8)
    pictures = [np.broadcast_to(colour, (size, size, 3)) for colour, size in zip(colours, (288, 100), strict=True)]
    encoded = [cv2.imencode(".png", picture[..., ::-1])[1].tobytes() for picture in pictures]
    answer = model.predict(pd.DataFrame({"image": encoded}))
    assert list(answer.columns) == ["valence", "arousal", "expression"]
    np.testing.assert_allclose(answer["valence"], colours[:, 0] / 255, atol=1e-5)
    np.testing.assert_allclose(answer["arousal"], colours[:, 1] / 255, atol=1e-5)
    assert list(answer["expression"]) == [EXPRESSIONS[i] for i in (colours / 255 @ WEIGHTS).argmax(1)]
    oblong = cv2.imencode(".png", np.zeros((10, 20, 3), np.uint8))[1].tobytes()
    with pytest.raises(MlflowException, match=r"^row 0: expected a square face crop, got 20 x 10"):
        model.predict(pd.DataFrame({"image": [oblong]}), {"pictures": "crops"})
    with pytest.raises(MlflowException, match=r"^row 0: no face was found in this picture of 20 x 10"):
        model.predict(pd.DataFrame({"image": [oblong]}))
    assert not list((Path(store.tracking_uri.removeprefix("sqlite:///")).parent).rglob("*.pkl"))


def test_a_bundle_is_fetched_by_alias_or_number_checked_and_kept(store: RegisterSettings, tmp_path: Path) -> None:
    version = _register(store, tmp_path / "bundle")
    promote_challenger(GATE, store, dry_run=False)
    folder = fetch_bundle("models:/mtclar@champion", store)
    assert Bundle.load(folder).identity == version.bundle_sha
    stamp = (folder / "bundle.json").stat().st_mtime_ns
    assert fetch_bundle("models:/mtclar/1", store) == folder
    assert (folder / "bundle.json").stat().st_mtime_ns == stamp
    (folder / "pair.onnx").write_bytes(b"spoilt")
    assert Bundle.load(fetch_bundle("models:/mtclar/1", store)).identity == version.bundle_sha
    assert {path.name for path in folder.parent.iterdir()} == {version.bundle_sha, "locks"}


def test_a_bundle_that_was_changed_inside_the_registry_is_refused(store: RegisterSettings, tmp_path: Path) -> None:
    _register(store, tmp_path / "bundle")
    database = Path(store.tracking_uri.removeprefix("sqlite:///"))
    (held,) = (database.parent / "mlartifacts").rglob("bundle.json")
    held.write_text(json.dumps(json.loads(held.read_text()) | {"git_revision": "forged"}))
    with pytest.raises(MtclarError, match="is not the one that was registered"):
        fetch_bundle("models:/mtclar@challenger", store)
    (held.parent / "pair.onnx").unlink()
    with pytest.raises(MtclarError, match=r"pair\.onnx: cannot be read"):
        fetch_bundle("models:/mtclar@challenger", store)


def test_names_the_registry_does_not_know_are_refused_with_what_it_knows(
    store: RegisterSettings, tmp_path: Path
) -> None:
    with pytest.raises(MtclarError, match="knows no model 'mtclar'; run 'mtclar register'"):
        fetch_bundle("models:/mtclar@champion", store)
    _register(store, tmp_path / "bundle")
    with pytest.raises(MtclarError, match=r"has no alias 'champion'; its aliases: challenger \(version 1\)"):
        fetch_bundle("models:/mtclar@champion", store)
    with pytest.raises(MtclarError, match="'mtclar' has no version 7"):
        fetch_bundle("models:/mtclar/7", store)
    for uri in ("models:/mtclar", "runs:/1/model", "models:/mtclar@"):
        with pytest.raises(MtclarError, match="expected models:/NAME@ALIAS or models:/NAME/VERSION"):
            fetch_bundle(uri, store)


def test_a_version_that_mtclar_did_not_register_has_no_bundle(store: RegisterSettings, tmp_path: Path) -> None:
    client = tracking.connect(store).MlflowClient()
    client.create_registered_model("foreign")
    client.create_model_version("foreign", str(tmp_path))
    with pytest.raises(MtclarError, match="was not registered by 'mtclar register'"):
        fetch_bundle("models:/foreign/1", store)


def test_a_version_that_another_process_brings_meanwhile_is_not_taken_from_it(
    store: RegisterSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = _register(store, tmp_path / "bundle")
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    kept, remove = bundle_cache() / version.bundle_sha, shutil.rmtree
    loaded: list[Bundle] = []
    between: list[bool] = []

    def bring() -> None:
        loaded.append(Bundle.load(fetch_bundle("models:/mtclar/1", store, anew=True)))

    other = threading.Thread(target=bring)

    def late(path: Path, *given: Any, **named: Any) -> None:
        if (
            Path(path) == kept and threading.current_thread() is not other and not between
        ):  # between seeing that there is no bundle and putting one there
            other.start()
            other.join(3)
            between.append(kept.exists())
        remove(path, *given, **named)

    monkeypatch.setattr(shutil, "rmtree", late)
    Bundle.load(fetch_bundle("models:/mtclar/1", store, anew=True))
    assert between  # else nobody came between
    other.join(30)
    assert between == [False]
    assert [bundle.identity for bundle in loaded] == [version.bundle_sha]
