"""What the anchors of a track tell of the one that is labelled: how its hyper-parameters differ from those of others.

A network errs more on some clips than on the people it was fitted on, most of all on real ones, and some people are
unlike the others. How much is weighed by the density that each candidate gives the labels of the anchors, given what is
read at all of them, and by normal priors on the logarithms of the factors around 0. The means of the logarithms are
taken: one anchor says little, and only if it lies far from what was expected. In the end the readings are weighed
against none at all, see `blind`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mtclar.labelling.blind import LEAST_ANCHORS, SHARE, Blind
from mtclar.labelling.kriging import Kriging, Terms, posterior
from mtclar.labelling.personal import SHARE as PERSONAL_SHARE
from mtclar.labelling.personal import Anchored, Personal
from mtclar.labelling.readings import points_of
from mtclar.labelling.support import Votes

ERRORS, PERSONS = np.exp2(np.arange(-1.0, 3.5)), np.exp2(np.arange(0.0, 3.5))
"""Candidates for a clip's errors (drift, look, noise) and for how unlike others its person is (offset and scale), over
what they were on validation people."""
ERROR_SPREAD, PERSON_SPREAD = 0.5, 0.7
"""Standard deviation of the logarithm of each factor from clip to clip. Clips to come are of other cameras, light and
people, so that errors of twice the usual size are nothing rare and eight times is not out of the question; and a label
far from what is read is more likely from a person, or a rater, who is unlike the others."""
_AT_A_TIME = 64  # anchors


@dataclass(frozen=True)
class Refined:
    """One dimension of one track.

    Attributes:
        terms: Its hyper-parameters.
        blind: The account of its anchors without readings; None where there are too few.
        personal: The account that takes readings at their word.
        shares: float64 (3,), how far the kriged account, `personal` and `blind` are to be believed; they sum to 1.
    """

    terms: Terms
    blind: Blind | None
    personal: Personal
    shares: np.ndarray


def refine(votes: Votes, kriging: Kriging, timed: np.ndarray) -> tuple[Refined, Refined]:
    """Hyper-parameters as a track's anchors on its timeline say, at `timed` (k,), in the order of time."""
    support = votes.support
    parts = [part for part in np.array_split(timed, -(-len(timed) // _AT_A_TIME) or 1) if len(part)]
    points = [points_of(votes, part, np.empty(0, int))[0] for part in parts]
    errors, persons = np.log(ERRORS)[:, None], np.log(PERSONS)[None, :]
    prior = -0.5 * ((errors / ERROR_SPREAD) ** 2 + (persons / PERSON_SPREAD) ** 2)
    prior -= _log_sum(prior)
    found = []
    for d, terms in enumerate((kriging.valence, kriging.arousal)):
        given = [(support.times_s[part], support.labels[part, d], support.weights[part]) for part in parts]
        score = prior.copy()
        for (_, labels, weights), both in zip(given, points, strict=True):
            score += [
                [posterior(_scaled(terms, error, person), both[d], labels, weights).evidence for person in PERSONS]
                for error in ERRORS
            ]
        evidence = _log_sum(score)
        share = np.exp(score - evidence)
        own = _scaled(terms, np.exp((share * errors).sum()), np.exp((share * persons).sum()))
        seen = [
            Anchored(times_s[heard], both[d].readings[heard], labels[heard], weights[heard])
            for (times_s, labels, weights), both in zip(given, points, strict=True)
            for heard in [np.isfinite(both[d].readings)]
        ]
        personal = Personal.of(terms.rater, seen, levelled=all(both[d].levelled for both in points))
        known = sum(len(part.labels) for part in seen) == len(timed) > 0
        blind = Blind.of(terms, given) if len(timed) >= LEAST_ANCHORS else None
        odds = [0.0, personal.evidence - evidence, -np.inf if blind is None else blind.evidence - evidence]
        prior_shares = np.array([1 - PERSONAL_SHARE, PERSONAL_SHARE if known else 0.0, SHARE / (1 - SHARE)])
        shares = prior_shares * np.exp(np.clip(np.array(odds) - max(odds), -700.0, 0.0))
        found.append(Refined(own, blind, personal, shares / shares.sum()))
    return found[0], found[1]


def _log_sum(logarithms: np.ndarray) -> float:
    highest = logarithms.max()
    return float(highest + np.log(np.exp(logarithms - highest).sum()))


def _scaled(terms: Terms, error: float, person: float) -> Terms:
    return replace(
        terms,
        offset=terms.offset * person,
        scale=terms.scale * person,
        drift=terms.drift * error,
        look=terms.look * error,
        noise=terms.noise * error,
    )
