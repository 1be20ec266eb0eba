"""EmoNet once more, as plain functions over a dictionary of tensors: what the network is judged by.

Written down from the table of the architecture and nothing else; shares no line with `mtclar.model`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

State = dict[str, Tensor]


def shapes(outputs: int = 10) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of an EmoNet checkpoint with that many outputs."""
    return dict(_shapes(outputs))


def random_state(seed: int, outputs: int = 10) -> State:
    """Weights by chance, of a size at which nothing dies out or explodes."""
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, shape in shapes(outputs).items():
        drawn = torch.randn(shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var"):
            state[name] = 0.5 + drawn.abs()
        elif len(shape) == 1:
            state[name] = 0.2 * drawn + (1.0 if ".bn" in name and name.endswith("weight") else 0.0)
        else:
            state[name] = drawn / (drawn[0].numel() ** 0.5)
    return state


def _norm(name: str, channels: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def _conv(name: str, into: int, out: int, size: int = 1) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield f"{name}.weight", (out, into, size, size)
    yield f"{name}.bias", (out,)


def _block(name: str, into: int, out: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    for number, (a, b) in enumerate([(into, out // 2), (out // 2, out // 4), (out // 4, out // 4)], 1):
        yield from _norm(f"{name}.bn{number}", a)
        yield f"{name}.conv{number}.weight", (b, a, 3, 3)
    if into != out:
        yield from _norm(f"{name}.downsample.0", into)
        yield f"{name}.downsample.2.weight", (out, into, 1, 1)


def _shapes(outputs: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    yield from _conv("conv1", 3, 64, 7)
    yield from _norm("bn1", 64)
    yield from _block("conv2", 64, 128)
    yield from _block("conv3", 128, 128)
    yield from _block("conv4", 128, 256)
    for stack in (0, 1):
        for branch in ("b1", "b2", "b3"):
            for level in (1, 2, 3, 4):
                yield from _block(f"m{stack}.{branch}_{level}", 256, 256)
        yield from _block(f"m{stack}.b2_plus_1", 256, 256)
        yield from _block(f"top_m_{stack}", 256, 256)
        yield from _conv(f"conv_last{stack}", 256, 256)
        yield from _norm(f"bn_end{stack}", 256)
        yield from _conv(f"l{stack}", 256, 68)
    yield from _conv("bl0", 256, 256)
    yield from _conv("al0", 68, 256)
    yield from _conv("conv1x1_input_emo_2", 768, 256)
    for place in (0, 2, 4, 6):
        yield from _block(f"emo_net_2.{place}", 256, 256)
    yield "emo_fc_2.0.weight", (128, 256)
    yield "emo_fc_2.0.bias", (128,)
    yield from _norm("emo_fc_2.1", 128)
    yield "emo_fc_2.3.weight", (outputs, 128)
    yield "emo_fc_2.3.bias", (outputs,)


def run(state: State, faces: Tensor, pool=functional.max_pool2d) -> dict[str, Tensor]:
    """Expression, valence, arousal, heat-maps and embedding of faces (n, 3, 256, 256)."""

    def norm(name: str, x: Tensor) -> Tensor:
        mean, var, weight, bias = (state[f"{name}.{p}"] for p in ("running_mean", "running_var", "weight", "bias"))
        each = (1, -1) + (1,) * (x.ndim - 2)
        return (x - mean.view(each)) / (var.view(each) + 1e-5).sqrt() * weight.view(each) + bias.view(each)

    def conv(name: str, x: Tensor) -> Tensor:
        return functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def block(name: str, x: Tensor) -> Tensor:
        a = functional.conv2d(norm(f"{name}.bn1", x).relu(), state[f"{name}.conv1.weight"], padding=1)
        b = functional.conv2d(norm(f"{name}.bn2", a).relu(), state[f"{name}.conv2.weight"], padding=1)
        c = functional.conv2d(norm(f"{name}.bn3", b).relu(), state[f"{name}.conv3.weight"], padding=1)
        if f"{name}.downsample.2.weight" in state:
            x = functional.conv2d(norm(f"{name}.downsample.0", x).relu(), state[f"{name}.downsample.2.weight"])
        return torch.cat([a, b, c], 1) + x

    def hourglass(name: str, x: Tensor) -> Tensor:
        skips = []
        for level in (4, 3, 2, 1):
            skips.append(block(f"{name}.b1_{level}", x))
            x = block(f"{name}.b2_{level}", pool(x, 2))
        x = block(f"{name}.b2_plus_1", x)
        for level in (1, 2, 3, 4):
            x = block(f"{name}.b3_{level}", x).repeat_interleave(2, 2).repeat_interleave(2, 3) + skips.pop()
        return x

    x = functional.conv2d(faces, state["conv1.weight"], state["conv1.bias"], stride=2, padding=3)
    x = functional.max_pool2d(block("conv2", norm("bn1", x).relu()), 2)
    x = block("conv4", block("conv3", x))
    first = norm("bn_end0", conv("conv_last0", block("top_m_0", hourglass("m0", x)))).relu()
    handed_on = conv("bl0", first)
    second = x + handed_on + conv("al0", conv("l0", first))
    second = norm("bn_end1", conv("conv_last1", block("top_m_1", hourglass("m1", second)))).relu()
    heatmaps = conv("l1", second)
    mask = heatmaps.sum(1, keepdim=True)
    y = conv("conv1x1_input_emo_2", torch.cat([x, mask * handed_on, mask * second], 1))
    for place in (0, 2, 4, 6):
        y = functional.max_pool2d(block(f"emo_net_2.{place}", y), 2)
    embedding = y.mean((2, 3))
    hidden = embedding @ state["emo_fc_2.0.weight"].T + state["emo_fc_2.0.bias"]
    out = norm("emo_fc_2.1", hidden).relu() @ state["emo_fc_2.3.weight"].T + state["emo_fc_2.3.bias"]
    return {
        "expression": out[:, :-2],
        "valence": out[:, -2],
        "arousal": out[:, -1],
        "heatmaps": heatmaps,
        "embedding": embedding,
    }
