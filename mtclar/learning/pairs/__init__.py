"""Pairs of faces to learn from, drawn block by block; numpy only.

The pairs of a block share a few unique faces, so an encoder sees each face once while the projectors see many pairs.
`classes` pairs by expression, `affect` by valence and arousal, `people` one person's faces; `wheel` says how far
expressions lie apart; `draw` says what is drawn for which split.
"""

from mtclar.learning.pairs.affect import affect_pairs
from mtclar.learning.pairs.classes import class_pairs
from mtclar.learning.pairs.deal import Draw
from mtclar.learning.pairs.draw import held_out_pairs, training_pairs
from mtclar.learning.pairs.people import person_pairs
from mtclar.learning.pairs.table import check_belong, expression_codes, pairs_table
from mtclar.learning.pairs.wheel import distances, partners

DRAWN_BY = "pair"
"""Key in the metadata of a table of pairs: the settings that it was drawn by, as JSON."""

__all__ = [
    "DRAWN_BY",
    "Draw",
    "affect_pairs",
    "check_belong",
    "class_pairs",
    "distances",
    "expression_codes",
    "held_out_pairs",
    "pairs_table",
    "partners",
    "person_pairs",
    "training_pairs",
]
