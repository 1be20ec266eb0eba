"""Who is in a sample, before anything is drawn."""

from __future__ import annotations

from collections import Counter

import pytest

from mtclar.synthesis.plan import generator, make_plan, person_of


def test_most_clips_are_of_validation_and_test_people_and_a_fifth_of_all_people_are_test_people() -> None:
    plan = make_plan(people=450, clips=60, frames=36, seed=1)
    people = Counter(plan.splits)
    clips = Counter(job.split for job in plan.jobs if job.kind == "clip")
    assert people == {"train": 315, "validation": 45, "test": 90}
    assert clips == {"train": 6, "validation": 27, "test": 27}


@pytest.mark.parametrize(("people", "clips"), [(3, 0), (3, 3), (3, 9), (5, 4), (10, 10), (40, 48), (12, 2)])
def test_small_samples_fill_all_three_splits_too(people: int, clips: int) -> None:
    plan = make_plan(people=people, clips=clips, frames=12, seed=0)
    assert set(plan.splits) == {"train", "validation", "test"}
    assert len(plan.splits) == people
    for job in plan.jobs:
        assert {plan.splits[i] for i in job.people} == {job.split}


def test_clips_have_about_the_length_asked_for() -> None:
    lengths = [job.frames for job in make_plan(people=60, clips=60, frames=36, seed=0).jobs if job.kind == "clip"]
    assert min(lengths) >= 24
    assert max(lengths) <= 48
    assert len(set(lengths)) > 10


def test_a_larger_sample_has_the_people_of_a_smaller_one() -> None:
    assert person_of(5, 3).skin == pytest.approx(person_of(5, 3).skin)
    assert person_of(5, 3).texture != person_of(5, 4).texture
    assert person_of(5, 3).texture != person_of(6, 3).texture


def test_every_place_in_the_seeds_tree_has_chance_of_its_own() -> None:
    drawn = {generator(1, room, i).integers(2**62) for room in range(6) for i in range(50)}
    assert len(drawn) == 300
