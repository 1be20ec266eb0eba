"""The fit makes small what it says it does, along the right gradient, and finds what made the data."""

from dataclasses import replace

import numpy as np
import pytest

from mtclar.evaluation.kriging_fit import START, Stretch, batches, fit
from mtclar.evaluation.kriging_loss import FITTED, Batch, loss
from mtclar.labelling.kriging import Points, matern, posterior


def batch_of(rng, *, levelled: bool, anchors: int = 2) -> Batch:
    """Three stretches, one of them shorter, with some anchors each."""
    c, n = 3, 7
    real = np.ones((c, n), bool)
    real[1, 5:] = False
    faces, times_s = rng.normal(size=(c, n, 3)), rng.uniform(0, 2, (c, n))
    return Batch(
        gaps=np.abs(times_s[:, :, None] - times_s[:, None]),
        distances=((faces[:, :, None] - faces[:, None]) ** 2).sum(axis=3),
        log_quality=np.log(rng.uniform(0.1, 1, (c, n))),
        readings=rng.normal(size=(c, n)),
        truth=rng.normal(size=(c, n)),
        real=real,
        anchors=anchors,
        levelled=levelled,
    )


@pytest.mark.parametrize("levelled", [True, False])
def test_the_loss_is_the_mean_log_density_that_the_fusion_itself_gives(levelled):
    batch, terms, parts = batch_of(np.random.default_rng(0), levelled=levelled), replace(START, mean=0.1), []
    for i in range(3):
        real = batch.real[i]
        own = np.ones(real.sum(), bool)
        distances = batch.distances[i][np.ix_(real, real)]
        gaps = batch.gaps[i][np.ix_(real, real)]
        # Times that have these gaps: measured from the earliest, which is farthest from the latest.
        times_s = gaps[np.unravel_index(gaps.argmax(), gaps.shape)[0]]
        points = Points(
            times_s, batch.readings[i, real], distances, np.exp(batch.log_quality[i, real]), own, own, levelled
        )
        found = posterior(terms, points, batch.truth[i, :2], np.ones(2))
        miss = ((batch.truth[i, real] - found.mean) / found.sd)[2:]
        parts.append(np.mean(0.5 * miss**2 + np.log(found.sd[2:])))
    assert loss(terms, batch)[0] == pytest.approx(np.mean(parts), rel=1e-9)


@pytest.mark.parametrize(("levelled", "anchors"), [(True, 2), (False, 2), (True, 0)])
@pytest.mark.parametrize("name", FITTED)
def test_the_gradient_is_that_of_small_steps(name, levelled, anchors):
    batch, step = batch_of(np.random.default_rng(1), levelled=levelled, anchors=anchors), 1e-5
    terms = replace(START, mean=0.1, offset=0.3)
    up, down = (
        loss(replace(terms, **{name: getattr(terms, name) * np.exp(sign * step)}), batch)[0] for sign in (1, -1)
    )
    assert loss(terms, batch)[1][name] == pytest.approx((up - down) / (2 * step), rel=1e-4, abs=1e-6)


def stretch_of(rng, number: int, n: int = 30) -> Stretch:
    """A clip drawn from known terms: noise of 0.05 on a clear face, ten times that where quality is 0.1."""
    times_s = np.arange(n) / 25
    smooth = 0.3**2 * matern(np.abs(times_s[:, None] - times_s) / 0.5) + 1e-9 * np.eye(n)
    truth = np.linalg.cholesky(smooth) @ rng.normal(size=(n, 2))
    quality = np.where(np.arange(n) >= 20, 0.1, 1.0)
    seen = truth + rng.normal(0, 0.1, 2) + 0.05 / quality[:, None] * rng.normal(size=(n, 2))
    faces = rng.normal(size=(n, 3))
    distances = ((faces[:, None] - faces) ** 2).sum(axis=2)
    return Stretch(number, times_s, truth, seen[:, None] - seen, seen, distances, quality)


def test_the_fit_finds_the_noise_and_how_it_grows_where_a_face_can_hardly_be_seen():
    rng = np.random.default_rng(2)
    found = fit([stretch_of(rng, i) for i in range(25)], np.random.default_rng(0), steps=30).valence
    assert found.haze == pytest.approx(2.0, abs=0.6)
    assert np.hypot(found.noise, found.drift) == pytest.approx(0.05, abs=0.025)
    assert found.move == pytest.approx(0.3, abs=0.1)
    assert found.offset < 0.2


def test_the_fit_is_better_than_its_start_and_the_same_for_the_same_seed():
    rng = np.random.default_rng(3)
    stretches = [stretch_of(rng, i) for i in range(6)]
    found, again = (fit(stretches, np.random.default_rng(0), steps=8) for _ in range(2))
    assert found == again
    parts = batches(stretches, 1, np.random.default_rng(1))
    assert sum(loss(found.arousal, part)[0] for part in parts) < sum(loss(START, part)[0] for part in parts)


def test_without_an_anchor_the_readings_are_the_levels_themselves():
    stretch = stretch_of(np.random.default_rng(5), 0)
    batch = batches([stretch], 1, np.random.default_rng(0))[0]
    assert batch.anchors == 0
    np.testing.assert_array_equal(batch.readings[0], stretch.levels[:, 1])


def test_a_stretch_too_short_for_an_anchor_and_a_frame_more_is_left_out():
    rng = np.random.default_rng(4)
    parts = batches([stretch_of(rng, 0, n=3), stretch_of(rng, 1)], 0, rng)
    assert [(len(part.real), part.anchors) for part in parts] == [(2, 0), (2, 1), (2, 2), (1, 4)]
