"""A small web server on this machine, on a free port. What it answers is for others to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

_MOST_BYTES = 1 << 20
_LOOK_SECONDS = 0.1


class Request(msgspec.Struct, frozen=True):
    """What was asked."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes
    at: int  # when it came


class Reply(msgspec.Struct, frozen=True):
    """What is answered."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"


Answering = Callable[[Request], Reply]


def json(told: Any, status: int = 200, kind: str = "application/json") -> Reply:
    return Reply(msgspec.json.encode(told), status, kind)


@contextmanager
def web_server(answer: Answering, clock: Callable[[], int]) -> Iterator[str]:
    """Its address; it answers for the length of a block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(answer, clock))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), name="web server", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(answer: Answering, clock: Callable[[], int]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            reply = answer(self._request())
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = _serve  # noqa: N815 - the base class names them so

        def _request(self) -> Request:
            parts = urlsplit(self.path)
            size = min(int(self.headers.get("Content-Length") or 0), _MOST_BYTES)
            return Request(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(size),
                at=clock(),
            )

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing: the terminal is for the demo's guide."""

    return Handler
