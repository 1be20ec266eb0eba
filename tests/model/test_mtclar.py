"""The pair projectors and the supervised heads."""

from __future__ import annotations

from dataclasses import replace

import torch

from mtclar.model.encoders import encoder_spec
from mtclar.model.mtclar import MTCLAR, ModelSpec


def test_a_pair_gives_two_logits_and_two_differences_within_two(model):
    out, left, right = model(torch.rand(5, 3, 32, 32), torch.rand(5, 3, 32, 32))
    assert left.shape == right.shape == (5, 24)
    assert out.logits.shape == (5, 2)
    assert out.d_valence.shape == out.d_arousal.shape == (5,)
    far = model.pair(1e6 * torch.randn(50, 24), 1e6 * torch.randn(50, 24))
    assert torch.cat([far.d_valence, far.d_arousal]).abs().max() <= 2
    assert far.d_valence.abs().max() > 1


def test_swapping_the_faces_turns_the_differences_and_a_face_does_not_differ_from_itself(model):
    left, right = torch.randn(7, 24), torch.randn(7, 24)
    there, back = model.pair(left, right), model.pair(right, left)
    torch.testing.assert_close(there.d_valence, -back.d_valence)
    torch.testing.assert_close(there.d_arousal, -back.d_arousal)
    assert (there.d_valence.abs() > 1e-4).all()
    assert model.pair(left, left).d_arousal.abs().max() == 0


def test_without_antisymmetry_the_projectors_are_free(model):
    free = MTCLAR(replace(model.spec, antisymmetric=False)).eval()
    left, right = torch.randn(7, 24), torch.randn(7, 24)
    assert (free.pair(left, right).d_valence + free.pair(right, left).d_valence).abs().max() > 1e-3


def test_the_projectors_of_the_paper_have_the_papers_size():
    spec = ModelSpec(
        encoder=encoder_spec("emofan"),
        fusion="concat",
        tasks=("similarity", "valence", "arousal"),
        projector=(2048, 1024, 512, 128),
        dropout=0.5,
        antisymmetric=False,
        single=(1024, 512, 256, 128),
        tanh_logits=False,
    )
    model = MTCLAR(spec)
    pair = sum(p.numel() for p in model.pair.parameters())
    assert round(pair / 1e6, 2) == 11.24
    assert round(sum(p.numel() for p in model.pair.valence.parameters()) / 1e6, 3) == 3.747
    assert round(sum(p.numel() for p in model.single.affect.parameters()) / 1e6, 3) == 0.954


def test_a_single_face_gives_eight_logits_and_bounded_affect(model):
    out = model.single(1e4 * torch.randn(9, 24))
    assert out.logits.shape == (9, 8)
    assert out.valence.shape == out.arousal.shape == (9,)
    assert torch.cat([out.valence, out.arousal]).abs().max() <= 1


def test_the_answer_for_a_pair_does_not_depend_on_its_company(model):
    left, right = torch.randn(9, 24), torch.randn(9, 24)
    torch.testing.assert_close(model.pair(left, right).d_valence[4:5], model.pair(left[4:5], right[4:5]).d_valence)
