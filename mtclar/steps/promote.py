"""`mtclar promote`: challenger -> champion, if the gate in params.yaml opens."""

from __future__ import annotations

from mtclar.registry.promote import Promotion, promote_challenger
from mtclar.settings import PromoteSettings, RegisterSettings


def run(
    settings: PromoteSettings, *, registry: RegisterSettings, dry_run: bool = False, version: int | None = None
) -> Promotion:
    """Judges the challenger and, if the gate opens, points the alias champion at it.

    Promoting the champion again changes nothing; nor does a challenger that the gate refuses.

    Args:
        settings: The section `promote` of params.yaml: the gate.
        registry: The section `register`: store and model.
        dry_run: Decide and compare, but change nothing.
        version: The version that is meant, where the caller knows it: it must be the challenger.

    Returns:
        The outcome and the comparison; its text is what a user should see.

    Raises:
        MtclarError: There is no challenger or it is not `version`, mlflow is not installed, or someone
            else moved the alias meanwhile.
    """
    return promote_challenger(settings, registry, dry_run=dry_run, version=version)
