"""When the pictures of a stream are shown, as far as its packets tell without decoding them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np

from mtclar.video.stamps import END_GAP_S
from mtclar.video.streams import packets_of

_REORDERED = 32
"""More packets than any codec keeps back or sends ahead."""
_PROBED = 40


@dataclass(frozen=True, eq=False)
class Packets:
    """The packets of a stream in the order of the file.

    Attributes:
        stamps: Presentation time stamps of those that show a picture, None where one has none; decoding time stamps
            if there are no others.
        presented: Whether the stamps are of presentation.
        step: Units of the time base that a picture stays, as most packets state; None where none does.
        shown: Presentation time stamps of the first pictures, one or more, in the order they are shown.
    """

    stamps: list[int | None]
    presented: bool
    step: float | None
    shown: list[int | None]

    @property
    def ascend(self) -> bool:
        """Whether each packet has a later stamp than the one before."""
        stamps = self.stamps
        return None not in stamps and all(a < b for a, b in itertools.pairwise(stamps))  # type: ignore[operator]

    def in_order(self, tick_s: float) -> bool:
        """Whether there is nothing to doubt: no stamp missing, doubled, or far from its neighbours'."""
        if not self.presented or None in self.stamps:
            return False
        stamps = np.array(self.stamps, np.int64)
        if len(stamps) < 2:
            return True
        gaps = np.diff(np.sort(stamps))
        highest, lowest = np.maximum.accumulate(stamps), np.minimum.accumulate(stamps[::-1])[::-1]
        near = (highest[:-_REORDERED] < lowest[_REORDERED:]).all()
        return bool(near and gaps.min() > 0 and gaps.max() * tick_s < END_GAP_S)


def read_packets(container: Any, stream: Any, look: Callable[[Any], None]) -> Packets:
    """Reads the packets of a stream up to the end of the file, or to where it cannot be read further.

    The first picture is decoded, and given to `look`; and some more where a later decoding order could show.
    """
    pts: list[int | None] = []
    dts: list[int | None] = []
    shown: list[int | None] = []
    steps: Counter[int] = Counter()
    context = stream.codec_context
    context.thread_count = 1  # the first picture comes sooner
    hidden, reorders, probing = context.name == "vp8", bool(context.has_b_frames), True
    try:
        for packet in packets_of(container, stream):
            if probing:
                try:
                    for decoded in packet.decode():
                        if not shown:
                            look(decoded)
                        shown.append(decoded.pts)
                except av.error.FFmpegError:
                    pass  # said when the stream is read
            if not packet.size or packet.is_discard:
                continue
            if hidden and not memoryview(packet)[0] >> 4 & 1:  # RFC 6386, 9.1: show_frame
                continue
            pts.append(packet.pts)
            dts.append(packet.dts)
            steps[packet.duration or 0] += 1
            if probing:
                reorders = reorders and not descents(pts[-2:])
                probing = not shown or (reorders and len(shown) < _PROBED)
    except av.error.FFmpegError:
        pass  # said when the stream is read
    steps.pop(0, None)
    presented = any(stamp is not None for stamp in pts)
    step = float(steps.most_common(1)[0][0]) if steps else None
    return Packets(pts if presented else dts, presented, step, shown)


@dataclass(frozen=True, eq=False)
class Clock:
    """When the frames are shown.

    Attributes:
        pts: float64 (n,), ascending, as far as the packets tell.
        own: Whether the decoded frames' own stamps are right; else frame i has `pts[i]`.
        step: Usual step.
        mended: How many stamps were wrong or missing.
    """

    pts: np.ndarray
    own: bool
    step: float
    mended: int

    def at(self, index: int) -> float | None:
        """The stamp of a frame, if it is known."""
        return float(self.pts[index]) if index < len(self.pts) else None

    def after(self, last: float | None) -> float:
        """A stamp for a frame that comes after the stamp `last` and has none of its own."""
        if last is None:
            return float(self.pts[0]) if len(self.pts) else 0.0
        later = int(np.searchsorted(self.pts, last, side="right"))
        return (last + float(self.pts[later])) / 2 if later < len(self.pts) else last + self.step


def descents(stamps: Sequence[int | None]) -> int:
    """How often a stamp is not later than the one before."""
    known = [stamp for stamp in stamps if stamp is not None]
    return sum(a >= b for a, b in itertools.pairwise(known))
