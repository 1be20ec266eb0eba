"""The data card of a faces store made in bulk."""

from __future__ import annotations

from typing import Any

from mtclar.data.tables import SPLITS
from mtclar.settings import SynthesizeSettings
from mtclar.synthesis.card import CREDIT, NO_CREDIT

CARD = """# Faces of people who do not exist

{total:,} faces of {everybody:,} people, cut out and labelled with valence and arousal, that anybody may use: nobody in
them exists, nobody rated them, and the label is what the face was made to show. Made by `mtclar synthesize` with

{settings}

as the section `synthesize` of params.yaml, which makes the same again, byte for byte, with the same versions of its
libraries.

## What is in it

| | train | validation | test | all |
|---|---|---|---|---|
{counts}

A faces store of mtclar: `faces.parquet`, a row a face; `crops-*.arrow`, its crops of {size} pixels, JPEG; `store.json`.
Beside it `synthesis.parquet`, how each face was made, row by row; `statistics.json` and `statistics.html`, what that
comes to; `sheet.jpg`, some of the faces, valence from left to right and arousal from below to above. No person is in
two splits. Everybody has single pictures; some validation and test people have a clip each, 25 frames a second.

The crops are cut where the face is known to be, off by as much as a detector's box is. The detector that
`mtclar crop` uses by default {detection}

## Labels

Each label is drawn first, spread over the whole disc of valence and arousal, and then shown in one of many ways. What
is added after the label is fixed does not move it: resting face, expressiveness and asymmetry of the person, speech,
blinks, pressed or pursed lips, gaze, head pose, light, distance, hands, things, hair or glasses before the face, blur,
noise, compression. `expression` is null where none of AffectNet's eight is meant.

## Meant for, and not

For training a model that owes nobody anything, and for measuring it by group: how light a skin is, the shape that comes
with age, pose, what hides the face. Not for judging how well a model reads real people: the link from affect to
expression is an assumption, not an observation, and these faces lack wrinkles, culture and context.

## Licence and credit

The faces: Apache-2.0. {credit}
"""


def bulk_card(s: SynthesizeSettings, counted: dict[str, Any]) -> str:
    """Fills in the card.

    Args:
        s: The section `synthesize` of params.yaml.
        counted: What `statistics.statistics` found.
    """
    settings = "\n".join(f"    {key}: {value}" for key, value in s.model_dump(exclude={"workers"}).items())
    rows = []
    for name in ("people", "faces", "clips"):
        cells = [counted[name][split] for split in SPLITS]
        rows.append(f"| {name} | " + " | ".join(f"{cell:,}" for cell in [*cells, sum(cells)]) + " |")
    tried, found = counted["detection"]["tried"], counted["detection"]["found"]
    rate = f"finds {found:,} of the {tried:,} it was tried on ({found / tried:.1%})." if tried else "was not tried."
    return CARD.format(
        total=sum(counted["faces"].values()),
        everybody=sum(counted["people"].values()),
        settings=settings,
        counts="\n".join(rows),
        size=s.size,
        detection=rate,
        credit=CREDIT.replace("this\nsample", "the store") if s.artist == "rendered" else NO_CREDIT,
    )
