"""Faces in bulk, drawn by the artist who needs no face model."""

import numpy as np
import pytest

from mtclar.settings import SynthesizeSettings, read_params
from mtclar.synthesis.bulk_plan import Job
from mtclar.synthesis.identity import SKIN_TONES
from mtclar.synthesis.shots import shots, skin_tone, subject_of

STILLS, CLIP = Job("stills", 3, "train", (2, 3), 30), Job("clip", 4, "test", (3, 4), 30)


def settings(**changes):
    return SynthesizeSettings.model_validate({**read_params()["synthesize"], "artist": "drawn", **changes})


@pytest.fixture(scope="module")
def stills():
    return list(shots(STILLS, settings(covering=0.6), None, pictures=2))


@pytest.fixture(scope="module")
def clip():
    return list(shots(CLIP, settings(covering=1.0), None))


@pytest.mark.parametrize("which", ["stills", "clip"])
def test_a_job_gives_as_many_faces_as_it_asks_with_labels_and_facts_in_range(which, request):
    found = request.getfixturevalue(which)
    assert len(found) == 30
    for shot in found:
        assert shot.crop.shape == (144, 144, 3)
        assert shot.crop.dtype == np.uint8
        assert np.hypot(*shot.affect) <= 1 + 1e-9
        facts = shot.facts
        assert 0 <= facts["skin"] <= 1
        assert 0 <= facts["age"] <= 1
        assert 0 <= facts["covered"] <= 1
        assert 0 <= facts["brightness"] <= 1
        assert facts["face_px"] > 10
        assert (facts["covering"] == "none") == (facts["covered"] == 0)


def test_only_the_first_pictures_are_brought_along(stills):
    assert [shot.picture is not None for shot in stills] == [True, True] + [False] * 28


def test_the_same_job_gives_the_same_bytes_and_another_seed_others(stills):
    again = list(shots(STILLS, settings(covering=0.6), None))
    assert all(np.array_equal(a.crop, b.crop) and a.affect == b.affect for a, b in zip(stills, again, strict=True))
    other = next(iter(shots(STILLS, settings(covering=0.6, seed=1), None)))
    assert other.affect != stills[0].affect


def test_affect_in_a_clip_moves_on_without_a_leap(clip):
    affect = np.array([shot.affect for shot in clip])
    assert np.linalg.norm(np.diff(affect, axis=0), axis=1).max() < 0.9
    assert np.ptp(affect, axis=0).max() > 0.05


def test_what_comes_before_a_face_in_a_clip_stays_what_it_is(clip):
    kinds = {shot.facts["covering"] for shot in clip} - {"none"}
    assert len(kinds) == 1


def test_without_randomisation_a_face_is_bare_sharp_and_looks_ahead():
    for shot in shots(STILLS, settings(pose=0, light=0, covering=0, camera=0), None):
        assert shot.facts["yaw"] == shot.facts["pitch"] == shot.facts["roll"] == 0
        assert shot.facts["covering"] == "none"
        assert shot.facts["blur_px"] == 0
        assert shot.facts["noise"] == 0


def test_labels_do_not_depend_on_how_hard_the_world_is():
    easy, hard = (list(shots(STILLS, settings(**dict.fromkeys(("pose", "light", "camera"), v)), None)) for v in (0, 1))
    assert easy[0].affect == hard[0].affect
    assert easy[0].expression == hard[0].expression


def test_people_differ_in_age_liveliness_and_skin_and_an_index_is_always_the_same_person():
    people = [subject_of(5, index) for index in range(60)]
    assert np.std([person.age for person in people]) > 0.2
    assert np.std([person.gain.mean() for person in people]) > 0.1
    tones = [skin_tone(person) for person in people]
    assert min(tones) < 0.2
    assert max(tones) > 0.8
    assert subject_of(5, 7).age == people[7].age
    np.testing.assert_array_equal(subject_of(5, 7).rest, people[7].rest)


def test_the_tones_of_the_palette_span_the_scale():
    from dataclasses import replace

    person = subject_of(0, 0)
    assert [skin_tone(replace(person, skin=tone)) for tone in SKIN_TONES[[0, -1]]] == [0, 1]
