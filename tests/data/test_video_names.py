"""Which video a name in somebody's table means: in steps from strict to lenient, and only where it is one."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.data.video_names import VideoNames


def found(written, videos, **kwargs):
    return VideoNames(videos).find(written, **kwargs).videos


@pytest.mark.parametrize(
    "written",
    [
        "2F10_08",
        "2F10_08.mp4",
        "2F10_08.avi",
        r"C:\Users\x\Desktop\2F10_08.avi",
        "/home/x/videos/2F10_08.mp4",
        "file:///C:/My%20videos/2F10_08.mp4",
        "2f10_08",
        r"D:\CLIPS\2F10_08.MP4",
        "./2F10_08.mkv",
    ],
)
def test_a_name_as_tools_write_it_means_the_video_of_that_name(written):
    assert found(written, ["2F10_08", "2F10_09"]) == ("2F10_08",)


@pytest.mark.parametrize("written", ["2F10_0", "2F10_08_crop", "2F10_08.happy", "2F10_08.1", "other/2F10_08/x", ""])
def test_another_name_means_no_video(written):
    assert found(written, ["2F10_08"]) == ()


def test_unicode_forms_of_one_name_are_one_name():
    known, written = unicodedata.normalize("NFD", "Müller"), unicodedata.normalize("NFC", "Müller")
    assert found(written, [known]) == (known,)
    assert found(f"x/{written.upper()}.mp4", [known]) == (known,)


def test_a_stricter_step_wins_over_a_more_lenient_one():
    assert found("Clip", ["clip", "Clip"]) == ("Clip",)
    assert found("x/Clip.mp4", ["clip", "Clip"]) == ("Clip",)
    assert found("CLIP", ["clip", "Clip"]) == ("Clip", "clip")


def test_twins_are_told_apart_by_as_many_folders_as_it_takes():
    twins = ["monday/clip", "tuesday/clip"]
    assert found("study/monday/clip.mp4", twins) == ("monday/clip",)
    assert found(r"D:\tuesday\clip.avi", twins) == ("tuesday/clip",)
    assert found("clip", twins) == ("monday/clip", "tuesday/clip")
    assert found("x/clip.avi", ["a/clip.avi", "a/clip.mov"]) == ("a/clip.avi",)


def test_folders_of_the_files_themselves_count_where_they_are_known():
    names = VideoNames({Path("/data/s01/clip.mp4"): "clip"})
    assert (names.find("s01/clip.mp4").shared, names.find("s02/clip.mp4").shared) == (2, 1)


@pytest.mark.parametrize(
    ("name", "written_by"), [("Интервью", "cp1251"), ("Kovács őszi", "cp1250"), ("会話", "cp932"), ("Zoë", "mac_roman")]
)
def test_letters_of_another_code_page_are_recognised_by_the_video_at_hand(name, written_by):
    raw = name.encode(written_by)
    misread = raw.decode("latin-1").translate({b: bytes([b]).decode("cp1252", "ignore") or b for b in range(128, 160)})
    assert found(misread, [name, "other"], foreign_letters=True) == (name,)
    assert found(misread, [name, "other"]) == ()


def test_utf_8_that_was_read_as_windows_1252_and_saved_again_is_recognised():
    assert found("Müller".encode().decode("cp1252"), ["Müller"]) == ("Müller",)


part = st.text("abAB .ü", min_size=1, max_size=6).map(str.strip).filter(lambda text: text.strip(". "))


@settings(max_examples=300, deadline=None)
@given(known=st.lists(part, min_size=1, max_size=5, unique=True), folders=st.lists(part, max_size=3))
def test_every_video_is_found_by_its_own_name_whatever_stands_before_and_behind(known, folders):
    names = VideoNames(known)
    for name in known:
        assert names.find(name).videos == (name,)
        path = "\\".join(["C:", *folders, f"{name}.mp4"])
        assert names.find(path).videos == (name,)
