"""The protocol of label-studio-ml over HTTP, answered by a `Backend`.

GET / and /health, /versions, /curve/NAME.csv (the curve that a task's `va_csv` points at) and /curves (the addresses of
all of them); POST /setup, /predict, /webhook and /train. Other web pages must reach none of it through the browser of
somebody here: a body has to be declared as JSON, which a page cannot do unasked; a server on the loopback address
answers to no foreign name; and the pages of Label Studio alone may read a curve.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from mtclar.errors import MtclarError
from mtclar.studio.label_studio import Backend

log = logging.getLogger(__name__)

LARGEST = 16 * 2**20
"""Bytes of a request that are read at most."""
ORIGINS = ("http://localhost:8080", "http://127.0.0.1:8080")
"""Where Label Studio is unless it was told otherwise."""
_CURVE = "/curve/"


class Server(ThreadingHTTPServer):
    """A server that listens; `serve_forever` answers.

    Attributes:
        backend: What answers.
        password: Asked for by basic authentication, whatever the user's name; empty for none.
        origins: Addresses of Label Studio, whose pages may read curves.
    """

    daemon_threads = True

    def __init__(self, backend: Backend, host: str, port: int, password: str, origins: Sequence[str]) -> None:
        super().__init__((host, port), _Handler)
        self.backend, self.password = backend, password
        self.origins = tuple(origin.rstrip("/") for origin in origins)

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def key(self, name: str) -> str:
        """What opens one curve and nothing else, for a page that cannot send the password; empty without one."""
        if not self.password:
            return ""
        return hmac.new(self.password.encode(), f"{_CURVE}{name}".encode(), hashlib.sha256).hexdigest()[:32]


def serve(backend: Backend, host: str, port: int, *, password: str = "", origins: Sequence[str] = ORIGINS) -> Server:
    """Opens a server.

    Args:
        backend: What answers.
        host: The address to listen at.
        port: 0 for one that is free.
        password: As in `Server`.
        origins: As in `Server`.

    Raises:
        MtclarError: The address cannot be listened at.
    """
    try:
        return Server(backend, host, port, password, origins)
    except OSError as error:
        raise MtclarError(
            f"cannot listen at {host}:{port} ({error.strerror}); choose another --host or --port."
        ) from error


def background(server: Server) -> threading.Thread:
    """Answers in a thread of its own."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    return thread


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version = "mtclar"
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path.startswith(_CURVE) and path.endswith(".csv"):
            self._curve(path[len(_CURVE) : -len(".csv")])
        elif self._may_ask():
            backend = self.server.backend
            known: dict[str, Callable[[], Any]] = {
                "/": backend.health,
                "/health": backend.health,
                "/versions": backend.versions,
                "/curves": self._curves,
            }
            self._answer(known.get(path))

    def do_POST(self) -> None:
        backend = self.server.backend
        known: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "/setup": backend.setup,
            "/predict": backend.predict,
            "/webhook": backend.webhook,
            "/train": lambda request: {"status": "ok"},
        }
        size, kind = self.headers.get("Content-Length", ""), self.headers.get_content_type()
        if not size.isdecimal() or int(size) > LARGEST:
            self._refuse(413 if size.isdecimal() else 411, f"expected a body of at most {LARGEST >> 20} MiB.")
        elif kind != "application/json":
            self._refuse(415, f"expected a body of the type application/json, got {kind}.")
        elif self._may_ask():
            body = self.rfile.read(int(size))
            call = known.get(urlsplit(self.path).path)
            self._answer(None if call is None else lambda: call(_object(body)))

    def _curve(self, name: str) -> None:
        query = parse_qs(urlsplit(self.path).query)
        key, track = query.get("key", [""])[0], query.get("track", [""])[0]
        opens = bool(key) and hmac.compare_digest(key.encode(), self.server.key(name).encode())
        if not (self._is_named() if opens else self._may_ask()):
            return

        def curve() -> str:
            if track and not track.isdecimal():
                raise MtclarError(f"track is '{track}', expected the number of a track.")
            return self.server.backend.curve(name, int(track) if track else None)

        self._answer(curve)

    def _curves(self) -> dict[str, str]:
        """The address of the curve of each video, with its key where a password is asked for."""
        keys = {name: self.server.key(name) for name in self.server.backend.names()}
        host = self.headers.get("Host") or urlsplit(self.server.address).netloc
        return {
            name: f"http://{host}{_CURVE}{quote(name)}.csv{f'?key={key}' if key else ''}" for name, key in keys.items()
        }

    def _answer(self, call: Callable[[], Any] | None) -> None:
        if call is None:
            self._send(404, {"error": "there is no such page."})
            return
        try:
            self._send(200, call())
        except MtclarError as error:
            self._send(400, {"error": str(error)})
        except OSError:
            raise  # the other side is gone
        except Exception:
            log.exception("%s failed", urlsplit(self.path).path)
            self._send(500, {"error": "the request failed; the server's log says why."})

    def _may_ask(self) -> bool:
        """Whether a request is answered; else says why not."""
        if not self._is_named():
            return False
        if self.server.password and not self._knows_password():
            self._refuse(401, "the password is another.", {"WWW-Authenticate": 'Basic realm="mtclar"'})
            return False
        return True

    def _is_named(self) -> bool:
        """Whether a request to the loopback address names this machine, which that of a foreign page does not."""
        try:
            asked = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        except ValueError:
            asked = "another"
        own = str(self.server.server_address[0])
        names = (None, own, "localhost", "host.docker.internal")
        if not _is_loopback(own) or asked in names or _is_loopback(asked):
            return True
        self._refuse(403, f"this server answers on this machine alone, not to '{asked}'.")
        return False

    def _knows_password(self) -> bool:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        try:
            password = base64.b64decode(given).decode().partition(":")[2] if kind == "Basic" else ""
        except ValueError:
            return False
        return hmac.compare_digest(password.encode(), self.server.password.encode())

    def _refuse(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        """Answers without reading the body, so that the connection ends."""
        self.close_connection = True
        self._send(status, {"error": sentence}, {"Connection": "close", **(headers or {})})

    def _send(self, status: int, content: Any, headers: Mapping[str, str] | None = None) -> None:
        text, kind = (content, "text/csv") if isinstance(content, str) else (json.dumps(content), "application/json")
        body = text.encode()
        given = {"Content-Type": kind, "Content-Length": str(len(body)), "Cache-Control": "no-store", **(headers or {})}
        if self.command == "GET" and (origin := self.headers.get("Origin")) in self.server.origins:
            given |= {"Access-Control-Allow-Origin": str(origin), "Vary": "Origin"}
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tells the path of a request without its query, which may hold a key."""
        log.info("%s %s %s", self.address_string(), self.command, urlsplit(getattr(self, "path", "")).path)


def _is_loopback(host: str | None) -> bool:
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body."""
    try:
        request = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise MtclarError(f"expected JSON ({error}).") from error
    if not isinstance(request, dict):
        raise MtclarError("expected a JSON object.")
    return request
