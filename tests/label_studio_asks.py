"""What it takes to ask the backend of Label Studio over HTTP."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.message import Message
from typing import Any

import numpy as np
from toy_features import toy_features

from mtclar.features import Features
from mtclar.studio.label_studio import Backend
from mtclar.studio.label_studio_server import background, serve

TASK = {"data": {"video": "/data/upload/1/0123abcd-clip.mp4", "fps": 25.0}}


@dataclass
class Answer:
    """What came back."""

    status: int
    text: str
    headers: Message

    @property
    def content(self) -> Any:
        return json.loads(self.text)


def ask(address: str, content: object = None, password: str = "", **headers: str) -> Answer:
    """Asks; a POST where there is content. Underscores in the names of headers stand for hyphens."""
    data = None if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(address, data, {} if data is None else {"Content-Type": "application/json"})
    if password:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"x:{password}".encode()).decode())
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Answer(answer.status, answer.read().decode(), answer.headers)
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(), error.headers)


@contextmanager
def running(backend: Backend, **options: Any) -> Iterator[str]:
    """The address of a backend that answers."""
    with serve(backend, "127.0.0.1", 0, **options) as server:
        background(server)
        yield server.address
        server.shutdown()


def regions(*anchors: tuple[int, float, float], origin: str = "manual") -> list[dict[str, Any]]:
    """Anchors as Label Studio submits them; frames count from 1."""
    result: list[dict[str, Any]] = []
    for i, (frame, valence, arousal) in enumerate(anchors):
        ranges = [{"start": frame, "end": frame}]
        common = {"id": f"r{i}", "to_name": "video", "origin": origin}
        labels = {"ranges": ranges, "timelinelabels": ["Anchor"]}
        result.append(common | {"type": "timelinelabels", "from_name": "anchor", "value": labels})
        for name, value in (("valence", valence), ("arousal", arousal)):
            result.append(common | {"type": "number", "from_name": name, "value": {"ranges": ranges, "number": value}})
    return result


def submitted(
    number: int, *anchors: tuple[int, float, float], person: int = 7, origin: str = "manual", task: object = TASK
) -> dict[str, Any]:
    """The request that tells of an annotation."""
    annotation = {"id": number, "completed_by": person, "result": regions(*anchors, origin=origin)}
    return {"action": "ANNOTATION_CREATED", "annotation": annotation, "task": task}


def frames_of(prediction: dict[str, Any]) -> list[int]:
    """The frames of the anchors of a prediction, as Label Studio counts."""
    return sorted(r["value"]["ranges"][0]["start"] for r in prediction["result"] if r["type"] == "timelinelabels")


def features_of(people: int, fps: float, frames: int = 75) -> Features:
    """A video of one shot that shows everybody on every frame; the first is the largest."""
    made = toy_features(3, frames, people, 1.1)
    box = np.tile([0.0, 0.0, 10.0, 10.0], (len(made.faces), 1)).astype(np.float32) / (1 + made.faces.track[:, None])
    level = np.random.default_rng(0).uniform(-1, 1, (len(made.faces), 2)).astype(np.float32)
    faces = replace(made.faces, box=box, head=level)
    return replace(made, time_s=np.arange(frames) / fps, shot=np.zeros(frames, np.int64), faces=faces, person={})
