"""A contact sheet: faces of many people, valence from left to right, arousal from below to above."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mtclar.data.store import FacesStore

COLUMNS, ROWS, SIDE, GAP = 12, 10, 96, 2
GROUND = 235


def chosen(faces: pd.DataFrame, rng: np.random.Generator) -> list[list[int | None]]:
    """Rows of the faces on the sheet: for each of its `COLUMNS` columns, left to right, `ROWS` from above to below.

    The columns are equal shares of all faces by valence, and the places in them equal shares by arousal, so the sheet
    shows the labels as they are spread. A place takes somebody who is not on the sheet yet, where it can.

    Args:
        faces: Columns of `tables.FACES`, at least one row.
        rng: Draws one face of each place.
    """
    valence, arousal = faces["valence"].to_numpy(), faces["arousal"].to_numpy()
    people = faces["subject_id"].to_numpy()
    shown: set[str] = set()
    columns = []
    for column in np.array_split(np.argsort(valence, kind="stable"), COLUMNS):
        places: list[int | None] = []
        for place in np.array_split(column[np.argsort(-arousal[column], kind="stable")], ROWS):
            order = rng.permutation(place).tolist()
            row = next((i for i in order if people[i] not in shown), order[0] if order else None)
            if row is not None:
                shown.add(people[row])
            places.append(row)
        columns.append(places)
    return columns


def sheet(store: FacesStore, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The sheet as a picture, uint8 RGB, as high as its fullest column."""
    step = SIDE + GAP
    columns = chosen(store.table, rng)
    high = max(sum(row is not None for row in column) for column in columns)
    picture: NDArray[np.uint8] = np.full((high * step + GAP, COLUMNS * step + GAP, 3), GROUND, np.uint8)
    for x, column in enumerate(columns):
        for y, row in enumerate(column):
            if row is not None:
                small = cv2.resize(store.crop(row), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
                top, left = y * step + GAP, x * step + GAP
                picture[top : top + SIDE, left : left + SIDE] = small
    return picture
