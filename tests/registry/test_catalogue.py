"""What `mtclar models` says of a registry: versions, cards, comparisons, history; and what it says where it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from promoters import SET, Stock
from toy_bundle import toy_bundle, toy_facts, toy_graphs

from mtclar.errors import MtclarError
from mtclar.registry import catalogue, tracking
from mtclar.registry.promote import promote_challenger, roll_back
from mtclar.registry.register import register_bundle
from mtclar.serving import Bundle, write_bundle
from mtclar.settings import PromoteSettings, RegisterSettings
from mtclar.steps import models

GATE = PromoteSettings.model_validate({"gate": {"valence_ccc": {"floor": 0.5, "margin": 0.0}}})


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")


@pytest.fixture
def stock(store: RegisterSettings, tmp_path: Path) -> Stock:
    return Stock(store.model_copy(update={"model_name": "stock"}), tmp_path / "stock", [0.7, 0.8])


def mtclar(store: RegisterSettings, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`mtclar models ...` in a process of its own."""
    command = [sys.executable, "-m", "mtclar.cli", "models", *map(str, arguments)]
    known = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    known |= {"MLFLOW_TRACKING_URI": store.tracking_uri} | environment
    return subprocess.run(command, capture_output=True, text=True, check=False, env=known)


def test_the_list_has_every_version_with_its_aliases_and_metrics_the_newest_first(
    stock: Stock, store: RegisterSettings
) -> None:
    for valence in (0.7, 0.8):
        promote_challenger(GATE, store, version=stock.register("mtclar", valence))
    stock.client.set_registered_model_alias("mtclar", "challenger", "1")
    found = models.registered(store)
    assert found.title == f"registry {store.tracking_uri}, model 'mtclar':"
    rows = [dict(zip(found.header, row, strict=True)) for row in found.rows]
    assert [(row["version"], row["aliases"], row["valence_ccc"]) for row in rows] == [
        ("2", "champion", "0.800"),
        ("1", "challenger", "0.700"),
    ]
    assert {row["evaluation set"] for row in rows} == {SET[:12]}
    assert models.registered(store.model_copy(update={"model_name": "other"})).title.endswith(
        "has no model 'other' yet; 'mtclar register' makes it."
    )


def test_a_registry_that_is_not_there_is_not_made_by_listing_it(tmp_path: Path) -> None:
    nowhere = RegisterSettings(model_name="mtclar", tracking_uri=f"sqlite:///{tmp_path}/none.db", experiment="e")
    answer = mtclar(nowhere, "list")
    assert answer.returncode == 0, answer.stderr
    assert "none.db: nothing is there yet; 'mtclar register' makes it." in answer.stdout
    assert mtclar(nowhere, "history").stdout == "mtclar: there was no champion yet.\n"
    assert not (tmp_path / "none.db").exists()


