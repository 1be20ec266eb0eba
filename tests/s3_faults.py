"""A proxy in front of an S3 server that spoils what it is told to, for tests of what storage makes of it."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Fault = Callable[["Handler"], bool]
"""Called with each request; True: it has answered, and the server is not asked."""


@dataclass
class Faults:
    """What the proxy does; `queue` holds the faults of the next requests that `when` takes, in their order."""

    endpoint: str = ""
    queue: list[Fault] = field(default_factory=list)
    when: Callable[[Handler], bool] = lambda handler: True
    seen: list[tuple[str, str, str]] = field(default_factory=list)

    def next(self, handler: Handler) -> bool:
        if self.queue and self.when(handler):
            return self.queue.pop(0)(handler)
        return False


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faults: Faults
    upstream: str

    def do_GET(self) -> None:
        self.faults.seen.append((self.command, self.path, self.headers.get("Range") or ""))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.faults.next(self):
            self.send(*self.ask())

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def ask(self) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the server answers."""
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                connection.putheader(name, value)
            connection.endheaders(self.body)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def send(self, status: int, headers: list[tuple[str, str]], body: bytes, *, cut: int | None = None) -> None:
        """Answers; `cut` sends so many bytes of the body and closes."""
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def log_message(self, *arguments: Any) -> None: ...


def error(status: int) -> Fault:
    """An answer with that status and nothing in it."""

    def spoil(handler: Handler) -> bool:
        handler.send(status, [("Content-Type", "application/xml")], b"")
        return True

    return spoil


def half_a_body(handler: Handler) -> bool:
    """The first half of what the server sends, then the end."""
    status, headers, body = handler.ask()
    handler.send(status, headers, body, cut=len(body) // 2)
    return True


def other_bytes(handler: Handler) -> bool:
    """As many bytes as the server sends, but others."""
    status, headers, body = handler.ask()
    kept = [(name, value) for name, value in headers if not name.lower().startswith("x-amz-checksum")]
    handler.send(status, kept, bytes(len(body)))
    return True


def reset(handler: Handler) -> bool:
    """The connection is reset."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True
    return True


def silence(seconds: float) -> Fault:
    """Nothing for a while, then the end."""

    def spoil(handler: Handler) -> bool:
        time.sleep(seconds)
        handler.close_connection = True
        return True

    return spoil


def then(act: Callable[[], object]) -> Fault:
    """Something happens before the server is asked."""

    def spoil(handler: Handler) -> bool:
        act()
        return False

    return spoil


@contextmanager
def s3_proxy(endpoint: str) -> Iterator[Faults]:
    """A proxy to the server at `endpoint`."""
    faults = Faults()
    kind = type("OwnHandler", (Handler,), {"faults": faults, "upstream": endpoint.removeprefix("http://")})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        faults.endpoint = f"http://127.0.0.1:{server.server_port}"
        yield faults
        server.shutdown()
