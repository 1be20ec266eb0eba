"""ELAN reads what we write, and we read what people write in ELAN."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pympi
import pytest
import xmlschema

from mtclar.errors import MtclarError
from mtclar.formats import Timeline, place, read_annotations, write_annotations
from tests.formats.test_round_trips import labels

EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2026-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/holiday.mp4" MIME_TYPE="video/mp4"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="1040"/>
<TIME_SLOT TIME_SLOT_ID="ts3"/></TIME_ORDER>
{tiers}
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="t" TIME_ALIGNABLE="true" GRAPHIC_REFERENCES="false"/>
</ANNOTATION_DOCUMENT>"""


def tier(name: str, value: str, slots: tuple[str, str] = ("ts1", "ts2"), number: int = 1) -> str:
    return (
        f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="t"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{number}" '
        f'TIME_SLOT_REF1="{slots[0]}" TIME_SLOT_REF2="{slots[1]}"><ANNOTATION_VALUE>{value}</ANNOTATION_VALUE>'
        "</ALIGNABLE_ANNOTATION></ANNOTATION></TIER>"
    )


@pytest.fixture
def written(tmp_path) -> Path:
    rng = np.random.default_rng(0)
    values = np.clip(np.cumsum(rng.normal(0, 0.1, (120, 2)), axis=0), -1, 1)
    write_annotations(labels(120, 25.0, values, [0, 40, 119]), tmp_path / "clip.eaf")
    return tmp_path / "clip.eaf"


def test_a_file_fulfils_the_schema_of_elan(written, repository):
    schema = repository.parent / "shared" / "schemas" / "EAFv3.0.xsd"
    if not schema.is_file():
        pytest.skip("ELAN's schema is not here")
    xmlschema.XMLSchema(str(schema), allow="local").validate(str(written))


def test_another_reader_finds_anchors_one_frame_long_and_segments_that_do_not_overlap(written):
    eaf = pympi.Elan.Eaf(str(written))
    anchors = sorted(eaf.get_annotation_data_for_tier("anchor@track-0"))
    assert [(start, end) for start, end, *_ in anchors] == [(0, 40), (1600, 1640), (4760, 4800)]
    for name in ("valence@track-0", "arousal@track-0"):
        spans = sorted(span[:2] for span in eaf.get_annotation_data_for_tier(name))
        assert all(before[1] <= after[0] for before, after in pairwise(spans))
        assert all(end - start >= 200 for start, end in spans[:-1])
    linked = eaf.linked_file_descriptors
    assert [file["RELATIVE_LINK_URL"] for file in linked] == ["./clip.va.csv", "./clip_tsconf.xml"]


def test_the_curve_beside_holds_every_frame(written):
    curve = pd.read_csv(written.with_name("clip.va.csv"))
    assert list(curve.columns) == ["time_s", "valence@track-0", "arousal@track-0"]
    assert np.allclose(curve["time_s"], np.arange(120) / 25, atol=1e-6)


def test_an_annotation_means_the_frame_that_is_shown_at_its_middle(tmp_path):
    path = tmp_path / "h.eaf"
    path.write_text(EAF.format(tiers=tier("anchor@Ann", "v = 0.5 ; a = −0.25")), encoding="utf-8")
    found = read_annotations(path)
    table = place(found, Timeline(np.arange(50) / 25)).annotations.table
    assert (found.video_id, table["frame"].tolist(), table["person_id"].tolist()) == ("holiday", [25], ["Ann"])
    assert table[["valence", "arousal"]].to_numpy().tolist() == [[0.5, -0.25]]


def test_two_tiers_of_numbers_on_another_scale_are_anchors_too(tmp_path):
    path = tmp_path / "h.eaf"
    tiers = tier("Valence", "75") + tier("arousal_1", "0", number=2) + tier("notes", "a smile", number=3)
    path.write_text(EAF.format(tiers=tiers), encoding="utf-8")
    found = read_annotations(path, va_range=(0, 100)).human()
    assert found[["valence", "arousal"]].to_numpy().tolist() == [[0.5, -1.0]]


def test_annotations_without_a_time_are_left_out_and_counted(tmp_path):
    path = tmp_path / "h.eaf"
    tiers = tier("anchor", "v=0;a=0") + tier("anchor2", "v=1;a=1", ("ts1", "ts3"), 2)
    path.write_text(EAF.format(tiers=tiers), encoding="utf-8")
    found = read_annotations(path)
    assert len(found.table) == 1
    assert found.notes == ("1 annotations have no time and were left out.",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("no xml", "expected an ELAN file"),
        ("<annotations/>", r"expected an ELAN file with <ANNOTATION_DOCUMENT>, found <annotations>"),
        ('<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', "without a document type"),
        (EAF.format(tiers=tier("notes", "hello")), "no annotation is an anchor"),
        (EAF.format(tiers=tier("valence", "much")), r"tier valence at 1\.020 s: expected a number, found 'much'"),
        (EAF.format(tiers=tier("anchor", "v=3;a=0")), r"expected values from -1 to 1, found 3; .* --va-range"),
    ],
)
def test_what_is_no_file_of_elan_is_refused_in_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "h.eaf"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MtclarError, match=sentence):
        read_annotations(path)


def test_a_document_type_in_another_encoding_is_refused_too(tmp_path):
    path = tmp_path / "h.eaf"
    path.write_bytes('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE x><x/>'.encode("utf-16"))
    with pytest.raises(MtclarError, match="without a document type"):
        read_annotations(path)
