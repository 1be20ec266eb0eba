"""What a model was judged on, as one short name: two evaluations with the same one may be compared number by number."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

from mtclar.evaluation.judge import rows_needed
from mtclar.revision import UNKNOWN
from mtclar.settings import EvaluateSettings

if TYPE_CHECKING:
    import pandas as pd

PROTOCOL = 1
"""Raise it where the same model gets other numbers by a change of mtclar/evaluation."""

_NO_MATTER = {"real_anchors", "real_placements"}
"""Settings of the test on real faces, which is another evaluation."""
_ID = ("dataset", "subject_id", "clip_id", "track_id", "frame", "face_id", "split", "expression")
_MEASURED = ("time_s", "valence", "arousal")


def evaluation_set(settings: EvaluateSettings, store_revision: str, faces: pd.DataFrame, pairs: pd.DataFrame) -> str:
    """The name of what `mtclar evaluate` judges by; nothing of the model is in it.

    It follows from the data revision, from which faces, clips and pairs are judged or calibrated on, in their order and
    with their labels, and from the settings of the protocol.

    Args:
        settings: The section `evaluate` of params.yaml.
        store_revision: Data revision of the faces store, see `mtclar.revision.data_revision`.
        faces: Its table, with the columns of `tables.FACES`, indexed by store row.
        pairs: Its pairs, with the columns of `tables.PAIRS`.

    Returns:
        64 hexadecimal digits; "unknown" where the data revision is not known, which is no name: nobody can say whether
        two unknown sets are the same.

    Raises:
        MtclarError: As `judge.rows_needed` does.
    """
    rows = rows_needed(faces, pairs, settings)
    if store_revision == UNKNOWN:
        return UNKNOWN
    chosen = faces.loc[rows]
    said = {
        "protocol": PROTOCOL,
        "settings": settings.model_dump(mode="json", exclude=_NO_MATTER),
        "data": store_revision,
        "faces": chosen[list(_ID)]
        .astype(object)
        .where(chosen[list(_ID)].notna(), None)
        .astype(str)
        .to_numpy()
        .tolist(),
        "pairs": faces["face_id"]
        .to_numpy(str)[pairs.loc[pairs["split"] == settings.split, ["left", "right"]]]
        .tolist(),
    }
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(chosen[list(_MEASURED)].to_numpy("<f8")).tobytes())
    return digest.hexdigest()
