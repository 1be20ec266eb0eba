"""The walkthrough's commands, run as they stand in an empty folder, on the sample's videos and the model that ships."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from mtclar.video import open_video


def blocks(page: Path) -> list[str]:
    """The page's blocks of shell commands, in their order."""
    return re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def walked(tmp_path_factory) -> tuple[Path, dict[str, str]]:
    """The folder in which all blocks were run, and what each said, by its first command without its options."""
    repository = Path(__file__).parents[1]
    sample, model = repository / "data" / "sample" / "videos", repository / "mtclar" / "shipped" / "default"
    if not sample.is_dir() or not model.is_dir():
        pytest.skip("the sample and the model are not here: dvc pull data.dvc mtclar/shipped/default.dvc")
    folder = tmp_path_factory.mktemp("walk")
    (folder / "data").symlink_to(repository / "data")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MTCLAR_CACHE": str(folder / "cache"), "COLUMNS": "120"}
    environment["PYTHONPATH"] = str(repository)  # the code beside the page
    said: dict[str, str] = {}
    for block in blocks(repository / "docs" / "walkthrough.md"):
        answer = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert answer.returncode == 0, f"{block}\n{answer.stdout[-3000:]}\n{answer.stderr[-3000:]}"
        said[block] = answer.stdout
    return folder, said


def told(said: dict[str, str], begin: str) -> str:
    """What the blocks that begin so said."""
    return "\n".join(words for block, words in said.items() if block.startswith(begin))


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_clips_are_labelled_from_the_anchors_and_have_overlays(walked):
    folder, said = walked
    clips = sorted(path.stem for path in (folder / "clips").glob("*.mp4"))
    assert sorted(path.name.removesuffix(".va.csv") for path in (folder / "labels").glob("*.va.csv")) == clips
    assert sorted(path.name.removesuffix(".overlay.mp4") for path in (folder / "labels").glob("*.overlay.mp4")) == clips
    assert "solo_2.mp4: 75 frames, a face in 75, 5 anchors" in told(said, "mtclar label clips --anchors")
    with open_video(folder / "labels" / "solo_2.overlay.mp4") as film, open_video(folder / "clips/solo_2.mp4") as clip:
        assert len(list(film)) == len(list(clip)) == 75


def test_what_the_page_says_of_the_two_people_and_the_wrong_anchor_is_so(walked):
    folder, said = walked
    assert "two_people.mp4: note: up to 2 faces at a time" in told(said, "mtclar check")
    assert {row["track_id"] for row in rows(folder / "everybody" / "two_people.va.csv")} == {"0", "1"}
    suspect = re.findall(r"look again +(\d+)", told(said, "mtclar suspects"))
    assert suspect == ["48"]
    assert len(rows(folder / "next.csv")) == 3


def test_the_anchor_changed_in_elan_is_in_the_anchors_the_labels_and_the_file_for_r(walked):
    folder, _ = walked
    anchors = {row["frame"]: (float(row["valence"]), float(row["arousal"])) for row in rows(folder / "anchors.csv")}
    assert anchors["35"] == (-0.45, 0.7)
    assert anchors["48"] == (-0.3, 0.6)
    for table in ("labels/solo_2.va.csv", "r/solo_2.csv", "elan/solo_2.va.csv"):
        own = rows(folder / table)
        assert len(own) == 75, table
    given = {row["frame"]: row for row in rows(folder / "labels" / "solo_2.va.csv") if row["source"] == "anchor"}
    assert {frame: (float(row["valence"]), float(row["arousal"])) for frame, row in given.items()} == anchors
    values = [element.text for element in ET.parse(folder / "elan" / "solo_2.eaf").iter("ANNOTATION_VALUE")]
    assert "v=-0.4500;a=0.7000" in values


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not here")
def test_r_runs_the_script_and_the_pages_own_lines(walked, repository):
    folder, _ = walked
    lines = re.findall(
        r"```r\n(.*?)```", (repository / "docs" / "walkthrough.md").read_text(encoding="utf-8"), re.DOTALL
    )
    for command in (["Rscript", "solo_2.R"], ["Rscript", "-e", lines[0]]):
        subprocess.run(command, cwd=folder / "r", check=True, timeout=60)
    assert (folder / "r" / "solo_2.pdf").is_file()


def test_the_page_names_every_step_of_the_way(repository):
    verbs = set(re.findall(r"^mtclar (\w+)", "".join(blocks(repository / "docs" / "walkthrough.md")), re.MULTILINE))
    assert verbs == {"check", "extract", "label", "suggest", "suspects", "why", "convert", "sync"}


def test_the_pages_links_lead_to_files(repository):
    text = (repository / "docs" / "walkthrough.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (repository / "docs" / target).is_file(), target