def test_without_mlflow_the_list_has_the_models_of_this_machine_and_a_hint(tmp_path: Path) -> None:
    (tmp_path / "mlflow.py").write_text("raise ModuleNotFoundError('no mlflow', name='mlflow')\n")
    (tmp_path / "some.db").touch()
    there = RegisterSettings(model_name="mtclar", tracking_uri=f"sqlite:///{tmp_path}/some.db", experiment="e")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    answer = mtclar(there, "list", PYTHONPATH=path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("model ")
    assert "needs mlflow to be listed; use: pip install 'mtclar[registry]'." in answer.stdout


def test_a_version_is_found_by_address_number_alias_and_the_name_of_its_model(
    stock: Stock, store: RegisterSettings
) -> None:
    for valence in (0.7, 0.8):
        stock.register("mtclar", valence)
    assert catalogue.find("mtclar", store).number == 2  # the newest, as there is no champion
    promote_challenger(GATE, store, version=1)
    addresses = ("models:/mtclar/1", "models:/mtclar@champion", "mtclar/1", "mtclar@champion")
    for text in ("mtclar", "champion", "1", *addresses):
        assert catalogue.find(text, store).number == 1, text
    with pytest.raises(MtclarError, match=r"faces: no such folder, and sqlite:.* knows no model and no alias of that"):
        catalogue.find("faces", store)
    with pytest.raises(MtclarError, match="'mtclar' has no version 7"):
        catalogue.find("7", store)


def test_the_card_of_a_registered_model_is_its_bundles_or_made_of_its_facts_with_what_became_of_it(
    store: RegisterSettings, tmp_path: Path
) -> None:
    register_bundle(Bundle.load(toy_bundle(tmp_path / "plain", evaluation_set=SET)), store, [])
    promote_challenger(GATE, store, reason="the first")
    made = models.card("mtclar", store)
    assert made.startswith("# Model card: mtclar 1\n")
    assert "## What it must not be used for" in made
    assert "| clips, the first frame given | – | 0.800 | – | 0.700 |" in made
    assert "| champion why | the first |" in made
    assert f"| evaluation set | {SET} |" in made
    write_bundle(tmp_path / "carded", toy_graphs(), toy_facts(), papers={"card.md": "# Mine\n\nIt is good.\n"})
    register_bundle(Bundle.load(tmp_path / "carded"), store, [])
    own = models.card("models:/mtclar@challenger", store)
    assert own.startswith("# Mine\n\nIt is good.\n\n## In the registry\n")
    assert "| aliases | challenger |" in own


@pytest.mark.parametrize(
    ("sets", "said", "gain"),
    [
        ((SET, SET), "Both were judged on the same evaluation set.", "+0.100"),
        ((SET, "f" * 64), "The evaluation sets differ: the numbers must not be compared.", "–"),
        ((SET, ""), "What they were judged on is not known of both: the numbers must not be compared.", "–"),
        (("unknown", "unknown"), "What they were judged on is not known of both", "–"),
    ],
)
def test_two_models_are_compared_and_it_is_said_where_they_must_not_be(
    stock: Stock, store: RegisterSettings, sets: tuple[str, str], said: str, gain: str
) -> None:
    for valence, name in zip((0.7, 0.8), sets, strict=True):
        stock.register("mtclar", valence, evaluation_set=name)
    header, rows, words = models.compare("1", "2", store)
    assert header == ["", "mtclar version 1", "mtclar version 2", "difference"]
    assert rows[0] == ["valence_ccc", "0.700", "0.800", gain]
    assert words.startswith(said)


def test_a_folder_and_a_version_can_be_compared(stock: Stock, store: RegisterSettings, tmp_path: Path) -> None:
    stock.register("mtclar", 0.7)
    folder = toy_bundle(tmp_path / "mine", evaluation_set=SET)
    header, rows, words = models.compare(str(folder), "mtclar", store)
    assert header[1:3] == [str(folder), "mtclar version 1"]
    assert rows[0] == ["valence_ccc", "0.800", "0.700", "-0.100"]
    assert words == "Both were judged on the same evaluation set."


def test_the_history_is_printed_as_a_table_and_as_json(stock: Stock, store: RegisterSettings) -> None:
    for valence in (0.7, 0.8):
        promote_challenger(GATE, store, version=stock.register("mtclar", valence))
    roll_back(store, reason="it flickers")
    answer = mtclar(store, "history")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert len(lines) == 4
    assert lines[3].split()[3:8] == ["rolled", "back", "1", "2", "ann"]
    assert lines[3].endswith("it flickers")
    entries = json.loads(mtclar(store, "history", "--json").stdout)
    assert [(entry["action"], entry["version"], entry["over"]) for entry in entries] == [
        ("promoted", 1, None),
        ("promoted", 2, 1),
        ("rolled back", 1, 2),
    ]


class _Refusing(BaseHTTPRequestHandler):
    """Lets anybody ask which experiments there are, and answers everything else as MLflow does who has no right."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        allowed = "experiments/search" in self.path
        body = b"{}" if allowed else b"Permission denied"
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815 - the name is http.server's

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def refusing(store: RegisterSettings) -> Iterator[RegisterSettings]:
    """A registry that refuses, at an address with a password in it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield store.model_copy(update={"tracking_uri": f"http://ann:hush@127.0.0.1:{server.server_port}"})
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        (["list"], "model 'mtclar'"),
        (["show", "models:/mtclar@champion"], "model 'mtclar'"),
        (["compare", "1", "2"], "model 'mtclar'"),
        (["promote"], "model 'mtclar'"),
        (["rollback"], "experiment 'mtclar history of mtclar'"),
    ],
)
def test_who_has_no_right_is_told_which_in_one_sentence_without_a_secret(
    refusing: RegisterSettings, verb: list[str], what: str
) -> None:
    answer = mtclar(refusing, *verb, MLFLOW_TRACKING_USERNAME="bob", MLFLOW_TRACKING_PASSWORD="quiet")  # noqa: S106
    assert answer.returncode == 1
    assert answer.stderr == (
        f"mtclar: the model registry refuses: user 'bob' may not read the {what}; ask whoever runs it for that right.\n"
    )
    assert "hush" not in answer.stdout
    assert "quiet" not in answer.stdout


def test_a_registry_that_is_down_or_no_registry_is_one_sentence(
    store: RegisterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    down = store.model_copy(update={"tracking_uri": "http://ann:hush@127.0.0.1:9"})
    for ask in (models.registered, catalogue.history, roll_back):
        monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
        with pytest.raises(MtclarError) as caught:
            ask(down)
        assert str(caught.value) == "http://127.0.0.1:9: the MLflow store cannot be opened (Connection refused)."


def test_an_unknown_model_is_one_sentence(store: RegisterSettings) -> None:
    with pytest.raises(MtclarError, match="mtclar: the registry knows of no champion of that model"):
        roll_back(store)
    with pytest.raises(MtclarError, match="the registry knows no model 'faces'; run 'mtclar register' first"):
        catalogue.find("models:/faces@champion", store)
    assert tracking.connect(store).MlflowClient().search_registered_models() == []
