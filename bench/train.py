"""How fast training is, beside the way MT-CLAR's release trains. Prints; judges nothing.

`release`: eager float32, both faces of each pair through the encoder, each picture augmented for its pair alone.
`ours`: the steps of `mtclar train`, which encode each face of a block once and compare it many times. Both have the
same network, the same losses and as many pairs. On a GPU full-size EmoFAN is measured as well, also in bfloat16 and
compiled, whole and with its alignment network frozen as where one starts from published weights. The first ratio is to
the release's way, the second to ours in float32. What does not fit into memory says so, and the rest goes on.

Utilisation is the arithmetic of a step (counted by torch's FlopCounterMode: convolutions and matrix products, forward
and back) over its time, as a share of what one large matrix product of the same precision reached in the same run.

Example: python bench/train.py --threads 2 --seconds 20 --profile
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from mtclar.data.store import FacesStore, FacesWriter
from mtclar.errors import MtclarError, brief
from mtclar.faces.crop import CropSpec
from mtclar.learning.augment import augmentation
from mtclar.learning.blocks import Batch, Blocks
from mtclar.learning.device import chosen_device, threads
from mtclar.learning.learner import Learner, Micro, seeds
from mtclar.learning.objective import Objective
from mtclar.learning.pictures import Pictures
from mtclar.learning.processes import Processes
from mtclar.model.build import build_model
from mtclar.settings import TrainSettings, load_settings

ROOT = Path(__file__).parents[1]
MIDDLE = {
    "input_size": 128,
    "stem": 32,
    "width": 128,
    "stacks": 1,
    "depth": 3,
    "landmarks": 32,
    "emotion": [128, 128, 128],
}
SIZES: dict[
    str, tuple[dict[str, Any], int, int, int]
] = {  # settings, faces a block, pairs a block, pairs of (a) a step
    "nano": ({"encoder": "emofan-nano"}, 64, 256, 64),
    "middle": ({"encoder": "emofan", "encoder_options": MIDDLE}, 16, 64, 16),
    "full": ({"encoder": "emofan", "freeze": "none"}, 64, 256, 64),
    "frozen": ({"encoder": "emofan", "freeze": "alignment"}, 64, 256, 64),
}
PAPER = ("full", "frozen")
"""Sizes that have the paper's projectors."""


