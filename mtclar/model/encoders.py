"""The encoders by name: any network that maps faces to vectors plugs in by one entry here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mtclar.errors import MtclarError, nearest
from mtclar.model.emofan import EmoFanSpec
from mtclar.model.encoder import EncoderSpec
from mtclar.model.resnet import ResNetSpec

ENCODERS: dict[str, EncoderSpec] = {
    spec.name: spec
    for spec in (
        EmoFanSpec(
            name="emofan",
            input_size=256,
            centre=256,
            stem=64,
            width=256,
            stacks=2,
            depth=4,
            pool="max",
            landmarks=68,
            emotion=(256, 256, 256, 256),
            local_contrast=False,
        ),
        EmoFanSpec(
            name="emofan-nano",
            input_size=64,
            centre=208,
            stem=32,
            width=64,
            stacks=1,
            depth=2,
            pool="max",
            landmarks=16,
            emotion=(64, 96, 160),
            local_contrast=True,
        ),
        ResNetSpec(name="resnet-nano", input_size=64, centre=208, widths=(32, 64, 128), blocks=1, local_contrast=True),
    )
}
"""`emofan` is EmoNet's size; the nano ones train on two CPU cores in minutes."""


def encoder_spec(name: str, options: Mapping[str, Any] | None = None) -> EncoderSpec:
    """The spec called `name`, with the fields of `options` changed.

    Raises:
        MtclarError: No encoder has that name, it has no such field, or the fields do not go together.
    """
    if name not in ENCODERS:
        raise MtclarError(f"unknown encoder '{name}'{nearest(name, ENCODERS)}.")
    entry = ENCODERS[name]
    known = [field.name for field in fields(entry) if field.name != "name"]
    for key in options or {}:
        if key not in known:
            raise MtclarError(f"train.encoder_options: encoder '{name}' has no '{key}'{nearest(str(key), known)}.")
    try:
        return TypeAdapter(type(entry)).validate_python({**asdict(entry), **(options or {})})
    except ValidationError as error:
        found = error.errors()[0]
        reason = found.get("ctx", {}).get("error")
        if isinstance(reason, MtclarError):
            raise reason from None
        where, message = ".".join(map(str, found["loc"])), found["msg"]
        raise MtclarError(
            f"train.encoder_options: '{where}' of encoder '{name}' is {found['input']!r}, but {message[0].lower()}"
            f"{message[1:]}."
        ) from None


def encoder_from_dict(values: Mapping[str, Any]) -> EncoderSpec:
    """The spec that `dataclasses.asdict` wrote as `values`.

    Raises:
        MtclarError: The registry has no such encoder, or a field is unknown, missing or impossible.
    """
    name = str(values["name"])
    spec = encoder_spec(name, {key: value for key, value in values.items() if key != "name"})
    missing = [field.name for field in fields(spec) if field.name not in values]
    if missing:
        raise MtclarError(f"encoder '{name}': '{missing[0]}' is missing.")
    return spec
