"""Many processes promote at the same time: one wins, on sqlite, on PostgreSQL and through an MLflow server."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from promoters import Promoter, Stock, promoters
from servers import mlflow_server, postgres, postgres_programs

from mtclar.registry.champion import State, look
from mtclar.settings import RegisterSettings

VALENCES = [0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9]


pytestmark = pytest.mark.slow  # minutes of processes that contend; one case failed once on a machine under load


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Of every process of these tests: a cache of bundles that all share, and no store but the one they are told."""
    unwanted = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_USERNAME")
    kept = {name: value for name, value in os.environ.items() if name not in unwanted}
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests), str(tests.parent), os.environ.get("PYTHONPATH", "")])
    return kept | {"MTCLAR_CACHE": str(tmp_path_factory.mktemp("cache")), "PYTHONPATH": path}


@pytest.fixture(scope="module")
def crowd(environment: dict[str, str]) -> Iterator[list[Promoter]]:
    with promoters(4, environment) as started:
        yield started


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    pytest.importorskip("psycopg")
    if postgres_programs() is None:
        pytest.skip("no PostgreSQL here: its initdb is neither on the path nor under /usr/lib/postgresql")
    with postgres() as address:
        yield address


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("server", marks=pytest.mark.slow),
    ],
)
def stock(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> Iterator[Stock]:
    """A store with bundles in it; the third is a server over the second's database, which is all that clients know."""
    folder = tmp_path_factory.mktemp(request.param)
    with ExitStack() as stack:
        uri = f"sqlite:///{folder}/mlflow.db"
        if request.param != "sqlite":
            uri = request.getfixturevalue("database")
        if request.param == "server":
            uri = stack.enter_context(mlflow_server(folder, uri, environment))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(folder)  # where a database keeps its artifacts
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # mlflow sets it, to the store of the test before
        name = f"stock-{request.param}"
        yield Stock(RegisterSettings(model_name=name, tracking_uri=uri, experiment=name), folder, VALENCES)


def model(stock: Stock, name: str) -> RegisterSettings:
    """A model of its own in that store."""
    return stock.store.model_copy(update={"model_name": f"{stock.store.model_name}-{name}"})


def race(stock: Stock, crowd: list[Promoter], name: str, valences: list[float], **task: object) -> list[str]:
    """Each promotes a version of its own, all at the same moment; returns what each was told."""
    store = model(stock, name)
    numbers = [stock.register(store.model_name, valence) for valence in valences]
    at = time.time() + 0.05
    for promoter, number in zip(crowd, numbers, strict=True):
        promoter.ask(store, "promote", number, at=at, **task)
    return [promoter.answer() for promoter in crowd]


def check_history(state: State, valences: list[float]) -> None:
    """Each entry stands on the one before, no version took the place of a better one, and the alias is at its end."""
    assert [entry.over for entry in state.entries] == [None, *(entry.version for entry in state.entries[:-1])]
    line = [valences[entry.version - 1] for entry in state.entries]
    assert line == sorted(line)
    assert all(entry.settled for entry in state.entries)
    assert state.champion is not None
    assert state.champion.number == state.entries[-1].version
    assert state.champion.tags["champion_at"] == state.entries[-1].at


def test_of_promotions_at_the_same_moment_the_best_wins_whoever_is_first(stock: Stock, crowd: list[Promoter]) -> None:
    rng = random.Random(7)
    several = 0
    for turn in range(int(os.environ.get("MTCLAR_RACES", "4"))):
        valences = rng.sample(VALENCES, len(crowd))
        outcomes = race(stock, crowd, f"race-{turn}", valences)
        assert set(outcomes) <= {"promoted", "refused"}, outcomes
        state = look(stock.client, model(stock, f"race-{turn}").model_name)
        check_history(state, valences)
        assert valences[state.champion.number - 1] == max(valences), outcomes
        promoted = [number for number, outcome in enumerate(outcomes, 1) if outcome == "promoted"]
        assert sorted(entry.version for entry in state.entries) == promoted
        several += len(promoted) > 1
    assert several  # else nobody met anybody


def test_one_version_that_all_promote_at_once_is_promoted_once(stock: Stock, crowd: list[Promoter]) -> None:
    store = model(stock, "same")
    number = stock.register(store.model_name, 0.8)
    at = time.time() + 0.05
    for promoter in crowd:
        promoter.ask(store, "promote", number, at=at)
    assert sorted(promoter.answer() for promoter in crowd) == ["already champion"] * 3 + ["promoted"]
    assert len(look(stock.client, store.model_name).entries) == 1


def test_of_rollbacks_and_promotions_at_the_same_moment_none_is_lost_from_the_history(
    stock: Stock, crowd: list[Promoter]
) -> None:
    store = model(stock, "mixed")
    for valence in (0.7, 0.8, 0.9):
        crowd[0].ask(store, "promote", stock.register(store.model_name, valence))
        assert crowd[0].answer() == "promoted"
    better = stock.register(store.model_name, 0.9)
    at = time.time() + 0.05
    crowd[0].ask(store, "promote", better, at=at)
    for promoter in crowd[1:]:
        promoter.ask(store, "roll back", 1, at=at)
    outcomes = [promoter.answer() for promoter in crowd]
    state = look(stock.client, store.model_name)
    new = state.entries[3:]
    assert [entry.action for entry in new].count("promoted") == outcomes.count("promoted") == 1
    assert [entry.action for entry in new].count("rolled back") == outcomes.count("rolled back")
    assert [entry.over for entry in new] == [3, *(entry.version for entry in new[:-1])]
    assert state.champion.number == new[-1].version


def test_a_promoter_that_is_killed_half_way_is_outlived(stock: Stock, environment: dict[str, str]) -> None:
    store = model(stock, "killed")
    good, better = (stock.register(store.model_name, valence) for valence in (0.7, 0.8))
    with promoters(2, environment) as (doomed, other):
        doomed.ask(store, "promote", good, before_alias="die")
        assert doomed.answer() == ""
        half = look(stock.client, store.model_name)
        assert [(entry.version, entry.settled) for entry in half.entries] == [(good, False)]
        assert not stock.client.get_registered_model(store.model_name).aliases
        other.ask(store, "promote", better, patience_s=0.5)
        assert other.answer() == "promoted"
    state = look(stock.client, store.model_name)
    check_history(state, [0.7, 0.8])
    assert [entry.version for entry in state.entries] == [good, better]


def test_a_promoter_that_wakes_up_late_does_not_undo_what_came_after(stock: Stock, crowd: list[Promoter]) -> None:
    store = model(stock, "late")
    good, better = (stock.register(store.model_name, valence) for valence in (0.7, 0.8))
    late, other = crowd[:2]
    late.ask(store, "promote", good, before_alias=6.0)
    until = time.monotonic() + 30
    while not look(stock.client, store.model_name).entries and time.monotonic() < until:
        time.sleep(0.05)
    other.ask(store, "promote", better, patience_s=0.2)
    assert other.answer() == "promoted"
    assert late.answer() == "promoted"
    check_history(look(stock.client, store.model_name), [0.7, 0.8])