def main() -> None:
    """Measures what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0: its own choice")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each way and size")
    parser.add_argument("--sizes", nargs="*", choices=SIZES, help="default: nano middle; on a GPU also full frozen")
    parser.add_argument("--blocks", type=int, default=0, help="blocks a micro-batch; default 1, on a GPU 4")
    parser.add_argument("--profile", action="store_true", help="where the time of our steps goes")
    given = parser.parse_args()
    device = chosen_device(given.device)
    gpu = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if gpu else f"CPU, {given.threads or torch.get_num_threads()} threads"
    with threads(given.threads):
        peaks = {half: matmul_rate(device, half) for half in ((False, True) if gpu else (False,))}
        print(f"{name}, torch {torch.__version__}")
        print(
            ", ".join(f"{'bf16' if half else 'fp32'} matmul {rate / 1e12:.3g} TFLOP/s" for half, rate in peaks.items())
        )
        for size in given.sizes or (SIZES if gpu else ("nano", "middle")):
            measure(size, device, given.seconds, given.blocks or (4 if gpu else 1), peaks, given.profile)


def measure(
    size: str, device: torch.device, seconds: float, blocks: int, peaks: dict[bool, float], profile: bool
) -> None:
    """All ways of training one size, side by side."""
    changes, faces, pairs, apart = SIZES[size]
    base = load_settings(ROOT / "params.yaml").train
    if size in PAPER:
        base = load_settings(ROOT / "recipes" / "paper.yaml").train
    settings = base.model_copy(update={**changes, "pretrained": "", "precision": "fp32", "compile": False})
    ways: dict[str, dict[str, Any]] = {"ours fp32": {}}
    if device.type == "cuda":
        ways |= {"ours bf16": {"precision": "bf16"}, "ours bf16 compiled": {"precision": "bf16", "compile": True}}
    print(f"\n{size}: {faces} faces and {pairs} pairs a block, {blocks} blocks a step")
    print(f"{'':20}{'ms/step':>10}{'faces/s':>10}{'pairs/s':>10}{'release':>9}{'our fp32':>9}{'utilised':>10}")
    rates: dict[str, float] = {}
    learners: list[Learner] = []

    def told(name: str, make: Callable[[], tuple[Callable[[], object], float]], faces: int, pairs: int) -> None:
        """One line of the table."""
        try:
            run, flops = make()
            took = timed(run, device, seconds)
        except (MtclarError, torch.OutOfMemoryError) as error:
            print(f"{name:20}  {brief(error)}", flush=True)
            return
        rates[name] = pairs / took
        ratios = (rates[name] / rates.get(other, math.nan) for other in ("release fp32", "ours fp32"))
        said = "".join(f"{ratio:9.2f}" for ratio in ratios)
        used = flops / took / peaks["bf16" in name]
        print(f"{name:20}{took * 1e3:10.1f}{faces / took:10.0f}{rates[name]:10.0f}{said}{used:10.1%}", flush=True)
        if profile and learners:
            shares(learners[0], run, device)

    told("release fp32", lambda: release(settings, device, apart * blocks), 2 * apart * blocks, apart * blocks)
    for name, change in ways.items():

        def make(change: dict[str, Any] = change) -> tuple[Callable[[], object], float]:
            learners[:] = [Learner(settings.model_copy(update=change), build_model(settings), device, Processes())]
            return ours(learners[0], faces, pairs, blocks)

        told(name, make, faces * blocks, pairs * blocks)
    if profile and "ours fp32" in rates:
        decoding(settings, faces / pairs * rates["ours fp32"])


def noise(learner_size: int, channels: int, n: int) -> Tensor:
    """Pictures of nothing with the margin that stored ones have: uint8 (n, channels, s, s)."""
    side = 2 * round(learner_size * 288 / 256 / 2)
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, channels, side, side)).astype(np.uint8))


def made_up(faces: int, pairs: int, blocks: int) -> Blocks:
    """Blocks of pairs with made-up truth."""
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(blocks), pairs)
    n = len(block)
    sides = {side: block * faces + rng.integers(faces, size=n) for side in ("left", "right")}
    truth = {"similar": rng.random(n) < 0.5, "d_valence": rng.uniform(-1, 1, n), "d_arousal": rng.uniform(-1, 1, n)}
    return Blocks(pd.DataFrame({"block": block, **sides, **truth}), pd.Series(np.arange(faces * blocks)))


def ours(learner: Learner, faces: int, pairs: int, blocks: int) -> tuple[Callable[[], object], float]:
    """A step of `mtclar train`, and its arithmetic."""
    batch: Batch = made_up(faces, pairs, blocks).batch(np.arange(blocks))
    spec = learner.model.spec.encoder
    pictures = noise(spec.input_size, spec.channels, faces * blocks)[torch.from_numpy(batch.faces)]
    pictures = pictures.pin_memory() if learner.device.type == "cuda" else pictures
    learner.model.train()

    def run() -> object:
        return learner.step(1, 0, [Micro(0, batch, pictures)], 1, 1e-4)

    encode, learner._encode = learner._encode, learner.model.encoder  # a compiled one hides its arithmetic
    counted = flops(run)
    learner._encode = encode
    return run, counted


def release(s: TrainSettings, device: torch.device, pairs: int) -> tuple[Callable[[], object], float]:
    """A step as the release takes it, and its arithmetic."""
    model, objective = build_model(s).to(device), Objective(s).to(device)
    spec = model.spec.encoder
    pictures = noise(spec.input_size, spec.channels, 2 * pairs)
    augment = augmentation(s.augmentation, spec.input_size, s.augment, s.augment_without)
    batch = made_up(2 * pairs, pairs, 1).batch(np.arange(1)).to(device)
    optimiser = torch.optim.Adam(model.trainable(), lr=1e-4, weight_decay=s.weight_decay)
    model.train()

    def run() -> object:
        generator = seeds(s.seed, 0)[0]
        weights = objective.weights(generator)
        faces = augment(pictures.to(device), generator)
        left, right = model.encoder(faces[:pairs]), model.encoder(faces[pairs:])
        losses = objective(model.pair(left, right), left, right, batch.truth, epoch=1, epochs=2, weights=weights)
        optimiser.zero_grad()
        losses.total.backward()
        optimiser.step()
        return losses.total.item()

    return run, flops(run)


def flops(run: Callable[[], object]) -> float:
    """Floating-point operations of a step."""
    with FlopCounterMode(display=False) as counter:
        run()
    return float(counter.get_total_flops())


def timed(run: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Median time of a call in seconds, after three that do not count."""
    for _ in range(3):
        run()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or (time.perf_counter() < end and len(times) < 200):
        _wait(device)
        start = time.perf_counter()
        run()
        _wait(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def matmul_rate(device: torch.device, half: bool) -> float:
    """Operations a second of a large matrix product."""
    side = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16 if half else torch.float32) for _ in range(2))
    return 2 * side**3 / timed(lambda: a @ b, device, 2.0)


