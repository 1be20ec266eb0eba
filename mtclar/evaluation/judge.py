"""Everything `mtclar evaluate` finds out about a model, from embeddings and tables; no files, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError
from mtclar.evaluation.answers import Embeddings, Heads
from mtclar.evaluation.bootstrap import by_cluster
from mtclar.evaluation.calibrate import Calibrated, as_raters_do, calibrate
from mtclar.evaluation.clips import DIMENSIONS, clips_of, pictures_of
from mtclar.evaluation.few_shot import FewShot, can_label, label_clips, score
from mtclar.evaluation.fine import interval_block
from mtclar.evaluation.heads import (
    Pairs,
    Pictures,
    Training,
    expression_confusion,
    score_pairs,
    score_protocols,
    training_facts,
)
from mtclar.evaluation.protocol import Labelled
from mtclar.evaluation.scores import clusters
from mtclar.evaluation.supports import WITHOUT, bank_rows, check_supports
from mtclar.settings import EvaluateSettings

if TYPE_CHECKING:
    import pandas as pd

NOT_ABLE = (
    "The model does not predict the differences of both valence and arousal (train.tasks), so it labels no clips: "
    "everything about few-shot labelling and its band is left out."
)
_CHUNK = 16384  # pairs compared at a time


@dataclass(frozen=True)
class Judgement:
    """What was found.

    Attributes:
        metrics: Nested numbers, NaN where unknown.
        calibration: Content of calibration.json.
        labelled: The split's clips by each support set; none where the model cannot label.
        pairs: The split's pairs.
        confusion: int (8, 8), true by predicted expression of the split's pictures.
    """

    metrics: dict[str, Any]
    calibration: dict[str, Any]
    labelled: dict[str, list[Labelled]]
    pairs: Pairs
    confusion: np.ndarray


def rows_needed(faces: pd.DataFrame, pairs: pd.DataFrame, settings: EvaluateSettings) -> np.ndarray:
    """Store rows (m,), ascending, that must be embedded.

    They are the clips and pictures of the split, its pairs, the validation clips and the bank of training faces.

    Raises:
        MtclarError: The split has nothing to judge, a pair names a face that the store does not have or that belongs
            to another split, or a support set is not known.
    """
    check_supports(settings.supports)
    split = settings.split
    parts = [pictures_of(faces, split)]
    parts += [clip.rows for name in {split, "validation"} for clip in clips_of(faces, name)]
    chosen = pairs[pairs["split"] == split]
    named = np.unique(chosen[["left", "right"]].to_numpy(np.int64))
    if len(named) and not (named[0] >= 0 and named[-1] < len(faces)):
        raise MtclarError(
            f"the pairs name face {named[-1]}, but the store has {len(faces)} faces; run 'mtclar pair' on this store."
        )
    if (faces["split"].to_numpy()[named] != split).any():
        raise MtclarError(f"pairs of split '{split}' name faces of another split; run 'mtclar pair' on this store.")
    if not len(named) and not len(parts[0]) and not clips_of(faces, split):
        raise MtclarError(f"split '{split}' has no labelled clips, pictures or pairs to judge; see crop.{split}.")
    if "bank" in settings.supports:
        parts.append(bank_rows(faces, settings.seed))
    return np.unique(np.concatenate([*parts, named]))


def judge(
    settings: EvaluateSettings,
    faces: pd.DataFrame,
    pairs: pd.DataFrame,
    embeddings: Embeddings,
    heads: Heads,
    spoilt: Embeddings | None = None,
) -> Judgement:
    """Judges a model on the people of one split.

    Args:
        settings: Which split, which stride, how many resamples.
        faces: Table of the faces store.
        pairs: Table with the columns of `tables.PAIRS`.
        embeddings: Of all `rows_needed`.
        heads: The trained heads.
        spoilt: Of the rows of the validation clips, made harder to see, from which labelling learns how a
            model errs on such faces; it may do without.
    """
    rng = np.random.default_rng(settings.seed)
    draw: dict[str, Any] = {"resamples": settings.bootstrap, "rng": rng}
    training = _training(faces, pairs)
    clips = clips_of(faces, settings.split)
    held_out = clips_of(faces, "validation")
    few = banded = FewShot({}, {})
    few_metrics: dict[str, Any] = {}
    notes: list[str] = [NOT_ABLE]
    able = can_label(embeddings.values, heads)
    calibrated = calibrate(settings, held_out if able else [], embeddings, spoilt, heads)
    if able:
        few = banded = label_clips(settings, faces, clips, embeddings, heads, training.mean, calibrated.process)
        few_metrics, notes = score(settings, few, clips, rng)
        rated = as_raters_do(clips, settings)  # bands are for labels that people give
        if settings.rater_level + settings.rater_scale > 0:
            names = [name for name in ("first", WITHOUT) if name in few.supports]
            banded = label_clips(
                settings, faces, rated, embeddings, heads, training.mean, calibrated.process, supports=names
            )
    paired = _pairs(faces, pairs[pairs["split"] == settings.split], embeddings, heads)
    rows_of_pictures = pictures_of(faces, settings.split)
    pictures = _pictures(faces, rows_of_pictures, embeddings, heads)
    single, judged = score_protocols(pictures, training, expressions=settings.expressions, clean=settings.clean, **draw)
    metrics: dict[str, Any] = {
        "few_shot": few_metrics,
        "pairs": score_pairs(paired, training, **draw),
        **single,
    }
    metrics["calibration"] = _coverage(settings, banded, calibrated, rng)
    rows = [clip.rows for clip in clips]
    metrics |= {
        "n_clips": len(clips),
        "n_frames": sum(len(clip) for clip in clips),
        "n_pictures": int(judged.sum()),
        "n_people": _people(faces, np.concatenate([*rows, rows_of_pictures[judged]])),
        "split": settings.split,
        "expressions": settings.expressions,
        "clean": settings.clean,
        "stride": settings.stride,
        "bootstrap": settings.bootstrap,
        "cluster": settings.cluster,
        "fusion": settings.fusion,
        "notes": notes,
    }
    confusion = expression_confusion(pictures[judged], settings.expressions)
    return Judgement(metrics, calibrated.content, few.supports, paired, confusion)


def _coverage(
    settings: EvaluateSettings, few: FewShot, calibrated: Calibrated, rng: np.random.Generator
) -> dict[str, Any]:
    """What the calibrated bands hold of the judged frames, of all together and of each clip, and how wide they are.

    `{dimension: with the first frame as anchor, "none": {dimension: without any}, "budgets": {share: {dimension:
    ...}}}`, where as many anchors as the budget allows are drawn at random; votes have no standard deviation and so no
    band.
    """
    found: dict[str, Any] = {"target": settings.coverage, "same_clips": settings.split == "validation"}
    found |= _held(settings, few.supports.get("first", []), calibrated, rng)
    if WITHOUT in few.supports:
        found[WITHOUT] = _held(settings, few.supports[WITHOUT], calibrated, rng)
    if settings.fusion == "process":
        found["budgets"] = {f"{share:g}": _held(settings, items, calibrated, rng) for share, items in few.drawn.items()}
    return found


def _held(
    settings: EvaluateSettings, labelled: Sequence[Labelled], calibrated: Calibrated, rng: np.random.Generator
) -> dict[str, Any]:
    multiples, known = calibrated.multiples, calibrated.content
    scored = [item for item in labelled if item.queries.any() and np.isfinite(item.sd).all()]
    spoke = np.array([item.spoke for item in scored], np.int64)
    found: dict[str, Any] = {}
    for k, name in enumerate(DIMENSIONS):
        each = multiples.at(spoke)[:, k]
        found[name] = {"multiple": float(each.mean()) if len(each) else float("nan"), "assured": known["assured"]}
        if known["n_clips"] and scored:
            clip = np.repeat(np.arange(len(scored)), [int(item.queries.sum()) for item in scored])
            truth = np.concatenate([item.clip.truth[item.queries, k] for item in scored])
            label = np.concatenate([item.methods["mtclar"][item.queries, k] for item in scored])
            half = each[clip] * np.concatenate([item.sd[item.queries, k] for item in scored])
            drawn = clusters([item.clip for item in scored], settings.cluster)[clip]
            bootstrap = by_cluster(drawn, settings.bootstrap, rng)
            found[name] |= interval_block(bootstrap, clip, truth, label - half, label + half, target=settings.coverage)
    return found


def _training(faces: pd.DataFrame, pairs: pd.DataFrame) -> Training:
    chosen = faces[faces["split"] == "train"]
    delta = pairs.loc[pairs["split"] == "train", ["d_valence", "d_arousal"]].to_numpy(np.float64)
    return training_facts(_codes(chosen), chosen[list(DIMENSIONS)].to_numpy(np.float64), delta)


def _codes(faces: pd.DataFrame) -> np.ndarray:
    """Expressions as positions in EXPRESSIONS, -1 where not known."""
    code = {name: k for k, name in enumerate(EXPRESSIONS)}
    return np.array([code.get(name, -1) for name in faces["expression"]], np.int64)


def _people(faces: pd.DataFrame, rows: np.ndarray) -> int:
    return int(faces["subject_id"].iloc[rows.astype(np.int64)].nunique())


def _pairs(faces: pd.DataFrame, chosen: pd.DataFrame, embeddings: Embeddings, heads: Heads) -> Pairs:
    """The split's pairs with the model's answers."""
    left, right = chosen["left"].to_numpy(np.int64), chosen["right"].to_numpy(np.int64)
    answers = [
        np.stack(heads.compare(embeddings[left[part]], embeddings[right[part]]), axis=1)
        for part in (slice(start, start + _CHUNK) for start in range(0, len(left), _CHUNK))
    ]
    answer = np.concatenate(answers).astype(np.float64) if answers else np.empty((0, 3))
    people = faces["subject_id"].to_numpy(str)
    return Pairs(
        left_person=people[left],
        right_person=people[right],
        similar=chosen["similar"].astype("boolean").to_numpy(np.float64, na_value=np.nan),
        delta=chosen[["d_valence", "d_arousal"]].to_numpy(np.float64),
        similar_p=answer[:, 0],
        delta_p=answer[:, 1:],
    )


def _pictures(faces: pd.DataFrame, rows: np.ndarray, embeddings: Embeddings, heads: Heads) -> Pictures:
    """The split's single pictures with the model's answers."""
    expression, valence, arousal = heads.single(embeddings[rows])
    return Pictures(
        person=faces["subject_id"].to_numpy(str)[rows],
        expression=_codes(faces.iloc[rows]),
        truth=faces[list(DIMENSIONS)].to_numpy(np.float64)[rows],
        expression_p=np.asarray(expression, np.float64),
        affect_p=np.stack([valence, arousal], axis=1).astype(np.float64),
    )
