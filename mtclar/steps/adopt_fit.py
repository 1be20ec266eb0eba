"""The few-shot engine over a foreign embedding: fitted on labelled faces, or as it begins where there are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar.data.store import FacesStore
from mtclar.errors import MtclarError
from mtclar.evaluation.calibrate import calibrate, nominal_calibration
from mtclar.evaluation.clips import clips_of
from mtclar.evaluation.ridge import fit_ridge
from mtclar.evaluation.scores import plain
from mtclar.progress import Progress
from mtclar.serving import Bundle
from mtclar.settings import EvaluateSettings, Settings
from mtclar.steps.adopt_faces import median_distance
from mtclar.steps.embed import embed_rows, embed_spoilt

if TYPE_CHECKING:
    from mtclar.serving.adopt_heads import Reading
    from mtclar.steps.adopt_network import Network

DIMENSIONS = ("valence", "arousal")
MOST_LEARNED = 6000
"""Training faces from which labels are learned, evenly spread over all there are."""


@dataclass(frozen=True)
class Fitted:
    """What is known after the fit.

    Attributes:
        reading: How valence and arousal are read from an embedding.
        calibration: As calibration.json of an evaluation; `nominal` where nothing was measured.
        notes: What the user of the labels should know, one sentence each.
    """

    reading: Reading
    calibration: dict[str, Any]
    notes: tuple[str, ...]


def fit_to_drawn(s: EvaluateSettings, network: Network) -> Fitted:
    """The engine as it begins, its distance of looks that of the drawn people's own faces."""
    return _nominal(s, network, network.reading, "no labelled clips were given")


def fit_to_faces(
    settings: Settings,
    store: FacesStore,
    network: Network,
    opened: Callable[[Reading], Bundle],
    progress: Progress,
) -> Fitted:
    """Learns the labels that the network does not tell, then fits and calibrates the engine as `mtclar evaluate` does.

    Args:
        settings: `evaluate` says how; `adopt` has the seed.
        store: Labelled faces. Labels are learned from training people, the engine is fitted on clips of validation
            people.
        network: The wrapped network.
        opened: Makes a bundle that reads labels so.
        progress: Called as faces are embedded.

    Raises:
        MtclarError: Labels must be learned, but there are not enough labelled training faces.
    """
    reading, notes = network.reading, []
    if network.unread:
        reading, note = _learned(settings, store, network, opened(reading), progress)
        notes.append(note)
    s, bundle, clips = settings.evaluate, opened(reading), clips_of(store.table, "validation")
    if not any(len(clip) > 1 for clip in clips):
        found = _nominal(s, network, reading, "the faces have no labelled clips of validation people")
        return replace(found, notes=(*notes, *found.notes))
    rows = np.unique(np.concatenate([clip.rows for clip in clips]))
    embeddings = embed_rows(store, rows, bundle, progress=progress)
    spoilt = embed_spoilt(store, clips, bundle, s.seed)
    calibrated = calibrate(s, clips, embeddings, spoilt, bundle)
    return Fitted(reading, plain(calibrated.content), tuple(notes))


def _nominal(s: EvaluateSettings, network: Network, reading: Reading, reason: str) -> Fitted:
    """Nominal hyper-parameters, and the multiples of a normal distribution."""
    near = median_distance(network.embeddings, network.trial.people)
    calibration = nominal_calibration(s.coverage, max(near, 1e-3)).content
    note = f"The bands of this adopted model are nominal: {reason}, so how often they hold the truth was not measured."
    return Fitted(reading, calibration, (note,))


def _learned(
    settings: Settings, store: FacesStore, network: Network, bundle: Bundle, progress: Progress
) -> tuple[Reading, str]:
    """Labels that the network does not tell, by ridge regression from its embedding."""
    table = store.table
    known = table.loc[table["split"] == "train", list(network.unread)].dropna()
    rows = known.index.to_numpy(np.int64)
    people = table["subject_id"].to_numpy(str)
    if len(np.unique(people[rows])) < 2:
        raise MtclarError(
            f"{store.folder}: holds labelled training faces of {len(np.unique(people[rows]))} people, but to learn "
            f"{' and '.join(network.unread)} it takes two at least."
        )
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_LEARNED)).round().astype(int))]
    width = network.embeddings.shape[1]
    values = embed_rows(store, rows, bundle, progress=progress).values[:, :width]
    labels = table[list(network.unread)].to_numpy(np.float64)[rows]
    ridge = fit_ridge(values, labels, people[rows], np.random.default_rng(settings.adopt.seed))
    weights, bias = network.reading.weights.copy(), network.reading.bias.copy()
    for k, name in enumerate(network.unread):
        weights[:width, DIMENSIONS.index(name)], bias[DIMENSIONS.index(name)] = ridge.weights[:, k], ridge.bias[k]
    errors = " and ".join(f"{name} {rmse:.3f}" for name, rmse in zip(network.unread, ridge.rmse, strict=True))
    learned = " and ".join(network.unread).capitalize() + (" were" if len(network.unread) > 1 else " was")
    note = f"{learned} learned from {len(rows)} faces by ridge regression; RMSE on people it had not seen: {errors}."
    return replace(network.reading, weights=weights, bias=bias), note
