"""Pictures are what the encoder will see in use, whether they are held in memory or decoded as they are needed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from mtclar.data.store import FacesStore
from mtclar.errors import MtclarError
from mtclar.faces.crop import CropSpec, to_input
from mtclar.learning.pictures import AHEAD, Pictures
from mtclar.learning.pixels import centre
from tests.toy_faces import write_faces

CROP = CropSpec(scale=1.5, input_size=32, centre=256)
LISTS = [np.array([3, 0, 3]), np.arange(28), np.array([27])] * 3


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> FacesStore:
    folder = tmp_path_factory.mktemp("faces") / "store"
    write_faces(folder, train=2, validation=0)
    return FacesStore(folder)


def _pictures(store, rows=None, *, gigabytes: float = 1.0, grey: bool = False, workers: int = 2) -> Pictures:
    rows = np.arange(len(store)) if rows is None else np.array(rows)
    return Pictures(store, rows, CROP, grey=grey, gigabytes=gigabytes, workers=workers)


def _all(pictures: Pictures) -> torch.Tensor:
    return next(pictures.batches([np.arange(len(pictures))]))


def test_pictures_have_the_encoders_scale_and_a_margin(store):
    pictures = _all(_pictures(store, [0, 3, 5]))
    assert pictures.shape == (3, 3, 36, 36)
    assert pictures.dtype == torch.uint8


def test_the_centre_of_a_picture_is_what_the_predictor_gives_the_encoder(store):
    seen = centre(_all(_pictures(store, [1, 4])), 32)
    np.testing.assert_allclose(seen.numpy(), to_input(store.crops([1, 4]), CROP), atol=1.5 / 255)


def test_grey_pictures_are_the_luma_of_the_coloured(store):
    grey, colour = (_all(_pictures(store, [1, 4], grey=g)).float() for g in (True, False))
    luma = (colour * torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)).sum(1, keepdim=True)
    assert (grey - luma).abs().max() <= 1


def test_they_are_held_in_memory_only_where_they_fit(store):
    size = len(store) * 3 * 36 * 36 / 1e9
    assert _pictures(store, gigabytes=size * 1.01).in_memory
    assert not _pictures(store, gigabytes=size * 0.99).in_memory
    assert not _pictures(store, gigabytes=0).in_memory


@pytest.mark.parametrize("workers", [1, 3])
def test_decoding_as_needed_gives_the_same_pictures_bit_for_bit(store, workers):
    held, decoded = _pictures(store), _pictures(store, gigabytes=0, workers=workers)
    got = list(decoded.batches(LISTS))
    assert len(got) == len(LISTS)
    for one, other in zip(held.batches(LISTS), got, strict=True):
        assert torch.equal(one, other)


def test_only_a_few_batches_are_made_ready_ahead(store):
    asked: list[int] = []

    def wanted():
        for i in range(20):
            asked.append(i)
            yield np.array([i])

    for used, _ in enumerate(_pictures(store, gigabytes=0).batches(wanted())):
        assert len(asked) <= used + 1 + AHEAD


def test_leaving_early_ends_the_threads(store):
    before = threading.active_count()
    batches = _pictures(store, gigabytes=0).batches(LISTS)
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_a_crop_that_cannot_be_decoded_is_named_whichever_way_it_is_read(store, monkeypatch):
    encoded = store.encoded
    monkeypatch.setattr(store, "encoded", lambda row: b"no picture" if row == 9 else encoded(row))
    with pytest.raises(MtclarError, match="row 9: not a picture"):
        _pictures(store)
    with pytest.raises(MtclarError, match="row 9: not a picture"):
        list(_pictures(store, gigabytes=0).batches(LISTS))
