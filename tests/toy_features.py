"""Features of videos that nobody filmed."""

from __future__ import annotations

import numpy as np

from mtclar.features import Faces, Features

DIMENSIONS = 5


def toy_features(seed: int = 0, n: int = 12, tracks: int = 2, share: float = 0.7) -> Features:
    """n frames over two shots with faces of some tracks, each there in about `share` of the frames."""
    rng = np.random.default_rng(seed)
    there = rng.uniform(size=(tracks, n)) < share
    track, frame = np.nonzero(there)
    m = len(frame)

    def known(values: np.ndarray, kind: type) -> np.ndarray:
        """Some rows of NaN, as of a model or a frame that does not say."""
        values = values.astype(kind)
        values[rng.uniform(size=m) < 0.2] = np.nan
        return values

    return Features(
        pts=np.cumsum(rng.integers(1, 600, n)),
        time_s=np.cumsum(rng.uniform(0.01, 0.1, n)),
        shot=(np.arange(n) >= n // 2).astype(np.int64),
        faces=Faces(
            frame=frame,
            track=track,
            box=rng.uniform(0, 100, (m, 4)).astype(np.float32),
            score=rng.uniform(size=m).astype(np.float32),
            quality=rng.uniform(0.01, 1, m).astype(np.float32),
            pose=known(rng.uniform(-60, 60, (m, 3)), np.float32),
            landmarks=known(rng.uniform(size=(m, 68, 2)), np.float16),
            embedding=rng.normal(size=(m, DIMENSIONS)).astype(np.float16),
            expression=known(rng.dirichlet(np.ones(8), m), np.float16),
            head=known(rng.uniform(-1, 1, (m, 2)), np.float32),
            prediction=rng.uniform(-1, 1, (m, 2)).astype(np.float32),
        ),
        video={"sha256": "ab" * 32, "width": 640, "nominal_fps": None, "name": "Zoë \udcff.mp4"},
        identity={"detector": {"name": "toy", "threshold": 0.5}},
        notes=("One.", "Two with “quotes”."),
        person={0: "Ada"} if tracks else {},
        face_pictures={
            (int(f), int(t)): bytes([k % 256, 255]) for k, (f, t) in enumerate(zip(frame, track, strict=True))
        },
        shot_pictures={0: b"first", n // 2: b"second"} if n else {},
    )
