"""studies/params.yaml: which data, which trainings, how many resamples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from mtclar.errors import MtclarError, nearest
from mtclar.settings import Section, Settings, load_settings, parse

PLAN = Path(__file__).with_name("params.yaml")
OUT = Path("studies/out")
"""Faces, pairs and trained models: large, made again by `dvc repro`, known to git by their hashes alone."""
RESULTS = Path("studies/results")
"""Tables and figures: small, kept in git."""
BASE = "full"
"""The variant that changes nothing, with which all others are compared."""

Positive = Annotated[int, Field(gt=0)]


class Variant(Section):
    """One way to train: how many seeds, and what it changes in the recipe (`section.key=value`)."""

    seeds: Positive
    set: tuple[str, ...]


class Plan(Section):
    """All of studies/params.yaml."""

    data: dict[str, str]
    recipe: str
    drawn: dict[str, int]
    jobs: Positive
    resamples: Annotated[int, Field(ge=100)]
    seed: int
    budgets: tuple[Annotated[float, Field(gt=0, lt=1)], ...]
    variants: dict[str, Variant]

    def variant(self, name: str) -> Variant:
        """One variant by name.

        Raises:
            MtclarError: There is no such variant; names the nearest.
        """
        if name not in self.variants:
            raise MtclarError(f"{PLAN}: no variant is called '{name}'{nearest(name, self.variants)}.")
        return self.variants[name]

    def settings(self, variant: str = BASE) -> Settings:
        """The recipe with what the variant changes in it."""
        return load_settings(Path(self.recipe), self.variant(variant).set)


def read_plan(path: Path | None = None) -> Plan:
    """Reads and checks studies/params.yaml.

    Raises:
        MtclarError: The file cannot be read, a key is unknown, missing or out of range, or there is no variant `full`.
    """
    path = path or PLAN
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise MtclarError(f"{path}: the studies' plan cannot be read ({' '.join(str(error).split())}).") from error
    if not isinstance(values, dict):
        raise MtclarError(f"{path}: expected keys such as 'data:' and 'variants:', got {type(values).__name__}.")
    listed = values.get("variants")
    if isinstance(listed, dict):
        each = {
            str(name): parse(Variant, item or {}, where=f"{path}, variant '{name}'") for name, item in listed.items()
        }
        values = {**values, "variants": each}
    plan = parse(Plan, values, where=str(path))
    if BASE not in plan.variants:
        raise MtclarError(f"{path}: there is no variant '{BASE}', with which the others are compared.")
    return plan
