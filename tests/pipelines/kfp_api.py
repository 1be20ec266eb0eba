"""The API of Kubeflow Pipelines over HTTP, made of kfp_server_api's own models; it keeps what it is given.

A request is read into the model of its kind, and a field that the model does not know is refused; an answer is written
from a model. So what passes here has the form that a server of this version takes and gives.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import kfp_server_api as api

_CLIENT = api.ApiClient(api.Configuration(host="http://localhost"))


class _Response:
    def __init__(self, content: Any) -> None:
        self.data = json.dumps(content)


def read(kind: str, content: dict[str, Any]) -> Any:
    """The model of a request.

    Raises:
        AssertionError: It holds a field that the model does not know.
    """
    model = _CLIENT.deserialize(_Response(content), kind)
    written = _CLIENT.sanitize_for_serialization(model)
    assert written == content, f"{kind}: {content} is understood as {written}"
    return model


class KfpApi:
    """What a server holds, and how it misbehaves.

    Attributes:
        token: The only one it takes; None takes any.
        fault: A function of the handler that answers in place of the server, or None.
        late: Kinds whose next list is still empty, as for somebody who asks before another one makes the first.
    """

    def __init__(self) -> None:
        self.token: str | None = None
        self.fault: Any = None
        self.late: set[str] = set()
        self.seen: list[tuple[str, str, str | None]] = []
        self.pipelines: dict[str, Any] = {}
        self.versions: dict[str, tuple[Any, bytes]] = {}
        self.experiments: dict[str, Any] = {}
        self.runs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}
        self.host = ""

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, kind: str) -> Any:
        """The model that answers a request, or None if there is no such thing."""
        parts = path.removeprefix("/apis/v2beta1/").split("/")
        wanted = [item["stringValue"] for item in json.loads(query.get("filter", "{}")).get("predicates", ())]

        def those(items: dict[str, Any]) -> list[Any]:
            if method == "GET" and parts[-1] in self.late:
                self.late.remove(parts[-1])
                return []
            return [item for item in items.values() if not wanted or item.display_name in wanted]

        match method, parts:
            case "GET", ["pipelines"]:
                assert query["namespace"]
                return api.V2beta1ListPipelinesResponse(pipelines=those(self.pipelines))
            case "POST", ["pipelines"]:
                pipeline = self._new(self.pipelines, read("V2beta1Pipeline", json.loads(body)))
                return self._keep(self.pipelines, "pipeline_id", pipeline)
            case "POST", ["pipelines", "upload_version"]:
                content = b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body
                file = BytesParser().parsebytes(content).get_payload()[0].get_payload(decode=True)
                made = api.V2beta1PipelineVersion(display_name=query["name"], pipeline_id=query["pipelineid"])
                self._new({key: kept for key, (kept, _) in self.versions.items()}, made)
                self._keep({}, "pipeline_version_id", made, len(self.versions))
                self.versions[made.pipeline_version_id] = (made, file)
                return made
            case "GET", ["pipelines", pipeline, "versions"]:
                found = {key: made for key, (made, _) in self.versions.items() if made.pipeline_id == pipeline}
                return api.V2beta1ListPipelineVersionsResponse(pipeline_versions=those(found))
            case "GET", ["experiments"]:
                assert query["namespace"]
                return api.V2beta1ListExperimentsResponse(experiments=those(self.experiments))
            case "POST", ["experiments"]:
                experiment = self._new(self.experiments, read("V2beta1Experiment", json.loads(body)))
                return self._keep(self.experiments, "experiment_id", experiment)
            case "POST", ["runs"]:
                run = read("V2beta1Run", json.loads(body))
                assert run.pipeline_version_reference.pipeline_version_id in self.versions
                assert run.experiment_id in self.experiments
                run.state = "PENDING"
                return self._keep(self.runs, "run_id", run)
            case "GET", ["runs", run]:
                return self.runs.get(run)
            case "POST", ["recurringruns"]:
                return self._keep(self.schedules, "recurring_run_id", read("V2beta1RecurringRun", json.loads(body)))
            case "GET", ["recurringruns"]:
                return api.V2beta1ListRecurringRunsResponse(recurring_runs=list(self.schedules.values()))
            case "DELETE", ["recurringruns", identity]:
                return {} if self.schedules.pop(identity, None) else None
        return None

    def _new(self, items: dict[str, Any], item: Any) -> Any:
        if item.display_name in {kept.display_name for kept in items.values()}:
            raise FileExistsError(item.display_name)
        return item

    def _keep(self, items: dict[str, Any], name: str, item: Any, number: int | None = None) -> Any:
        identity = f"{name.removesuffix('_id').replace('_', '-')}-{len(items) if number is None else number}"
        setattr(item, name, identity)
        items[identity] = item
        return item


@contextmanager
def kfp_api() -> Iterator[KfpApi]:
    """A server on this machine."""
    state = KfpApi()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.seen.append((self.command, self.path, self.headers.get("Authorization")))
            if state.fault is not None:
                state.fault(self)
            elif state.token and self.headers.get("Authorization") != f"Bearer {state.token}":
                self.send(401, {"error": f"bad token {self.headers.get('Authorization')}", "code": 16})
            else:
                url = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(url.query).items()}
                try:
                    kind = self.headers.get("Content-Type", "")
                    found = state.answer(self.command, unquote(url.path), query, body, kind)
                except AssertionError as error:
                    self.send(400, {"message": str(error)})
                    return
                except FileExistsError as error:
                    self.send(409, {"error": f"{error} already exists", "code": 6})
                    return
                self.send(*((404, {"message": "not found"}) if found is None else (200, found)))

        do_POST = do_DELETE = do_GET  # noqa: N815

        def send(self, status: int, content: Any, kind: str = "application/json") -> None:
            """Sends a model, JSON or text."""
            text = content if isinstance(content, str) else json.dumps(_CLIENT.sanitize_for_serialization(content))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *arguments: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        state.host = f"http://127.0.0.1:{server.server_port}"
        yield state
        server.shutdown()


def slow(handler: Any) -> None:
    """Answers after a while."""
    time.sleep(3)
    handler.send(200, {})


def login_page(handler: Any) -> None:
    """What a proxy in front shows who is not logged in."""
    handler.send(200, "<html><body>Please log in</body></html>", "text/html")


def broken(handler: Any) -> None:
    """Repeats what it was sent, as some servers do."""
    handler.send(500, {"error": f"internal error for {handler.headers.get('Authorization')}"})
