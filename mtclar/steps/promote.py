"""`mtclar promote`: challenger -> champion, if the gate in params.yaml opens."""

from __future__ import annotations

from mtclar.registry.promote import Promotion, promote_challenger
from mtclar.settings import PromoteSettings, RegisterSettings


def run(
    settings: PromoteSettings,
    *,
    registry: RegisterSettings,
    dry_run: bool = False,
    version: int | None = None,
    reason: str = "",
) -> Promotion:
    """Judges a version and, if the gate opens, points the alias champion at it.

    Promoting the champion again changes nothing; nor does a version that the gate refuses.

    Args:
        settings: The section `promote` of params.yaml: the gate.
        registry: The section `register`: store and model.
        dry_run: Decide and compare, but change nothing.
        version: The version that is judged, where the caller knows it; otherwise the challenger.
        reason: Why, in the caller's words; kept with the version and in the history.

    Returns:
        The outcome and the comparison; its text is what a user should see.

    Raises:
        MtclarError: There is no challenger or no such version, its files are not those that were registered, it and the
            champion were judged on different data, mlflow is not installed, or the registry does not answer or does not
            allow it.
    """
    return promote_challenger(settings, registry, dry_run=dry_run, version=version, reason=reason)
