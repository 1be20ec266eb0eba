"""EmoNet's published weights, `emonet_5.pth` or `emonet_8.pth`, which users bring themselves.

Nothing of the file is run: it is read as tensors alone, and each of its names and shapes must be the network's.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load
from torch import Tensor

from mtclar.errors import MtclarError
from mtclar.model.emofan import EmoFAN, EmoFanSpec

HEAD = "emo_fc_2."
OUTPUTS = (10, 7)
"""Numbers an EmoNet gives: 8 or 5 expressions, then valence and arousal."""
SHOWN = 3
UNREADABLE = "is cut short or is something else"
NOT_WEIGHTS = {
    b"version https://git-lfs": "it is a git-lfs pointer, fetch the file itself with 'git lfs pull'",
    b"<": "it is a web page, download the file itself",
    b"": "it is empty",
}


def load_emonet(path: Path, spec: EmoFanSpec) -> EmoFAN:
    """EmoNet as published, head and all, in evaluation mode; `EmoFAN.emonet` reads it.

    Args:
        path: A state dict as torch or safetensors write it; its names may begin with `module.`.
        spec: The size of the network; `encoder_spec("emofan")` is EmoNet's.

    Raises:
        MtclarError: The file cannot be read; or the first tensors missing, unexpected or of another shape, by name.
    """
    state = read_state(path)
    model = EmoFAN(spec, outputs=_outputs(state))
    _check(path, state, model)
    model.load_state_dict(state)
    return model.eval()


def load_encoder(encoder: EmoFAN, path: Path) -> None:
    """Puts EmoNet's weights into an encoder without a head; the file's own head is checked and left out.

    Raises:
        MtclarError: As `load_emonet`.
    """
    state = read_state(path)
    with torch.device("meta"):
        whole = EmoFAN(encoder.spec, outputs=_outputs(state))
    _check(path, state, whole)
    encoder.load_state_dict({name: value for name, value in state.items() if not name.startswith(HEAD)})


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without the `module.` that training on several GPUs puts before them.

    Raises:
        MtclarError: The file is missing, is no state dict, is cut short, or holds more than tensors.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip()
    except OSError as error:
        raise MtclarError(
            f"{path}: the weights cannot be read ({error.strerror}); give train.pretrained an EmoNet's .pth."
        ) from error
    for start, reason in NOT_WEIGHTS.items():
        if head.startswith(start) and (start or not head):
            raise MtclarError(f"{path}: expected the weights of an EmoNet, but {reason}.")
    try:
        if path.suffix == ".safetensors":
            state = load(path.read_bytes())
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of pickle protocols; what cannot be read is said below
                state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # both readers raise many kinds
        # torch's own words advise to trust the file; only that it met code is taken from them.
        reason = "holds more than tensors, and no code in it is run" if "safe_globals" in str(error) else UNREADABLE
        raise MtclarError(f"{path}: expected the weights of an EmoNet, a state dict, but the file {reason}.") from error
    if not isinstance(state, Mapping) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise MtclarError(f"{path}: expected a state dict, tensors by name, but it holds {_described(state)}.")
    return {str(name).removeprefix("module."): value for name, value in state.items()}


def _described(found: object) -> str:
    if isinstance(found, Mapping):
        odd = [f"{name} ({type(value).__name__})" for name, value in found.items() if not isinstance(value, Tensor)]
        return f"{_few(odd)} among its names" if odd else "nothing"
    return f"a {type(found).__name__}"


def _outputs(state: Mapping[str, Tensor]) -> int:
    """Rows of the head in the file, or those of the 8-class model where that is no head of EmoNet's."""
    head = state.get(f"{HEAD}3.weight")
    rows = len(head) if head is not None and head.ndim else 0
    return rows if rows in OUTPUTS else OUTPUTS[0]


def _check(path: Path, state: Mapping[str, Tensor], model: EmoFAN) -> None:
    """Holds every name and shape against the network's."""
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in state.items()}
    other = [f"{n} {found[n]} where {wanted[n]} belongs" for n in wanted if n in found and found[n] != wanted[n]]
    complaints = [
        f"{len(names)} {what}: {_few(names)}"
        for what, names in (
            ("missing", [name for name in wanted if name not in found]),
            ("unexpected", [name for name in found if name not in wanted]),
            ("of another shape", other),
        )
        if names
    ]
    if complaints:
        raise MtclarError(
            f"{path}: does not hold the {len(wanted)} tensors of encoder '{model.spec.name}' with EmoNet's head; "
            f"{'; '.join(complaints)}."
        )
    broken = [name for name, value in state.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise MtclarError(f"{path}: {len(broken)} of its tensors hold numbers that are not finite: {_few(broken)}.")


def _few(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
