"""Videos of one's own, with and without labels."""

import numpy as np
import pytest
from make_video import number, write_video

from mtclar.errors import MtclarError

from .miniatures import read_all, write, write_zip

STAMPS = [0, 40, 80, 200, 240]


def videos(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, STAMPS)
    return folder


def test_without_labels_every_frame_is_read_with_its_containers_time(tmp_path):
    found, _ = read_all(videos(tmp_path, "a.mp4"), "videos")
    assert [record.frame for record in found] == list(range(5))
    assert [number(record.load()) for record in found] == list(range(5))
    assert np.allclose([record.time_s for record in found], np.array(STAMPS) / 1000)
    assert all(np.isnan(record.valence) for record in found)
    assert {record.clip_id for record in found} == {"a"}


def test_of_a_labelled_video_the_listed_frames_are_read_and_of_others_all(tmp_path):
    videos(tmp_path, "a.mp4", "b.mp4")
    write(
        tmp_path,
        {"labels.csv": "\ufeffvideo_id, frame, valence, arousal, person_id\na.mp4,3,0.5,-0.5,ann\na,1,,0.2,ann\n"},
    )
    found, _ = read_all(tmp_path, "videos")
    a = [record for record in found if record.clip_id == "a"]
    assert [(record.frame, record.subject_id) for record in a] == [(1, "videos/ann"), (3, "videos/ann")]
    assert np.isnan([a[0].valence, a[0].arousal]).all()
    assert (a[1].valence, a[1].arousal) == (0.5, -0.5)
    assert len(found) == 7


def test_two_people_in_one_video_are_two_clips_with_their_own_boxes(tmp_path):
    videos(tmp_path, "a.mp4")
    table = (
        "video_id,frame,valence,arousal,person_id,track_id,x,y,w,h\na,0,0.1,0,p,0,1,2,30,40\na,0,0.2,0,q,1,60,2,30,40\n"
    )
    found, _ = read_all(write(tmp_path, {"labels.csv": table}), "videos")
    assert [(r.clip_id, r.track_id, r.subject_id, r.box) for r in found] == [
        ("a#p", 0, "videos/p", (1, 2, 30, 40)),
        ("a#q", 1, "videos/q", (60, 2, 30, 40)),
    ]
    assert len({record.face_id for record in found}) == 2


def test_a_person_stands_in_one_split_whatever_the_video(tmp_path):
    videos(tmp_path, *(f"{i}.mp4" for i in range(6)))
    rows = "".join(f"{i},0,0,0,p{i // 2}\n" for i in range(6))
    write(tmp_path, {"labels.csv": "video_id,frame,valence,arousal,person_id\n" + rows})
    found, _ = read_all(tmp_path, "videos", validation=0.3, test=0.3)
    splits = {record.subject_id: {r.split for r in found if r.subject_id == record.subject_id} for record in found}
    assert sorted(map(sorted, splits.values())) == [["test"], ["train"], ["validation"]]


def test_videos_of_the_same_name_in_two_folders_are_told_apart(tmp_path):
    found, _ = read_all(videos(tmp_path, "x/a.mp4", "y/a.mp4"), "videos")
    assert {record.clip_id for record in found} == {"x/a", "y/a"}


def test_a_text_file_named_mp4_an_empty_one_and_a_packed_one_are_listed_and_the_good_one_read(tmp_path):
    videos(tmp_path, "good.mp4")
    write(tmp_path, {"bad.mp4": "no video", "empty.mov": b""})
    write_zip(tmp_path / "more.zip", {"more/packed.mp4": b"x"})
    found, notes = read_all(tmp_path, "videos")
    assert {record.clip_id for record in found} == {"good"}
    assert sorted(name for name, _ in notes.unreadable) == ["bad.mp4", "empty.mov", "more/packed.mp4"]


def test_a_labelled_frame_that_the_video_lacks_is_listed(tmp_path):
    videos(tmp_path, "a.mp4")
    write(tmp_path, {"labels.csv": "video_id,frame,valence,arousal\na,0,0,0\na,99,0,0\n"})
    found, notes = read_all(tmp_path, "videos")
    assert len(found) == 1
    assert notes.unreadable == [("a.mp4, frame 99", "the video has no such frame")]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("video_id,frame,valence\na,0,0\n", "no column 'arousal'"),
        ("video_id,frame,valence,arousal\nb,0,0,0\n", r"line 2: no video 'b' \(known: a, a\.mp4\)"),
        ("video_id,frame,valence,arousal\na,1.5,0,0\n", "line 2: frame '1.5'"),
        ("video_id,frame,valence,arousal\na,-1,0,0\n", "line 2: frame '-1'"),
        ("video_id,frame,valence,arousal\na,1,0,0\na,1,0,1\n", "line 3: frame 1 of 'a' is labelled twice"),
    ],
)
def test_a_wrong_line_of_labels_is_refused_with_its_number(tmp_path, table, sentence):
    videos(tmp_path, "a.mp4")
    with pytest.raises(MtclarError, match=sentence):
        read_all(write(tmp_path, {"labels.csv": table}), "videos")


def test_a_folder_without_videos_is_refused(tmp_path):
    with pytest.raises(MtclarError, match="no video"):
        read_all(write(tmp_path, {"a.txt": "x"}), "videos")
