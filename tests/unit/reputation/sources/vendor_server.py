"""A real HTTP server on this machine that speaks for a vendor. What it says is for each test to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlsplit

import msgspec


class Asked(msgspec.Struct, frozen=True):
    """A request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]  # names in lower case
    body: bytes


class Said(msgspec.Struct, frozen=True):
    """What is answered."""

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = {}


class VendorServer:
    """Answers by a function, and remembers what it was asked."""

    def __init__(self, answer: Callable[[Asked], Said]) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[VendorServer]:
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def _serve(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                asked = Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    {name.lower(): value for name, value in self.headers.items()},
                    body,
                )
                vendor.asked.append(asked)
                said = vendor.answer(asked)
                raw = said.body.encode() if isinstance(said.body, str) else said.body
                self.send_response(said.status)
                for name, value in {"Content-Length": str(len(raw)), **said.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(raw)

            do_GET = do_POST = _serve  # noqa: N815 - the base class names them so

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Nothing: tests read what was asked."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
