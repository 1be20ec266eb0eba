"""Copies of videos: the same frames one for one, and labels of a copy carried back to the source."""

import csv
import shutil
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from make_video import number, numbered, with_audio, write_planes, write_video

from mtclar.data.frame_map import read_frame_map
from mtclar.errors import MtclarError, NothingDoneError, PartialFailureError
from mtclar.settings import load_settings
from mtclar.steps.normalise import back, run
from mtclar.video import open_video

ALL = load_settings()
UNEVEN_MS = np.cumsum([0, *np.random.default_rng(4).integers(15, 90, 59)]).tolist()
EVEN_MS = list(range(0, 2400, 40))


def frames_of(path):
    with open_video(path) as video:
        frames = list(video)
        return [frame.image for frame in frames], np.array([frame.time_s for frame in frames]), video.facts


def made(tmp_path, *videos, **options):
    return run(ALL.normalise, ALL.extract, videos=list(videos), out=tmp_path / "copies", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"pts": UNEVEN_MS},
        {"pts": EVEN_MS, "b_frames": 3},
        {"pts": UNEVEN_MS, "b_frames": 3},
        {"pts": EVEN_MS, "rotation": 90},
        {"pts": EVEN_MS, "rotation": 180},
        {"pts": UNEVEN_MS, "rotation": 270, "b_frames": 2},
        {"pts": EVEN_MS, "flip": True},
    ],
    ids=["variable", "b-frames", "variable-b-frames", "turned-90", "turned-180", "turned-270", "mirrored"],
)
def test_the_frames_of_the_copy_are_those_of_the_source_one_for_one(tmp_path, options):
    video = write_video(tmp_path / "clip.mp4", **options)
    result = made(tmp_path, video)
    before, source_s, facts = frames_of(video)
    after, copy_s, copied = frames_of(tmp_path / "copies" / "clip.mp4")
    assert len(after) == len(before) == 60 == result.videos[0].frames
    for k, (one, other) in enumerate(zip(before, after, strict=True)):
        assert one.shape == other.shape, k
        apart = [np.abs(other.astype(int) - image).mean() for image in before]
        assert int(np.argmin(apart)) == k
    assert (copied.rotation, copied.mirrored, copied.sar, copied.is_vfr) == (0, False, "1/1", False)
    known = read_frame_map(tmp_path / "copies" / "clip.frames.csv")
    assert known.time_s == pytest.approx(copy_s, abs=1e-6)
    assert known.source_time_s == pytest.approx(source_s, abs=1e-6)
    assert known.source_frame.tolist() == list(range(60))
    assert facts.n_frames == 60


def test_pixels_that_are_not_square_are_square_in_the_copy(tmp_path):
    grey = [np.full((48, 64), 90, np.uint8), np.full((24, 32), 128, np.uint8), np.full((24, 32), 128, np.uint8)]
    video = write_planes(tmp_path / "wide.mkv", grey, "yuv420p", codec="libx264", sar=Fraction(64, 45))
    made(tmp_path, video)
    images, _, facts = frames_of(tmp_path / "copies" / "wide.mp4")
    assert (facts.width, facts.height, facts.sar) == (92, 48, "1/1")  # 64 * 64 / 45 = 91, made even
    assert images[0].shape == (48, 92, 3)


def test_labels_made_on_the_copy_come_back_with_the_times_of_the_source(tmp_path):
    video = write_video(tmp_path / "clip.mp4", UNEVEN_MS)
    made(tmp_path, video)
    with (tmp_path / "anchors.csv").open("w") as file:
        csv.writer(file).writerows([["video_id", "frame", "time_s", "valence", "arousal"]])
        csv.writer(file).writerows([["clip", k, "", 0.1, 0.2] for k in (0, 31, 59)])
        csv.writer(file).writerows([["clip", "", f"{30 / 25:.6f}", 0.1, 0.2]])
    said = back(tmp_path / "anchors.csv", copies=tmp_path / "copies", out=tmp_path / "source.csv")
    rows = list(csv.DictReader((tmp_path / "source.csv").read_text().splitlines()))
    assert [row["frame"] for row in rows[:3]] == ["0", "31", "59"]
    rate = read_frame_map(tmp_path / "copies" / "clip.frames.csv").time_s[1] ** -1
    at = int(np.floor(1.2 * rate))
    assert UNEVEN_MS[at] / 1000 - 1e-6 <= float(rows[3]["time_s"]) <= UNEVEN_MS[at + 1] / 1000 + 1e-6
    assert said.startswith("4 rows")


