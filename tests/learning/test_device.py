"""Where training happens is chosen, and what is not there is said."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtclar.errors import MtclarError
from mtclar.learning.device import autocast, chosen_device, compiled, memory, threads

CPU = torch.device("cpu")


def _raise(error: Exception) -> None:
    raise error


def test_a_machine_without_a_gpu_trains_on_its_cpu_unless_a_gpu_is_asked_for(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device("auto") == chosen_device("cpu") == CPU
    with pytest.raises(MtclarError, match=r"train\.device=cuda, but .* set it to cpu or auto"):
        chosen_device("cuda")


def test_more_processes_than_gpus_are_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(MtclarError, match="process 1 of this machine finds 1 GPUs"):
        chosen_device("auto", 1)


@pytest.mark.parametrize(
    ("precision", "place", "dtype"),
    [
        ("auto", "cpu", torch.float32),
        ("auto", "cuda", torch.bfloat16),
        ("bf16", "cpu", torch.bfloat16),
        ("fp32", "cuda", torch.float32),
    ],
)
@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'")
def test_precision_is_halved_on_a_gpu_or_when_asked_for(precision, place, dtype, monkeypatch):
    seen = {}
    monkeypatch.setattr(torch, "autocast", lambda kind, half, enabled: seen.update(kind=kind, enabled=enabled))
    autocast(precision, torch.device(place))
    assert seen == {"kind": place, "enabled": dtype == torch.bfloat16}


def test_a_missing_compiler_is_one_sentence(monkeypatch):
    def fails(function):
        raise RuntimeError("No working C++ compiler found in torch._inductor.config.cpp.cxx\nand more")

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(
        MtclarError, match=r"train\.compile=true needs .*No working C\+\+ compiler.*train\.compile=false"
    ):
        compiled(torch.nn.Identity(), CPU)


def test_threads_are_given_back():
    before = torch.get_num_threads()
    with threads(1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(
    "too_much",
    [
        lambda: torch.empty(10**15),
        lambda: np.empty(10**15),
        lambda: _raise(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")),
    ],
)
def test_running_out_of_memory_names_what_to_lower(too_much):
    with (
        pytest.raises(MtclarError, match=r"^holding needs more memory than there is; lower a=1 or b\.$"),
        memory("holding", "a=1", "b"),
    ):
        too_much()


def test_other_errors_are_left_alone():
    with pytest.raises(RuntimeError, match="shapes"), memory("holding", "a"):
        raise RuntimeError("shapes do not match")


def test_only_batches_of_the_first_size_go_through_the_compiled_encoder(monkeypatch):
    seen: list[int] = []

    def compile_(module, dynamic=None):
        def graph(x):
            seen.append(len(x))
            return module(x)

        return graph

    monkeypatch.setattr(torch, "compile", compile_)
    encode = compiled(torch.nn.Identity(), CPU)
    seen.clear()  # the compiler was tried on something small
    for n in (4, 3, 4, 5):
        assert len(encode(torch.zeros(n, 2))) == n
    assert seen == [4, 4]
