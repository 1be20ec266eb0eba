"""Faces in bulk, drawn by the artist who needs no face model."""

import numpy as np
import pytest

from mtclar.faces import Face
from mtclar.settings import SynthesizeSettings, read_params
from mtclar.synthesis.actions import INDEX, no_actions
from mtclar.synthesis.bulk_plan import Job
from mtclar.synthesis.identity import SKIN_TONES
from mtclar.synthesis.motion import sing
from mtclar.synthesis.shots import shots, skin_tone, subject_of

STILLS, CLIP = Job("stills", 3, "train", (2, 3), 30), Job("clip", 4, "test", (3, 4), 30)


def settings(**changes):
    return SynthesizeSettings.model_validate({**read_params()["synthesize"], "artist": "drawn", **changes})


EASY = settings(pose=0, light=0, covering=0, camera=0)


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


def test_some_people_rest_with_a_face_that_others_make_when_they_are_displeased():
    rests = np.stack([subject_of(5, index).rest.mean(axis=1) for index in range(200)])
    strongest = rests.max(axis=1)
    assert 0.1 < (strongest > 0.35).mean() < 0.6
    assert (strongest < 0.25).mean() > 0.3
    assert rests.max() <= 0.8
    assert rests[:, INDEX["smile"]].max() <= 0.45


def test_mouths_open_press_and_pout_at_every_valence_and_move_no_label():
    from mtclar.data.tables import MOUTHS

    many = [shot for number in range(8) for shot in shots(Job("stills", number, "test", (2, number), 30), EASY, None)]
    by_mouth = {name: [shot.affect[0] for shot in many if shot.facts["mouth"] == name] for name in MOUTHS}
    assert {name for name, found in by_mouth.items() if found} == set(MOUTHS)
    assert len(by_mouth["none"]) > len(by_mouth["speech"]) > len(by_mouth["yawn"])
    for name in ("speech", "open"):
        assert min(by_mouth[name]) < -0.3
        assert max(by_mouth[name]) > 0.3
    assert all(shot.affect[1] <= 0.1 for shot in many if shot.facts["mouth"] == "yawn")


def test_a_training_picture_without_a_face_that_is_found_is_drawn_again(monkeypatch):
    from mtclar.synthesis import shots as module

    asked: list[bool] = []

    class Twice:
        def detect(self, picture):
            asked.append(True)
            return [] if len(asked) % 2 else [Face(0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))]

    monkeypatch.setattr(module, "_detector", Twice)
    job = Job("stills", 3, "train", (2, 3), 5)
    once, again = (list(shots(job, settings(tries=tries), None)) for tries in (1, 3))
    assert len(asked) == 10
    assert len(again) == 5
    assert again[0].affect != once[0].affect
    asked.clear()
    list(shots(Job("stills", 3, "test", (2, 3), 5), settings(tries=3), None))
    assert not asked  # whom a model is judged on is seen as it comes


def test_song_opens_the_mouth_again_and_again_and_leaves_the_rest_of_the_face():
    still = np.zeros((200, *no_actions().shape), np.float32)
    sung = sing(np.random.default_rng(3), still, 25.0)
    jaw = sung[:, INDEX["jaw_open"]].mean(axis=1)
    assert jaw.max() > 0.3
    assert jaw.min() < 0.1
    assert not sung[:, INDEX["smile"]].any()
    assert not still.any()
