"""The plan of a store made in bulk: who is in it, in which split, in how many pictures."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mtclar.errors import MtclarError
from mtclar.settings import SynthesizeSettings, read_params
from mtclar.synthesis.bulk_plan import bulk_jobs, pictures_tried

DEFAULTS = read_params()["synthesize"]


def settings(**changes: object) -> SynthesizeSettings:
    return SynthesizeSettings.model_validate({**DEFAULTS, **changes})


def test_the_defaults_make_two_thousand_people_and_a_hundred_thousand_faces() -> None:
    s = settings()
    jobs = bulk_jobs(s)
    assert len({job.person for job in jobs}) == s.people >= 2000
    assert sum(job.count for job in jobs) >= 100_000


@hypothesis_settings(deadline=None, max_examples=50)
@given(
    people=st.integers(3, 300),
    shares=st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)),
    frames=st.integers(10, 60),
    seed=st.integers(0, 2**32),
    data=st.data(),
)
def test_everybody_has_pictures_in_one_split_and_some_of_those_held_out_a_clip(
    people: int, shares: tuple[float, float], frames: int, seed: int, data: st.DataObject
) -> None:
    held = [max(1, round(share * people)) for share in shares]
    if sum(held) >= people:
        return
    clips = data.draw(st.integers(0, min(held)))
    s = settings(people=people, validation=shares[0], test=shares[1], frames=frames, seed=seed, clips=clips)
    jobs = bulk_jobs(s)
    stills = [job for job in jobs if job.kind == "stills"]
    assert [job.person for job in stills] == list(range(people))
    assert Counter(job.split for job in stills) == {
        "train": people - sum(held),
        "validation": held[0],
        "test": held[1],
    }
    assert {job.count for job in stills if job.split == "train"} == {s.stills}
    assert {job.count for job in stills if job.split != "train"} == {s.stills_held_out}
    split_of = {job.person: job.split for job in stills}
    filmed = [job for job in jobs if job.kind == "clip"]
    assert len({job.person for job in filmed}) == len(filmed) == 2 * clips
    assert all(job.split == split_of[job.person] for job in filmed)
    assert Counter(job.split for job in filmed) == Counter({"validation": clips, "test": clips})
    assert all(frames * 0.6 <= job.count <= frames * 1.4 for job in filmed)
    assert len({job.key for job in jobs}) == len({job.name for job in jobs}) == len(jobs)
    assert bulk_jobs(s) == jobs


@hypothesis_settings(deadline=None, max_examples=50)
@given(pictures=st.integers(0, 400))
def test_the_detector_is_tried_on_as_many_pictures_as_asked_for_spread_over_all_jobs(pictures: int) -> None:
    jobs = bulk_jobs(settings(people=40, stills=20, stills_held_out=20, clips=4, frames=20))
    tried = pictures_tried(jobs, pictures)
    assert sum(tried) == pictures
    assert max(tried) - min(tried) <= 1


def test_no_job_is_tried_on_more_pictures_than_it_has() -> None:
    jobs = bulk_jobs(settings(people=5, stills=3, stills_held_out=2, clips=0))
    assert pictures_tried(jobs, 1000) == [job.count for job in jobs]


def test_more_clips_than_people_are_refused_by_the_split_that_lacks_them() -> None:
    with pytest.raises(MtclarError, match=r"synthesize\.clips is 5, one a person, but validation has 3 people"):
        bulk_jobs(settings(people=30, clips=5))


def test_shares_that_leave_nobody_to_train_on_are_refused() -> None:
    with pytest.raises(MtclarError, match="leave nobody to train on"):
        bulk_jobs(settings(people=10, validation=0.5, test=0.5))
