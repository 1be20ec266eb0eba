"""The hyper-parameters of labelling, as a bundle's calibration holds them under `process`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from mtclar.errors import MtclarError, nearest
from mtclar.labelling.course import Course

DIMENSIONS = ("valence", "arousal")
UNLEVELLED = 1.0
"""Standard deviation of c where predictions are known up to a constant alone."""
AGAIN = "calibrate the model again with 'mtclar evaluate' and 'mtclar export'"


@dataclass(frozen=True, eq=False)
class Grid:
    """The j points of a grid, float64 (j,) each; standard deviations are in units of the labels.

    Attributes:
        weight: Prior weights where there are anchors; they sum to 1.
        alone: Prior weights where there is none, and predictions are all that speaks; they sum to 1.
        gain, gain_sd: Mean and standard deviation of g.
        level_sd: Standard deviation of c.
        slow_sd, slow_s: Of the slow process, and how long it lasts in seconds.
        fast_sd, fast_s: The same of the fast process.
        look_sd: Of what pictures that are alike share.
        look_scale: The distance of embeddings over which they do, in typical distances of two faces of a clip.
    """

    weight: np.ndarray
    alone: np.ndarray
    gain: np.ndarray
    gain_sd: np.ndarray
    level_sd: np.ndarray
    slow_sd: np.ndarray
    slow_s: np.ndarray
    fast_sd: np.ndarray
    fast_s: np.ndarray
    look_sd: np.ndarray
    look_scale: np.ndarray

    def __len__(self) -> int:
        return len(self.weight)

    def __getitem__(self, points: np.ndarray) -> Grid:
        """Some of the points, their weights as they are."""
        return Grid(*(getattr(self, item.name)[points] for item in fields(self)))

    def weighted(self, weight: np.ndarray, alone: np.ndarray | None = None) -> Grid:
        """The same points with other prior weights, which count without anchors too where `alone` is not given."""
        return replace(self, weight=weight, alone=weight if alone is None else alone)

    def scaled(self, slope: float) -> Grid:
        """The same points for predictions that are `slope` times as far from the mean as these were."""
        return replace(self, gain=self.gain * slope, gain_sd=self.gain_sd * slope)

    @classmethod
    def of(cls, points: Sequence[Mapping[str, float]]) -> Grid:
        """A grid of points that weigh the same, each a mapping of all names but `weight` and `alone`."""
        names = [item.name for item in fields(cls)[2:]]
        columns = [np.array([point[name] for point in points], np.float64) for name in names]
        even = np.full(len(points), 1 / len(points))
        return cls(even, even, *columns)


@dataclass(frozen=True)
class Model:
    """The process of one dimension.

    Attributes:
        mean: Of the labels over all clips.
        predicted_sd: Standard deviation of the predictions over all clips: how far the one of a face that nobody sees
            may be from the mean.
        noise: Standard deviation of what a rater adds to an anchor of weight 1, and to every other label.
        course: How predictions err within a track.
        grid: The grid.
    """

    mean: float
    predicted_sd: float
    noise: float
    course: Course
    grid: Grid

    def unlevelled(self) -> Model:
        """The same where predictions are known up to a constant alone: c is as wide as labels are."""
        return replace(self, grid=replace(self.grid, level_sd=np.full(len(self.grid), UNLEVELLED)))


@dataclass(frozen=True)
class Process:
    """Hyper-parameters of both dimensions.

    Attributes:
        typical: Median distance of the embeddings of two faces of a clip; None where nobody measured it, and then it is
            that of the clip at hand.
    """

    typical: float | None
    valence: Model
    arousal: Model

    def __getitem__(self, dimension: int) -> Model:
        return (self.valence, self.arousal)[dimension]

    def to_dict(self) -> dict[str, Any]:
        """Nested numbers for JSON; the grid by columns."""
        found: dict[str, Any] = {"typical": self.typical}
        for name in DIMENSIONS:
            model: Model = getattr(self, name)
            found[name] = {
                "mean": model.mean,
                "predicted_sd": model.predicted_sd,
                "noise": model.noise,
                "course": asdict(model.course),
                "grid": {item.name: getattr(model.grid, item.name).tolist() for item in fields(Grid)},
            }
        return found

    @classmethod
    def from_dict(cls, values: Any) -> Process:
        """Reads them back.

        Raises:
            MtclarError: A name is missing or unknown, or a value is no number of its range.
        """
        _names(values, ("typical", *DIMENSIONS), "process")
        typical = values["typical"]
        return cls(
            None if typical is None else _number(typical, "process.typical", least=1e-9),
            *(_model(values[name], f"process.{name}") for name in DIMENSIONS),
        )


def _model(values: Any, where: str) -> Model:
    _names(values, [item.name for item in fields(Model)], where)
    course, grid = values["course"], values["grid"]
    if isinstance(grid, Mapping):
        grid = {"alone": grid.get("weight"), **grid}  # earlier bundles weigh alike with anchors and without
    _names(course, [item.name for item in fields(Course)], f"{where}.course")
    _names(grid, [item.name for item in fields(Grid)], f"{where}.grid")
    least = {"spread": 1e-6, "lasting_s": 1e-6, "noise": 1e-6, "slow_s": 1e-6, "fast_s": 1e-6, "look_scale": 1e-6}
    columns = []
    for item in fields(Grid):
        column = grid[item.name]
        if not isinstance(column, list) or not column or len(column) != len(grid["weight"]):
            raise MtclarError(f"the model's {where}.grid.{item.name} is no list as long as the others; {AGAIN}.")
        name = f"{where}.grid.{item.name}"
        columns.append(np.array([_number(value, name, least=least.get(item.name, 0.0)) for value in column]))
    for k in (0, 1):
        if not columns[k].sum() > 0:
            raise MtclarError(f"the model's {where}.grid gives weight to no point; {AGAIN}.")
        columns[k] /= columns[k].sum()
    return Model(
        mean=_number(values["mean"], f"{where}.mean", least=-1.0),
        predicted_sd=_number(values["predicted_sd"], f"{where}.predicted_sd"),
        noise=_number(values["noise"], f"{where}.noise", least=1e-6),
        course=Course(
            **{key: _number(course[key], f"{where}.course.{key}", least=least.get(key, 0.0)) for key in course}
        ),
        grid=Grid(*columns),
    )


def _names(values: Any, known: Sequence[str], where: str) -> None:
    if not isinstance(values, Mapping):
        raise MtclarError(f"the model's calibration says nothing of '{where}'; {AGAIN}.")
    for key in [*values, *known]:
        if key not in known:
            raise MtclarError(
                f"the model's calibration has an unknown '{where}.{key}'{nearest(str(key), known)}; {AGAIN}."
            )
        if key not in values:
            raise MtclarError(f"the model's calibration lacks '{where}.{key}'; {AGAIN}.")


def _number(value: Any, where: str, *, least: float = 0.0) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < np.inf:
        raise MtclarError(f"the model's calibration gives {value!r} as '{where}'; {AGAIN}.")
    return float(value)
