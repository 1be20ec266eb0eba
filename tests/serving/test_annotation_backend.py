"""Label Studio is answered over HTTP: predictions of stored features, anchors of what is submitted."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
from bright_clip import CALIBRATION, TIMES_MS, picture
from make_video import write_video
from toy_bundle import toy_bundle

import mtclar
from mtclar.serving.annotation_backend import LARGEST, Backend, background, serve
from mtclar.settings import load_settings
from mtclar.steps.models import open_predictor


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("backend")
    clip = write_video(folder / "clip.mp4", TIMES_MS, picture)
    bundle = toy_bundle(folder / "bundle", calibration=CALIBRATION)
    mtclar.write_features(mtclar.extract(clip, model=bundle), folder / "clip.features")
    return folder, open_predictor(str(bundle), load_settings().register_)


@pytest.fixture
def backend(made, tmp_path):
    folder, predictor = made
    return Backend(folder, tmp_path, predictor, load_settings().extract, "toy-1")


@pytest.fixture
def address(backend):
    server = serve(backend, "127.0.0.1", 0)
    background(server)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def ask(address: str, content: object = None, password: str = "") -> tuple[int, str]:
    """Status and text of an answer; a POST where there is content."""
    data = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    if password:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"x:{password}".encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


TASK = {"data": {"video": "/data/upload/1/0123abcd-clip.mp4", "fps": 25.0}}


def annotation(number: int, *anchors: tuple[int, float, float], person: int = 7) -> dict:
    """An annotation as Label Studio submits it; frames count from 1."""
    result = []
    for i, (frame, valence, arousal) in enumerate(anchors):
        ranges = [{"start": frame, "end": frame}]
        common = {"id": f"r{i}", "to_name": "video"}
        result.append(
            common
            | {
                "type": "timelinelabels",
                "from_name": "anchor",
                "value": {"ranges": ranges, "timelinelabels": ["Anchor"]},
            }
        )
        for name, value in (("valence", valence), ("arousal", arousal)):
            result.append(common | {"type": "number", "from_name": name, "value": {"ranges": ranges, "number": value}})
    return {"id": number, "completed_by": person, "result": result}


def test_it_says_that_it_is_there_and_which_model_it_is(address):
    assert json.loads(ask(address)[1])["status"] == "UP"
    assert json.loads(ask(f"{address}/health")[1]) == {"status": "UP", "model_class": "mtclar"}
    setup = {"project": "1.1700000000", "schema": "<View/>", "hostname": "http://ls", "access_token": "secret"}
    assert json.loads(ask(f"{address}/setup", setup)[1]) == {"model_version": "toy-1"}


def test_a_submitted_annotation_is_an_anchor_of_the_next_prediction(address, tmp_path, made):
    first = json.loads(ask(f"{address}/predict", {"tasks": [TASK, TASK]})[1])["results"]
    assert len(first) == 2
    assert all(region["type"] != "timelinelabels" for region in first[0]["result"])
    sent = {"action": "ANNOTATION_CREATED", "annotation": annotation(3, (1, -0.5, 0.1), (7, 0.25, 0.2)), "task": TASK}
    assert json.loads(ask(f"{address}/webhook", sent)[1]) == {"status": "ok", "anchors": 2}
    second = json.loads(ask(f"{address}/predict", {"tasks": [TASK]})[1])["results"][0]
    anchors = [r["value"]["ranges"][0]["start"] for r in second["result"] if r["type"] == "timelinelabels"]
    assert anchors == [1, 7]
    curve = pd.read_csv(pd.io.common.StringIO(ask(f"{address}/curve/clip.csv")[1]))
    expected = mtclar.annotate(
        mtclar.read_features(made[0] / "clip.features"), [(0, -0.5, 0.1), (6, 0.25, 0.2)], model=made[1]
    ).to_pandas()
    expected = expected[expected["valence"].notna()]
    assert curve["valence"].to_numpy() == pytest.approx(expected["valence"].to_numpy(), abs=1e-5)


def test_a_changed_annotation_takes_the_place_of_its_anchors_and_a_deleted_one_leaves_none(address, tmp_path):
    for action, given in (
        ("ANNOTATION_CREATED", annotation(1, (1, 0.1, 0.1))),
        ("ANNOTATION_CREATED", annotation(2, (5, 0.2, 0.2), person=8)),
        ("ANNOTATION_UPDATED", annotation(1, (3, 0.3, 0.3))),
    ):
        assert ask(f"{address}/webhook", {"action": action, "annotation": given, "task": TASK})[0] == 200
    file = tmp_path / "clip.anchors.csv"
    assert sorted(pd.read_csv(file)["frame"]) == [2, 4]
    assert sorted(pd.read_csv(file)["annotator"]) == [7, 8]
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 1}, {"id": 2}]}
    assert json.loads(ask(f"{address}/webhook", gone)[1])["removed"] == 2
    assert not file.exists()


def test_many_submissions_at_once_lose_nothing(address, tmp_path):
    def submit(number: int) -> int:
        given = annotation(number, (1 + number % 5, number / 100, 0.0))
        return ask(f"{address}/webhook", {"action": "ANNOTATION_CREATED", "annotation": given, "task": TASK})[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(submit, range(24))) == {200}
    assert sorted(pd.read_csv(tmp_path / "clip.anchors.csv")["annotation_id"]) == list(range(24))


@pytest.mark.parametrize("name", ["../clip", "/etc/passwd", "..%2f..%2fclip", "clip.features", ""])
def test_no_name_leads_out_of_the_folder(address, name):
    status, text = ask(f"{address}/predict", {"tasks": [{"data": {"video_id": name, "video": "none"}}]})
    assert status == 400
    assert "was not extracted" in text
    assert ask(f"{address}/curve/{name}.csv")[0] in (400, 404)


@pytest.mark.parametrize(
    ("path", "content", "sentence"),
    [
        ("predict", b"no json", "expected JSON"),
        ("predict", [1], "expected a JSON object"),
        ("predict", {}, "expected 'tasks'"),
        ("predict", {"tasks": [3]}, "expected tasks of Label Studio"),
        ("webhook", {"action": "ANNOTATION_CREATED"}, "expected a 'task' and an 'annotation'"),
        (
            "webhook",
            {"action": "ANNOTATION_CREATED", "annotation": annotation(1, (900, 0, 0)), "task": TASK},
            "frame 900 is annotated, but clip has",
        ),
        (
            "webhook",
            {"action": "ANNOTATION_CREATED", "annotation": annotation(1, (1, 4, 0)), "task": TASK},
            "expected values from -1 to 1, found 4",
        ),
    ],
)
def test_bad_requests_get_one_sentence(address, path, content, sentence):
    status, text = ask(f"{address}/{path}", content)
    assert status == 400
    assert sentence in json.loads(text)["error"]


def test_what_is_too_large_or_unknown_is_refused(address):
    request = urllib.request.Request(f"{address}/predict", b"x", {"Content-Length": str(LARGEST + 1)})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 413
    assert ask(f"{address}/nothing")[0] == 404
    assert json.loads(ask(f"{address}/webhook", {"action": "PROJECT_UPDATED"})[1]) == {"status": "nothing to do"}


def test_a_password_is_asked_for_where_there_is_one(backend):
    server = serve(backend, "127.0.0.1", 0, "päss")
    background(server)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    assert ask(f"{address}/health")[0] == 401
    assert ask(f"{address}/health", None, "wrong")[0] == 401
    assert ask(f"{address}/health", None, "päss")[0] == 200
    server.shutdown()
    server.server_close()


def test_features_of_another_model_are_refused(made, tmp_path, tmp_path_factory):
    folder, _ = made
    other = toy_bundle(tmp_path_factory.mktemp("other") / "bundle", 0.5, calibration=CALIBRATION)
    predictor = open_predictor(str(other), load_settings().register_)
    backend = Backend(folder, tmp_path, predictor, load_settings().extract, "toy-2")
    server = serve(backend, "127.0.0.1", 0)
    background(server)
    status, text = ask(f"http://127.0.0.1:{server.server_address[1]}/predict", {"tasks": [TASK]})
    server.shutdown()
    server.server_close()
    assert status == 400
    assert "was extracted with another model" in text
