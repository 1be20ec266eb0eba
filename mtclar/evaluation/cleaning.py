"""Which pictures a protocol of AffectNet judges: seven or eight expressions, raw or cleaned.

EmoNet's numbers on AffectNet are of a cleaned validation set and not comparable with those of the raw one (Toisoul et
al. 2021). Its cleaning keeps a picture whose valence v and arousal a agree with its expression, with I = sqrt(v^2+a^2):

    neutral   I < 0.2                      fear      a >= 0, v <= 0, I > 0.2
    happy     v > 0, I > 0.2               disgust   v < 0, I > 0.3
    sad       v < 0, I > 0.2               anger     a > 0, I > 0.2
    surprise  a > 0, I > 0.2               contempt  v < 0, I > 0.2

and whose expression its authors found right by eye. Their verdicts are not published, so only the rule is applied here;
alone it keeps 3,858 of the 3,999 pictures of AffectNet-8's validation set.
"""

from __future__ import annotations

import numpy as np

from mtclar.data.tables import EXPRESSIONS
from mtclar.errors import MtclarError

CALM, STRONG, DISGUSTED = 0.2, 0.2, 0.3


def consistent(expression: np.ndarray, valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """Whether labels agree with each other by EmoNet's automatic rule.

    Args:
        expression: int (n,), position in `EXPRESSIONS`, -1 where not known.
        valence, arousal: float (n,), in [-1, 1].

    Returns:
        bool (n,); False where the expression, valence or arousal is not known.

    Raises:
        MtclarError: The columns differ in length, or an expression is none of the eight.
    """
    e, v, a = np.asarray(expression), np.asarray(valence, np.float64), np.asarray(arousal, np.float64)
    if not e.shape == v.shape == a.shape or e.ndim != 1:
        raise MtclarError(f"cleaning needs three columns of one length, got {e.shape}, {v.shape} and {a.shape}.")
    if e.size and not (e.min() >= -1 and e.max() < len(EXPRESSIONS)):
        raise MtclarError(f"cleaning got an expression outside -1..{len(EXPRESSIONS) - 1}.")
    intensity = np.hypot(v, a)
    strong = intensity > STRONG
    holds = {
        "neutral": intensity < CALM,
        "happy": (v > 0) & strong,
        "sad": (v < 0) & strong,
        "surprise": (a > 0) & strong,
        "fear": (a >= 0) & (v <= 0) & strong,
        "disgust": (v < 0) & (intensity > DISGUSTED),
        "anger": (a > 0) & strong,
        "contempt": (v < 0) & strong,
    }
    # A code of -1 chooses the row of False that stands last.
    table = np.stack([*(holds[name] for name in EXPRESSIONS), np.zeros(e.shape, bool)])
    return table[e, np.arange(e.size)]


def in_protocol(expression: np.ndarray, affect: np.ndarray, *, expressions: int, clean: bool) -> np.ndarray:
    """Which pictures are judged.

    AffectNet-8 are the pictures of the eight expressions, AffectNet-7 those without contempt; a picture that has none
    of them (AffectNet's own "None") belongs to neither. Where no picture has an expression there is nothing to choose
    by, and all are judged.

    Args:
        expression: int (n,), position in `EXPRESSIONS`, -1 where not known.
        affect: float64 (n, 2), valence and arousal.
        expressions: 7 or 8; the seven come first.
        clean: Whether `consistent` decides as well.

    Returns:
        bool (n,).
    """
    if not (expression >= 0).any():
        return np.ones(len(expression), bool)
    chosen = (expression >= 0) & (expression < expressions)
    return chosen & consistent(expression, affect[:, 0], affect[:, 1]) if clean else chosen
