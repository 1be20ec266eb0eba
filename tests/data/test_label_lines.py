"""Tables as programs and people write them: one meaning is read, two are refused with what to write instead."""

import csv
import io
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtclar.data.label_lines import COLUMNS, LabelLine, read_table
from mtclar.errors import MtclarError

EXPECTED = ("video_id", "frame", "valence", "arousal")


def table(tmp_path, content, name="anchors.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, what="anchors file", hint="give a CSV", expected=EXPECTED)


def numbers(found, *names):
    return [tuple(line.given(name) for name in names) for line in found.lines]


def refused(tmp_path, content, name="anchors.csv"):
    """The one sentence with which a file, or one of its numbers, is refused."""
    with pytest.raises(MtclarError) as caught:
        found = table(tmp_path, content, name)
        numbers(found, "frame", "valence", "arousal")
        for line in found.lines:
            line.time("time_s")
    assert str(caught.value).count("\n") == 0
    assert str(caught.value).startswith(str(tmp_path / name))
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nvideo_id;frame;valence;arousal\nclip;7;0,5;-0,25\n",
        '"sep=|"\nvideo_id|frame|valence|arousal\nclip|7|0.5|-0.25\n',
        "SEP=\t\r\nvideo_id\tframe\tvalence\tarousal\r\nclip\t7\t0.5\t-0.25\r\n",
        'video_id,frame,valence,arousal\nclip,7,"0,5","-0,25"\n',
        "video_id frame valence arousal\nclip   7   0.5 -0.25\n",
        "video_id;frame;valence;arousal;note\nclip;7;0.5;-0.25;first, it seems\n",
        "video_id,frame,valence,arousal\rclip,7,0.5,-0.25\r",
        "video_id,frame,valence,arousal\nclip,7,0.5,\u22120.25\n",
        "video_id,frame,valence,arousal\nclip,7,+0.5,\u20130.25\n",
        "video_id,frame,valence,arousal\nclip,\u00a07\u00a0,.5,- 0.25\n",
        "Ratings of valence and arousal by Anna\n\nvideo_id,frame,valence,arousal\nclip,7,0.5,-0.25\n",
        "# rated twice, slowly\n#video_id,frame,valence,arousal\nclip,7,0.5,-0.25\n",
        'video_id,frame,valence,arousal,note\nclip,7,0.5,-0.25,"two\nlines"\n,,,,\n',
        "video_id,frame,valence,arousal\nvideo_id,frame,valence,arousal\nclip,7,0.5,-0.25\n\x1a",
        "Video ID;Frame No.;Valence [-1, 1];Arousal (-1 to 1)\nclip;7.0;5e-1;-2.5E-1\n",
        "file,frame_idx,V,A\nclip,7,0.5,-0.25\n",
        '"video_id,frame,valence,arousal"\n"clip,7,0.5,-0.25"\n',
    ],
    ids=lambda content: content[:40],
)
def test_dialects_of_one_table_are_read_alike(tmp_path, content):
    found = table(tmp_path, content)
    assert numbers(found, "frame", "valence", "arousal") == [(7.0, 0.5, -0.25)]
    assert found.lines[0].values["video_id"] == "clip"


