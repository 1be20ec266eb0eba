"""Accuracy by group, beside explicit masks."""

import numpy as np
import pytest

from mtclar.evaluation.groups import BANDS, NAMES, TRAITS, groups_of, score_groups, worst_groups


def toy(n: int = 400, seed: int = 0):
    """Faces of 40 people whose labels are further off the darker the skin and the more the head is turned."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(40), n // 40)
    traits = {
        "skin": rng.uniform(0, 1, 40)[person],
        "age": rng.uniform(0, 1, 40)[person],
        "yaw": rng.normal(0, 18, n),
        "face_px": rng.uniform(20, 300, n),
        "covering": rng.choice(["none", "hand", "hair"], n).astype(object),
        "mouth": rng.choice(["none", "speech"], n).astype(object),
    }
    truth = rng.uniform(-1, 1, (n, 2))
    spread = np.stack([0.05 + 0.4 * (traits["skin"] < 0.2), 0.05 + 0.4 * (np.abs(traits["yaw"]) > 30)], axis=1)
    return traits, truth, truth + spread * rng.normal(size=(n, 2)), person.astype(str)


def score(traits, truth, labels, people):
    return score_groups(traits, truth, labels, people, resamples=100, rng=np.random.default_rng(1))


def test_every_face_belongs_to_one_group_of_each_trait_and_edges_to_the_band_above():
    traits, *_ = toy()
    for trait in TRAITS:
        assert (sum(mask.astype(int) for mask in groups_of(trait, traits[trait]).values()) == 1).all()
    yaw = groups_of("yaw", np.array([-10.0, 9.9, 30.0, -31.0, 90.0, np.nan]))
    assert {name: np.flatnonzero(mask).tolist() for name, mask in yaw.items()} == {
        "0-10": [1],
        "10-20": [0],
        "20-30": [],
        "30+": [2, 3, 4],
    }
    assert groups_of("skin", np.array([0.0, 1.0]))["lightest"].tolist() == [False, True]


def test_every_band_has_a_name():
    assert {trait: len(names) + 1 for trait, names in NAMES.items()} == {trait: len(b) for trait, b in BANDS.items()}


def test_scores_of_a_group_are_those_of_its_faces_alone():
    traits, truth, labels, people = toy()
    found = score(traits, truth, labels, people)
    mask = (np.abs(traits["yaw"]) >= 10) & (np.abs(traits["yaw"]) < 20)
    entry = found["yaw"]["10-20"]
    assert (entry["n_faces"], entry["n_people"]) == (mask.sum(), len(set(people[mask])))
    y, p = truth[mask, 1], labels[mask, 1]
    assert entry["arousal"]["rmse"] == pytest.approx(np.sqrt(np.mean((y - p) ** 2)))
    expected = 2 * np.cov(y, p, ddof=0)[0, 1] / (y.var() + p.var() + (y.mean() - p.mean()) ** 2)
    assert entry["arousal"]["ccc"] == pytest.approx(expected)
    assert entry["arousal"]["ci_low"]["rmse"] < entry["arousal"]["rmse"] < entry["arousal"]["ci_high"]["rmse"]


def test_the_worst_group_is_the_one_the_labels_were_made_worst_for():
    found = worst_groups(score(*toy()))
    assert (found["valence"]["trait"], found["valence"]["group"]) == ("skin", "darkest")
    assert (found["arousal"]["trait"], found["arousal"]["group"]) == ("yaw", "30+")


def test_a_group_of_few_faces_or_people_is_never_named_as_the_worst_and_one_of_nobody_has_counts_alone():
    traits, truth, labels, people = toy()
    traits["face_px"] = np.full(len(truth), 100.0)
    traits["covering"][:20] = "object"  # two people
    labels[:20] += 3
    found = score(traits, truth, labels, people)
    assert found["face_px"]["192+"] == {"n_faces": 0, "n_people": 0}
    assert found["covering"]["object"]["valence"]["rmse"] > 2
    assert worst_groups(found)["valence"]["group"] != "object"