def test_the_audio_stays_where_the_rate_is_constant_and_its_absence_is_said_where_it_varies(tmp_path):
    even = with_audio(write_video(tmp_path / "e.mp4", EVEN_MS), tmp_path / "even.mp4")
    uneven = with_audio(write_video(tmp_path / "u.mp4", UNEVEN_MS), tmp_path / "uneven.mp4")
    result = made(tmp_path, even, uneven)
    heard = {}
    for name in ("even", "uneven"):
        with av.open(str(tmp_path / "copies" / f"{name}.mp4")) as container:
            heard[name] = len(container.streams.audio)
    assert heard == {"even": 1, "uneven": 0}
    assert "the copy has no audio; carry labels back with 'mtclar normalise --back'" in str(result)


def test_what_was_copied_before_is_not_copied_again(tmp_path):
    video = write_video(tmp_path / "clip.mp4", EVEN_MS)
    made(tmp_path, video)
    first = (tmp_path / "copies" / "clip.mp4").stat().st_mtime_ns
    made(tmp_path, video)
    assert (tmp_path / "copies" / "clip.mp4").stat().st_mtime_ns == first
    made(tmp_path, video, force=True)
    assert (tmp_path / "copies" / "clip.mp4").stat().st_mtime_ns != first


def test_a_copy_never_takes_the_place_of_its_source_or_of_a_file_of_others(tmp_path):
    (tmp_path / "copies").mkdir()
    video = write_video(tmp_path / "copies" / "clip.mp4", EVEN_MS)
    content = video.read_bytes()
    with pytest.raises(NothingDoneError, match="the copy would take the place of the video itself"):
        made(tmp_path, video)
    other = shutil.copy(video, tmp_path / "clip.mp4")
    with pytest.raises(NothingDoneError, match="a file that is no copy of 'mtclar normalise'"):
        made(tmp_path, other)
    assert video.read_bytes() == content


def test_a_broken_video_is_said_and_the_others_are_copied(tmp_path):
    good = write_video(tmp_path / "good.mp4", EVEN_MS)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(
        PartialFailureError, match=r"(?s)1 of 2 videos are copied .*bad\.mp4: the file holds text"
    ) as raised:
        made(tmp_path, good, tmp_path / "bad.mp4")
    assert [one.video for one in raised.value.done.videos] == ["good.mp4"]
    assert sorted(path.name for path in (tmp_path / "copies").glob("*.mp4")) == ["good.mp4"]


def test_a_folder_of_pictures_is_copied_as_a_video(tmp_path):
    (tmp_path / "pictures").mkdir()
    for k in range(5):
        cv2.imwrite(str(tmp_path / "pictures" / f"{k:05}.png"), numbered(k)[..., ::-1])
    made(tmp_path, tmp_path / "pictures")
    assert [number(image) for image in frames_of(tmp_path / "copies" / "pictures.mp4")[0]] == list(range(5))


def test_labels_of_a_video_that_was_not_copied_here_are_refused(tmp_path):
    (tmp_path / "anchors.csv").write_text("video_id,frame,valence,arousal\nclip,0,0,0\n")
    with pytest.raises(MtclarError, match="normalise it there first"):
        back(tmp_path / "anchors.csv", copies=tmp_path, out=tmp_path / "out.csv")
