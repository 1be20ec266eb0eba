"""The labels drawn into a video: the point, the curves and the box are where the labels say; times and audio stay."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_video import with_audio, write_video

from mtclar.data.tables import LABELS
from mtclar.errors import MtclarError
from mtclar.report.curves import GREY as GREY_LINE
from mtclar.report.curves import GRID
from mtclar.report.overlay import LEAST, LONGEST, Overlay, write_overlay
from mtclar.report.overlay_charts import ONE, PEOPLE, WINDOW_S, rgb
from mtclar.video import open_video

SIZE = (640, 480)
GREY = np.full((SIZE[1], SIZE[0], 3), 128, np.uint8)


def labels(n=50, *, tracks=(0,), rate=25.0, box=(200.0, 100.0, 160.0, 160.0), **given):
    """Columns of a labels table; each of `given` is one value for all rows, or one a row."""
    m = n * len(tracks)
    frame = np.tile(np.arange(n), len(tracks))
    columns = {
        "video_id": np.full(m, "clip", object),
        "track_id": np.repeat(np.array(tracks), n),
        "person_id": np.full(m, None, object),
        "frame": frame,
        "pts": frame,
        "time_s": frame / rate,
        "source": np.full(m, "model", object),
        "status": np.full(m, "ok", object),
        "anchor_ids": np.full(m, "", object),
        "shot_id": np.zeros(m, int),
        **{f"face_{name}": np.full(m, side) for name, side in zip("xywh", box, strict=True)},
    }
    nothing = {name: np.full(m, np.nan) for name in LABELS.names if name not in columns}
    columns = nothing | columns | {"valence": np.zeros(m), "arousal": np.zeros(m)}
    for name, value in given.items():
        columns[name] = np.broadcast_to(np.array(value, columns[name].dtype), m).copy()
    return columns


def places(image, colour, near=40):
    """x, y of the pixels of about a colour, (k, 2)."""
    away = np.abs(image.astype(int) - np.array(colour)).max(axis=2)
    return np.argwhere(away <= near)[:, ::-1]


def plane(columns, size=SIZE):
    """The circumplex's middle and half side, found from points at its corners."""
    corners = []
    for at in (-0.9, 0.9):
        moved = {**columns, "valence": np.full(50, at), "arousal": np.full(50, at)}
        corners.append(point(Overlay(moved, size).draw(GREY, 10, 0.4)))
    (x0, y0), (x1, y1) = corners
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2]), np.array([(x1 - x0) / 1.8, (y0 - y1) / 1.8])


def point(image):
    return places(image[SIZE[1] :], rgb(ONE)).mean(axis=0)


PLANE = plane(labels())


@settings(max_examples=25, deadline=None)
@given(st.floats(-0.95, 0.95), st.floats(-0.95, 0.95))
def test_the_point_on_the_circumplex_is_the_label(valence, arousal):
    image = Overlay(labels(valence=valence, arousal=arousal), SIZE).draw(GREY, 10, 0.4)
    middle, half = PLANE
    assert half[0] == pytest.approx(half[1], rel=0.02)
    x, y = (point(image) - middle) / half
    assert (x, -y) == pytest.approx((valence, arousal), abs=0.03)


def test_the_curve_and_its_band_are_at_the_height_of_the_label_and_its_interval():
    def column(**given):
        return Overlay(labels(**given), SIZE, coverage=0.9).draw(GREY, 25, 1.0)[SIZE[1] :, 120].astype(int)

    nothing = column(valence=np.nan, arousal=np.nan)
    one, minus_one = np.flatnonzero((nothing == rgb(GRID)).all(axis=1))[:2]
    zero = np.flatnonzero((nothing == rgb(GREY_LINE)).all(axis=1))[0]
    assert zero == pytest.approx((one + minus_one) / 2, abs=0.6)
    unit = (minus_one - one) / 2
    drawn = column(valence=0.5, valence_lo=-0.2, valence_hi=0.9)
    drawn[:one] = drawn[minus_one + 1 :] = nothing[0]  # words, and arousal
    line = np.flatnonzero(drawn[:, 2] - drawn[:, 0] > 100)
    band = one + np.flatnonzero((drawn != nothing)[one : minus_one + 1].any(axis=1))
    assert (zero - line.mean()) / unit == pytest.approx(0.5, abs=0.03)
    assert ((zero - band.min()) / unit, (zero - band.max()) / unit) == pytest.approx(
        (0.9, -0.2), abs=0.065
    )  # two pixels


