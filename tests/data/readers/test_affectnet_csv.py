"""AffectNet's CSV release and its pitfalls."""

import numpy as np
import pytest

from mtclar.errors import MtclarError

from .miniatures import face_landmarks, picture_bytes, read_all, write, write_zip

HEADER = "subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,expression,valence,arousal"
POINTS = ";".join(str(value) for value in face_landmarks().ravel())
IMAGES = "Manually_Annotated/Manually_Annotated_Images"
LISTS = "Manually_Annotated_file_lists"


def row(path, expression=1, valence="0.5", arousal="-0.25", box="10,5,20,22", points=POINTS):
    return f"{path},{box},{points},{expression},{valence},{arousal}"


def release(tmp_path, training, validation=None, header=HEADER, pictures=("1/a.jpg", "1/b.jpg", "2/c.jpg")):
    files = {f"{LISTS}/training.csv": "\n".join([header, *training])}
    if validation is not None:
        files[f"{LISTS}/validation.csv"] = "\n".join([header, *validation])
    return write(tmp_path, {**files, **{f"{IMAGES}/{path}": picture_bytes() for path in pictures}})


def test_a_row_becomes_a_record_with_box_landmarks_and_labels(tmp_path):
    (record,), notes = read_all(
        release(tmp_path, [row("1/a.jpg", expression=7)], pictures=["1/a.jpg"]), "affectnet-csv"
    )
    assert (record.expression, record.valence, record.arousal) == ("contempt", 0.5, -0.25)
    assert record.box == (10, 5, 20, 22)
    assert np.allclose(record.landmarks, face_landmarks())
    assert record.face_id == "affectnet/training/1/a"
    assert record.load().shape == (32, 48, 3)
    assert not notes.skipped
    assert not notes.unreadable


def test_what_carries_no_usable_label_or_face_is_left_out_and_counted(tmp_path):
    rows = [
        row("1/a.jpg", expression=10, valence="-2", arousal="-2"),
        row("1/b.jpg", expression=9, valence="-2", arousal="-2"),
        row("2/c.jpg", box="-5,-5,-1,-1"),
        row("1/missing.jpg"),
        row("../../etc/passwd"),
        row("3/d.jpg", expression=8),
        row("3/e.jpg", expression=2, valence="-2", arousal="-2"),
        row("3/e.jpg", expression=2),
    ]
    pictures = ["1/a.jpg", "1/b.jpg", "2/c.jpg", "3/d.jpg", "3/e.jpg"]
    found, notes = read_all(release(tmp_path, rows, pictures=pictures), "affectnet-csv")
    none, only_class = found
    assert (none.expression, none.valence) == (None, 0.5)
    assert only_class.expression == "sad"
    assert np.isnan([only_class.valence, only_class.arousal]).all()
    assert notes.skipped == {"No-Face": 1, "neither expression nor affect": 1, "no face box": 1, "listed twice": 1}
    assert [reason for _, reason in notes.unreadable] == ["the picture is missing"] * 2


def test_the_validation_list_is_the_test_split_and_validation_comes_from_training(tmp_path):
    pictures = [f"1/{i}.jpg" for i in range(10)] + ["2/v.jpg"]
    training, validation = [row(path) for path in pictures[:10]], [row("2/v.jpg")]
    data = release(tmp_path, training, validation, pictures=pictures)
    found, _ = read_all(data, "affectnet-csv", validation=0.2, test=0.5)
    splits = [record.split for record in found]
    assert (splits.count("train"), splits.count("validation"), splits.count("test")) == (8, 2, 1)
    assert found[-1].split == "test"
    assert len({record.subject_id for record in found}) == 11


@pytest.mark.parametrize(
    "header",
    ["\ufeff" + HEADER, HEADER.upper().replace(",", " , "), HEADER + ",extra"],
    ids=["byte order mark", "capitals and blanks", "one more column"],
)
def test_headers_as_copies_have_them_are_understood(tmp_path, header):
    found, _ = read_all(release(tmp_path, [row("1/a.jpg")], header=header), "affectnet-csv")
    assert [record.valence for record in found] == [0.5]


def test_a_list_without_a_header_loses_no_row(tmp_path):
    found, _ = read_all(release(tmp_path, [row("1/b.jpg")], header=row("1/a.jpg")), "affectnet-csv")
    assert [record.face_id[-3:] for record in found] == ["1/a", "1/b"]


def test_broken_landmarks_cost_the_landmarks_only(tmp_path):
    found, _ = read_all(release(tmp_path, [row("1/a.jpg", points="1;2;3")]), "affectnet-csv")
    assert found[0].landmarks is None
    assert found[0].box is not None


def test_a_zipped_release_reads_like_the_folder(tmp_path):
    files = {f"{LISTS}/training.csv": "\n".join([HEADER, row("1/a.jpg")]), f"{IMAGES}/1/a.jpg": picture_bytes()}
    found, _ = read_all(write_zip(tmp_path / "AffectNet.zip", files), "affectnet-csv")
    assert found[0].load().shape == (32, 48, 3)


def test_a_missing_column_is_named_with_the_nearest_one(tmp_path):
    with pytest.raises(MtclarError, match=r"no column 'valence' \(did you mean 'valance'\?\)"):
        read_all(release(tmp_path, [row("1/a.jpg")], header=HEADER.replace("valence", "valance")), "affectnet-csv")


def test_a_folder_without_lists_is_refused(tmp_path):
    with pytest.raises(MtclarError, match=r"training\.csv"):
        read_all(write(tmp_path, {"1/a.jpg": picture_bytes()}), "affectnet-csv")


def test_a_release_in_which_nothing_is_usable_says_why(tmp_path):
    rows = [row("1/a.jpg", expression=10), row("1/b.jpg", expression=10)]
    with pytest.raises(MtclarError, match="2 x No-Face"):
        read_all(release(tmp_path, rows), "affectnet-csv")
