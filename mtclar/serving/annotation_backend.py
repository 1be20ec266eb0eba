"""A machine-learning backend for Label Studio: predictions from stored features, and anchors from what is submitted.

Speaks the protocol of label-studio-ml over HTTP: GET / and /health, POST /setup, /predict, /webhook and /train; and
GET /curve/NAME.csv, the curve that a task's `va_csv` points at. A request names a video; files are found by their names
in one folder, so no path of a request is ever opened. An annotation becomes anchors when it is submitted, and the next
prediction follows from them.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd

from mtclar.api import annotate
from mtclar.data.whole import locked, whole_file
from mtclar.errors import MtclarError
from mtclar.features import Features
from mtclar.features.extract import Predictor, identity
from mtclar.features.file import SUFFIX, read_features
from mtclar.formats import Annotations
from mtclar.formats.label_studio import curve_of, prediction_of, regions_of, rows_of, video_of
from mtclar.settings import ExtractSettings

log = logging.getLogger(__name__)

LARGEST = 16 * 2**20
"""Bytes of a request that are read at most."""
COLUMNS = ["video_id", "frame", "valence", "arousal", "track_id", "annotator", "annotation_id"]
SUBMITTED = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
DELETED = ("ANNOTATION_DELETED", "ANNOTATIONS_DELETED")


@dataclass(frozen=True)
class Backend:
    """What answers.

    Attributes:
        features: Folder of features files.
        anchors: Folder of the anchors files, NAME.anchors.csv.
        predictor: The model.
        settings: The section `extract` of params.yaml, by which features of another model are known.
        version: What Label Studio calls the model.
    """

    features: Path
    anchors: Path
    predictor: Predictor
    settings: ExtractSettings
    version: str

    def health(self) -> dict[str, str]:
        """Whether the backend is there."""
        return {"status": "UP", "model_class": "mtclar"}

    def setup(self, request: Mapping[str, Any]) -> dict[str, str]:
        """Answers to a project that connects."""
        return {"model_version": self.version}

    def predict(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Predictions of tasks, in their order.

        Raises:
            MtclarError: A task is not of a video that was extracted, or not of this form.
        """
        tasks = request.get("tasks")
        if not isinstance(tasks, list):
            raise MtclarError("expected 'tasks', a list of tasks of Label Studio.")
        return {"results": [prediction_of(self._rows(task), {}, self.version) for task in tasks]}

    def webhook(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Takes an annotation that was submitted, changed or deleted.

        Raises:
            MtclarError: It is not of this form, or of a video that was not extracted.
        """
        action = request.get("action")
        if action in SUBMITTED:
            task, annotation = request.get("task"), request.get("annotation")
            if not isinstance(task, dict) or not isinstance(annotation, dict):
                raise MtclarError(f"expected a 'task' and an 'annotation' with {action}.")
            return {"status": "ok", "anchors": self._submit(task, annotation)}
        if action in DELETED:
            given = request.get("annotations") or [request.get("annotation") or {}]
            gone = {str(one["id"]) for one in given if isinstance(one, dict) and "id" in one}
            return {"status": "ok", "removed": self._delete(gone)}
        return {"status": "nothing to do"}

    def curve(self, name: str, track: int | None = None) -> str:
        """The curve of a video as CSV, of its first track unless another is named.

        Raises:
            MtclarError: The video was not extracted.
        """
        labels = self._labels(name)
        tracks = [number for number, _ in labels.people]
        return curve_of(rows_of(labels, tracks[0] if track is None else track), {})

    def _rows(self, task: Any) -> pd.DataFrame:
        """The labels of the track that a task is about."""
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise MtclarError("expected tasks of Label Studio, each with its 'data'.")
        labels = self._labels(video_of(task))
        tracks = [number for number, _ in labels.people]
        wanted = task["data"].get("track_id", tracks[0] if tracks else 0)
        if wanted not in tracks:
            raise MtclarError(f"{labels.video_id}: has no track {wanted}; there are {', '.join(map(str, tracks))}.")
        return rows_of(labels, wanted)

    def _labels(self, name: str) -> Annotations:
        features = self._features(name)
        anchors = self._anchors_file(name)
        several: dict[str, Any] = {"subject": "all"} if len(features.tracks) > 1 else {}
        given = anchors if anchors.is_file() else None
        table = annotate(features, given, model=self.predictor, **several).to_pandas(name)
        return Annotations(name, table[table["valence"].notna()])

    def _features(self, name: str) -> Features:
        known = {path.name.removesuffix(SUFFIX): path for path in self.features.glob(f"*{SUFFIX}")}
        if name not in known:
            raise MtclarError(
                f"video '{name}' was not extracted: there is no {SUFFIX} file of that name; run 'mtclar extract' on it."
            )
        found = read_features(known[name])
        made_by = found.identity.get("model")
        if made_by is not None and made_by != identity(self.predictor, self.settings)["model"]:
            raise MtclarError(
                f"video '{name}' was extracted with another model; extract it again, or serve that model."
            )
        return found

    def _anchors_file(self, name: str) -> Path:
        return self.anchors / f"{name}.anchors.csv"

    def _submit(self, task: dict[str, Any], annotation: dict[str, Any]) -> int:
        """Puts the anchors of an annotation in the place of those it had before; how many there are."""
        if not isinstance(task.get("data"), dict):
            raise MtclarError("expected the task's 'data'.")
        name = video_of(task)
        features = self._features(name)
        result = annotation.get("result")
        found = regions_of(result if isinstance(result, list) else [], "the annotation", {})
        found = [row for row in found if "valence" in row and "arousal" in row]
        late = [row["frame"] for row in found if not 0 <= row["frame"] < len(features)]
        if late:
            raise MtclarError(f"frame {late[0] + 1} is annotated, but {name} has {len(features)} frames.")
        track = task["data"].get("track_id", "")
        said = {"video_id": name, "track_id": track, "annotation_id": str(annotation.get("id", ""))}
        said |= {"annotator": str(annotation.get("completed_by", ""))}
        new = pd.DataFrame([said | {key: row[key] for key in ("frame", "valence", "arousal")} for row in found])
        self._replace(self._anchors_file(name), {said["annotation_id"]}, new.reindex(columns=COLUMNS))
        return len(new)

    def _delete(self, gone: set[str]) -> int:
        return sum(
            self._replace(file, gone, pd.DataFrame(columns=COLUMNS)) for file in self.anchors.glob("*.anchors.csv")
        )

    def _replace(self, file: Path, ids: set[str], new: pd.DataFrame) -> int:
        """Puts rows in the place of those of some annotations; how many went. An anchors file without rows goes."""
        with locked(file.with_name(f".{file.name}.lock")):
            old = (
                pd.read_csv(file, dtype=str, keep_default_na=False) if file.is_file() else pd.DataFrame(columns=COLUMNS)
            )
            stays = ~old["annotation_id"].isin(list(ids)) if "annotation_id" in old else old.index == old.index
            both = pd.concat([old[stays], new.astype(object)], ignore_index=True)
            if both.empty:
                file.unlink(missing_ok=True)
            elif len(new) or not stays.all():
                with whole_file(file) as partial:
                    both.to_csv(partial, index=False, lineterminator="\n")
        return int((~stays).sum())


def serve(backend: Backend, host: str, port: int, password: str = "") -> ThreadingHTTPServer:
    """A server that listens; `serve_forever` answers.

    Args:
        backend: What answers.
        host: The address to listen at.
        port: 0 for one that is free.
        password: Asked for by basic authentication, whatever the user's name; empty for none.

    Raises:
        MtclarError: The address cannot be listened at.
    """

    class Handler(_Handler):
        answers = backend
        secret = password

    try:
        return ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise MtclarError(
            f"cannot listen at {host}:{port} ({error.strerror}); choose another --host or --port."
        ) from error


class _Handler(BaseHTTPRequestHandler):
    answers: Backend
    secret: str
    server_version = "mtclar"
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path in ("/", "/health"):
            self._answer(self.answers.health)
        elif path.startswith("/curve/") and path.endswith(".csv"):
            self._answer(lambda: self.answers.curve(path[len("/curve/") : -len(".csv")]))
        else:
            self._send(404, {"error": "there is no such page."})

    def do_POST(self) -> None:
        known: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "/setup": self.answers.setup,
            "/predict": self.answers.predict,
            "/webhook": self.answers.webhook,
            "/train": lambda request: {"status": "ok"},
        }
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > LARGEST:
            self.close_connection = True
            self._send(413 if size.isdigit() else 411, {"error": f"expected a body of at most {LARGEST >> 20} MiB."})
            return
        body = self.rfile.read(int(size))
        call = known.get(urlsplit(self.path).path)
        if call is None:
            self._send(404, {"error": "there is no such page."})
            return

        def answer() -> dict[str, Any]:
            try:
                request = json.loads(body or b"{}")
            except ValueError as error:
                raise MtclarError(f"expected JSON ({error}).") from error
            if not isinstance(request, dict):
                raise MtclarError("expected a JSON object.")
            return call(request)

        self._answer(answer)

    def _answer(self, call: Callable[[], Any]) -> None:
        if self.secret and not self._knows_secret():
            self._send(401, {"error": "the password is another."}, {"WWW-Authenticate": 'Basic realm="mtclar"'})
            return
        try:
            self._send(200, call())
        except MtclarError as error:
            self._send(400, {"error": str(error)})
        except Exception:
            log.exception("%s failed", urlsplit(self.path).path)
            self._send(500, {"error": "the request failed; the server's log says why."})

    def _knows_secret(self) -> bool:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        try:
            password = base64.b64decode(given).decode().partition(":")[2] if kind == "Basic" else ""
        except ValueError:
            return False
        return hmac.compare_digest(password.encode(), self.secret.encode())

    def _send(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        text, kind = (content, "text/csv") if isinstance(content, str) else (json.dumps(content), "application/json")
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        log.info("%s %s", self.address_string(), format % args)


def background(server: ThreadingHTTPServer) -> threading.Thread:
    """Answers in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    return thread