numeral = st.integers(-1000, 1000).map(lambda thousandths: thousandths / 1000)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 99999), numeral, numeral), min_size=1, max_size=6),
    separator=st.sampled_from(",;\t|"),
    mark=st.sampled_from(".,"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    announced=st.booleans(),
    minus=st.sampled_from("-\u2013"),
    name=st.sampled_from(["clip", "Müller, Ä;b.mp4", 'a "good" one']),
)
def test_any_writer_of_any_dialect_gives_the_same_numbers(
    tmp_path_factory, rows, separator, mark, encoding, ends, quoting, announced, minus, name
):
    """Written with four decimals, so that no number could be one with a mark between its thousands."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=ends, quoting=quoting)
    writer.writerow(EXPECTED)
    for frame, *affect in rows:
        cells = [f"{value:.4f}".replace(".", mark).replace("-", minus) for value in affect]
        writer.writerow([name, frame, *cells])
    content = (f"sep={separator}{ends}" if announced else "") + text.getvalue()
    found = table(tmp_path_factory.mktemp("dialect"), content.encode(encoding))
    assert numbers(found, "frame", "valence", "arousal") == rows
    assert {line.values["video_id"] for line in found.lines} == {name}


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_a_dot_with_three_digits_among_decimal_commas_may_be_two_numbers_and_is_refused(tmp_path, separator):
    row = separator.join(["clip", "1.000", '"0,5"', "0"])
    said = refused(tmp_path, f"{separator.join(EXPECTED)}\n{row}\n")
    assert "line 2: frame is '1.000', which may mean 1000 or 1 in this file; write the one that is meant" in said


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("clip;1.000;0;1", "may mean 1000 or 1 in"),  # nothing tells which mark is the decimal one
        ("clip;1,000;0;1", "may mean 1000 or 1 in"),
        ("clip;12.345;0,5;0", "may mean 12345 or 12.3450 in"),
        ("clip;1.234,5;0,5;0", "'1.234,5', expected a number without marks between its thousands"),
        ("clip;1.234.567;0,5;0", "'1.234.567', expected a number without marks between its thousands"),
    ],
)
def test_numbers_that_may_be_thousands_are_refused_with_the_way_out(tmp_path, row, says):
    assert says in refused(tmp_path, f"{';'.join(EXPECTED)}\n{row}\n")


def test_three_decimals_are_no_thousands_where_the_file_shows_its_decimal_mark(tmp_path):
    assert numbers(table(tmp_path, "video_id,frame,valence,arousal\nclip,1.000,1.000,0\n"), "frame") == [(1.0,)]
    assert numbers(table(tmp_path, "video_id;frame;valence;arousal\nclip;1.000;0.500;0\n"), "frame") == [(1.0,)]
    assert numbers(table(tmp_path, "video_id;frame;valence;arousal\nclip;1,000;0,500;0\n"), "frame") == [(1.0,)]


def test_what_is_written_for_thousands_by_the_way_out_is_read(tmp_path):
    found = table(tmp_path, "video_id;time_s;valence;arousal\nclip;12.3450;0,5;0\nclip;12345;0,5;0\n")
    assert [line.time("time_s") for line in found.lines] == [12.345, 12345.0]
    assert numbers(table(tmp_path, "video_id;frame;valence;arousal\nclip;12\u202f345;0,5;0\n"), "frame") == [(12345.0,)]


@pytest.mark.parametrize(
    "cell", ["", " ", "NA", "n/a", "NaN", "null", "None", "-", "\u2013", "--", ".", "#N/A", "#NV", "?"]
)
def test_markers_of_missing_values_are_missing(tmp_path, cell):
    (line,) = table(tmp_path, f"video_id,frame,valence,arousal,time_s\nNA,1,{cell},0,{cell}\n").lines
    assert (line.text("valence"), line.given("valence"), line.time("time_s")) == ("", None, None)
    assert line.values["video_id"] == "NA"


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("1.1", 1.1),
        ("00:00:01.100", 1.1),
        ("00:00:01,100", 1.1),
        ("01:30", 90.0),
        ("1:30.5", 90.5),
        ("100:00", 6000.0),
        ("01:02:03", 3723.0),
        ("0 days 00:00:01.100000", 1.1),
        ("1.5 s", 1.5),
        ("1500ms", 1.5),
    ],
)
def test_times_are_seconds_or_clocks(tmp_path, cell, seconds):
    (line,) = table(tmp_path, f'video_id,time_s,valence,arousal\nclip,"{cell}",0.5,0\n').lines
    assert line.time("time_s") == pytest.approx(seconds, abs=1e-12)


@settings(max_examples=200, deadline=None)
@given(millis=st.integers(0, 400 * 3600 * 1000), mark=st.sampled_from(".,"))
def test_every_clock_is_the_time_it_shows(tmp_path_factory, millis, mark):
    hours, rest = divmod(millis, 3600000)
    minutes, rest = divmod(rest, 60000)
    clock = f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}{mark}{rest % 1000:03d}"
    (line,) = table(tmp_path_factory.mktemp("clock"), f"video_id;time_s;valence;arousal\nclip;{clock};0;0\n").lines
    assert line.time("time_s") == pytest.approx(millis / 1000, abs=1e-9)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("00:00:01:12", "a time code that ends in the number of a frame; write hh:mm:ss.mmm"),
        ("00:00:01;12", "a time code that ends in the number of a frame; write hh:mm:ss.mmm"),
        ("00:61:00", "expected seconds, mm:ss or hh:mm:ss.mmm"),
        ("1:75", "expected seconds, mm:ss or hh:mm:ss.mmm"),
        ("soon", "time_s is 'soon', expected a number"),
        ("2 frames", "time_s is '2 frames', expected a number"),
    ],
)
def test_other_times_are_refused(tmp_path, cell, says):
    assert says in refused(tmp_path, f"video_id,time_s,valence,arousal\nclip,{cell},0.5,0\n")


def workbook(*names, first=b"", first_name="mimetype"):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        if first:
            archive.writestr(first_name, first)
        for name in names:
            archive.writestr(name, b"x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (workbook("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook (.xlsx), not a CSV; open it in the"),
        (workbook("content.xml", first=b"application/vnd.oasis.opendocument.spreadsheet"), "a LibreOffice spreadsheet"),
        (workbook("Index/Document.iwa"), "a Numbers document"),
        (workbook("anchors.csv"), "a zip archive"),
        (b"PK\x03\x04torn", "a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "an Excel workbook of the old kind (.xls)"),
        (b"PAR1....", "a Parquet file, not a CSV; write it as CSV"),
        (b"\x1f\x8b\x08", "compressed (gzip)"),
        (b"<html><table>", "a web page or XML, whatever its ending"),
        (b'[{"video_id": "clip"}]', "JSON"),
        (b'\xef\xbb\xbf{"video_id": "clip"}', "JSON"),
        (b"video_id,frame\x00\x01", "it is not text"),
        ("video_id,frame,valence,arousal\n".encode("utf-16") + b"\x00\xd8", "it is not text"),
    ],
)
def test_files_that_are_no_csv_are_named_with_the_way_out_whatever_their_ending(tmp_path, content, says):
    assert says in refused(tmp_path, content)


def test_letters_of_a_file_that_is_not_utf_8_are_read_as_windows_1252_and_it_is_said(tmp_path):
    found = table(tmp_path, "video_id;frame;valence;arousal\nMüller – 1;7;0,5;0\n".encode("cp1252"))
    assert found.lines[0].values["video_id"] == "Müller – 1"
    assert found.foreign_letters
    assert "save it as 'CSV UTF-8'" in found.notes[0]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("clip,7,0.5,0.25\nclip,9,1,0\n", "'video_id,frame,valence,arousal'"),
        ("clip\t1.5\t0.5\t0.25\n", "'video_id<tab>time_s<tab>valence<tab>arousal'"),
        ("clip;00:00:07;0,5;0,25\n", "'video_id;time_s;valence;arousal'"),
        ("7,0.5,0.25\n", "'frame,valence,arousal'"),
    ],
)
def test_a_file_without_a_header_is_refused_with_the_line_to_add(tmp_path, content, line):
    said = refused(tmp_path, content)
    assert (
        f"line 1: holds values where the names of the columns should be; put a first line above it, such as {line}"
        in said
    )


def test_a_header_that_is_added_as_told_makes_the_file_readable(tmp_path):
    assert numbers(table(tmp_path, "video_id,frame,valence,arousal\nclip,7,0.5,0.25\n"), "frame") == [(7.0,)]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path):
    content = 'sep=,\n\nvideo_id,frame,valence,arousal,note\nclip,1,0,0,"two\nlines"\n\nclip,x,0,0,\n'
    assert [line.number for line in table(tmp_path, content).lines] == [4, 7]


def test_a_quotation_mark_that_is_never_closed_swallows_no_lines(tmp_path):
    content = 'video_id,frame,valence,arousal,note\nclip,1,0,0,fine\nclip,2,0,0,"so he\nclip,3,0,0,\n'
    assert "line 3: not a CSV line" in refused(tmp_path, content)


def test_decimal_commas_between_commas_are_refused_with_the_way_out(tmp_path):
    assert "line 2: has 6 values under 4 columns" in refused(
        tmp_path, "video_id,frame,valence,arousal\nclip,1,0,5,0,5\n"
    )


def test_columns_under_other_names_are_said_and_the_plain_name_wins(tmp_path):
    found = table(tmp_path, "filename,timestamp,v,a,rater,file_size\nclip,1.5,0.5,0,ann,9\n")
    assert found.names == ("video_id", "time_s", "valence", "arousal", "annotator", "file_size")
    assert "'filename' as video_id, 'timestamp' as time_s" in found.notes[0]
    found = table(tmp_path, "video_id,file,frame,valence,arousal\nclip,other,1,0,0\n")
    assert found.lines[0].values["video_id"] == "clip"
    assert found.notes == ()


def test_two_columns_that_may_mean_the_same_are_refused(tmp_path):
    said = refused(tmp_path, "file,video,frame,valence,arousal\nclip,clip,1,0,0\n")
    assert "the columns 'file' and 'video' may both be 'video_id'; name the right one so" in said


def test_no_other_name_means_two_columns():
    others = [other for names in COLUMNS.values() for other in names]
    assert len(set(others)) == len(others)
    assert not set(others) & set(COLUMNS)


def test_the_documents_name_every_other_name_of_a_column(repository):
    text = (repository / "docs" / "formats.md").read_text(encoding="utf-8")
    section = text.partition("## Anchors (in)")[2].partition("Other columns are passed over")[0]
    rows = [row.split("|")[1:3] for row in section.splitlines() if row.startswith("| `")]
    documented = {name for _, others in rows for name in re.findall(r"`(\w+)`", others)}
    assert documented == {other for name, names in COLUMNS.items() if name != "picture" for other in names}


def test_a_long_cell_is_cut_in_a_message_and_kept_on_one_line(tmp_path):
    line = LabelLine(tmp_path / "x.csv", 2, {"valence": "glad\n" * 50}, ".")
    with pytest.raises(MtclarError, match=r"valence is 'glad glad .*\.\.\.', expected a number") as caught:
        line.given("valence")
    assert "\n" not in str(caught.value)


@settings(max_examples=300, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_whatever_a_file_holds_it_is_read_or_refused_in_one_sentence(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    said = ""
    try:
        for line in table(folder, content).lines:
            for name in ("frame", "valence"):
                line.given(name)
            line.time("time_s")
    except MtclarError as error:
        said = str(error)
    assert "\n" not in said.replace(str(folder), "")
