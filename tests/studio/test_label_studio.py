"""Label Studio is answered over HTTP: predictions of stored features, anchors of what is submitted."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pytest
from bright_clip import CALIBRATION, TIMES_MS, picture
from hypothesis import given
from hypothesis import strategies as st
from label_studio_asks import TASK, ask, features_of, frames_of, running, submitted
from make_video import write_video
from toy_bundle import toy_bundle

import mtclar
from mtclar.features.file import write_features
from mtclar.settings import load_settings
from mtclar.steps.models import open_predictor
from mtclar.studio.label_studio import Backend

RECORDED = json.loads(Path(__file__).with_name("label_studio_requests.json").read_text(encoding="utf-8"))
"""Requests of Label Studio 1.23.2 to a backend, with dates and secrets taken out."""
PAIR = {"data": {"video_id": "two_people", "fps": 30.0}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of features, and the model: a clip that was read, and two videos as long as those of the recording."""
    folder = tmp_path_factory.mktemp("backend")
    clip = write_video(folder / "clip.mp4", TIMES_MS, picture)
    bundle = toy_bundle(folder / "bundle", calibration=CALIBRATION)
    mtclar.write_features(mtclar.extract(clip, model=bundle), folder / "clip.features")
    write_features(features_of(1, 25.0), folder / "solo_1.features")
    write_features(features_of(2, 30000 / 1001), folder / "two_people.features")
    return folder, open_predictor(str(bundle), load_settings().register_)


@pytest.fixture
def backend(made, tmp_path):
    folder, predictor = made
    return Backend(folder, tmp_path, predictor, load_settings(), CALIBRATION, "toy-1")


@pytest.fixture
def address(backend):
    with running(backend) as address:
        yield address


def anchors_of(folder: Path, name: str = "clip") -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.anchors.csv", dtype={"annotation_id": str})


def prediction(address: str, task: object = TASK) -> dict:
    """The prediction of one task."""
    answer = ask(f"{address}/predict", {"tasks": [task]})
    assert answer.status == 200, answer.text
    return answer.content["results"][0]


def replay(address: str, name: str) -> dict:
    """The answer to a request of the recording."""
    request = RECORDED[name]
    headers = {key.replace("-", "_"): value for key, value in request["headers"].items()}
    answer = ask(f"{address}{request['path']}", request["body"], **headers)
    assert answer.status == 200, answer.text
    return answer.content


def test_what_label_studio_asks_from_connecting_to_deleting_is_answered(address, tmp_path):
    first = replay(address, "setup")["model_version"]
    assert first == "toy-1"
    assert frames_of(replay(address, "predict")["results"][0]) == []
    assert replay(address, "project updated") == {"status": "nothing to do"}
    assert replay(address, "created")["anchors"] == 2
    second = replay(address, "setup")["model_version"]
    answer = replay(address, "predict")
    assert frames_of(answer["results"][0]) == [1, 40]
    assert answer["model_version"] == answer["results"][0]["model_version"] == second != first
    replay(address, "updated")
    assert frames_of(replay(address, "predict")["results"][0]) == [9]
    replay(address, "created again")
    assert anchors_of(tmp_path, "solo_1")[["frame", "valence", "annotation_id"]].to_numpy().tolist() == [
        [8, -0.5, "16"]
    ]
    assert replay(address, "deleted again")["removed"] == 1
    assert replay(address, "deleted")["removed"] == 0
    assert replay(address, "setup")["model_version"] == first


def test_what_is_changed_or_accepted_in_its_page_is_taken(address, tmp_path):
    replay(address, "two people created")
    replay(address, "two people changed in the page")
    pair = anchors_of(tmp_path, "two_people")
    assert pair[["frame", "valence", "arousal", "track_id", "annotation_id"]].to_numpy().tolist() == [
        [8, -0.45, 0.5, 0, "17"]
    ]
    assert replay(address, "accepted in the page")["anchors"] == 1
    assert anchors_of(tmp_path, "solo_1")[["frame", "valence"]].to_numpy().tolist() == [[20, 0.1]]
    assert frames_of(replay(address, "predict two people")["results"][0]) == [9]


