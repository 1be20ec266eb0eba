"""studies/carry.yaml: the conditions of the study `carry`, and which faces each may learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import yaml
from pydantic import Field

from mtclar.errors import MtclarError, nearest
from mtclar.settings import Section, Settings, load_settings, parse

PLAN = Path(__file__).with_name("carry.yaml")
CONTROL = "everything"
"""The condition with which all others are compared."""

Positive = Annotated[int, Field(gt=0)]


class Condition(Section):
    """What a training learns from.

    Attributes:
        says: In words.
        keep: Columns of `tables.SYNTHESIS`: two numbers are the ends of a range, words the values that are allowed.
        people: Share of the training people.
        set: What it changes in the settings (`section.key=value`).
    """

    says: str
    keep: dict[str, list[float] | list[str]]
    people: Annotated[float, Field(gt=0, le=1)]
    set: tuple[str, ...]


class CarryPlan(Section):
    """All of studies/carry.yaml."""

    faces: Path
    recipe: Path
    set: tuple[str, ...]
    size: Positive
    held_out: Positive
    seeds: Positive
    jobs: Positive
    resamples: Annotated[int, Field(ge=100)]
    seed: Annotated[int, Field(ge=0)]
    conditions: dict[str, Condition]

    def condition(self, name: str) -> Condition:
        """One condition by name.

        Raises:
            MtclarError: There is no such condition; names the nearest.
        """
        if name not in self.conditions:
            raise MtclarError(f"{PLAN}: no condition is called '{name}'{nearest(name, self.conditions)}.")
        return self.conditions[name]

    def settings(self, name: str) -> Settings:
        """The recipe with what the plan and the condition change in it."""
        return load_settings(self.recipe, (*self.set, *self.condition(name).set))


def read_plan(path: Path | None = None) -> CarryPlan:
    """Reads and checks studies/carry.yaml.

    Raises:
        MtclarError: The file cannot be read, a key is unknown, missing or out of range, or there is no control.
    """
    path = path or PLAN
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        listed = {str(name): item or {} for name, item in values["conditions"].items()}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise MtclarError(f"{path}: the study's plan cannot be read ({' '.join(str(error).split())}).") from error
    each = {name: parse(Condition, item, where=f"{path}, condition '{name}'") for name, item in listed.items()}
    plan = parse(CarryPlan, {**values, "conditions": each}, where=str(path))
    if CONTROL not in plan.conditions:
        raise MtclarError(f"{path}: there is no condition '{CONTROL}', with which the others are compared.")
    return plan


def rows_of(plan: CarryPlan, name: str, faces: pd.DataFrame, made: pd.DataFrame) -> np.ndarray:
    """Rows of a store that a condition learns from: `plan.size` training faces, and whole people to validate on.

    Args:
        plan: Says how many, and draws them by its seed.
        name: Of the condition.
        faces: Table of the store.
        made: How its faces were made, row for row.

    Returns:
        int64 (n,), ascending.

    Raises:
        MtclarError: The condition speaks of a column that is not there, or leaves too few faces.
    """
    condition = plan.condition(name)
    kept = (faces["split"] == "train").to_numpy()
    for column, allowed in condition.keep.items():
        if column not in made:
            raise MtclarError(f"{PLAN}, condition '{name}': no column '{column}'{nearest(column, made.columns)}.")
        kept = kept & _allowed(name, column, made[column], allowed)
    rng = np.random.default_rng(plan.seed)
    subjects = faces["subject_id"].to_numpy(str)
    people = rng.permutation(np.unique(subjects[faces["split"] == "train"]))
    kept = kept & np.isin(subjects, people[: max(1, round(condition.people * len(people)))])
    able = np.flatnonzero(kept)
    if len(able) < plan.size:
        raise MtclarError(
            f"{PLAN}: condition '{name}' leaves {len(able)} of the training faces, but each condition learns from "
            f"size={plan.size}; keep more of them, or make size smaller."
        )
    chosen = rng.choice(able, plan.size, replace=False)
    return np.sort(np.concatenate([chosen, _validation(plan, faces)]))


def _allowed(name: str, column: str, values: pd.Series, allowed: list[float] | list[str]) -> np.ndarray:
    words = [item for item in allowed if isinstance(item, str)]
    if words:
        return values.isin(words).to_numpy()
    if len(allowed) != 2:
        raise MtclarError(f"{PLAN}, condition '{name}': '{column}' needs its lowest and highest value, got {allowed}.")
    return values.between(float(allowed[0]), float(allowed[1])).to_numpy()


def _validation(plan: CarryPlan, faces: pd.DataFrame) -> np.ndarray:
    """Validation faces of the first people, until there are `plan.held_out` or all."""
    rows = np.flatnonzero(faces["split"] == "validation")
    subjects, counts = np.unique(faces["subject_id"].to_numpy(str)[rows], return_counts=True)
    enough = int(np.searchsorted(np.cumsum(counts), plan.held_out)) + 1
    return rows[np.isin(faces["subject_id"].to_numpy(str)[rows], subjects[:enough])]
