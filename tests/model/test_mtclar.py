"""The pair projectors and the supervised heads."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mtclar.errors import MtclarError
from mtclar.model.encoders import encoder_spec
from mtclar.model.mtclar import FUSIONS, MTCLAR, ModelSpec
from tests.model.conftest import TINY


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
        mirror=False,
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


FREE = {"antisymmetric": False}


@pytest.mark.parametrize("fusion", sorted(FUSIONS))
def test_each_fusion_feeds_the_projectors_what_its_name_says(model, fusion):
    head = _model(model, fusion=fusion, **FREE).pair
    left, right = torch.randn(7, 24), torch.randn(7, 24)
    fused = torch.stack(
        [
            torch.cat([a, b])
            if fusion == "concat"
            else torch.stack(
                [
                    {"absolute": abs(x - y), "multiply": x * y, "difference": x - y}[fusion]
                    for x, y in zip(a, b, strict=True)
                ]
            )
            for a, b in zip(left, right, strict=True)
        ]
    )
    out = head(left, right)
    torch.testing.assert_close(out.logits, head.similarity(fused))
    torch.testing.assert_close(out.d_valence, 2 * torch.tanh(head.valence(fused)[:, 0]))
    torch.testing.assert_close(out.d_arousal, 2 * torch.tanh(head.arousal(fused)[:, 0]))


@pytest.mark.parametrize("fusion", ["concat", "difference"])
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=20, deadline=None)
def test_antisymmetric_differences_turn_their_sign_to_the_last_bit(fusion, seed, scale):
    generator = torch.Generator().manual_seed(seed)
    head = _heads(fusion)
    left, right = scale * torch.randn(2, 5, 24, generator=generator)
    there, back, same = head(left, right), head(right, left), head(left, left)
    for name in ("d_valence", "d_arousal"):
        assert torch.equal(getattr(there, name), -getattr(back, name))
        assert not getattr(same, name).any()
    assert there.d_valence.any()


@cache
def _heads(fusion: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return MTCLAR(replace(TINY, fusion=fusion)).eval().pair


@pytest.mark.parametrize("fusion", ["absolute", "multiply"])
def test_a_fusion_blind_to_left_and_right_cannot_be_made_antisymmetric_but_tells_similarity(model, fusion):
    with pytest.raises(MtclarError, match=rf"train\.fusion={fusion} does not tell left from right"):
        replace(model.spec, fusion=fusion)
    head = _model(model, fusion=fusion, tasks=("similarity",)).pair
    left, right = torch.randn(7, 24), torch.randn(7, 24)
    torch.testing.assert_close(head(left, right).logits, head(right, left).logits)


@pytest.mark.parametrize("tasks", [("similarity",), ("valence",), ("arousal",), ("arousal", "similarity")])
def test_there_are_projectors_for_the_tasks_alone(model, tasks):
    single = _model(model, tasks=tasks)
    assert {name.split(".")[0] for name, _ in single.pair.named_parameters()} == set(tasks)
    out = single.pair(torch.randn(3, 24), torch.randn(3, 24))
    assert [part is not None for part in out] == [task in tasks for task in ("similarity", "valence", "arousal")]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"fusion": "subtract"}, "unknown fusion 'subtract'"),
        ({"fusion": "absolut"}, "did you mean 'absolute'"),
        ({"tasks": ()}, r"train\.tasks names \[\] as projectors"),
        ({"tasks": ("embedding",)}, r"train\.tasks names \['embedding'\]"),
    ],
)
def test_a_network_that_answers_nothing_is_refused(model, changes, sentence):
    with pytest.raises(MtclarError, match=sentence):
        replace(model.spec, **changes)


def test_the_first_layer_starts_with_the_difference_where_the_signs_must_turn(model):
    for antisymmetric in (True, False):
        first = _model(model, antisymmetric=antisymmetric).pair.valence[1].weight
        assert torch.equal(first[:, :24], -first[:, 24:]) == antisymmetric


def test_the_layers_of_the_paper_start_uniform_within_xaviers_bound(model):
    paper = _model(model, projector=(2048, 1024, 512, 128), **FREE).pair.similarity
    for layer in paper:
        if isinstance(layer, nn.Linear):
            bound = (6 / (layer.in_features + layer.out_features)) ** 0.5
            assert 0.9 * bound < layer.weight.abs().max() <= bound
            assert abs(layer.weight.var().item() / (bound**2 / 3) - 1) < 0.2


def test_supervised_heads_are_linear_maps_without_bias_norms_and_relus(model):
    kinds = [type(layer).__name__ for layer in model.single.expression if not isinstance(layer, nn.Dropout)]
    assert kinds == ["Linear", "BatchNorm1d", "ReLU", "Linear"]
    assert [layer.bias is None for layer in model.single.affect if isinstance(layer, nn.Linear)] == [True, False]
    assert all(layer.p == 0 for layer in model.single.modules() if isinstance(layer, nn.Dropout))


def test_logits_of_expressions_are_squashed_on_demand_alone(model):
    squashed = MTCLAR(replace(model.spec, tanh_logits=True)).eval()
    squashed.load_state_dict(model.state_dict())
    embedding = 10 * torch.randn(9, 24)
    plain, other = model.single(embedding), squashed.single(embedding)
    torch.testing.assert_close(other.logits, torch.tanh(plain.logits))
    torch.testing.assert_close(other.valence, plain.valence)


def _model(model: MTCLAR, **changes) -> MTCLAR:
    return MTCLAR(replace(model.spec, **changes)).eval()


def test_with_the_mirror_a_face_and_its_mirror_image_get_one_embedding_the_mean_of_theirs(model):
    faces = torch.rand(5, 3, 32, 32)
    both = MTCLAR(replace(model.spec, mirror=True)).eval()
    both.load_state_dict(model.state_dict())
    mean = torch.stack([model.embed(face[None])[0] + model.embed(face.flip(2)[None])[0] for face in faces]) / 2
    torch.testing.assert_close(both.embed(faces), mean)
    torch.testing.assert_close(both.embed(faces.flip(3)), mean)
    assert (model.embed(faces) - mean).abs().max() > 1e-3
    assert torch.equal(model.embed(faces), model.encoder(faces))
    torch.testing.assert_close(both(faces, faces)[1], model.encoder(faces))  # pairs are learned from single pictures
