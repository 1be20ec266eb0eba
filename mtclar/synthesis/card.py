"""The data card of a sample: what it is, how it was made, who is to be thanked, what it is not good for."""

from __future__ import annotations

from typing import Any

CREDIT = """The people were rendered from the **ICT Face Model Light** of ICT-FaceKit, copyright (c) 2020 USC Institute
for Creative Technologies, MIT licence (https://github.com/ICT-VGL/ICT-FaceKit). The model itself is not part of this
sample."""
NO_CREDIT = "The people were drawn in two dimensions from ellipses and polygons; no third party's data was used."

CARD = """# A sample of people who do not exist

Faces with labels of valence and arousal that anybody may use: nobody in them exists, nobody rated them, and the label
is what the face was made to show. Made by `mtclar sample` with

    mtclar sample --artist {artist} --people {people} --clips {clips} --frames {frames} --seed {seed}

which makes the same again with the same versions of its libraries, byte for byte but for the H.264 streams, where the
encoder does not always decide alike.

## What is in it

| | train | validation | test | all |
|---|---|---|---|---|
| people | {people_train} | {people_validation} | {people_test} | {people} |
| pictures, eight a person | {pictures_train} | {pictures_validation} | {pictures_test} | {pictures} |
| clips | {clips_train} | {clips_validation} | {clips_test} | {clips} |
| frames of clips | {frames_train} | {frames_validation} | {frames_test} | {clip_frames} |

Besides, {videos} videos of test people. The detector that `mtclar crop` uses by default finds
**{found} of {faces}** whole faces ({rate:.2f} %). No person is in two splits.

- `sample.json`: who is where: people and their split, the person of every picture, clip and video.
- `affectnet/train_set`, `affectnet/val_set`: pictures of {picture_size} pixels as in AffectNet's npy release,
  each person once in each of eight expressions (training people in the first; validation and test people in the
  second; the same id may occur in both).
- `afew-va/01`, ...: clips of {clip_size} pixels in AFEW-VA's layout, 25 frames a second, integers -10..10. As in the
  real set some clips count their frames from 1, and some have one more key, `emotion`. In about half of them the face
  is hard to see for a quarter to half of the time: dark, out of focus, or turned by 20 to 28 degrees more.
- `videos/*.mp4` with `videos/labels.csv`, the truth of each frame (no label while the face is out of view), and
  `anchors.csv`, three labelled frames a video, as a user would give them. In `two_people` they are of track 0, and a
  point on the face says so.
{packed}
## Labels

Pictures have valence and arousal drawn like AffectNet's classes (means and spreads of its published validation
labels), inside the unit disc. In clips affect moves along paths from expression to expression with onset, hold and
offset at natural speeds, and is written on AFEW-VA's grid of 0.1. Each label is a linear function of the expressions
shown, each in one of several ways. Resting face, expressiveness and asymmetry differ from person to person. Blinks,
speech, gaze, head pose, light, background, blur and noise vary and do not move the label.

## Meant for, and not

For trying, testing and tuning the software, and as a start where no licensed data is at hand. Not for judging how well
a model reads real people: real faces have wrinkles, hair, hands, glasses, culture and context that these lack; heads
turn little here but for those spans; and the link from affect to expression is an assumption, not an observation.
## Licence and credit

The sample: Apache-2.0. {credit}
"""


def write_card(numbers: dict[str, Any], artist: str, archive: bool) -> str:
    """Fill in the data card.

    Args:
        numbers: counts and settings, by the names in `CARD`.
        artist: who drew.
        archive: the folders of pictures and clips were packed into zips.
    """
    packed = "- The folders `train_set`, `val_set`, `01`, ... are zips here, as AFEW-VA's are.\n" if archive else ""
    return CARD.format(
        **numbers,
        artist=artist,
        packed=packed,
        credit=CREDIT if artist == "rendered" else NO_CREDIT,
    )
