from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from make_video import number, numbered, write_planes, write_sizes, write_video

from mtclar.video import open_video

# Kr and Kb of ITU-T H.273 by the number of the matrix: BT.709, BT.601, BT.2020
LUMA = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}
COLOUR = np.array([200, 120, 60])


def read(path, **options):
    with open_video(path, **options) as video:
        return list(video), video.facts


def planes(rgb, matrix, full, bits=8, size=(64, 48)):
    """Y, Cb and Cr of a colour in [0, 1], each (h, w), by the formulas of ITU-T H.273, 8.3."""
    kr, kb = LUMA[matrix]
    luma = kr * rgb[0] + (1 - kr - kb) * rgb[1] + kb * rgb[2]
    chroma = np.array([(rgb[2] - luma) / (2 - 2 * kb), (rgb[0] - luma) / (2 - 2 * kr)])
    top = (1 << bits) - 1
    if full:
        values = [luma * top, *(chroma * top + (1 << bits - 1))]
    else:
        values = [(16 + 219 * luma) * 2 ** (bits - 8), *((128 + 224 * chroma) * 2 ** (bits - 8))]
    kind = np.uint8 if bits == 8 else np.uint16
    return [np.full(size[::-1], round(float(value)), kind) for value in values]


@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("bits", [8, 10])
def test_colours_follow_the_matrix_and_the_range_that_the_file_states(tmp_path, matrix, full, bits):
    pix_fmt = "yuv444p" if bits == 8 else "yuv444p10le"
    stated = {"colorspace": matrix, "color_range": 2 if full else 1}
    path = write_planes(tmp_path / "c.mkv", planes(COLOUR / 255, matrix, full, bits), pix_fmt, colours=stated)
    frames, facts = read(path)
    assert np.abs(frames[0].image.reshape(-1, 3).astype(int) - COLOUR).max() <= 2
    assert facts.range == ("full" if full else "limited")
    assert facts.matrix == {1: "bt709", 6: "smpte170m", 9: "bt2020"}[matrix]
    assert facts.warnings == ()


@pytest.mark.parametrize(("size", "matrix"), [((720, 576), 6), ((1280, 720), 1)])
def test_a_matrix_that_is_not_stated_is_that_of_bt_601_in_small_and_of_bt_709_in_large_pictures(tmp_path, size, matrix):
    path = write_planes(tmp_path / "c.mkv", planes(COLOUR / 255, matrix, False, size=size), "yuv444p")
    frames, facts = read(path)
    assert np.abs(frames[0].image[::50, ::50].reshape(-1, 3).astype(int) - COLOUR).max() <= 2
    assert facts.matrix == "unspecified"


@pytest.mark.parametrize(("transfer", "white", "says"), [(16, 0.58, "PQ"), (18, 0.75, "HLG")])
def test_hdr_is_mapped_to_an_ordinary_screen_and_said(tmp_path, transfer, white, says):
    """Reference white and half of it, whose codes BT.2408 and the standards give, in grey."""
    stated = {"colorspace": 9, "color_range": 1, "color_trc": transfer, "color_primaries": 9}
    path = write_planes(tmp_path / "w.mkv", planes([white] * 3, 9, False, bits=10), "yuv444p10le", colours=stated)
    frames, facts = read(path)
    assert 235 <= frames[0].image.min() <= frames[0].image.max() <= 250
    assert says in facts.warnings[0]
    assert (facts.transfer, facts.primaries) == ({16: "smpte2084", 18: "arib_std_b67"}[transfer], "bt2020")


@pytest.mark.parametrize(
    ("stated", "says"), [({"colorspace": 8}, "matrix (ycgco)"), ({"color_trc": 8}, "transfer (linear)")]
)
def test_colours_that_cannot_be_converted_are_shown_somehow_and_said(tmp_path, stated, says):
    path = write_planes(tmp_path / "c.mkv", planes([0.5] * 3, 1, False), "yuv444p", colours=stated)
    frames, facts = read(path)
    assert frames[0].image.shape == (48, 64, 3)
    assert says in facts.warnings[0]


def test_grey_pictures_are_read_as_rgb(tmp_path):
    frames, _ = read(write_planes(tmp_path / "g.mkv", [np.full((48, 64), 77, np.uint8)], "gray"))
    np.testing.assert_array_equal(frames[0].image, np.full((48, 64, 3), 77))


def test_transparent_pictures_are_shown_on_black_and_said(tmp_path):
    pixels = np.zeros((48, 64, 4), np.uint8)
    pixels[...] = (255, 200, 100, 50)  # A, R, G, B
    pixels[:, :32, 0] = 0
    frames, facts = read(write_planes(tmp_path / "t.mov", [pixels.reshape(48, -1)], "argb", codec="qtrle"))
    assert frames[0].image[10, 10].tolist() == [0, 0, 0]
    assert frames[0].image[10, 50].tolist() == [200, 100, 50]
    assert "transparent" in facts.warnings[0]