def test_the_box_is_around_the_face_and_the_picture_is_the_videos_elsewhere():
    across, down = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    picture = np.stack([across % 256, down % 50, 255 - across % 256], axis=2).astype(np.uint8)
    image = Overlay(labels(), SIZE).draw(picture, 10, 0.4)
    edge = places(image[: SIZE[1]], rgb(ONE), near=8)
    assert edge.min(axis=0).tolist() == pytest.approx([200, 100], abs=2)
    assert edge.max(axis=0).tolist() == pytest.approx([360, 260], abs=2)
    inside, left = (slice(110, 250), slice(210, 350)), (slice(0, 480), slice(0, 190))
    assert (image[inside] == picture[inside]).all()
    assert (image[left] == picture[left]).all()


def test_a_small_picture_is_enlarged_and_its_box_with_it():
    image = Overlay(labels(box=(50.0, 30.0, 60.0, 60.0)), (320, 240)).draw(GREY[::2, ::2], 10, 0.4)
    edge = places(image[:480], rgb(ONE), near=8)
    assert image.shape[1] == 640
    assert edge.min(axis=0).tolist() == pytest.approx([100, 60], abs=2)
    assert edge.max(axis=0).tolist() == pytest.approx([220, 180], abs=2)


def test_several_people_have_colours_of_their_own_on_box_curve_and_point():
    columns = labels(tracks=(3, 5), valence=np.repeat([0.5, -0.5], 50), face_x=np.repeat([50.0, 400.0], 50))
    image = Overlay(columns, SIZE).draw(GREY, 10, 0.4)
    for k, left in enumerate((50, 400)):
        box = places(image[: SIZE[1]], rgb(PEOPLE[k]), near=8)
        assert box[:, 0].min() == pytest.approx(left, abs=2)
        assert box[:, 0].max() == pytest.approx(left + 160, abs=2)
        assert len(places(image[SIZE[1] :], rgb(PEOPLE[k]))) > 300


def test_a_frame_without_a_face_has_no_box_and_says_so():
    gone = labels(status="no_face", face_x=np.nan, face_y=np.nan, valence=np.nan, arousal=np.nan, source="none")
    image = Overlay(gone, SIZE).draw(GREY, 10, 0.4)
    assert (image[60 : SIZE[1]] == 128).all()
    assert len(places(image[:60], rgb(ONE), near=8)) > 100


def test_anchors_are_marked_on_their_frame_on_the_curves_and_in_the_plane():
    source = np.full(50, "model", object)
    source[[10, 30]] = "anchor"
    plain, marked = (Overlay(labels(**given), SIZE) for given in ({}, {"source": source}))
    apart = [np.argwhere((plain.draw(GREY, k, k / 25) != marked.draw(GREY, k, k / 25)).any(axis=2)) for k in (10, 20)]
    above = [len(places[places[:, 0] < SIZE[1]]) for places in apart]
    assert above[0] > 0  # the word
    assert above[1] == 0
    below = apart[1][apart[1][:, 0] >= SIZE[1]]
    columns = np.unique(below[below[:, 1] < 420][:, 1])
    gaps = np.flatnonzero(np.diff(columns) > 5)
    assert len(gaps) == 1  # two marks
    first, second = columns[: gaps[0] + 1].mean(), columns[gaps[0] + 1 :].mean()
    assert (second - first) / 20 == pytest.approx(397 / 49, rel=0.03)  # pixels a frame: the curves are 397 wide


