import base64
import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest

from mtclar.data.store import encode
from mtclar.data.tables import LABELS
from mtclar.report.folder_page import write_index
from mtclar.report.label_data import MAX_PICTURES, Suspect
from mtclar.report.label_page import choose, write_label_page

FACTS = {
    "video": "clip.mp4",
    "tool_version": "0.1.0",
    "width": 640,
    "height": 360,
    "rotation": 90,
    "codec": "h264",
    "nominal_fps": 25.0,
    "is_vfr": True,
    "sha256": "a" * 64,
    "model": {"name": "mtclar", "version": "0.1.0", "sha256": "b" * 64, "licences": {"weights": "CC0 <script>"}},
    "band": {"valence": 0.2, "arousal": 0.2, "coverage": 0.9},
    "fusion": {"method": "time", "time_scale_s": 1.0},
    "anchors_file": "anchors.csv",
    "anchors": [{}, {}],
}


def labels(n: int = 60) -> pd.DataFrame:
    """A track with a gap from frame 20 to 29 and anchors at 5 and 40."""
    time_s = np.arange(n) / 25
    table = pd.DataFrame({name: [None] * n for name in LABELS.names})
    table["frame"], table["time_s"] = np.arange(n), time_s
    table["source"], table["status"], table["track_id"], table["shot_id"] = "model", "ok", 0, 0
    for name, values in (("valence", np.sin(time_s)), ("arousal", np.cos(time_s))):
        values[20:30] = np.nan
        table[name], table[f"{name}_lo"], table[f"{name}_hi"] = values, values - 0.2, values + 0.2
    table.loc[20:29, ["source", "status"]] = ["none", "no_face"]
    table.loc[[5, 40], "source"] = "anchor"
    return table


