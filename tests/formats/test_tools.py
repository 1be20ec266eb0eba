"""What other tools write is read as they mean it, and what is written for them has the form they ask for."""

from __future__ import annotations

import json
import struct
import xml.etree.ElementTree as ElementTree
import zipfile

import numpy as np
import pandas as pd
import pytest

from mtclar.errors import MtclarError
from mtclar.formats import Annotations, Timeline, place, read_annotations, write_annotations
from tests.formats.test_round_trips import labels

CARMA = """"12-May-2026 10:00","CARMA"
"Multimedia File","C:\\films\\talk.mp4"
"Lower Label","very unpleasant"
"Upper Label","very pleasant"
"Minimum Value",{low}
"Maximum Value",{high}
"Number of Steps",9
"Second","Rating"
"%%%%%%","%%%%%%"
1,{low}
2,{high}
3,NaN
"""
DARMA = """Time of Rating,12-May-2026
Multimedia File,talk.mp4,10
Magnitude,1000
Second,Activation,Pleasantness,Button
%%%%%%,%%%%%%,%%%%%%,%%%%%%
0.5,500,-1000,0
1,0,0,1
"""
BORIS = """Observation id,Media file,Time,Subject,Behavior,Behavior type,Modifier #1,Comment
o,films/talk.mp4,1.5,Ann,valence,POINT,-0.5,
o,films/talk.mp4,1.5,Ann,arousal,POINT,,0.25
o,films/talk.mp4,2.0,Ann,smiles,POINT,,
"""


def nova(folder, name: str, scores: list[float], annotator: str = "ann", kind: str = "CONTINUOUS", sr: float = 25):
    header = folder / f"{name}.role1.{annotator}.annotation"
    header.write_text(
        f'<annotation ssi-v="3"><info ftype="ASCII" size="{len(scores)}"/><meta annotator="{annotator}" role="role1"/>'
        f'<scheme name="{name}" type="{kind}" sr="{sr}" min="0" max="1"/></annotation>'
    )
    header.with_name(header.name + "~").write_text("".join(f"{score};1.0\n" for score in scores))
    return header


def test_two_tracks_of_nova_are_read_together_on_their_own_scale(tmp_path):
    header = nova(tmp_path, "arousal", [0.0, 0.5, 1.0])
    nova(tmp_path, "valence", [0.25, 0.25, float("nan")])
    found = read_annotations(header)
    assert found.table["time_s"].round(3).tolist() == [0.0, 0.04, 0.08]
    assert found.table["arousal"].tolist() == [-1.0, 0.0, 1.0]
    assert found.table["valence"].tolist()[:2] == [-0.5, -0.5]
    assert np.isnan(found.table["valence"][2])
    assert set(found.human()["person_id"]) == {"role1"}


def test_binary_tracks_of_nova_are_read(tmp_path):
    header = nova(tmp_path, "valence", [0, 0])
    header.write_text(header.read_text().replace("ASCII", "BINARY"))
    header.with_name(header.name + "~").write_bytes(struct.pack("<4f", 1.0, 1.0, 0.5, 0.4))
    found = read_annotations(header)
    assert found.table["valence"].tolist() == [1.0, 0.0]
    assert found.table["source"].tolist() == ["anchor", "model"]


def test_nova_gets_an_even_rate_and_confidence_1_for_people_alone(tmp_path):
    clip = labels(10, 29.97, np.linspace(-1, 1, 20).reshape(10, 2), [3])
    write_annotations(clip, tmp_path / "clip.annotation")
    header = tmp_path / "valence.clip.mtclar.annotation"
    root = ElementTree.parse(header).getroot()
    assert root.find("scheme").get("sr") == "29.97"
    lines = header.with_name(header.name + "~").read_text().splitlines()
    assert int(root.find("info").get("size")) == len(lines) == 10
    assert [i for i, line in enumerate(lines) if float(line.split(";")[1]) == 1] == [3]