def test_annotations_made_of_predictions_in_bulk_leave_what_people_said(address, tmp_path):
    replay(address, "two people changed in the page")
    assert replay(address, "created in bulk")["status"] == "ok"
    assert anchors_of(tmp_path, "two_people")["annotation_id"].tolist() == ["17"]
    assert len(anchors_of(tmp_path, "solo_1"))


def test_no_secret_of_a_request_is_kept(address, tmp_path, caplog):
    caplog.set_level("DEBUG")
    replay(address, "setup")
    replay(address, "created")
    kept = caplog.text + "".join(file.read_text() for file in tmp_path.iterdir())
    assert "token-of-a-person" not in kept


def test_it_says_that_it_is_there_and_which_model_it_is(address):
    assert ask(address).content["status"] == "UP"
    assert ask(f"{address}/health").content == {"status": "UP", "model_class": "mtclar"}
    assert ask(f"{address}/versions").content == {"versions": ["toy-1"]}


def test_a_submitted_annotation_is_an_anchor_of_the_next_prediction(address, made):
    first = ask(f"{address}/predict", {"tasks": [TASK, TASK]}).content["results"]
    assert len(first) == 2
    assert frames_of(first[0]) == []
    answer = ask(f"{address}/webhook", submitted(3, (1, -0.5, 0.1), (7, 0.25, 0.2)))
    assert answer.content == {"status": "ok", "anchors": 2}
    assert frames_of(prediction(address)) == [1, 7]
    curve = pd.read_csv(io.StringIO(ask(f"{address}/curve/clip.csv").text))
    expected = mtclar.annotate(
        mtclar.read_features(made[0] / "clip.features"), [(0, -0.5, 0.1), (6, 0.25, 0.2)], model=made[1]
    ).to_pandas()
    expected = expected[expected["valence"].notna()]
    assert curve["valence"].to_numpy() == pytest.approx(expected["valence"].to_numpy(), abs=1e-5)


def test_a_prediction_is_a_few_regions_however_long_the_video(address):
    found = prediction(address, {"data": {"video_id": "solo_1"}})["result"]
    assert 0 < len(found) <= 20
    assert {region["type"] for region in found} == {"timeserieslabels"}


def test_a_changed_annotation_takes_the_place_of_its_anchors_and_a_deleted_one_leaves_none(address, tmp_path):
    ask(f"{address}/webhook", submitted(1, (1, 0.1, 0.1)))
    ask(f"{address}/webhook", submitted(2, (5, 0.2, 0.2), person=8))
    ask(f"{address}/webhook", submitted(1, (3, 0.3, 0.3)) | {"action": "ANNOTATION_UPDATED"})
    assert sorted(anchors_of(tmp_path)["frame"]) == [2, 4]
    assert sorted(anchors_of(tmp_path)["annotator"]) == [7, 8]
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}, {"id": 2}]}
    assert ask(f"{address}/webhook", gone).content["removed"] == 2
    assert not (tmp_path / "clip.anchors.csv").exists()


def test_a_skipped_annotation_has_no_anchors(address, tmp_path):
    ask(f"{address}/webhook", submitted(1, (1, 0.1, 0.1)))
    skipped = submitted(1, (1, 0.1, 0.1))
    skipped["annotation"]["was_cancelled"] = True
    assert ask(f"{address}/webhook", skipped).content["anchors"] == 0
    assert not (tmp_path / "clip.anchors.csv").exists()


def test_of_two_labels_by_one_person_the_later_stays_and_those_of_two_people_are_averaged(address):
    for number, valence, person in ((1, 0.9, 7), (2, 0.2, 7), (3, 0.6, 8)):
        assert ask(f"{address}/webhook", submitted(number, (3, valence, 0.0), person=person)).status == 200
    values = [r["value"]["number"] for r in prediction(address)["result"] if r["from_name"] == "valence"]
    assert values == [pytest.approx(0.4)]


