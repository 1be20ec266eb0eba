"""The Python API: what docs/api.md shows, and that it is one with the command line."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bright_clip import CALIBRATION, TIMES_MS, picture, write_anchors
from make_video import write_video
from toy_bundle import toy_bundle

import mtclar
from mtclar.data.tables import LABELS
from mtclar.settings import load_settings
from mtclar.steps import label as step


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", TIMES_MS, picture)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("model") / "bundle", calibration=CALIBRATION)


@pytest.fixture(scope="module")
def features(clip, model):
    return mtclar.extract(clip, model=model)


ANCHORS = [(0, -0.5, 0.1), (6, 0.25, 0.2)]


def test_labels_from_triples_a_table_a_file_and_mappings_are_the_same(clip, model, tmp_path):
    first = mtclar.label(clip, anchors=ANCHORS, model=model).to_pandas()
    table = pd.DataFrame(ANCHORS, columns=["frame", "valence", "arousal"])
    path = write_anchors(tmp_path, "clip,0,-0.5,0.1", "clip,6,0.25,0.2")
    for anchors in (table, path, str(path), table.to_dict("records"), table.assign(video_id="clip.mp4")):
        pd.testing.assert_frame_equal(mtclar.label(clip, anchors, model=model).to_pandas(), first)
    assert first.columns.tolist() == LABELS.names
    assert first["source"].tolist()[:7] == ["anchor", *["model"] * 5, "anchor"]


def test_the_api_labels_as_the_command_line_does(clip, model, tmp_path):
    settings = load_settings()
    path = write_anchors(tmp_path, "clip,0,-0.5,0.1", "clip,6,0.25,0.2")
    step.run(settings.label, settings.extract, videos=[clip], anchors=path, model=model, out=tmp_path / "out")
    written = pd.read_parquet(tmp_path / "out" / "clip.va.parquet")
    labels = mtclar.label(clip, anchors=ANCHORS, model=model).to_pandas()
    for name in ("time_s", "valence", "arousal_hi", "confidence", "face_x"):
        np.testing.assert_allclose(labels[name], written[name])


def test_what_was_read_is_annotated_again_and_again_and_may_be_kept_in_a_file(features, model, tmp_path):
    mtclar.write_features(features, tmp_path / "clip.features")
    kept = mtclar.read_features(tmp_path / "clip.features")
    first = mtclar.annotate(kept, ANCHORS, model=model)
    second = mtclar.annotate(kept, [*ANCHORS, (3, 0.9, 0.0)], model=model)
    assert first.values[3, 0] < second.values[3, 0] == 0.9
    alone = mtclar.annotate(kept, model=model)
    assert set(alone.source) == {"zero-shot", "none"}


def test_a_scale_of_ones_own_and_settings_by_name_are_understood(features, model):
    scaled = mtclar.annotate(features, [(0, 25, 55)], model=model, va_range=(0, 100), subject="all")
    np.testing.assert_allclose(scaled.values[0], [-0.5, 0.1])
    with pytest.raises(mtclar.MtclarError, match=r"unknown key 'subjekt' \(did you mean 'subject'\?\)"):
        mtclar.annotate(features, ANCHORS, model=model, subjekt="all")
    with pytest.raises(mtclar.MtclarError, match="frame 99 is out of range, 'clip' has 12 frames"):
        mtclar.annotate(features, [(99, 0, 0)], model=model)


def test_a_figure_has_both_curves_with_band_anchors_and_cuts(features, model, tmp_path):
    labels = mtclar.annotate(features, ANCHORS, model=model)
    figure = labels.plot(width_in=5.0)
    upper, lower = figure.axes
    assert (upper.get_ylabel(), lower.get_ylabel(), lower.get_xlabel()) == ("Valence", "Arousal", "Time (s)")
    line, dots = upper.lines[:2]
    np.testing.assert_allclose(line.get_ydata(), labels.values[:, 0])
    np.testing.assert_allclose(dots.get_ydata(), [-0.5, 0.25])
    assert len(upper.collections) == 1
    figure.savefig(tmp_path / "labels.pdf")
    assert (tmp_path / "labels.pdf").stat().st_size > 2000
    with pytest.raises(mtclar.MtclarError, match="expected the track of one face"):
        labels.plot(track=7)


def test_a_label_says_what_it_is_made_of(features, model):
    labels = mtclar.annotate(features, ANCHORS, model=model)
    reasons = labels.why(3)
    assert set(reasons["frame"].dropna()) == {0, 6}
    np.testing.assert_allclose(reasons["valence_part"].sum(), labels.values[3, 0], atol=1e-6)


def test_the_package_imports_at_once_and_offers_little(repository):
    code = (
        "import sys, mtclar; print(sorted({'numpy', 'pandas', 'av', 'onnxruntime', 'matplotlib'} & set(sys.modules)));"
        "print([name for name in mtclar.__all__ if not hasattr(mtclar, name)])"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[:2] == ["[]", "[]"]
    assert len(mtclar.__all__) < 12
    assert (repository / "mtclar" / "py.typed").exists()
    with pytest.raises(AttributeError, match="no attribute 'labels'"):
        mtclar.labels  # noqa: B018


def test_the_examples_of_the_documentation_run_as_they_stand(repository, clip, model, tmp_path, monkeypatch):
    text = (repository / "docs" / "api.md").read_text(encoding="utf-8")
    shutil.copy(clip, tmp_path / "clip.mp4")
    write_anchors(tmp_path, "clip,0,-0.5,0.1", "clip,6,0.25,0.2")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mtclar.steps.models.default_bundle", lambda: model)
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    assert len(blocks) >= 5
    for block in blocks:
        exec(compile(block, "docs/api.md", "exec"), names)  # noqa: S102 - our own documentation
    assert Path("labels.pdf").exists()
    assert Path("clip.features").exists()
