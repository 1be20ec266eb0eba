"""Promote and roll back, on a real MLflow store: what is compared, what is kept, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from promoters import Stock
from toy_bundle import toy_bundle

from mtclar.errors import MtclarError
from mtclar.registry import promote as module
from mtclar.registry import tracking
from mtclar.registry.champion import look
from mtclar.registry.history import EXPERIMENT, Entry, History, experiment_name
from mtclar.registry.promote import promote_challenger, roll_back
from mtclar.registry.register import register_bundle
from mtclar.registry.versions import CHAMPION
from mtclar.serving import Bundle
from mtclar.settings import PromoteSettings, RegisterSettings

GATE = PromoteSettings.model_validate({"gate": {"valence_ccc": {"floor": 0.5, "margin": -0.01}}})
VALENCES = [0.45, 0.7, 0.8, 0.85, 0.9]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTCLAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")


@pytest.fixture
def stock(store: RegisterSettings, tmp_path: Path) -> Stock:
    return Stock(store.model_copy(update={"model_name": "stock"}), tmp_path / "stock", VALENCES)


def aliases(store: RegisterSettings) -> dict[str, str]:
    known = tracking.connect(store).MlflowClient().get_registered_model(store.model_name).aliases
    return {name: str(version) for name, version in known.items()}


def history(store: RegisterSettings) -> list[Entry]:
    found = History.find(tracking.connect(store).MlflowClient(), store.model_name)
    return found.entries() if found else []


def champions(stock: Stock, store: RegisterSettings, *valences: float) -> None:
    """Registers versions 1, 2, ... and makes each the champion in turn."""
    for valence in valences:
        number = stock.register(store.model_name, valence)
        assert promote_challenger(GATE, store, version=number).outcome == "promoted"


def test_the_first_good_challenger_becomes_champion_and_again_changes_nothing(
    store: RegisterSettings, tmp_path: Path
) -> None:
    register_bundle(Bundle.load(toy_bundle(tmp_path / "bundle")), store, [])
    dry = promote_challenger(GATE, store, dry_run=True)
    assert dry.outcome == "would be promoted"
    assert aliases(store) == {"challenger": "1"}
    assert history(store) == []
    with pytest.raises(MtclarError, match=r"mtclar: the registry has no version 7"):
        promote_challenger(GATE, store, version=7)
    done = promote_challenger(GATE, store)
    assert done.outcome == "promoted"
    assert "mtclar version 1: promoted to champion, the first one." in str(done)
    assert aliases(store) == {"challenger": "1", "champion": "1"}
    again = promote_challenger(GATE, store, version=1)
    assert again.outcome == "already champion"
    assert "nothing is changed" in str(again)
    assert len(history(store)) == 1


def test_a_worse_version_is_refused_and_a_better_one_takes_the_place(stock: Stock, store: RegisterSettings) -> None:
    champions(stock, store, 0.8)
    worse = stock.register("mtclar", 0.7)
    assert promote_challenger(GATE, store, version=worse, dry_run=True).outcome == "would be refused"
    refused = promote_challenger(GATE, store, version=worse)
    assert refused.outcome == "refused"
    assert "refused, because valence_ccc is 0.700, more than 0.01 below the champion's 0.800." in str(refused)
    assert stock.client.get_model_version("mtclar", str(worse)).tags["gate"].startswith("refused: valence_ccc is 0.700")
    assert aliases(store) == {"champion": "1"}
    done = promote_challenger(GATE, store, version=stock.register("mtclar", 0.85))
    assert "promoted to champion, in place of version 1" in str(done)
    assert aliases(store) == {"champion": "3"}


@pytest.mark.parametrize("known", [("a" * 64, "b" * 64), ("a" * 64, ""), ("", "a" * 64), ("", ""), ("unknown",) * 2])
def test_numbers_from_different_or_unknown_data_are_never_compared(
    stock: Stock, store: RegisterSettings, known: tuple[str, str]
) -> None:
    promote_challenger(GATE, store, version=stock.register("mtclar", 0.7, evaluation_set=known[0]))
    number = stock.register("mtclar", 0.9, evaluation_set=known[1])
    said = "it is not known what mtclar version 2 was judged on, so it cannot be compared"
    if known[1] not in ("", "unknown"):
        said = "judged on different data, .* mtclar promote --faces STORE --pairs DIR"
    for dry_run in (True, False):
        with pytest.raises(MtclarError, match=said):
            promote_challenger(GATE, store, version=number, dry_run=dry_run)
    assert aliases(store) == {"champion": "1"}


@pytest.mark.parametrize(("anew", "outcome"), [(0.95, "refused"), (0.6, "promoted")])
def test_a_champion_judged_on_other_data_is_judged_anew_and_only_that_counts(
    stock: Stock, store: RegisterSettings, anew: float, outcome: str
) -> None:
    promote_challenger(GATE, store, version=stock.register("mtclar", 0.8, evaluation_set="a" * 64))
    asked = []

    def judge(champion, challenger):
        asked.append((champion.number, challenger.evaluation_set))
        return {"valence_ccc": anew}

    number = stock.register("mtclar", 0.7, evaluation_set="b" * 64)
    done = promote_challenger(GATE, store, version=number, judge=judge)
    assert (done.outcome, asked) == (outcome, [(1, "b" * 64)])
    assert "mtclar version 1 was judged anew on what mtclar version 2 was judged on." in str(done)
    if outcome == "promoted":
        assert history(store)[-1].over_metrics == {"valence_ccc": anew}


def test_who_when_why_from_which_run_and_over_whom_stands_on_the_version_and_in_the_history(
    stock: Stock, store: RegisterSettings
) -> None:
    champions(stock, store, 0.7)
    number = stock.register("mtclar", 0.8)
    promote_challenger(GATE, store, version=number, reason="better\n on stage")
    first, second = history(store)
    assert (first.action, first.version, first.over) == ("promoted", 1, None)
    assert (second.by, second.reason, second.over) == ("ann", "better on stage", 1)
    assert second.metrics == {"valence_ccc": 0.8}
    assert second.over_metrics == {"valence_ccc": 0.7}
    found = stock.client.get_model_version("mtclar", "2")
    assert second.run == found.run_id
    assert {name: value for name, value in found.tags.items() if name.startswith("champion_")} == {
        "champion_how": "promoted",
        "champion_by": "ann",
        "champion_at": second.at,
        "champion_over": "1",
        "champion_run": found.run_id,
        "champion_why": "better on stage",
    }
    with pytest.raises(MtclarError, match="the reason has 501 characters"):
        promote_challenger(GATE, store, version=number, reason="x" * 501)


def test_rollback_goes_to_the_champion_before_and_the_history_keeps_it(stock: Stock, store: RegisterSettings) -> None:
    champions(stock, store, 0.7, 0.8, 0.9)
    dry = roll_back(store, dry_run=True)
    assert str(dry) == "mtclar version 2 would be champion again, in place of version 3."
    assert aliases(store) == {"champion": "3"}
    assert str(roll_back(store, reason="it flickers")) == "mtclar version 2 is champion again, in place of version 3."
    assert roll_back(store).champion.number == 1
    with pytest.raises(MtclarError, match="there is no champion before this one"):
        roll_back(store)
    assert roll_back(store, to=1).outcome == "already champion"
    assert roll_back(store, to=3).outcome == "rolled back"
    assert aliases(store) == {"champion": "3"}
    assert roll_back(store).champion.number == 1
    assert [(entry.action, entry.version, entry.over) for entry in history(store)] == [
        ("promoted", 1, None),
        ("promoted", 2, 1),
        ("promoted", 3, 2),
        ("rolled back", 2, 3),
        ("rolled back", 1, 2),
        ("rolled back", 3, 1),
        ("rolled back", 1, 3),
    ]
    assert stock.client.get_model_version("mtclar", "2").tags["champion_why"] == "it flickers"


def test_a_version_that_was_rolled_back_is_not_promoted_again_by_the_next_run(
    stock: Stock, store: RegisterSettings
) -> None:
    champions(stock, store, 0.7, 0.8)
    roll_back(store, reason="it flickers")
    again = promote_challenger(GATE, store, version=2)
    assert again.outcome == "refused"
    assert "until ann rolled it back at" in str(again)
    assert "(it flickers); 'mtclar models rollback --to 2' brings it back" in str(again)
    assert aliases(store) == {"champion": "1"}


def test_a_version_that_was_never_champion_is_no_goal_of_a_rollback(stock: Stock, store: RegisterSettings) -> None:
    stock.register("mtclar", 0.45)
    with pytest.raises(MtclarError, match="knows of no champion"):
        roll_back(store)
    champions(stock, store, 0.7)
    with pytest.raises(MtclarError, match=r"version 1 was never champion; 'mtclar promote --version 1' makes it so if"):
        roll_back(store, to=1)
    with pytest.raises(MtclarError, match="has no version 9"):
        roll_back(store, to=9)
    assert aliases(store) == {"champion": "2"}


def test_a_deleted_champion_is_passed_over(stock: Stock, store: RegisterSettings) -> None:
    champions(stock, store, 0.7, 0.8, 0.9)
    stock.client.delete_model_version("mtclar", "2")
    assert roll_back(store).champion.number == 1


@pytest.mark.parametrize("how", ["changed", "missing", "forged"])
def test_files_that_are_not_those_that_were_registered_are_neither_promoted_nor_rolled_back_to(
    store: RegisterSettings, tmp_path: Path, how: str
) -> None:
    for number, valence in enumerate((0.7, 0.8), 1):
        facts = {"metrics": {"valence_ccc": valence, "arousal_ccc": 0.7}, "evaluation_set": "e" * 64}
        register_bundle(Bundle.load(toy_bundle(tmp_path / f"{number}", **facts)), store, [])
        client = tracking.connect(store).MlflowClient()
        client.set_model_version_tag("mtclar", str(number), "evaluation_set", "e" * 64)
        if number == 1:
            promote_challenger(GATE, store)
    held = Path(store.tracking_uri.removeprefix("sqlite:///")).parent / "mlartifacts"
    for folder in [path.parent for path in held.rglob("bundle.json")]:
        if how == "changed":
            (folder / "pair.onnx").write_bytes(b"changed")
        elif how == "missing":
            (folder / "pair.onnx").unlink()
        else:
            facts = json.loads((folder / "bundle.json").read_text())
            (folder / "bundle.json").write_text(json.dumps(facts | {"git_revision": "forged"}))
    said = r"pair\.onnx: (cut short|cannot be read)|is not the one that was registered"
    for dry_run in (True, False):
        with pytest.raises(MtclarError, match=said):
            promote_challenger(GATE, store, dry_run=dry_run)
    assert aliases(store) == {"challenger": "2", "champion": "1"}
    tracking.connect(store).MlflowClient().set_registered_model_alias("mtclar", CHAMPION, "2")
    with pytest.raises(MtclarError, match=said):
        roll_back(store, to=1)
    assert aliases(store)["champion"] == "2"


def test_numbers_that_somebody_wrote_into_the_tags_promote_nothing(stock: Stock, store: RegisterSettings) -> None:
    number = stock.register("mtclar", 0.45)
    stock.client.set_model_version_tag("mtclar", str(number), "valence_ccc", "0.99")
    with pytest.raises(MtclarError, match="the metrics or the evaluation set in its tags are not those of its bundle"):
        promote_challenger(GATE, store, version=number)


def test_an_alias_that_was_moved_by_other_means_is_what_is_compared_and_is_noted(
    stock: Stock, store: RegisterSettings
) -> None:
    champions(stock, store, 0.7, 0.8)
    stock.client.set_registered_model_alias("mtclar", CHAMPION, "1")
    done = promote_challenger(GATE, store, version=stock.register("mtclar", 0.7))
    assert (done.outcome, done.champion.number) == ("promoted", 1)
    assert [(entry.action, entry.version, entry.over) for entry in history(store)[2:]] == [
        ("found", 1, 2),
        ("promoted", 3, 1),
    ]


def test_a_champion_from_before_there_was_a_history_becomes_its_beginning(
    stock: Stock, store: RegisterSettings
) -> None:
    old = stock.register("mtclar", 0.8)
    stock.client.set_registered_model_alias("mtclar", CHAMPION, str(old))
    assert promote_challenger(GATE, store, version=stock.register("mtclar", 0.7)).outcome == "refused"
    assert [(entry.action, entry.version, entry.over) for entry in history(store)] == [("found", 1, None)]
    champions(stock, store, 0.9)
    assert roll_back(store).champion.number == old


def test_the_history_cannot_be_rewritten_and_says_so_when_it_is_gone(stock: Stock, store: RegisterSettings) -> None:
    champions(stock, store, 0.7)
    client = stock.client
    (entry,) = history(store)
    found = History.find(client, "mtclar")
    assert not found.add(Entry(1, "promoted", 9, None, "eve", entry.at))
    assert history(store) == [entry]
    assert client.get_experiment(client.get_run(found.run_id).info.experiment_id).name == EXPERIMENT
    client.delete_run(found.run_id)
    with pytest.raises(MtclarError, match=r"did not write the history of 'mtclar' .*must be in the 'active'"):
        promote_challenger(GATE, store, version=stock.register("mtclar", 0.9))
    assert aliases(store) == {"champion": "1"}
    client.create_experiment(experiment_name("other"))
    with pytest.raises(MtclarError, match=r"expected the tag mtclar\.history_run"):
        look(client, "other")


def test_a_champion_that_changes_while_it_is_decided_is_compared_again(
    stock: Stock, store: RegisterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    champions(stock, store, 0.7)
    mine, theirs = stock.register("mtclar", 0.8), stock.register("mtclar", 0.9)
    real, met = module.decide, []

    def interrupted(*arguments):
        decision = real(*arguments)
        if not met:
            met.append(True)
            assert promote_challenger(GATE, store, version=theirs).outcome == "promoted"
        return decision

    monkeypatch.setattr(module, "decide", interrupted)
    done = promote_challenger(GATE, store, version=mine)
    assert (done.outcome, done.champion.number) == ("refused", theirs)
    assert aliases(store) == {"champion": str(theirs)}


def test_without_a_challenger_there_is_nothing_to_promote(store: RegisterSettings) -> None:
    with pytest.raises(MtclarError, match=r"mtclar: the registry has no challenger; run 'mtclar register'"):
        promote_challenger(GATE, store)