def pictures(n: int = 60) -> dict[tuple[int, int], bytes]:
    frames = {*range(0, n, max(2, n // 200)), *(i for i in (5, 40) if i < n)}
    return {(i, 0): encode(np.full((40, 60, 3), i % 256, np.uint8), 80) for i in sorted(frames)}


def write(tmp_path, table=None, **options) -> str:
    table = labels() if table is None else table
    columns = {name: table[name].to_numpy() for name in LABELS.names}
    write_label_page(tmp_path / "clip.html", columns, FACTS, pictures(len(table)), thumbnails=8, **options)
    return (tmp_path / "clip.html").read_text(encoding="utf-8")


def test_the_page_says_how_many_frames_faces_and_anchors_there_are(tmp_path):
    assert "60 frames over 2.36 s, a face in 50 of them, labelled from 2 anchors." in write(tmp_path)


@pytest.mark.filterwarnings("error")
def test_a_page_without_anchors_says_so_and_has_no_straight_lines(tmp_path):
    table = labels()
    table["source"] = table["source"].replace({"anchor": "zero-shot", "model": "zero-shot"})
    html = write(tmp_path, table)
    assert "a face in 50 of them, labelled without anchors." in html
    assert "the baseline to beat" not in html


def test_the_index_says_how_many_videos_had_no_anchors(tmp_path):
    rows = [
        {
            "video": name,
            "page": f"{name}.html",
            "frames": 3,
            "faces": 2,
            "anchors": count,
            "confidence": 0.5,
            "notes": 0,
        }
        for name, count in (("a", 0), ("b", 2))
    ]
    write_index(tmp_path / "index.html", rows, [], "0.1.0")
    assert "2 of 2 videos labelled. Without anchors: 1." in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_page_asks_nothing_of_the_network(tmp_path):
    html = write(tmp_path)
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)[^"']+""", html)
    assert "url(http" not in html
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', html)[1]
    assert policy.startswith("default-src &#39;none&#39;; img-src data:;")


def test_both_anchors_and_some_other_frames_are_shown_with_their_values(tmp_path):
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", write(tmp_path), flags=re.DOTALL)
    assert [text.split(" ")[0] for text in captions if text.endswith("anchor")] == ["5", "40"]
    assert len(captions) == 10
    assert any(text.endswith("no label\nno face") for text in captions)


def test_model_hashes_notes_and_rotation_stand_in_it(tmp_path):
    html = write(tmp_path, notes=["The file is cut short."])
    for words in ("a" * 64, "b" * 64, "turned by 90°", "variable frame rate", "CC0 &lt;script&gt;", "The file is cut"):
        assert words in html


def test_the_page_of_a_long_video_grows_by_its_packed_rows_alone(tmp_path):
    write(tmp_path, labels(60_000))
    assert (tmp_path / "clip.html").stat().st_size < 1_000_000 + 60 * 60_000


def test_a_video_of_one_frame_without_band_has_a_page(tmp_path):
    table = labels().iloc[30:31].reset_index(drop=True).assign(frame=0, source="anchor")
    assert "1 frames" in write(tmp_path, table)


def test_the_index_leads_to_every_report_and_lists_what_failed(tmp_path):
    row = {
        "video": "mon/a b",
        "page": "mon/a b.html",
        "frames": 3,
        "faces": 2,
        "anchors": 1,
        "confidence": 0.5,
        "notes": 2,
    }
    write_index(tmp_path / "index.html", [row], ["c.mp4: the file is <empty>."], "0.1.0")
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert '<a href="mon/a%20b.html">mon/a b</a>' in html
    assert "the file is &lt;empty&gt;." in html
    assert "1 of 2 videos" in html


def test_an_anchor_without_a_picture_is_shown_by_the_nearest_one():
    values = np.zeros((100, 2))
    assert 35 in choose(range(0, 100, 5), [34], values, 3)
    assert choose([], [34], values, 3) == []


@pytest.mark.parametrize("count", [1, 4, 12])
def test_extremes_come_first_when_few_pictures_are_shown(count):
    values = np.zeros((100, 2))
    values[10], values[20], values[30], values[40] = (0.9, 0), (-0.9, 0), (0, 0.9), (0, -0.9)
    chosen = choose(range(0, 100, 5), [5], values, count)
    assert 5 in chosen
    assert len(chosen) <= count + 1
    assert len({10, 20, 30, 40} & set(chosen)) == min(count, 4)


def several(n: int = 60) -> pd.DataFrame:
    """Two people of two shots: one with a name in both, tracks 0 and 2, and one without in the first, track 1."""
    first = labels(n).assign(source="model", status="ok", shot_id=(np.arange(n) >= 30).astype(int))
    first = first.assign(track_id=np.where(np.arange(n) < 30, 0, 2), person_id="Ada <b>", valence=0.5)
    second = first.iloc[:30].assign(track_id=1, person_id=None, valence=-0.5)
    return pd.concat([first, second], ignore_index=True)


def test_everybody_who_is_labelled_has_curves_pictures_and_numbers_of_their_own(tmp_path):
    table = several()
    columns = {name: table[name].to_numpy() for name in LABELS.names}
    faces = dict.fromkeys(((3, 0), (3, 1), (35, 2), (35, 1)), b"face")
    write_label_page(
        tmp_path / "clip.html", columns, FACTS, faces, thumbnails=8, shots={0: b"one", 30: b"two"}, notes=["Mind."]
    )
    html = (tmp_path / "clip.html").read_text(encoding="utf-8")
    for who in ("Ada &lt;b&gt;", "track 1"):
        assert f"<h3>Valence and arousal over time of {who}</h3>" in html
        assert f"valence of {who}" in html
    assert "Ada <b>" not in html
    assert "60 frames over 2.36 s, a face in 60 of them, labelled from 0 anchors." in html
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", html, flags=re.DOTALL)
    assert [text.split("\n")[0] for text in captions] == [
        "3 · 0.12 s", "35 · 1.40 s", "3 · 0.12 s", "shot 0 · 0.00 s", "shot 1 · 1.20 s",
    ]  # fmt: skip
    assert captions[-1].endswith("track 2")
    assert "cuts from shot to shot" in html


def test_frames_without_the_subject_are_shaded_and_explained(tmp_path):
    table = labels()
    table.loc[20:29, "status"] = "out_of_shot"
    table.loc[30:32, "status"] = "low_quality"
    assert "Shaded: out of the shot, a face that can hardly be seen." in write(tmp_path, table)


def test_the_page_of_two_minutes_is_smaller_than_two_megabytes(tmp_path):
    table, pixels = labels(3000), np.random.default_rng(0).integers(0, 255, (24, 24, 3)).astype(np.uint8)
    faces = {(frame, 0): encode(pixels.repeat(4, 0).repeat(4, 1), 80) for frame in range(0, 3000, 25)}
    columns = {name: table[name].to_numpy() for name in LABELS.names}
    write_label_page(tmp_path / "clip.html", columns, FACTS, faces, thumbnails=16)
    assert len(next(iter(faces.values()))) > 2500
    assert (tmp_path / "clip.html").stat().st_size < 2_000_000


def given(html: str) -> dict:
    """What the page hands to its script."""
    return json.loads(re.search(r'<script type="application/json" id="labels">(.*?)</script>', html, re.DOTALL)[1])


def test_the_script_is_given_every_row_as_it_is(tmp_path):
    table = labels()
    data = given(write(tmp_path, table))
    packed = {name: base64.b64decode(text) for name, text in data["columns"].items()}
    assert np.array_equal(np.frombuffer(packed["time_s"], "<f8"), table["time_s"])
    assert np.array_equal(np.frombuffer(packed["frame"], "<i4"), table["frame"])
    assert [data["statuses"][k] for k in packed["status"]] == table["status"].tolist()
    steps = np.frombuffer(packed["valence_lo"], "<i2").astype(float)
    steps[steps == data["unknown"]] = np.nan
    assert np.allclose(steps / data["fine"], np.clip(table["valence_lo"], -1, 1), atol=2e-5, equal_nan=True)


def test_of_many_pictures_those_of_the_anchors_stay_and_the_page_says_how_many_are_left_out(tmp_path):
    table = labels(60_000)
    faces = {(frame, 0): b"face" for frame in range(1, 60_000, 25)}
    columns = {name: table[name].to_numpy() for name in LABELS.names}
    write_label_page(tmp_path / "clip.html", columns, FACTS, faces, thumbnails=8)
    data = given((tmp_path / "clip.html").read_text(encoding="utf-8"))
    shown = {frame for frame, _, _ in data["pictures"]}
    assert {1, 51} <= shown  # the nearest to the anchors 5 and 40
    assert len(shown) <= MAX_PICTURES + 2
    assert data["pictures_left_out"] == 2400 - len(shown)


def test_suspects_and_words_from_outside_cannot_end_the_scripts_data(tmp_path):
    hostile = "</script><script>alert(1)</script> \u2028"
    html = write(tmp_path, suspects=[Suspect(5, hostile, 0)])
    assert hostile not in html
    assert given(html)["suspects"] == [{"frame": 5, "track": 0, "reason": hostile}]


def test_the_prediction_interval_is_called_so_with_its_coverage(tmp_path):
    html = write(tmp_path)
    assert "Band: the 90 % prediction interval, as wide as held 90 % of the true labels" in html


def test_the_chart_library_is_the_released_file_with_its_licence(repository, tmp_path):
    assets = repository / "mtclar" / "report" / "assets"
    digest = hashlib.sha256((assets / "uPlot.iife.min.js").read_bytes()).hexdigest()
    assert digest == "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"  # uPlot 1.6.32 as published
    assert "Copyright (c) 2022 Leon Sorokin" in write(tmp_path)
