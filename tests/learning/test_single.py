"""Supervised heads learn from embeddings, classes alike however rare."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from mtclar.errors import MtclarError
from mtclar.learning.single import chances, fit_heads, usual, views
from mtclar.model.build import build_model, model_spec
from mtclar.model.mtclar import SingleHead


@pytest.fixture
def faces() -> pd.DataFrame:
    """Ninety happy faces, ten sad ones, and some without an expression."""
    names = ["happy"] * 90 + ["sad"] * 10 + [None] * 20
    valence = np.where(np.arange(120) < 90, 0.6, -0.6)
    return pd.DataFrame({"expression": names, "valence": valence, "arousal": np.linspace(-0.5, 0.5, 120)})


def _views(faces: pd.DataFrame) -> torch.Tensor:
    """Embeddings (2, n, 8) that tell valence and arousal, and little else."""
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(2, len(faces), 8, generator=generator) * 0.1
    views[:, :, 0] += torch.from_numpy(faces["valence"].to_numpy(np.float32))
    views[:, :, 1] += torch.from_numpy(faces["arousal"].to_numpy(np.float32))
    return views


def _fitted(settings, faces, **changes) -> tuple[list[float], SingleHead]:
    changes = {"sl_epochs": 30, "sl_batch": 64, "sl_learning_rate": 1e-2, **changes}
    settings = settings.model_copy(update=changes)
    torch.manual_seed(0)
    heads = SingleHead(model_spec(settings))
    return fit_heads(settings, heads, _views(faces), faces), heads


def test_they_learn_what_the_embedding_tells(settings, faces):
    losses, heads = _fitted(settings, faces)
    assert losses[-1] < 0.5 * losses[0]
    assert not heads.training
    with torch.inference_mode():
        out = heads(_views(faces)[0])
    assert np.corrcoef(out.valence, faces["valence"])[0, 1] > 0.9
    chosen = out.logits.argmax(1)[:100]
    assert (chosen[:90] == 1).float().mean() > 0.9
    assert (chosen[90:] == 2).float().mean() > 0.9  # a tenth as many, and learned as well


def test_a_face_whose_arousal_does_not_go_with_its_valence_weighs_less_by_a_normal_density():
    table = pd.DataFrame({"valence": [0.0, 0.8, -0.8, 0.8, np.nan], "arousal": [-0.1, 0.34, 0.34, -0.26, 0.5]})
    expected = norm.pdf(2.0) / norm.pdf(0.0)
    np.testing.assert_allclose(usual(table, 0.3), [1, 1, 1, expected, 1], rtol=1e-9)
    np.testing.assert_array_equal(usual(table, 0.0), np.ones(5))


def test_faces_that_weigh_less_teach_less(settings, faces):
    ambiguous = pd.DataFrame({"expression": [None] * 200, "valence": 0.8, "arousal": [0.34, -0.6] * 100})
    said = []
    for spread in (0.0, 0.2):
        _, heads = _fitted(settings, ambiguous.assign(expression="happy"), sl_arousal_spread=spread)
        seen = torch.zeros(1, 8)
        seen[0, 0], seen[0, 1] = 0.8, -0.13  # what both kinds have in common
        with torch.inference_mode():
            said.append(float(heads(seen).arousal))
    assert said[1] > said[0] + 0.05


def test_balanced_expressions_are_drawn_alike_often_and_others_as_often_as_they_come(settings, faces):
    kind = faces["expression"].fillna("none")
    for balanced, expected in (
        (True, {"happy": 1, "sad": 1, "none": 1}),
        (False, {"happy": 90, "sad": 10, "none": 20}),
    ):
        drawn = chances(settings.model_copy(update={"sl_balanced": balanced}), faces)
        assert pd.Series(drawn).groupby(kind).sum().to_dict() == pytest.approx(expected)


def test_the_same_seed_gives_the_same_heads(settings, faces):
    one, other = (_fitted(settings, faces, sl_epochs=2)[1].state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)


def _views_of_ten(settings, **changes) -> list[torch.Tensor]:
    """What the heads see of ten pictures of 22 pixels, (10, 1, 16, 16) each."""
    settings = settings.model_copy(update=changes)
    faces = (torch.rand(10, 1, 22, 22, generator=torch.Generator().manual_seed(0)) * 255).byte()
    return [view(faces) for view in views(settings, build_model(settings))]


def test_the_heads_see_the_middle_its_mirror_image_and_then_augmented_pictures(settings):
    middle, mirrored = _views_of_ten(settings)
    assert torch.equal(mirrored, middle.flip(3))
    assert torch.equal(_views_of_ten(settings, sl_views=1)[0], middle)
    seen = _views_of_ten(settings, sl_views=4, augmentation="strong", augment=1.0)
    assert len(seen) == 4
    assert torch.equal(seen[0], middle)
    assert torch.equal(seen[1], mirrored)
    assert len(torch.unique(torch.stack(seen).flatten(2).transpose(0, 1)[0], dim=0)) == 4
    again = _views_of_ten(settings, sl_views=4, augmentation="strong", augment=1.0)
    assert all(torch.equal(a, b) for a, b in zip(seen, again, strict=True))
    other = _views_of_ten(settings, sl_views=3, augmentation="strong", augment=1.0, seed=8)
    assert not torch.equal(other[2], seen[2])


def test_a_network_that_averages_over_mirror_images_needs_no_mirrored_view(settings):
    seen = _views_of_ten(settings, sl_views=3, augmentation="strong", augment=1.0, mirror=True)
    assert len(seen) == 3
    assert not torch.equal(seen[1], seen[0].flip(3))


def test_the_step_schedule_and_the_squashed_logits_of_the_release_can_be_asked_for(settings, faces):
    losses, heads = _fitted(settings, faces, sl_schedule="step", sl_tanh_logits=True)
    assert losses[-1] < losses[0]
    with torch.inference_mode():
        assert heads(_views(faces)[0]).logits.abs().max() <= 1


def test_a_loss_that_is_not_a_number_names_the_setting_to_lower(settings, faces):
    broken = faces.assign(valence=np.inf)
    with pytest.raises(MtclarError, match=r"in epoch 1; lower train\.sl_learning_rate=0\.01"):
        _fitted(settings, broken)