def circle(width, height):
    """A circle on a screen of (width, height)."""
    image = np.full((height, width, 3), 40, np.uint8)
    cv2.circle(image, (width // 2, height // 2), height // 3, (230, 230, 230), -1)
    return image


def extent(image):
    """Width and height of the bright part."""
    bright = image[..., 1] > 128
    return int(bright.any(axis=0).sum()), int(bright.any(axis=1).sum())


@pytest.mark.parametrize(
    ("sar", "stored", "shown"),
    [
        (Fraction(64, 45), (320, 256), (455, 256)),
        (Fraction(8, 9), (360, 240), (360, 270)),
        (Fraction(2, 1), (160, 180), (320, 180)),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "ts"])
def test_pixels_that_are_not_square_are_stretched_and_none_is_lost(tmp_path, sar, stored, shown, suffix):
    squeezed = cv2.resize(circle(*shown), stored, interpolation=cv2.INTER_AREA)
    chroma = np.full((stored[1] // 2, stored[0] // 2), 128, np.uint8)
    path = write_planes(
        tmp_path / f"a.{suffix}", [squeezed[..., 0], chroma, chroma], "yuv420p", codec="libx264", sar=sar
    )
    frames, facts = read(path)
    assert (facts.width, facts.height) == frames[0].image.shape[1::-1] == shown
    assert Fraction(facts.sar) == sar
    width, height = extent(frames[0].image)
    assert width == pytest.approx(height, abs=3)
    assert facts.warnings == ()


def test_the_size_is_known_before_the_first_frame_is_read(tmp_path):
    flat = [np.full((256, 320), 90, np.uint8)] + [np.full((128, 160), 128, np.uint8)] * 2
    path = write_planes(tmp_path / "a.mp4", flat, "yuv420p", codec="libx264", sar=Fraction(64, 45))
    facts = open_video(path).facts
    assert (facts.width, facts.height, facts.sar, facts.n_frames) == (455, 256, "64/45", None)


def test_pixels_of_an_impossible_shape_are_taken_to_be_square_and_said(tmp_path):
    flat = [np.full((48, 64), 90, np.uint8)] + [np.full((24, 32), 128, np.uint8)] * 2
    path = write_planes(tmp_path / "a.mp4", flat, "yuv420p", codec="libx264", sar=Fraction(20, 1))
    frames, facts = read(path)
    assert frames[0].image.shape == (48, 64, 3)
    assert "20:1" in facts.warnings[0]


def test_pixels_that_change_their_shape_in_the_middle_are_shown_at_the_first_size(tmp_path):
    """As recordings of television do where a film begins."""
    parts = []
    for k, sar in enumerate((Fraction(1, 1), Fraction(2, 1))):
        flat = [np.full((96, 160), 200, np.uint8)] + [np.full((48, 80), 128, np.uint8)] * 2
        parts.append(write_planes(tmp_path / f"{k}.ts", flat, "yuv420p", codec="libx264", sar=sar, frames=30))
    (tmp_path / "both.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, facts = read(tmp_path / "both.ts")
    assert {frame.image.shape for frame in frames} == {(96, 160, 3)}
    assert Fraction(facts.sar) == 1
    assert extent(frames[10].image) == (160, 96)
    assert extent(frames[50].image) == (160, 48)
    assert any("320x96 at frame" in warning for warning in facts.warnings)


def test_a_turned_video_with_wide_pixels_is_stretched_before_it_is_turned(tmp_path):
    with av.open(str(tmp_path / "t.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        stream.set_display_rotation(-90)
        frame = av.VideoFrame.from_ndarray(numbered(3), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames, facts = read(tmp_path / "t.mp4")
    assert frames[0].image.shape == (320, 96, 3)
    assert (facts.width, facts.height, facts.rotation) == (96, 320, 90)


def test_a_turn_that_is_no_quarter_turn_is_named(tmp_path):
    _, facts = read(write_video(tmp_path / "askew.mp4", [0, 40], rotation=-60))
    assert facts.rotation == 90
    assert "30 degrees away from a quarter turn" in facts.warnings[0]


def test_interlaced_pictures_are_named(tmp_path):
    flat = [np.full((96, 160), 90, np.uint8)] + [np.full((48, 80), 128, np.uint8)] * 2
    path = write_planes(
        tmp_path / "i.mpg", flat, "yuv420p", codec="mpeg2video", options={"flags": "+ildct+ilme", "field_order": "tt"}
    )
    _, facts = read(path)
    assert any("interlaced" in warning for warning in facts.warnings)


def test_pictures_that_change_their_size_all_come_at_the_size_of_the_first(tmp_path):
    path = write_sizes(tmp_path / "s.webm", [(160, 96), (320, 192), (160, 96)])
    frames, facts = read(path)
    assert {frame.image.shape for frame in frames} == {(96, 160, 3)}
    assert [number(frame.image) for frame in frames[:5]] == list(range(5))
    assert [frame.index for frame in frames] == list(range(15))
    assert "320x192 at frame 5" in facts.warnings[0]
    assert len(facts.warnings) == 1
    red = frames[7].image[70, 10].astype(int)  # the corner below left keeps its place
    assert red[0] > 150
    assert red[1] < 80


def test_pictures_of_another_shape_are_not_squeezed_but_get_borders(tmp_path):
    frames, _ = read(write_sizes(tmp_path / "s.webm", [(192, 96), (96, 96)]))
    shown = frames[7].image
    assert shown.shape == (96, 192, 3)
    assert shown[:, :40].max() < 30
    assert shown[:, 60:130].mean() > 60