def test_a_predicted_anchor_that_was_left_as_it_was_is_no_second_opinion(address, tmp_path):
    ask(f"{address}/webhook", submitted(1, (3, 0.5, 0.5), person=7))
    ask(f"{address}/webhook", submitted(2, (3, 0.5, 0.5), person=8, origin="prediction"))
    ask(f"{address}/webhook", submitted(1, (3, -0.5, 0.5), person=7) | {"action": "ANNOTATION_UPDATED"})
    assert anchors_of(tmp_path)["valence"].tolist() == [-0.5]
    ask(f"{address}/webhook", submitted(3, (3, 0.1, 0.5), person=9, origin="prediction-changed"))
    assert sorted(anchors_of(tmp_path)["valence"]) == [-0.5, 0.1]


def test_an_anchor_is_of_the_person_whom_the_task_shows(address, tmp_path, made):
    other = {"data": PAIR["data"] | {"track_id": 1}}
    ask(f"{address}/webhook", submitted(1, (9, -0.5, 0.5), task=PAIR))
    ask(f"{address}/webhook", submitted(2, (9, 0.75, 0.25), task=other))
    pair = anchors_of(tmp_path, "two_people").set_index("track_id")["valence"]
    assert pair.to_dict() == {0: -0.5, 1: 0.75}
    for task, track, value in ((PAIR, "", -0.5), (other, "?track=1", 0.75)):
        assert [r["value"]["number"] for r in prediction(address, task)["result"] if r["from_name"] == "valence"] == [
            value
        ]
        curve = pd.read_csv(io.StringIO(ask(f"{address}/curve/two_people.csv{track}").text))
        assert curve["valence"][8] == pytest.approx(value, abs=1e-6)
    features = mtclar.read_features(made[0] / "two_people.features")
    features.video["name"] = "two_people.mp4"
    placed = mtclar.annotate(features, tmp_path / "two_people.anchors.csv", model=made[1], subject="all")
    assert (placed.source == "anchor").sum() == 2


def test_frames_are_found_by_the_time_at_which_label_studio_shows_them(address, tmp_path):
    at_50 = {"data": {"video_id": "solo_1", "fps": 50.0}}
    ask(f"{address}/webhook", submitted(1, (81, 0.5, 0.5), task=at_50))
    assert anchors_of(tmp_path, "solo_1")["frame"].tolist() == [40]
    assert frames_of(prediction(address, at_50)) == [81]
    assert frames_of(prediction(address, {"data": {"video_id": "solo_1", "fps": 25}})) == [41]
    assert frames_of(prediction(address, {"data": {"video_id": "solo_1"}})) == [41]


@given(frame=st.integers(1, 75), faster=st.sampled_from([1, 2, 3]))
def test_a_frame_that_was_annotated_is_the_frame_that_is_predicted(frame, faster):
    from mtclar.studio.label_studio import _asked, _frame

    features = features_of(1, 30000 / 1001)
    asked = _asked({"data": {"video": "a.mp4", "fps": faster * 30000 / 1001}})
    shown = round(float(features.time_s[frame - 1]) * asked.fps)
    assert _frame(shown, asked, features) == frame - 1


def test_many_submissions_at_once_lose_nothing(address, tmp_path):
    def submit(number: int) -> int:
        return ask(f"{address}/webhook", submitted(number, (1 + number % 5, number / 100, 0.0), person=number)).status

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(submit, range(1, 25))) == {200}
    assert sorted(map(int, anchors_of(tmp_path)["annotation_id"])) == list(range(1, 25))
    assert len(frames_of(prediction(address))) == 5


def test_anchors_from_elsewhere_stay_as_they_are(address, tmp_path):
    file = tmp_path / "clip.anchors.csv"
    file.write_text("video_id,time_s,valence,arousal\nclip,0.0,-0.5,0.5\n")
    before = file.read_bytes()
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}]}
    assert ask(f"{address}/webhook", gone).content["removed"] == 0
    assert file.read_bytes() == before
    ask(f"{address}/webhook", submitted(1, (7, 0.1, 0.1)))
    assert frames_of(prediction(address)) == [1, 7]


