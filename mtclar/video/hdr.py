"""From high dynamic range and wide colours to the ordinary range and the colours of BT.709.

The light of a picture is taken as an HDR screen shows it, in nits; the reference white of ITU-R BT.2408, 203 nits, is
white on the ordinary screen, whose transfer is that of BT.1886. Light up to `KNEE` of that white is kept, so that faces
look as they do in a recording that was never HDR; what is brighter is compressed smoothly and channel by channel.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import cv2
import numpy as np

PQ, HLG = 16, 18
"""Transfers as ITU-T H.273 numbers them: SMPTE ST 2084, and ARIB STD-B67."""
WIDE = {9: "BT.2020", 11: "DCI-P3", 12: "Display P3"}
"""Primaries wider than those of BT.709, as ITU-T H.273 numbers them."""
WHITE_NITS = 203.0
KNEE = 0.75
_GAMMA = 2.4  # of BT.1886

# Chromaticities of red, green, blue and white: ITU-R BT.709, BT.2020, SMPTE RP 431-2 and EG 432-1.
_D65 = (0.3127, 0.3290)
_XY = {
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}


_BRIGHTEST = 2.5  # units of white; brighter light is as good as white
_HLG_NITS, _HLG_GAMMA = 1000.0, 1.2  # BT.2100: the nominal screen of HLG
_LUMA = np.array([[0.2627, 0.6780, 0.0593]], np.float32)  # BT.2020


@dataclass(frozen=True, eq=False)
class Table:
    """What `to_sdr` needs: light by code, the change of primaries, and code by light.

    Attributes:
        light: float32 (256,), light of a code: of the screen in units of white, or of HLG that of the scene.
        hlg: Whether it is that of the scene.
        matrix: float32 (3, 3), to light of BT.709 primaries, in steps of `code`.
        code: uint8 (65536,), code of a light on the ordinary screen.
    """

    light: np.ndarray
    hlg: bool
    matrix: np.ndarray
    code: np.ndarray


def table_for(transfer: int, primaries: int) -> Table | None:
    """What brings pictures of a transfer and primaries (ITU-T H.273 numbers) to the ordinary screen, if anything."""
    hdr = transfer in (PQ, HLG)
    if not hdr and primaries not in WIDE:
        return None
    known = primaries if primaries in _XY else 9 if hdr else 1
    return _table(transfer if hdr else 1, known)


def to_sdr(image: np.ndarray, table: Table) -> np.ndarray:
    """uint8 RGB (h, w, 3) of `table`'s transfer and primaries, as uint8 RGB of BT.709."""
    light = cv2.LUT(image, table.light)
    if table.hlg:
        luma = cv2.transform(light, _LUMA)
        light = light * (_HLG_NITS / WHITE_NITS * cv2.pow(luma, _HLG_GAMMA - 1))[..., None]
    steps = cv2.transform(light, table.matrix)
    return np.take(table.code, np.clip(steps, 0, 65535, out=steps).astype(np.uint16))


def pq_nits(code: np.ndarray) -> np.ndarray:
    """Nits of the screen for PQ codes in [0, 1]: the EOTF of SMPTE ST 2084."""
    m1, m2 = 2610 / 16384, 2523 / 4096 * 128
    c1, c2, c3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
    power = np.power(code, 1 / m2)
    return 10000 * np.power(np.maximum(power - c1, 0) / (c2 - c3 * power), 1 / m1)


def hlg_scene(code: np.ndarray) -> np.ndarray:
    """Light of the scene in [0, 1] for HLG codes in [0, 1]: the inverse OETF of BT.2100."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    return np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)


@functools.lru_cache(maxsize=8)
def _table(transfer: int, primaries: int) -> Table:
    codes = np.arange(256) / 255
    top = _BRIGHTEST
    if transfer == PQ:
        light = pq_nits(codes) / WHITE_NITS
    elif transfer == HLG:
        light = hlg_scene(codes)
    else:
        light, top = codes**_GAMMA, 1.0
    shown = np.linspace(0, top, 65536)
    if top > 1:  # the part above the knee nears white without reaching it
        shown = np.where(shown < KNEE, shown, 1 - (1 - KNEE) * np.exp(-(shown - KNEE) / (1 - KNEE)))
    code = np.round(255 * shown ** (1 / _GAMMA))
    matrix = np.linalg.solve(_to_xyz(1), _to_xyz(primaries)) * (65535 / top)
    return Table(light.astype(np.float32), transfer == HLG, matrix.astype(np.float32), code.astype(np.uint8))


def _to_xyz(primaries: int) -> np.ndarray:
    """Light of the primaries to CIE XYZ, (3, 3), white with Y = 1 (SMPTE RP 177)."""
    xy = np.array(_XY[primaries])
    columns = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(axis=1)) / xy[:, 1]])
    return columns[:, :3] * np.linalg.solve(columns[:, :3], columns[:, 3])
