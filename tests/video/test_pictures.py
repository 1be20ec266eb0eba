import cv2
import numpy as np
import pytest
from make_video import number, numbered

from mtclar.data.store import encode
from mtclar.errors import MtclarError
from mtclar.video import open_video


def read(path, **options):
    with open_video(path, **options) as video:
        np.testing.assert_allclose(video.timeline(), [frame.time_s for frame in video])
        return list(video), video.facts


def write(folder, names, size=(160, 96)):
    folder.mkdir(exist_ok=True)
    for k, name in enumerate(names):
        (folder / name).write_bytes(encode(numbered(k, *size), 95))


@pytest.mark.parametrize("pattern", ["out-{:03d}.jpg", "frame_{:04d}.jpg", "s01 take 2 {}.JPG", "{:05d}.jpg"])
def test_pictures_numbered_after_one_name_are_a_video_in_the_order_of_the_numbers(tmp_path, pattern):
    write(tmp_path, [pattern.format(n) for n in range(1, 13)])
    write(tmp_path, ["cover.jpg"])
    frames, facts = read(tmp_path, fps=10)
    assert [number(frame.image) for frame in frames] == list(range(12))
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(12) / 10)
    assert (facts.is_vfr, facts.n_frames) == (False, 12)


def test_two_sequences_in_one_folder_are_no_video(tmp_path):
    write(tmp_path, ["a1.jpg", "a2.jpg", "b1.jpg", "b2.jpg"])
    with pytest.raises(MtclarError, match="of one name"):
        read(tmp_path)


def test_every_fifth_picture_has_even_times(tmp_path):
    write(tmp_path, [f"f{n:03d}.jpg" for n in range(0, 50, 5)])
    frames, facts = read(tmp_path)
    np.testing.assert_allclose([frame.time_s for frame in frames], np.arange(10) / 5)
    assert not facts.is_vfr


def with_orientation(jpeg, orientation):
    """The JPEG with an EXIF segment that holds the orientation (CIPA DC-008, tag 0x0112)."""
    tiff = b"II*\0\x08\0\0\0" + b"\x01\0" + b"\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + b"\0\0\0\0"
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + jpeg[2:]


UPRIGHT = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("single", [True, False])
def test_pictures_are_turned_as_their_exif_orientation_says(tmp_path, orientation, single):
    data = with_orientation(encode(numbered(5), 95), orientation)
    (tmp_path / "p1.jpg").write_bytes(data)
    (tmp_path / "p2.jpg").write_bytes(data)
    frames, facts = read(tmp_path / "p1.jpg" if single else tmp_path)
    expected = UPRIGHT[orientation](numbered(5))
    assert frames[0].image.shape == expected.shape
    assert np.abs(frames[0].image.astype(int) - expected).mean() < 6
    assert (facts.height, facts.width) == expected.shape[:2]


def test_pictures_of_several_sizes_are_shown_at_the_first_and_said(tmp_path):
    write(tmp_path, ["1.jpg"])
    (tmp_path / "2.jpg").write_bytes(encode(numbered(7, 320, 192), 95))
    frames, facts = read(tmp_path)
    assert [frame.image.shape for frame in frames] == [(96, 160, 3)] * 2
    assert "160x96" in facts.warnings[0]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".bmp"])
def test_pictures_of_other_formats_and_of_16_bits_and_grey_are_read(tmp_path, suffix):
    grey = suffix == ".tif"
    image = np.full((48, 64), 30_000, np.uint16) if grey else np.full((48, 64, 3), 117, np.uint8)
    for n in (1, 2):
        cv2.imwrite(str(tmp_path / f"{n}{suffix}"), image)
    frames, _ = read(tmp_path)
    assert np.abs(frames[1].image.astype(int) - 117).max() <= 2