def shares(learner: Learner, run: Callable[[], object], device: torch.device) -> None:
    """Where the time of a step goes: its parts, each waited for, and the operations that take longest."""
    spent: dict[str, float] = defaultdict(float)

    def marked(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed_call(*given: Any, **named: Any) -> Any:
            _wait(device)
            start = time.perf_counter()
            answer = call(*given, **named)
            _wait(device)
            spent[name] += time.perf_counter() - start
            return answer

        return timed_call

    parts = [
        (learner, "_encode", "encoder"),
        (learner.model.pair, "forward", "heads"),
        (learner.objective, "forward", "losses"),
        (learner.optimiser, "step", "optimiser"),
    ]
    augmented = learner._augmented
    learner._augmented = lambda epoch: marked("augment", augmented(epoch))  # type: ignore[method-assign]
    original = [getattr(owner, attribute) for owner, attribute, _ in parts]
    backward = Tensor.backward
    for (owner, attribute, name), call in zip(parts, original, strict=True):
        object.__setattr__(owner, attribute, marked(name, call))
    Tensor.backward = marked("backward", backward)  # type: ignore[method-assign]
    whole = marked("whole", run)
    for _ in range(5):
        whole()
    Tensor.backward = backward  # type: ignore[method-assign]
    for (owner, attribute, _), call in zip(parts, original, strict=True):
        object.__setattr__(owner, attribute, call)
    del learner._augmented
    total = spent.pop("whole")
    spent["data and the rest"] = total - sum(spent.values())
    print("  " + ", ".join(f"{name} {took / total:.1%}" for name, took in spent.items()))
    kinds = [torch.profiler.ProfilerActivity.CPU]
    if device.type == "cuda":
        kinds.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=kinds) as profiler:
        run()
        _wait(device)
    order = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    print(profiler.key_averages().table(sort_by=order, row_limit=12, max_name_column_width=48))


def decoding(s: TrainSettings, needed: float) -> None:
    """Faces a second that the workers decode when faces do not fit into memory."""
    model = build_model(s).spec.encoder
    crop = CropSpec(scale=1.5, input_size=model.input_size)
    rng = np.random.default_rng(0)
    blurred = np.repeat(np.repeat(rng.integers(0, 256, (64, 36, 36, 3)).astype(np.uint8), 8, 1), 8, 2)
    with tempfile.TemporaryDirectory() as folder:
        with FacesWriter(Path(folder) / "faces", size=288, quality=92) as writer:
            for i, face in enumerate(blurred):
                writer.add({"face_id": str(i), "dataset": "noise", "split": "train"}, face)
        store = FacesStore(Path(folder) / "faces")
        pictures = Pictures(store, np.arange(64), crop, grey=model.local_contrast, gigabytes=0, workers=s.workers)
        start = time.perf_counter()
        n = sum(len(faces) for faces in pictures.batches(np.arange(64) for _ in range(20)))
        print(f"  decoding {n / (time.perf_counter() - start):.0f} faces/s; our steps use {needed:.0f}")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
