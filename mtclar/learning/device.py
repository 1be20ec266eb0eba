"""Where the arithmetic of training happens: the device, its precision, its threads, and what to do when it is full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from mtclar.errors import MtclarError, brief

Precision = Literal["auto", "fp32", "bf16"]
"""As `train.precision`."""

_FULL = ("not enough memory", "DefaultCPUAllocator", "can't allocate memory", "out of memory")


def chosen_device(name: Literal["auto", "cpu", "cuda"], place: int = 0) -> torch.device:
    """The device that `train.device` names.

    Args:
        name: `auto` takes a GPU where there is one.
        place: Number of this process among those on this machine; each takes a GPU of its own.

    Raises:
        MtclarError: A GPU is asked for and there is none, or there are fewer than processes.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        why = "this torch is built for the CPU" if torch.version.cuda is None else "torch sees no GPU"
        raise MtclarError(f"train.device=cuda, but {why}; set it to cpu or auto, or install a torch for your GPU.")
    if place >= torch.cuda.device_count():
        raise MtclarError(
            f"process {place} of this machine finds {torch.cuda.device_count()} GPUs; start one process a GPU "
            "(torchrun --nproc-per-node), or set train.device=cpu."
        )
    device = torch.device("cuda", place)
    torch.cuda.set_device(device)
    # Batches nearly always have one size, so a search for the fastest convolution pays. fp32 means float32 here, not
    # TF32, whose products keep ten bits of the mantissa; who wants speed takes bf16.
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    return device


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context of the forward pass; `auto` is bfloat16 on a GPU and float32 on a CPU."""
    half = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, torch.bfloat16, enabled=half)


def compiled(encoder: torch.nn.Module, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The encoder through torch.compile, for batches of the size that comes first; the few others go through as it is.

    Compiling anew for every number of faces costs a minute each time, and a graph for any number is slower.

    Raises:
        MtclarError: There is no working compiler, found out on something small.
    """
    try:
        torch.compile(lambda x: (x * 2 + 1).relu())(torch.zeros(8, device=device))
    except Exception as error:  # whatever dynamo, inductor, triton or the C++ compiler raise
        raise MtclarError(
            f"train.compile=true needs a working compiler, and torch could not use one ({brief(error)}); install g++ "
            "(and on a GPU triton), or set train.compile=false."
        ) from error
    graph = torch.compile(encoder, dynamic=False)
    shape: list[torch.Size] = []

    def encode(faces: Tensor) -> Tensor:
        if not shape:
            shape.append(faces.shape)
        chosen: Callable[[Tensor], Tensor] = graph if faces.shape == shape[0] else encoder
        return chosen(faces)

    return encode


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Lets torch use that many cores within the block; 0 leaves the choice to torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def dropout_from(device: torch.device) -> Iterator[None]:
    """Leaves torch's own chance, which dropout draws from, as it was before the block."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        yield


@contextmanager
def memory(doing: str, *lower: str) -> Iterator[None]:
    """Says which settings to lower when memory runs out within the block.

    Args:
        doing: What the block does, for the sentence.
        lower: The settings, with their values, by their names in params.yaml.

    Raises:
        MtclarError: There was not enough memory.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and not any(s in str(error) for s in _FULL):
            raise
        raise MtclarError(f"{doing} needs more memory than there is; lower {' or '.join(lower)}.") from error
