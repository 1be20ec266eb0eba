import json

import numpy as np
import pytest
from make_video import with_face, write_video

from mtclar.data.tables import LABELS, read_table
from mtclar.errors import MtclarError
from mtclar.steps import label


@pytest.fixture(scope="module")
def couple(tmp_path_factory):
    """Two faces, the larger one followed; the other grows brighter and is away in frames 6 and 7."""

    def picture(index: int) -> np.ndarray:
        image = with_face(0.8, left=20, size=170, width=448)
        if index < 6:
            image[16:166, 270:430] = with_face(0.5 + 0.05 * index, left=0, size=150, width=160)[16:166]
        return image

    return write_video(tmp_path_factory.mktemp("couple") / "clip.mp4", range(0, 320, 40), picture)


def foreign_anchors(folder, *lines):
    path = folder / "anchors.csv"
    path.write_text("\n".join(["video_id,frame,valence,arousal,track_id", *lines]) + "\n", encoding="utf-8")
    return path


def test_anchors_of_another_face_are_refused_before_any_work_unless_the_settings_take_them(
    couple, bundle, settings, tmp_path
):
    anchors = foreign_anchors(tmp_path, "clip,0,0.1,0.1,0", "clip,3,0.9,0,1")
    calls = []
    with pytest.raises(MtclarError, match=r"line 3: belongs to track 1.*label\.foreign_anchors"):
        label.run(
            settings,
            videos=[couple],
            anchors=anchors,
            model=bundle,
            out=tmp_path / "out",
            progress=lambda *call: calls.append(call),
        )
    assert not calls


def test_anchors_of_another_face_speak_by_that_face_s_look_and_are_flagged(couple, bundle, settings, tmp_path):
    anchors = foreign_anchors(tmp_path, "clip,0,0.1,0.1,0", "clip,3,0.9,0,1", "clip,7,-0.9,0,1")
    chosen = settings.model_copy(update={"foreign_anchors": "flag", "fusion": "mean"})
    result = label.run(chosen, videos=[couple], anchors=anchors, model=bundle, out=tmp_path / "flag")
    table = read_table(tmp_path / "flag" / "clip.va.parquet", LABELS)
    assert table["source"].tolist() == ["anchor", *["model"] * 7]
    assert set(table["anchor_ids"][1:]) == {"0 3"}
    alone = foreign_anchors(tmp_path, "clip,0,0.1,0.1,0")
    label.run(chosen, videos=[couple], anchors=alone, model=bundle, out=tmp_path / "alone")
    plain = read_table(tmp_path / "alone" / "clip.va.parquet", LABELS)["valence"]
    # The stranger is darker and has 0.9, so the brighter face followed is seen above that.
    assert (table["valence"][1:] > plain[1:] + 0.3).all()
    notes = " ".join(result.videos[0].notes)
    assert "frame(s) 3, 7 are of another face" in notes
    assert "frame(s) 7 were not used" in notes
    facts = json.loads((tmp_path / "flag" / "clip.va.json").read_text())
    assert [anchor.get("foreign", False) for anchor in facts["anchors"]] == [False, True, True]


def test_anchors_of_another_face_that_are_allowed_are_taken_without_a_word(couple, bundle, settings, tmp_path):
    anchors = foreign_anchors(tmp_path, "clip,0,0.1,0.1,0", "clip,3,0.9,0,1")
    chosen = settings.model_copy(update={"foreign_anchors": "allow"})
    result = label.run(chosen, videos=[couple], anchors=anchors, model=bundle, out=tmp_path / "allow")
    assert result.videos[0].notes == ()
    facts = json.loads((tmp_path / "allow" / "clip.va.json").read_text())
    assert not any("foreign" in anchor for anchor in facts["anchors"])


def test_anchors_of_nobody_that_can_be_found_are_refused(couple, bundle, settings, tmp_path):
    anchors = foreign_anchors(tmp_path, "clip,7,0.9,0,1")
    chosen = settings.model_copy(update={"foreign_anchors": "allow"})
    with pytest.raises(MtclarError, match="not clear which other faces"):
        label.run(chosen, videos=[couple], anchors=anchors, model=bundle, out=tmp_path / "out")