def test_gaps_are_not_a_number_for_nova(tmp_path):
    table = labels(10, 10.0, np.zeros((10, 2)), [0]).table.drop(index=[4, 5, 6])
    write_annotations(Annotations("clip", table, fps=10.0), tmp_path / "clip.annotation")
    lines = (tmp_path / "valence.clip.mtclar.annotation~").read_text().splitlines()
    assert [i for i, line in enumerate(lines) if line.startswith("NaN")] == [4, 5, 6]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "DISCRETE"}, "expected a CONTINUOUS scheme, found DISCRETE"),
        ({"sr": 0}, "expected sr above 0"),
    ],
)
def test_tracks_of_nova_that_are_no_curve_are_refused(tmp_path, change, sentence):
    with pytest.raises(MtclarError, match=sentence):
        read_annotations(nova(tmp_path, "valence", [0.0], **change))


def test_a_bin_of_carma_stands_for_its_middle_on_the_scale_of_the_file(tmp_path):
    (tmp_path / "r.csv").write_text(CARMA.format(low=-100, high=100))
    found = read_annotations(tmp_path / "r.csv")
    assert found.video_id == "talk"
    assert found.table["time_s"].tolist() == [0.5, 1.5]
    assert found.table["valence"].tolist() == [-1.0, 1.0]
    assert "bin of 1 s" in found.notes[0]


def test_a_carma_file_that_tells_no_dimension_asks_for_it(tmp_path):
    text = CARMA.format(low=1, high=9).replace("unpleasant", "low").replace("pleasant", "high")
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(MtclarError, match=r"tell neither valence nor arousal; say which with --dimension"):
        read_annotations(tmp_path / "r.csv")
    assert read_annotations(tmp_path / "r.csv", dimension="arousal").table["arousal"].tolist() == [-1.0, 1.0]


def test_axes_of_darma_are_known_by_their_labels(tmp_path):
    (tmp_path / "r.csv").write_text(DARMA)
    table = read_annotations(tmp_path / "r.csv").table
    assert table["time_s"].tolist() == [0.25, 0.75]
    assert table["arousal"].tolist() == [0.5, 0.0]
    assert table["valence"].tolist() == [-1.0, 0.0]


def test_events_of_boris_are_joined_by_subject_and_time(tmp_path):
    (tmp_path / "events.csv").write_text(BORIS)
    found = read_annotations(tmp_path / "events.csv")
    assert found.table[["time_s", "valence", "arousal"]].to_numpy().tolist() == [[1.5, -0.5, 0.25]]
    assert (found.video_id, found.table["person_id"][0]) == ("talk", "Ann")


def test_label_studio_gets_one_region_an_anchor_and_few_stretches(tmp_path):
    clip = labels(300, 25.0, np.zeros((300, 2)), [10, 200])
    table = clip.table.assign(valence_lo=-0.1, valence_hi=0.1, arousal_lo=-0.1, arousal_hi=0.1)
    table.loc[50:60, "valence_hi"] = 0.9
    write_annotations(Annotations("clip", table, media="clip.mp4"), tmp_path / "task.json")
    task = json.loads((tmp_path / "task.json").read_text())[0]
    regions = task["predictions"][0]["result"]
    assert [r["value"]["ranges"] for r in regions if r["type"] == "timelinelabels"] == [
        [{"start": 11, "end": 11}],
        [{"start": 201, "end": 201}],
    ]
    stretches = [r["value"] for r in regions if r["type"] == "timeserieslabels"]
    assert [(s["start"], s["end"]) for s in stretches] == [(2.0, 2.4)]
    names = {element.get("name") for element in ElementTree.parse(tmp_path / "task.config.xml").iter()}
    assert {region["from_name"] for region in regions} <= names
    assert task["data"]["fps"] == 25.0
    assert list(pd.read_csv(tmp_path / task["data"]["va_csv"]).columns) == ["time", "valence", "arousal"]


def test_what_was_submitted_to_label_studio_counts_from_frame_1(tmp_path):
    task = {
        "data": {"video": "/data/upload/clip.mp4", "fps": 25.0},
        "annotations": [
            {"was_cancelled": True, "result": []},
            {
                "result": [
                    {
                        "id": "x1",
                        "type": "timelinelabels",
                        "from_name": "anchor",
                        "value": {"ranges": [{"start": 46, "end": 46}], "timelinelabels": ["Anchor"]},
                    },
                    {"id": "x1", "type": "number", "from_name": "valence", "value": {"number": 0.35}},
                    {"id": "x1", "type": "number", "from_name": "arousal", "value": {"number": -0.1}},
                ]
            },
        ],
        "predictions": [{"result": []}],
    }
    (tmp_path / "export.json").write_text(json.dumps([task]))
    found = read_annotations(tmp_path / "export.json")
    table = place(found, Timeline(np.arange(100) / 25)).annotations.table
    assert table[["frame", "valence", "arousal"]].to_numpy() == pytest.approx(np.array([[45, 0.35, -0.1]]))
    assert (found.video_id, found.human()["time_s"].tolist()) == ("clip", [1.8])


