"""`mtclar register`: bundle -> a version of the registered model, alias challenger."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mtclar.errors import MtclarError
from mtclar.registry.register import register_bundle
from mtclar.registry.versions import CHALLENGER, Version
from mtclar.serving import Bundle
from mtclar.serving.facts import headline
from mtclar.settings import RegisterSettings


@dataclass(frozen=True)
class Registered:
    """A bundle in the registry.

    Attributes:
        version: Its version there.
        new: Whether it was made now; registering the same bundle again makes no second one.
    """

    version: Version
    new: bool

    def __str__(self) -> str:
        what = "registered" if self.new else "was registered already; the same bundle makes no second version"
        return f"{self.version}: {what} (models:/{self.version.name}@{CHALLENGER})"


def run(settings: RegisterSettings, *, bundle: Path, evaluation: Path) -> Registered:
    """Registers a bundle as the challenger.

    Args:
        settings: The section `register` of params.yaml.
        bundle: Folder that `mtclar export` wrote.
        evaluation: Folder that `mtclar evaluate` wrote; metrics.json and report.html are kept with the run.

    Raises:
        MtclarError: The bundle is not as it was written, the evaluation is not the one it was exported with, mlflow is
            not installed, or the registry refuses.
    """
    opened = Bundle.load(bundle)
    if headline(evaluation) != opened.facts["metrics"]:
        raise MtclarError(
            f"{evaluation}: these are not the metrics the bundle {bundle} was exported with; run 'mtclar export' again."
        )
    keep = [path for name in ("metrics.json", "report.html") if (path := evaluation / name).is_file()]
    return Registered(*register_bundle(opened, settings, keep))
