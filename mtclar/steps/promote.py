"""`mtclar promote`: challenger -> champion, if the gate in params.yaml opens."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mtclar.errors import MtclarError
from mtclar.progress import Progress, silent
from mtclar.registry.fetch import fetch_bundle
from mtclar.registry.promote import Judge, Promotion, promote_challenger
from mtclar.registry.versions import Version
from mtclar.revision import data_revision
from mtclar.settings import EvaluateSettings, PromoteSettings, RegisterSettings


def run(
    settings: PromoteSettings,
    *,
    registry: RegisterSettings,
    dry_run: bool = False,
    version: int | None = None,
    reason: str = "",
    faces: Path | None = None,
    pairs: Path | None = None,
    evaluate: EvaluateSettings | None = None,
    progress: Progress = silent,
) -> Promotion:
    """Judges a version and, if the gate opens, points the alias champion at it.

    Promoting the champion again changes nothing; nor does a version that the gate refuses. Numbers from different data
    are never compared: where the champion was judged on other data than the version, it is judged anew on `faces`.

    Args:
        settings: The section `promote` of params.yaml: the gate.
        registry: The section `register`: store and model.
        dry_run: Decide and compare, but change nothing.
        version: The version that is judged, where the caller knows it; otherwise the challenger.
        reason: Why, in the caller's words; kept with the version and in the history.
        faces: Faces store that the version was judged on.
        pairs: Its pairs.
        evaluate: The section `evaluate` by which it was judged.
        progress: Called as the champion embeds faces.

    Returns:
        The outcome and the comparison; its text is what a user should see.

    Raises:
        MtclarError: There is no challenger or no such version, its files are not those that were registered, it and the
            champion were judged on different data and `faces`, `pairs` and `evaluate` are not given or are not what it
            was judged on, mlflow is not installed, or the registry does not answer or does not allow it.
    """
    judge: Judge | None = None
    if faces is not None and pairs is not None and evaluate is not None:
        judge = _Again(registry, faces, pairs, evaluate, progress)
    elif faces is not None or pairs is not None:
        raise MtclarError("the champion is judged anew on a faces store and its pairs: give both --faces and --pairs.")
    return promote_challenger(settings, registry, dry_run=dry_run, version=version, reason=reason, judge=judge)


class _Again:
    """Judges a champion on what another version was judged on."""

    def __init__(
        self, registry: RegisterSettings, faces: Path, pairs: Path, evaluate: EvaluateSettings, progress: Progress
    ) -> None:
        self._registry, self._faces, self._pairs = registry, faces, pairs
        self._evaluate, self._progress = evaluate, progress

    def __call__(self, champion: Version, challenger: Version) -> dict[str, float]:
        """The headline metrics of the champion.

        Raises:
            MtclarError: The store, the pairs and the settings are not those of the challenger's evaluation, or the
                champion cannot be judged on them.
        """
        from mtclar.serving.facts import headline
        from mtclar.steps import evaluate as step

        self._check(challenger)
        bundle = fetch_bundle(champion.uri, self._registry)
        with tempfile.TemporaryDirectory(prefix="mtclar-promote-") as scratch:
            out = Path(scratch) / "evaluate"
            step.run(
                self._evaluate,
                faces=self._faces,
                pairs=self._pairs,
                checkpoint=bundle,
                bundle=bundle,
                out=out,
                progress=self._progress,
            )
            return headline(out)

    def _check(self, challenger: Version) -> None:
        from mtclar.steps.evaluate import judged_on

        found = judged_on(self._evaluate, faces=self._faces, pairs=self._pairs)
        if found != challenger.evaluation_set:
            raise MtclarError(
                f"{self._faces}, {self._pairs} and the section 'evaluate' (evaluation set {found[:12]}, data revision "
                f"{data_revision(self._faces)[:12]}) are not what {challenger} was judged on (evaluation set "
                f"{challenger.evaluation_set[:12]}, data revision {challenger.data_rev[:12]}); give those of its "
                "evaluation."
            )