def test_a_frame_of_label_studio_is_a_time_whatever_the_video_has(tmp_path):
    times = np.cumsum([0.0, *np.tile([0.02, 0.06], 20)])  # a rate that varies, 25 on average
    table = labels(41, 25.0, np.zeros((41, 2)), [0, 7, 30]).table.assign(time_s=times)
    write_annotations(Annotations("clip", table, fps=50.0), tmp_path / "task.json")
    found = place(read_annotations(tmp_path / "task.json"), Timeline(times)).annotations.human()
    assert found["frame"].tolist() == [0, 7, 30]


def test_what_somebody_else_describes_in_nova_is_not_the_videos_name(tmp_path):
    header = nova(tmp_path, "valence", [0.5])
    header.write_text(
        header.read_text().replace('annotator="ann"', 'annotator="ann" description="a long talk, part 2"')
    )
    assert read_annotations(header).video_id == "valence"


def test_cvat_gets_a_keyframe_a_frame_and_an_end_before_each_gap(tmp_path):
    table = labels(10, 25.0, np.zeros((10, 2)), [2]).table.drop(index=[5])
    write_annotations(Annotations("clip", table, size=(640, 360)), tmp_path / "c.xml")
    boxes = list(ElementTree.parse(tmp_path / "c.xml").getroot().iter("box"))
    assert all(box.get("keyframe") == "1" for box in boxes)
    assert [int(box.get("frame")) for box in boxes if box.get("outside") == "1"] == [5, 10]
    human = [int(b.get("frame")) for b in boxes if b.findtext("attribute[@name='human']") == "true"]
    assert human == [2]


def test_an_archive_of_cvat_is_read_and_all_keyframes_count_where_asked(tmp_path):
    write_annotations(labels(4, 25.0, np.zeros((4, 2)), [2]), tmp_path / "c.xml")
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        archive.write(tmp_path / "c.xml", "annotations.xml")
    assert read_annotations(tmp_path / "c.zip").human()["frame"].tolist() == [2]
    assert read_annotations(tmp_path / "c.zip", all_rows=True).human()["frame"].tolist() == [0, 1, 2, 3]
    (tmp_path / "bad.zip").write_bytes(b"PK nonsense")
    with pytest.raises(MtclarError, match="expected an archive of CVAT"):
        read_annotations(tmp_path / "bad.zip")


def test_labels_without_boxes_cannot_become_a_file_of_cvat(tmp_path):
    table = pd.DataFrame({"frame": [0], "time_s": [0.0], "valence": [0.0], "arousal": [0.0]})
    with pytest.raises(MtclarError, match="CVAT needs face boxes, and clip has none"):
        write_annotations(Annotations("clip", table), tmp_path / "c.xml")
    assert list(tmp_path.iterdir()) == []


def test_afew_va_rates_in_tenths_and_states_no_rate(tmp_path):
    frames = {"00001": {"landmarks": [], "valence": 4.0, "arousal": 10.0}, "00000": {"valence": -5.0, "arousal": 0.0}}
    (tmp_path / "001.json").write_text(json.dumps({"video_id": "001", "actor": "A", "frames": frames}))
    found = read_annotations(tmp_path / "001.json")
    assert found.table[["frame", "valence", "arousal"]].to_numpy() == pytest.approx(
        np.array([[0, -0.5, 0.0], [1, 0.4, 1.0]])
    )
    assert "25 frames a second assumed" in found.notes[0]


def test_a_file_of_several_videos_asks_for_one(tmp_path):
    path = tmp_path / "anchors.csv"
    path.write_text("video_id,frame,valence,arousal\na,0,0.1,0\nb,3,0.2,0\n")
    with pytest.raises(MtclarError, match=r"holds 2 videos; choose one with --video-id \(a, b\)"):
        read_annotations(path)
    assert read_annotations(path, video_id="b").table["frame"].tolist() == [3]
