"""The challenger takes the champion's place, if the gate opens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mtclar.errors import MtclarError
from mtclar.registry import tracking
from mtclar.registry.gate import Decision, decide
from mtclar.registry.versions import CHALLENGER, CHAMPION, Version, of_alias
from mtclar.settings import PromoteSettings, RegisterSettings

Outcome = Literal["promoted", "already champion", "refused", "would be promoted", "would be refused"]


@dataclass(frozen=True)
class Promotion:
    """What became of the challenger.

    Attributes:
        outcome: "promoted", "already champion" or "refused"; with a dry run "would be promoted" or "would be refused".
        challenger: The version judged.
        champion: The champion before, None if there was none.
        decision: What the gate said, and the comparison.
    """

    outcome: Outcome
    challenger: Version
    champion: Version | None
    decision: Decision

    def __str__(self) -> str:
        if self.outcome == "already champion":
            return f"{self.decision.table()}\n{self.challenger} is the champion already; nothing is changed."
        before = f"in place of version {self.champion.number}" if self.champion else "the first one"
        if not self.decision.promote:
            end = f"{self.challenger}: {self.outcome}, because {'; '.join(self.decision.reasons)}."
        else:
            end = f"{self.challenger}: {self.outcome} to champion, {before}."
        if self.champion and self.champion.data_rev != self.challenger.data_rev:
            end += "\nThe two were judged on different data, so compare their numbers with care."
        return f"{self.decision.table()}\n{end}"


def promote_challenger(
    settings: PromoteSettings, registry: RegisterSettings, *, dry_run: bool, version: int | None = None
) -> Promotion:
    """Compares the challenger with the champion and moves the alias if the gate opens.

    Args:
        settings: The gate, section `promote` of params.yaml.
        registry: Store and model, section `register` of params.yaml.
        dry_run: Decide, but change nothing.
        version: The version that is meant, where the caller knows it.

    Raises:
        MtclarError: There is no challenger or it is another version, mlflow is not installed, or the alias was moved by
            someone else meanwhile.
    """
    client, name = tracking.require(registry).MlflowClient(), registry.model_name
    challenger = of_alias(client, name, CHALLENGER)
    if challenger is None:
        raise MtclarError(f"{name}: the registry has no {CHALLENGER}; run 'mtclar register' first.")
    if version not in (None, challenger.number):
        raise MtclarError(
            f"{name}: version {version} is meant, but the {CHALLENGER} is version {challenger.number} by now."
        )
    champion = of_alias(client, name, CHAMPION)
    decision = decide(challenger.metrics, champion.metrics if champion else None, settings)
    if champion and champion.number == challenger.number:
        return Promotion("already champion", challenger, champion, decision)
    if dry_run:
        outcome: Outcome = "would be promoted" if decision.promote else "would be refused"
        return Promotion(outcome, challenger, champion, decision)
    if not decision.promote:
        return Promotion("refused", challenger, champion, decision)
    if of_alias(client, name, CHAMPION) != champion:
        raise MtclarError(f"{name}: the {CHAMPION} was changed while this was decided; run 'mtclar promote' again.")
    client.set_registered_model_alias(name, CHAMPION, str(challenger.number))
    if of_alias(client, name, CHAMPION) != challenger:
        raise MtclarError(f"{name}: the {CHAMPION} was changed by someone else just now; run 'mtclar promote' again.")
    return Promotion("promoted", challenger, champion, decision)
