"""From settings to a network: seeded, with the heads that were asked for, and with its frozen parts frozen."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mtclar.errors import MtclarError
from mtclar.model.build import build_model, model_spec
from mtclar.settings import TrainSettings, load_settings

SMALL = {"input_size": 32, "stem": 8, "width": 16, "depth": 1, "landmarks": 4, "emotion": [16, 24]}


def _settings(**changes) -> TrainSettings:
    small = {"encoder": "emofan-nano", "encoder_options": SMALL, "projector": (16,), "sl_projector": (8,)}
    return load_settings().train.model_copy(update=small | changes)


def test_a_seed_gives_one_network_and_leaves_chance_alone():
    before = torch.random.get_rng_state()
    one, same, other = (build_model(_settings(seed=seed)).state_dict() for seed in (5, 5, 6))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["encoder.conv1.weight"], other["encoder.conv1.weight"])


def test_the_settings_reach_the_spec():
    spec = model_spec(
        _settings(tasks=("embedding", "arousal", "similarity"), fusion="difference", dropout=0.3, sl_tanh_logits=True)
    )
    assert spec.tasks == ("similarity", "arousal")
    assert (spec.fusion, spec.dropout, spec.antisymmetric, spec.tanh_logits) == ("difference", 0.3, True, True)
    assert (spec.projector, spec.single, spec.encoder.width) == ((16,), (8,), 16)


def test_a_frozen_alignment_network_keeps_weights_and_statistics_while_the_emotion_branch_learns():
    model = build_model(_settings(freeze="alignment"))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    optimiser = torch.optim.SGD(model.trainable(), 0.1)
    out, left, _ = model(torch.rand(6, 3, 32, 32), torch.rand(6, 3, 32, 32))
    (out.d_valence.square().sum() + left.square().sum()).backward()
    optimiser.step()
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    frozen = {name for name in after if name.startswith("encoder.") and "emo" not in name}
    assert len(frozen) > 100
    assert changed & frozen == set()
    assert {"encoder.conv1x1_input_emo_2.weight", "encoder.emo_net_2.0.bn1.running_mean"} <= changed
    assert "pair.valence.1.weight" in changed
    assert model.encoder.emo_net_2.training
    assert not model.encoder.m0.b2_plus_1.bn1.training


def test_nothing_is_frozen_where_nothing_is_given():
    for freeze in ("pretrained", "none"):
        model = build_model(_settings(freeze=freeze)).train()
        assert len(model.trainable()) == len([*model.encoder.parameters(), *model.pair.parameters()])
        assert all(part.training for part in model.modules() if isinstance(part, nn.BatchNorm2d))


@pytest.mark.parametrize("changes", [{"freeze": "alignment"}, {"pretrained": "emonet_8.pth"}])
def test_an_encoder_without_an_alignment_network_has_none_to_freeze_or_load(changes):
    with pytest.raises(MtclarError, match=r"which encoder 'resnet-nano' has not; set train\.encoder=emofan"):
        build_model(_settings(encoder="resnet-nano", encoder_options={}, **changes))
