"""A version takes the champion's place, if the gate opens; or an earlier champion takes it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.registry.champion import PATIENCE_S, State, check_reason, entry_of, follow, look, settled
from mtclar.registry.fetch import fetch_bundle
from mtclar.registry.gate import Decision, decide
from mtclar.registry.history import History
from mtclar.registry.versions import CHALLENGER, CHAMPION, GATE_TAG, Version, asked, of_alias, of_number
from mtclar.revision import UNKNOWN
from mtclar.serving import Bundle
from mtclar.settings import PromoteSettings, RegisterSettings

Outcome = Literal["promoted", "already champion", "refused", "would be promoted", "would be refused"]
Judge = Callable[[Version, Version], dict[str, float]]
"""Headline metrics of the champion, the first version, on what the second was judged on."""

_TRIES = 50


@dataclass(frozen=True)
class Promotion:
    """What became of a version.

    Attributes:
        outcome: "promoted", "already champion" or "refused"; with a dry run "would be promoted" or "would be refused".
        challenger: The version judged.
        champion: The champion before, None if there was none.
        decision: What the gate said, and the comparison.
        note: What else a reader should know of the comparison.
    """

    outcome: Outcome
    challenger: Version
    champion: Version | None
    decision: Decision
    note: str = ""

    def __str__(self) -> str:
        lines = [self.decision.table()] if self.decision.rows else []
        lines += [self.note] if self.note else []
        if self.outcome == "already champion":
            lines.append(f"{self.challenger} is the champion already; nothing is changed.")
        elif not self.decision.promote:
            lines.append(f"{self.challenger}: {self.outcome}, because {'; '.join(self.decision.reasons)}.")
        else:
            before = f"in place of version {self.champion.number}" if self.champion else "the first one"
            lines.append(f"{self.challenger}: {self.outcome} to champion, {before}.")
        return "\n".join(lines)


@dataclass(frozen=True)
class Rollback:
    """What became of a wish for an earlier champion.

    Attributes:
        outcome: "rolled back", "already champion" or, with a dry run, "would be rolled back".
        champion: The champion now, or as it would be.
        before: The champion before; None if there was none.
    """

    outcome: Literal["rolled back", "already champion", "would be rolled back"]
    champion: Version
    before: Version | None

    def __str__(self) -> str:
        if self.outcome == "already champion":
            return f"{self.champion} is the champion already; nothing is changed."
        before = f"in place of version {self.before.number}" if self.before else "where there was none"
        words = "is champion again" if self.outcome == "rolled back" else "would be champion again"
        return f"{self.champion} {words}, {before}."


def promote_challenger(
    settings: PromoteSettings,
    registry: RegisterSettings,
    *,
    dry_run: bool = False,
    version: int | None = None,
    reason: str = "",
    judge: Judge | None = None,
    patience_s: float = PATIENCE_S,
) -> Promotion:
    """Compares a version with the champion and makes it champion if the gate opens.

    Both are compared by what was measured on the same data. Of several processes that promote at the same time one
    comes first, and the others compare their version with that one's.

    Args:
        settings: The gate, section `promote` of params.yaml.
        registry: Store and model, section `register` of params.yaml.
        dry_run: Decide, but change nothing.
        version: The version that is judged; None for the challenger.
        reason: Why, in the caller's words; kept with the version and in the history.
        judge: Gives the headline metrics of the champion, its first argument, on what the second was judged on. It is
            called where the two were judged on different data; without it such a promotion is an error.
        patience_s: Seconds after which a change that another process began and did not finish is finished here.

    Raises:
        MtclarError: There is no such version or challenger, its files are not those that were registered, it cannot be
            compared with the champion, mlflow is not installed, or the registry does not answer or does not allow it.
    """
    reason = check_reason(reason)
    mlflow = tracking.require(registry)
    client, name = mlflow.MlflowClient(), registry.model_name
    challenger, checked = _meant(client, name, version), False
    history = None if dry_run else History.open(mlflow, registry)
    measured: dict[int, dict[str, float]] = {}
    for _ in range(_TRIES):
        state = look(client, name) if history is None else settled(client, name, history, patience_s=patience_s)
        champion = state.champion
        if champion and champion.number == challenger.number:
            decision = decide(challenger.metrics, champion.metrics, settings)
            return Promotion("already champion", challenger, champion, decision)
        if said := _served_before(state, challenger):
            return Promotion(
                "would be refused" if dry_run else "refused", challenger, champion, Decision(False, (said,), ())
            )
        if not checked:
            _check_bundle(challenger, registry)
            checked = True
        numbers, note = None if champion is None else champion.metrics, ""
        if champion and not _alike(champion, challenger):
            if champion.number not in measured:
                measured[champion.number] = _judged_anew(champion, challenger, judge)
            numbers = measured[champion.number]
            note = f"{champion} was judged anew on what {challenger} was judged on."
        decision = decide(challenger.metrics, numbers, settings)
        if history is None:
            outcome: Outcome = "would be promoted" if decision.promote else "would be refused"
            return Promotion(outcome, challenger, champion, decision, note)
        # Written before the history: whoever may not do this may not promote either.
        _tag(client, challenger, "passed" if decision.promote else f"refused: {'; '.join(decision.reasons)}")
        if not decision.promote:
            return Promotion("refused", challenger, champion, decision, note)
        entry = entry_of(
            challenger,
            action="promoted",
            number=len(state.entries) + 1,
            over=champion.number if champion else None,
            over_metrics=numbers or {},
            reason=reason,
        )
        if history.add(entry):
            follow(client, name, history, entry)
            return Promotion("promoted", challenger, champion, decision, note)
    raise MtclarError(f"{name}: the {CHAMPION} was changed {_TRIES} times while this was decided; try again later.")


def roll_back(
    registry: RegisterSettings,
    *,
    to: int | None = None,
    reason: str = "",
    dry_run: bool = False,
    patience_s: float = PATIENCE_S,
) -> Rollback:
    """Makes an earlier champion the champion again; the history keeps both.

    Args:
        registry: Store and model, section `register` of params.yaml.
        to: Number of the version; None for the champion before this one.
        reason: Why, in the caller's words.
        dry_run: Say what would be done, but change nothing.
        patience_s: Seconds after which a change that another process began and did not finish is finished here.

    Raises:
        MtclarError: That version was never champion or is gone, its files are not those that were registered, someone
            else changed the champion meanwhile, mlflow is not installed, or the registry does not answer or does not
            allow it.
    """
    reason = check_reason(reason)
    mlflow = tracking.require(registry)
    client, name = mlflow.MlflowClient(), registry.model_name
    state, history = look(client, name), None
    if not state.entries and state.champion is None:
        raise MtclarError(f"{name}: the registry knows of no {CHAMPION} of that model; see 'mtclar models list'.")
    if not dry_run:
        history = History.open(mlflow, registry)
        state = settled(client, name, history, patience_s=patience_s)
    target = _earlier(client, name, state, to)
    if state.champion and target.number == state.champion.number:
        return Rollback("already champion", target, state.champion)
    _check_bundle(target, registry)
    if history is None:
        return Rollback("would be rolled back", target, state.champion)
    _tag(client, target, "not asked: rolled back to")
    over = state.champion.number if state.champion else None
    entry = entry_of(target, action="rolled back", number=len(state.entries) + 1, over=over, reason=reason)
    if not history.add(entry):
        by = history.entries()[entry.number - 1].by
        raise MtclarError(
            f"{name}: {by} changed the {CHAMPION} at the same time; see 'mtclar models history' and try again."
        )
    follow(client, name, history, entry)
    return Rollback("rolled back", target, state.champion)


def _meant(client: Any, name: str, version: int | None) -> Version:
    """The version of that number, or the challenger."""
    if version is None:
        if (challenger := of_alias(client, name, CHALLENGER)) is None:
            raise MtclarError(f"{name}: the registry has no {CHALLENGER}; run 'mtclar register' first.")
        return challenger
    if (found := of_number(client, name, version)) is None:
        raise MtclarError(f"{name}: the registry has no version {version}; see 'mtclar models list'.")
    return found


def _check_bundle(version: Version, registry: RegisterSettings) -> None:
    """Fetches the bundle of a version and checks that its files and its numbers are those that were registered."""
    facts = Bundle.load(fetch_bundle(version.uri, registry, anew=True)).facts
    stated = {name: float(value) for name, value in facts["metrics"].items() if name in version.metrics}
    if stated != version.metrics or facts.get("evaluation_set", "") not in ("", UNKNOWN, version.evaluation_set):
        raise MtclarError(
            f"{version}: the metrics or the evaluation set in its tags are not those of its bundle; register the "
            "bundle again under another name, or set the tags right."
        )


def _alike(one: Version, other: Version) -> bool:
    """Whether two versions were judged on the same data; where that is not known, they were not."""
    return one.evaluation_set == other.evaluation_set and _known(one)


def _known(version: Version) -> bool:
    """Whether it is known what a version was judged on."""
    return version.evaluation_set not in ("", UNKNOWN)


def _judged_anew(champion: Version, challenger: Version, judge: Judge | None) -> dict[str, float]:
    if not _known(challenger):
        raise MtclarError(
            f"it is not known what {challenger} was judged on, so it cannot be compared with the {CHAMPION}; run "
            "'mtclar evaluate', 'mtclar export' and 'mtclar register' again."
        )
    if judge is None:
        raise MtclarError(
            f"{challenger} and the {CHAMPION}, version {champion.number}, were judged on different data, so their "
            "numbers cannot be compared; give the faces and pairs that the challenger was judged on: mtclar promote "
            "--faces STORE --pairs DIR."
        )
    return judge(champion, challenger)


def _served_before(state: State, version: Version) -> str:
    """Why a version that was champion before is not promoted again; empty if it never was."""
    if (began := state.reign(version.number)) is None:
        return ""
    left = state.left(version.number)
    ended = f" until {left.by} {_DEED[left.action]} at {left.at}" if left else ""
    why = f" ({left.reason})" if left and left.reason else ""
    return f"it was champion from {began.at}{ended}{why}; 'mtclar models rollback --to {version.number}' brings it back"


_DEED = {"promoted": "promoted another", "rolled back": "rolled it back", "found": "moved the alias"}


def _earlier(client: Any, name: str, state: State, to: int | None) -> Version:
    """The earlier champion that is meant."""
    if to is None:
        for number in state.earlier():
            if (found := of_number(client, name, number)) is not None:  # versions can be deleted
                return found
        raise MtclarError(f"{name}: there is no champion before this one; see 'mtclar models history'.")
    if (found := of_number(client, name, to)) is None:
        raise MtclarError(f"{name}: the registry has no version {to}; see 'mtclar models history'.")
    if state.reign(to) is None and (state.champion is None or state.champion.number != to):
        raise MtclarError(
            f"{name}: version {to} was never champion; 'mtclar promote --version {to}' makes it so if it passes the "
            "gate."
        )
    return found


def _tag(client: Any, version: Version, words: str) -> None:
    with asked(f"change versions of the model '{version.name}'"):
        client.set_model_version_tag(version.name, str(version.number), GATE_TAG, words)
