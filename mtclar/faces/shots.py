"""Where a video cuts from one shot to the next, found while it is read, from the pictures alone.

A cut is a picture unlike all those just before it, whichever follows: unlike in colour by more than the pictures
around it differ among themselves (the adaptive threshold, so that a moving camera raises it), and unlike in
structure even when one is shifted against the other (so that a pan, a jolt or a lamp is no cut). Four pictures are
looked at on both sides, so a flash of up to three pictures ends as it began and is no cut either. A dissolve or a fade
is a stretch in which every picture is the mixture of its two ends; motion never is. Its cut is set where it is noticed,
which is up to `AHEAD` frames before its end.

The constants were fitted on 114 generated films of six shots each (tests/faces/footage.py: people of the sample's
training and validation splits before drawn rooms, half of the shots in the colours of the one before, a quarter of the
films grey and a quarter with a third of the contrast; pans, shakes, zooms, whip pans, passing objects, lamps, flashes,
exposure, low rates). There 378 of 391 cuts were found, 147 of 179 dissolves and fades, and 19 of 18,885 other frames
were taken for a cut, most of them where the brightness doubled or halved in one frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Small = NDArray[np.float32]

WIDTH, HEIGHT = 64, 36
"""Size to which pictures are scaled before they are compared, whatever their own size and shape."""
AHEAD = 4
"""Frames that are looked at on either side of a cut; decisions come this many frames late."""
SHORTEST = 4
"""Frames of the shortest shot: at many a cut stands a picture that is a mixture of both sides."""
LEAST = 4.0
"""Least mean difference of colour (CIE L*a*b*, 8 bits a channel) between the two sides of a cut."""
RATIO = 2.5
"""The same over the median difference of neighbouring frames around it, plus one."""
UNLIKE = 0.08
"""Least loss of correlation between the two sides of a cut under the best shift of up to a quarter of the picture."""
BLEND_S = (0.3, 0.6, 1.0)
"""Lengths of the stretches that are tried as a dissolve or fade, in seconds."""
BLEND_REST_S = 0.3
"""Seconds after a dissolve was noticed that are not yet tried, because it may still go on."""
BLEND_LEAST = 8.0
"""As `LEAST`, between the ends of a dissolve."""
BLEND_UNLIKE = 0.2
"""As `UNLIKE`, between the ends of a dissolve."""
BLEND_ERROR = 0.25
"""Most that a picture within a dissolve may differ from the mixture of its ends, over the difference of the ends."""
EVEN = 2.0
"""Standard deviation of luminance below which a picture has no structure to be compared."""


class Pictured(Protocol):
    """A frame, as far as its shot is asked: `mtclar.video.Frame` is one."""

    @property
    def time_s(self) -> float: ...

    @property
    def image(self) -> NDArray[np.uint8]: ...


F = TypeVar("F", bound=Pictured)


class ShotFinder:
    """Tells of every frame whether it is the first of a new shot, `AHEAD` frames late.

    Example:
        finder = ShotFinder()
        for frame in video:
            for new_shot in finder.push(frame.image, frame.time_s):
                ...  # of the next frame that is still undecided
        rest = finder.finish()
    """

    def __init__(self) -> None:
        self._small: deque[tuple[float, Small]] = deque()
        self._steps: deque[float] = deque(maxlen=2 * AHEAD)
        self._undecided = 0
        self._since_cut = 0
        self._blend_from_s = -np.inf
        """From this time on a dissolve may begin: none reaches over a cut."""

    def push(self, picture: NDArray[np.uint8], time_s: float) -> list[bool]:
        """Takes the next frame.

        Args:
            picture: uint8 RGB (h, w, 3); its size may change from frame to frame.
            time_s: When it is shown.

        Returns:
            The decision about the frame `AHEAD` frames before, or nothing yet. The first frame begins a shot.
        """
        small = _scaled(picture)
        if self._small:
            self._steps.append(_difference(self._small[-1][1], small))
        self._small.append((time_s, small))
        self._undecided += 1
        decided = [self._decide()] if self._undecided > AHEAD else []
        while len(self._small) > 2 * AHEAD + 1 and time_s - self._small[0][0] > 1.5 * BLEND_S[-1]:
            self._small.popleft()
        return decided

    def finish(self) -> list[bool]:
        """The decisions about the last frames, which nothing follows."""
        return [self._decide() for _ in range(self._undecided)]

    def _decide(self) -> bool:
        """The decision about the oldest undecided frame."""
        at = len(self._small) - self._undecided
        self._undecided -= 1
        time_s = self._small[at][0]
        cut = at == 0 or self._cut(at)
        blend = not cut and self._blend()
        if cut or blend:
            self._since_cut, self._blend_from_s = 0, time_s if cut else self._small[-1][0] + BLEND_REST_S
        self._since_cut += 1
        return cut or blend

    def _cut(self, at: int) -> bool:
        ahead = len(self._small) - at
        # Differences of the frame to the one before, and of the neighbours among themselves.
        index = len(self._steps) - ahead
        steps = list(self._steps)
        step, others = steps[index], steps[max(0, index - AHEAD) : index] + steps[index + 1 : index + AHEAD]
        least = max(LEAST, RATIO * (float(np.median(others)) + 1.0 if others else 0.0))
        if step < least or self._since_cut < SHORTEST:
            return False
        before = [self._small[i][1] for i in range(max(0, at - min(AHEAD, self._since_cut)), at)]
        after = [self._small[i][1] for i in range(at, min(at + AHEAD, len(self._small)))]
        pairs = [(a, b) for a in before for b in after]
        return all(_difference(a, b) >= least for a, b in pairs) and all(_unlike(a, b) >= UNLIKE for a, b in pairs)

    def _blend(self) -> bool:
        """Whether the newest frame ends a stretch that is a dissolve."""
        end_s, end = self._small[-1]
        times = np.array([t for t, _ in self._small])
        for length in BLEND_S:
            if end_s - length < max(self._blend_from_s, times[0]):
                break
            first = int(np.searchsorted(times, end_s - length))
            begin = self._small[first][1]
            gap = _difference(begin, end)
            if gap < BLEND_LEAST or len(times) - 1 - first < 4:
                continue
            span = max(end_s - times[first], 1e-9)
            within = np.linspace(first, len(times) - 1, 5)[1:-1].astype(int)
            shares = [(times[i] - times[first]) / span for i in within]
            errors = [
                _difference(self._small[i][1], begin + np.float32(q) * (end - begin))
                for i, q in zip(within, shares, strict=True)
            ]
            if max(errors) <= BLEND_ERROR * gap and _unlike(begin, end) >= BLEND_UNLIKE:
                return True
        return False


def by_shot(frames: Iterable[F]) -> Iterator[tuple[F, bool]]:
    """The frames of a video, each with whether it is the first of a new shot.

    Holds `AHEAD` frames back; what is raised while the frames are read passes through.
    """
    finder, waiting = ShotFinder(), deque[F]()
    for frame in frames:
        waiting.append(frame)
        for new in finder.push(frame.image, frame.time_s):
            yield waiting.popleft(), new
    for new in finder.finish():
        yield waiting.popleft(), new


def _scaled(picture: NDArray[np.uint8]) -> Small:
    """A picture as it is compared: float32 L*a*b* (36, 64, 3), 8 bits a channel."""
    # Every second, third, ... pixel of a large picture: four by four are averaged all the same.
    across, down = (
        max(1, side // (4 * small)) for side, small in zip(picture.shape[1::-1], (WIDTH, HEIGHT), strict=True)
    )
    thinned = np.ascontiguousarray(picture[::down, ::across])
    small = cv2.resize(thinned, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_RGB2Lab).astype(np.float32)


def _difference(a: Small, b: Small) -> float:
    """Mean absolute difference of colour."""
    return float(cv2.norm(a, b, cv2.NORM_L1)) / a.size


def _unlike(a: Small, b: Small) -> float:
    """1 minus the correlation of the middle of `a` with `b` where it fits best; 1 where there is no structure."""
    x, y = (cv2.GaussianBlur(np.ascontiguousarray(small[..., 0]), (0, 0), 1.0) for small in (a, b))
    middle = x[HEIGHT // 4 : -(HEIGHT // 4), WIDTH // 4 : -(WIDTH // 4)]
    if middle.std() < EVEN or y.std() < EVEN:
        return 1.0
    return 1.0 - float(cv2.matchTemplate(y, middle, cv2.TM_CCOEFF_NORMED).max())


def alike(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    """Whether two pictures, however far apart, may be of one shot, by the measure that tells the ends of a dissolve."""
    one, other = _scaled(a), _scaled(b)
    return _difference(one, other) < BLEND_LEAST or _unlike(one, other) < BLEND_UNLIKE
