"""From the section `train` of params.yaml to a network ready to be trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mtclar.errors import MtclarError
from mtclar.model.emofan import EmoFAN
from mtclar.model.encoders import encoder_spec
from mtclar.model.mtclar import HEADS, MTCLAR, ModelSpec
from mtclar.model.pretrained import load_encoder
from mtclar.settings import TrainSettings


def model_spec(s: TrainSettings) -> ModelSpec:
    """The network that the settings ask for.

    Raises:
        MtclarError: An encoder or a field of it is unknown, or settings contradict each other.
    """
    name = s.encoder
    if name == "auto":
        name = "emofan" if s.pretrained else "emofan-nano"
    return ModelSpec(
        encoder=encoder_spec(name, s.encoder_options),
        fusion=s.fusion,
        tasks=tuple(task for task in HEADS if task in s.tasks),
        projector=s.projector,
        dropout=s.dropout,
        antisymmetric=s.antisymmetric,
        single=s.sl_projector,
        tanh_logits=s.sl_tanh_logits,
        mirror=s.mirror,
    )


def build_model(s: TrainSettings) -> MTCLAR:
    """A network on the CPU with weights drawn from `s.seed`, EmoNet's weights where given, and its frozen parts frozen.

    Raises:
        MtclarError: As `model_spec`; the weights are not EmoNet's; or the encoder has no alignment network to load or
            to freeze.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([s.seed % 2**63]).generate_state(3, np.uint64)[2] >> 1))
        model = MTCLAR(model_spec(s))
    freeze = s.freeze == "alignment" or (s.freeze == "pretrained" and bool(s.pretrained))
    if s.pretrained:
        load_encoder(_emofan(model, f"train.pretrained={s.pretrained}"), Path(s.pretrained))
    if freeze:
        _emofan(model, f"train.freeze={s.freeze}").freeze_alignment()
    return model


def _emofan(model: MTCLAR, setting: str) -> EmoFAN:
    if not isinstance(model.encoder, EmoFAN):
        raise MtclarError(
            f"{setting} needs the alignment network of an EmoFAN, which encoder '{model.spec.encoder.name}' has not; "
            "set train.encoder=emofan."
        )
    return model.encoder
