"""What the rendered artist saves its time on, and that the shipped sample's bytes do not change by it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mtclar.synthesis.actions import actions_from
from mtclar.synthesis.artists import Light, Performance, View, make_artist
from mtclar.synthesis.artists.rendered import shrink
from mtclar.synthesis.draw import draw_job
from mtclar.synthesis.identity import draw_person
from mtclar.synthesis.plan import make_plan


def test_averaging_down_is_the_mean_of_blocks_weighted_by_opacity() -> None:
    rng = np.random.default_rng(0)
    for s in (2, 3):
        rgba = rng.integers(0, 256, (5 * s, 7 * s, 4), dtype=np.uint8)
        rgba[: 2 * s, :, 3] = 0
        rgb, alpha = shrink(rgba, s)
        assert rgb.shape == (5, 7, 3)
        for y in range(5):
            for x in range(7):
                block = rgba[y * s : (y + 1) * s, x * s : (x + 1) * s].reshape(-1, 4).astype(float)
                assert alpha[y, x] == pytest.approx(block[:, 3].mean() / 255, abs=1e-6)
                if block[:, 3].any():
                    colour = (block[:, :3] * block[:, 3:]).sum(0) / block[:, 3].sum()
                    assert np.abs(rgb[y, x] - colour).max() <= 1.001


def test_without_supersampling_pixels_are_taken_as_they_are() -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    rgb, alpha = shrink(rgba, 1)
    assert np.array_equal(rgb, rgba[..., :3])
    assert np.array_equal(alpha, rgba[..., 3].astype(np.float32) / 255)


@pytest.mark.parametrize(("yaw", "shown"), [(0.0, {"jaw_open": 0.9}), (35.0, {"smile": 0.9, "lower_lip_down": 0.5})])
def test_the_quick_picture_is_the_careful_one_but_for_its_edges(
    face_model: Path, yaw: float, shown: dict[str, float]
) -> None:
    person = draw_person(np.random.default_rng(2), "p")
    view, lights = View(216, 216, 28.0, (0.0, -1.2)), (Light((0.3, 0.4, 1.0), (0.9, 0.9, 0.9)),)
    careful, quick = (
        make_artist("rendered", face_model, supersampling).draw(
            person, Performance(actions_from(shown), (yaw, 0.0, 0.0)), view, lights
        )
        for supersampling in (2, 1)
    )
    assert np.abs(quick.landmarks - careful.landmarks).max() < 1e-3
    assert np.abs(quick.alpha - careful.alpha).mean() < 0.01
    inside = (quick.alpha == 1) & (careful.alpha > 0.999)
    differences = np.abs(quick.rgb.astype(int) - careful.rgb).mean(-1)[inside]
    assert differences.mean() < 2
    assert np.percentile(differences, 90) < 3


def test_the_shipped_sample_is_drawn_again_byte_for_byte(repository: Path, face_model: Path) -> None:
    """One person's pictures; with other versions of the libraries the bytes may differ, as the sample's card says."""
    tracked = (repository / "data.dvc").read_text()
    listing = tracked.split("md5: ")[1].split()[0]

    def shipped(md5: str) -> Path:
        return repository / "dvc-remote" / "files" / "md5" / md5[:2] / md5[2:]

    files = {entry["relpath"]: entry["md5"] for entry in json.loads(shipped(listing).read_text())}
    plan = make_plan(people=396, clips=68, frames=36, seed=2026)
    job = next(job for job in plan.jobs if job.kind == "pictures" and job.split == "train")
    drawn = draw_job(job, 2026, "rendered", face_model).files
    assert len(drawn) == 40
    with zipfile.ZipFile(shipped(files["sample/affectnet/train_set.zip"])) as packed:
        for path, data in drawn.items():
            assert packed.read(path.removeprefix("affectnet/")) == data, path
