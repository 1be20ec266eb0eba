"""Pairs of faces to learn from, drawn block by block; numpy only.

The pairs of a block share a few unique faces, so an encoder sees each face once while the projectors see many pairs.
`classes` pairs by expression, `affect` by valence and arousal, `people` one person's faces; `wheel` says how far
expressions lie apart.
"""

from mtclar.learning.pairs.affect import affect_pairs
from mtclar.learning.pairs.classes import class_pairs
from mtclar.learning.pairs.deal import Draw
from mtclar.learning.pairs.people import person_pairs
from mtclar.learning.pairs.table import check_belong, expression_codes, pairs_table
from mtclar.learning.pairs.wheel import distances, partners

__all__ = [
    "Draw",
    "affect_pairs",
    "check_belong",
    "class_pairs",
    "distances",
    "expression_codes",
    "pairs_table",
    "partners",
    "person_pairs",
]