def test_the_curves_of_a_long_video_move_with_the_frame():
    """The same labels around a frame look the same, wherever it is but near the ends."""
    wave = 0.5 * np.sin(2 * np.pi * np.arange(3000) / 250)
    overlay = Overlay(labels(3000, valence=wave), SIZE)
    rows = slice(SIZE[1] + 25, SIZE[1] + 95)  # without words and times
    one, other, last = (overlay.draw(GREY, k, k / 25)[rows, :440] for k in (1000, 1250, 2990))
    assert np.abs(one.astype(int) - other).max() <= 2
    assert np.abs(one.astype(int) - last).max() > 100
    assert WINDOW_S < 3000 / 25


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4000), st.integers(1, 4000))
def test_pictures_of_any_size_and_shape_are_drawn_on(width, height):
    overlay = Overlay(labels(), (width, height), coverage=0.9)
    image = overlay.draw(np.zeros((height, width, 3), np.uint8), 3, 0.12)
    assert image.shape == (overlay.size[1], overlay.size[0], 3)
    assert (image.shape[0] % 2, image.shape[1] % 2) == (0, 0)
    assert LEAST <= image.shape[1] <= LONGEST


def test_frames_that_no_label_is_of_are_shown_without_one():
    overlay = Overlay(labels(5), SIZE)
    assert (overlay.draw(GREY, 7, 0.28)[: SIZE[1]] == 128).all()
    nobody = Overlay({name: values[:0] for name, values in labels().items()}, SIZE)
    assert (nobody.draw(GREY, 0, 0.0)[: SIZE[1]] == 128).all()


def frames_of(path):
    with open_video(path) as video:
        frames = list(video)
        return [frame.image for frame in frames], np.array([frame.time_s for frame in frames]), video.facts


@pytest.mark.parametrize("rotation", [0, 90])
def test_every_frame_is_there_upright_at_its_time(tmp_path, rotation):
    times_ms = np.cumsum([0, *np.random.default_rng(1).integers(15, 90, 19)]).tolist()
    source = write_video(tmp_path / "clip.mp4", times_ms, rotation=rotation)
    told = []
    with open_video(source) as video:
        notes = write_overlay(
            tmp_path / "out.mp4", video, labels(20, face_x=np.nan), progress=lambda *step: told.append(step), what="x"
        )
    before, source_s, facts = frames_of(source)
    after, found_s, _ = frames_of(tmp_path / "out.mp4")
    assert (notes, len(after)) == ((), 20)
    assert found_s == pytest.approx(source_s, abs=1e-4)
    assert told == [(k + 1, 20, "x") for k in range(20)]
    factor = min(4, -(-480 // facts.width))
    for one, other in zip(before, after, strict=True):
        width, height = facts.width * factor, facts.height * factor
        found = other[factor // 2 : height : factor, factor // 2 : width : factor]
        assert np.abs(found.astype(int) - one)[len(one) // 3 :].mean() < 12


def test_browsers_play_it_and_the_audio_is_there(tmp_path):
    source = with_audio(write_video(tmp_path / "s.mp4", range(0, 2000, 40)), tmp_path / "clip.mp4")
    with open_video(source) as video:
        write_overlay(tmp_path / "out.mp4", video, labels())
    with av.open(str(tmp_path / "out.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert len(container.streams.audio) == 1


def test_of_a_video_that_breaks_nothing_is_left(tmp_path):
    source = write_video(tmp_path / "clip.mp4", range(0, 800, 40))
    with open_video(source) as video:

        def stop(done, total, what=""):
            if done == 5:
                raise MtclarError("stop")

        with pytest.raises(MtclarError, match="stop"):
            write_overlay(tmp_path / "out.mp4", video, labels(20), progress=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]
