"""The oracle is the way there, written from the standards: an ordinary picture made HDR has to come back."""

import numpy as np
import pytest

from mtclar.video.hdr import HLG, KNEE, PQ, WHITE_NITS, hlg_scene, pq_nits, table_for, to_sdr

# BT.709 light to BT.2020 light, as ITU-R BT.2087 prints it
TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])


def pq_code(nits):
    y = (nits / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def hlg_code(nits):
    """Of light (n, 3) on a screen of 1,000 nits: the OOTF undone, then the OETF of BT.2100."""
    shown = nits / 1000
    luma = shown @ [0.2627, 0.6780, 0.0593]
    scene = shown * luma[:, None] ** (1 / 1.2 - 1)
    a = 0.17883277
    above = a * np.log(np.maximum(12 * scene - (1 - 4 * a), 1e-9)) + 0.5 - a * np.log(4 * a)
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), above)


def test_the_reference_white_has_the_codes_that_bt_2408_prints():
    assert pq_code(WHITE_NITS) == pytest.approx(0.58, abs=0.005)
    assert pq_nits(np.array(0.58)) == pytest.approx(WHITE_NITS, rel=0.02)
    assert 1000 * hlg_scene(np.array(0.75)) ** 1.2 == pytest.approx(WHITE_NITS, rel=0.01)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_a_picture_made_hdr_comes_back_as_it_was_below_the_knee(transfer):
    colours = np.random.default_rng(0).integers(25, int(255 * KNEE ** (1 / 2.4)), (500, 3))
    nits = WHITE_NITS * (colours / 255) ** 2.4 @ TO_2020.T
    code = (pq_code if transfer == PQ else hlg_code)(nits)
    hdr = np.round(255 * code).astype(np.uint8)[None]
    back = to_sdr(hdr, table_for(transfer, 9))[0].astype(int)
    assert np.abs(back - colours).mean() < 1.5
    assert np.percentile(np.abs(back - colours), 99) <= 6  # 8 bits of PQ are coarse in the dark


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_brighter_stays_brighter_and_white_is_almost_white(transfer):
    grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    shown = to_sdr(grey, table_for(transfer, 9))[0].astype(int)
    assert np.all(np.diff(shown[:, 1]) >= 0)
    assert shown[0].max() == 0
    assert shown[-1].min() >= 254
    np.testing.assert_allclose(shown[:, 0], shown[:, 2], atol=1)
    white = shown[round(255 * (0.58 if transfer == PQ else 0.75)), 1]
    assert 235 <= white <= 250


def test_wide_colours_that_are_not_hdr_become_those_of_bt_709():
    colours = np.random.default_rng(1).integers(40, 220, (300, 3))
    wide = np.round(255 * ((colours / 255) ** 2.4 @ TO_2020.T) ** (1 / 2.4)).astype(np.uint8)[None]
    back = to_sdr(wide, table_for(14, 9))[0].astype(int)
    assert np.abs(back - colours).max() <= 3


def test_ordinary_pictures_need_no_table():
    assert table_for(1, 1) is table_for(2, 2) is table_for(13, 5) is None