def test_nothing_is_stored_from_which_no_labels_would_follow(address, tmp_path):
    file = tmp_path / "clip.anchors.csv"
    file.write_text("video_id,frame,valence,arousal\nclip,0,-0.5,0.5\nclip,0,0.5,0.5\n")
    before = file.read_bytes()
    answer = ask(f"{address}/webhook", submitted(1, (7, 0.1, 0.1)))
    assert (answer.status, "contradicts" in answer.text) == (400, True)
    assert str(tmp_path) not in answer.text
    assert file.read_bytes() == before


def test_one_video_that_was_not_extracted_does_not_cost_the_others_their_predictions(address):
    missing = {"data": {"video_id": "elsewhere"}}
    results = ask(f"{address}/predict", {"tasks": [TASK, missing, TASK]}).content["results"]
    assert results[1] == []
    assert results[0]["result"] == results[2]["result"]
    assert results[0]["result"]


def test_features_that_are_written_anew_are_read_anew(backend, made, tmp_path):
    folder = tmp_path / "features"
    folder.mkdir()
    later = Backend(folder, tmp_path, backend.predictor, backend.settings, CALIBRATION, "toy-1")
    with running(later) as address:
        for frames in (75, 50):
            write_features(features_of(1, 25.0, frames), folder / "solo_1.features")
            assert len(ask(f"{address}/curve/solo_1.csv").text.splitlines()) == frames + 1


@pytest.mark.parametrize("name", ["../clip", "/etc/passwd", "..%2f..%2fclip", "clip.features", "", "c*", "clip\0"])
def test_no_name_leads_out_of_the_folder(address, tmp_path, name):
    task = {"data": {"video_id": name, "video": "none"}}
    for path, request in (("predict", {"tasks": [task]}), ("webhook", submitted(1, (1, 0.1, 0.1), task=task))):
        answer = ask(f"{address}/{path}", request)
        assert answer.status == 400
        assert "was not extracted" in answer.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        ("predict", b"no json", "expected JSON"),
        ("predict", b"[" * 100_000, "expected JSON"),
        ("predict", b"\xff\xfe\xff", "expected JSON"),
        ("predict", [1], "expected a JSON object"),
        ("predict", {}, "expected 'tasks'"),
        ("predict", {"tasks": [3]}, "expected tasks of Label Studio"),
        ("predict", {"tasks": [{"data": {"video_id": "clip", "track_id": 5}}]}, "but the video has track 0"),
        ("predict", {"tasks": [{"data": {"video_id": "clip", "track_id": "x"}}]}, "expected the number of a track"),
        ("predict", {"tasks": [{"data": {"video_id": "clip", "fps": "fast"}}]}, "expected frames a second"),
        ("predict", {"tasks": [{"data": {"video_id": "clip", "fps": 0}}]}, "expected frames a second"),
        ("webhook", {"action": "ANNOTATION_CREATED"}, "expected a 'task' and an 'annotation'"),
        ("webhook", {"action": "ANNOTATION_CREATED", "annotation": {"result": []}, "task": TASK}, "expected the 'id'"),
        ("webhook", submitted(1, (900, 0, 0)), "frame 900 is annotated, at 25 frames a second, but clip has 12 frames"),
        ("webhook", submitted(1, (900, 0, 0), task={"data": {"video": "clip"}}), "frame 900 is annotated, but clip"),
        ("webhook", submitted(1, (1, 4, 0)), "expected values from -1 to 1, found 4"),
    ],
)
def test_bad_requests_get_one_sentence(address, path, content, sentence):
    answer = ask(f"{address}/{path}", content)
    assert answer.status == 400
    assert sentence in answer.content["error"]


def test_features_of_another_model_are_refused(made, tmp_path, tmp_path_factory):
    folder, _ = made
    other = toy_bundle(tmp_path_factory.mktemp("other") / "bundle", 0.5, calibration=CALIBRATION)
    predictor = open_predictor(str(other), load_settings().register_)
    with running(Backend(folder, tmp_path, predictor, load_settings(), CALIBRATION, "toy-2")) as address:
        answer = ask(f"{address}/predict", {"tasks": [TASK]})
    assert answer.status == 400
    assert "was extracted with another model" in answer.text
