"""From the section `train` of params.yaml to a network ready to be trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from mtclar.errors import MtclarError
from mtclar.model.checkpoint import load_checkpoint
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
    if s.encoder == "auto" and not s.encoder_options and _is_ours(s.pretrained):
        encoder = load_checkpoint(Path(s.pretrained))[0].spec.encoder
    else:
        name = ("emofan" if s.pretrained else "emofan-nano") if s.encoder == "auto" else s.encoder
        encoder = encoder_spec(name, s.encoder_options)
    return ModelSpec(
        encoder=encoder,
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
    """A network on the CPU with weights drawn from `s.seed`, those of `s.pretrained` where given, and its frozen parts
    frozen.

    Raises:
        MtclarError: As `model_spec`; the weights are neither EmoNet's nor of such a network; or the encoder has no
            alignment network to load or to freeze.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence([s.seed % 2**63]).generate_state(3, np.uint64)[2] >> 1))
        model = MTCLAR(model_spec(s))
    freeze = s.freeze == "alignment" or (s.freeze == "pretrained" and bool(s.pretrained))
    if _is_ours(s.pretrained):
        warm_start(model, Path(s.pretrained))
        freeze = s.freeze == "alignment" or (s.freeze == "pretrained" and isinstance(model.encoder, EmoFAN))
    elif s.pretrained:
        load_encoder(_emofan(model, f"train.pretrained={s.pretrained}"), Path(s.pretrained))
    if freeze:
        _emofan(model, f"train.freeze={s.freeze}").freeze_alignment()
    return model


def warm_start(model: MTCLAR, checkpoint: Path) -> None:
    """Puts the weights of a checkpoint into a network: the encoder's, and those of each head that has the same form.

    Raises:
        MtclarError: The checkpoint cannot be read, or its encoder is another one.
    """
    source, _ = load_checkpoint(checkpoint)
    if source.spec.encoder != model.spec.encoder:
        raise MtclarError(
            f"train.pretrained={checkpoint}: its encoder is {source.spec.encoder.name} of other settings than "
            f"train.encoder={model.spec.encoder.name} asks for; leave train.encoder=auto and train.encoder_options "
            "empty to take it as it is."
        )
    weights = source.state_dict()
    for name, module in model.named_children():
        known = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        own = module.state_dict()
        if known.keys() == own.keys() and all(known[key].shape == own[key].shape for key in own):
            module.load_state_dict(known)


def _is_ours(pretrained: str) -> bool:
    """Whether `train.pretrained` names a checkpoint of this software rather than an EmoNet's file."""
    return bool(pretrained) and Path(pretrained).is_dir()


def _emofan(model: MTCLAR, setting: str) -> EmoFAN:
    if not isinstance(model.encoder, EmoFAN):
        raise MtclarError(
            f"{setting} needs the alignment network of an EmoFAN, which encoder '{model.spec.encoder.name}' has not; "
            "set train.encoder=emofan."
        )
    return model.encoder
