"""Whatever a client writes on its socket: the answer is one that the OpenAPI document tells, in its dialect's shape.

Some 1,600 requests to a route of each dialect, sent byte for byte as they stand here: a client library would mend them.
"""

from __future__ import annotations

import json
import re
import socket
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.acceptance.installation import Installation
from tests.waiting import PATIENCE

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Route:
    """One of a dialect, the names of a refusal's fields there, and the statuses that the dialect has for a refusal."""

    path: str
    parameters: tuple[str, ...]
    fields: frozenset[str]
    refusals: frozenset[int]
    media_type: str = "application/json"


@dataclass(frozen=True)
class Sent:
    """A request. One that is no HTTP may be refused before it is known which dialect it is meant for."""

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    start: str = "{method} {target} HTTP/1.1"
    is_http: bool = True

    def written(self, key: Headers) -> bytes:
        names = {name.lower() for name, _ in self.headers}
        usual = [("Host", "mailvane.example"), ("Connection", "close"), *key]
        if (self.body or self.method in WRITING) and not names & {"content-length", "transfer-encoding"}:
            usual.append(("Content-Length", str(len(self.body))))
        told = [*(each for each in usual if (each[0], ABSENT) not in self.headers), *self.headers]
        lines = [f"{name}: {value}" for name, value in told if value != ABSENT]
        head = [self.start.format(method=self.method, target=self.target), *lines]
        return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + self.body


@dataclass(frozen=True)
class Answer:
    """Status 0: the server closed without a word."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


ABSENT = "(absent)"
WRITING = {"POST", "PUT", "PATCH"}
PROBLEM = Route(
    "", (), frozenset({"title", "status", "detail"}), frozenset({400, 404, 405}), "application/problem+json"
)
ROUTES = (
    Route("/mail/log", ("limit", "from", "mailid"), frozenset({"code", "message"}), frozenset({400, 401, 404, 405})),
    Route("/domains", ("limit", "name", "id"), frozenset({"detail"}), frozenset({400, 403, 404, 405, 422})),
    Route(
        "/api/v1.0/alerts",
        ("limit", "offset", "profile_id"),
        frozenset({"code", "message", "errors"}),
        frozenset({400, 401, 403, 404, 405}),
    ),
    Route(
        "/mailvane/v1/events",
        ("limit", "id", "to"),
        PROBLEM.fields,
        frozenset({400, 401, 403, 404, 405}),
        PROBLEM.media_type,
    ),
    Route("/readyz", ("limit", "id", "to"), PROBLEM.fields, PROBLEM.refusals, PROBLEM.media_type),
)
METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE")
STRANGE_METHODS = ("BREW", "CONNECT", "get")
VALUES = (
    *("%00", "%ed%a0%80", "%ff%fe", "a" * 6_000, "9" * 400, "-1", "1e400", "NaN", "%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    *("%F0%9F%98%80", "%0d%0aX:y", "'%22%3b--", "%", "%zz"),
)
ENDINGS = ("/", "%2F", "//", "/%2e%2e/", "%00", ";x=y", "?&&==&=", "?", "?limit=1&limit=2", "?limit[]=1")
TYPES = (
    *("application/json", "application/x-www-form-urlencoded", "text/xml", "multipart/form-data; boundary=x", ""),
    *("application/json; charset=utf-16", "application/x-ndjson"),
)
BODIES = (
    *(b"", b"{}", b"[]", b"null", b'"x"', b'{"name":', b"\xff\xfe{\x00}\x00", b'{"name":"\\ud800"}', b"\x00" * 50),
    *(b'{"name":"\\u0000"}', b'{"id":' + b"9" * 5_000 + b"}", b"[" * 20_000, b'{"limit":1e400}', b"x" * 70_000),
)


def requests_to(route: Route) -> Iterator[Sent]:
    path = route.path
    yield from (Sent(method, path) for method in METHODS)
    yield from (Sent(method, path, is_http=False) for method in STRANGE_METHODS)
    yield from (Sent("GET", f"{path}/{value}") for value in VALUES)
    yield from (Sent("GET", f"{path}?{name}={value}") for name in route.parameters for value in VALUES)
    yield from (Sent("GET", path + ending) for ending in ENDINGS)
    yield from (Sent("GET", target) for target in (f"/{path}", f"http://other.example{path}"))
    for kind in TYPES:
        yield from (Sent("POST", path, (("Content-Type", kind),), body) for body in BODIES)
    yield from (Sent("PUT", path, (("Content-Type", "application/json"),), body) for body in BODIES)
    yield from with_headers(path)
    yield from without_http(path)


def with_headers(path: str) -> Iterator[Sent]:
    """That are rare, wrong, or many."""
    for name, value in (
        *(("Range", "bytes=0-1"), ("Range", "bytes=zzz"), ("Accept-Encoding", "x" * 5_000), ("Accept", "\xff\xfe")),
        *(("X-Workspace-Id", "9" * 400), ("X-Workspace-Id", "-1"), ("X-Workspace-Id", "\xb2"), ("Cookie", "a" * 9_000)),
        *(("Host", ABSENT), ("Host", "two.example"), ("Upgrade", "h2c"), ("If-Modified-Since", "never")),
        *(("Content-Encoding", "zip"), ("Content-Encoding", "gzip, gzip"), ("Authorization", "Bearer")),
    ):
        yield Sent("GET", path, ((name, value),))
    yield Sent("GET", path, body=b"body of a GET")
    yield Sent("GET", path, tuple((f"X-{number}", "x") for number in range(300)), is_http=False)
    for expected in ("100-continue", "42"):
        yield Sent("POST", path, (("Expect", expected), ("Content-Type", "application/json")), b"{}")


def without_http(path: str) -> Iterator[Sent]:
    """Requests whose first line, or the length of whose body, is none."""
    for body in (b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"zz\r\n{}", b"-1\r\n{}\r\n0\r\n\r\n", b"f" * 40 + b"\r\n{}"):
        yield Sent("POST", path, (("Transfer-Encoding", "chunked"),), body, is_http=False)
    both = (("Transfer-Encoding", "chunked"), ("Content-Length", "3"))
    yield Sent("POST", path, both, b"0\r\n\r\n", is_http=False)
    for length in ("-1", "1e3", "9" * 400, "0x10", "2\r\nContent-Length: 3"):
        yield Sent("POST", path, (("Content-Length", length),), b"{}", is_http=False)
    for start in ("{method} {target} HTTP/9.9", "{method} {target}", "{method}  {target} HTTP/1.1", "\0 / HTTP/1.1"):
        yield Sent("GET", path, start=start, is_http=False)


def answered(port: int, written: bytes) -> Answer:
    """All that comes until the server closes."""
    got = bytearray()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client, suppress(ConnectionError):
        with suppress(ConnectionError):  # it had heard enough, and answered
            client.sendall(written)
        while piece := client.recv(65_536):
            got += piece
    rest = bytes(got)
    while rest.startswith(b"HTTP/1.1 100 "):
        rest = rest.partition(b"\r\n\r\n")[2]
    head, _, body = rest.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    found = re.fullmatch(r"HTTP/1\.1 (\d{3}) .*", first)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return Answer(int(found[1]) if found else 0, headers, body)


def trouble(route: Route, sent: Sent, answer: Answer, paths: Mapping[str, Any]) -> str:
    """What is wrong with an answer."""
    if not sent.is_http and (answer.status == 431 or answer.body == b"Invalid HTTP request received."):
        return "" if answer.status in {400, 431} else "a refusal with another status"
    if answer.status not in allowed(route, sent, paths):
        return "a status that is not documented"
    if sent.method != "HEAD" and answer.headers.get("content-length", str(len(answer.body))) != str(len(answer.body)):
        return "a body of another length"
    if answer.status < 400:
        return ""
    if sent.method == "HEAD":
        return "a body behind HEAD" if answer.body else ""
    shapes = (route,) if is_below(route, sent) else (route, PROBLEM)
    return "" if any(has_shape(answer, shape) for shape in shapes) else "another shape"


def allowed(route: Route, sent: Sent, paths: Mapping[str, Any]) -> set[int]:
    method = "get" if sent.method == "HEAD" else sent.method.lower()
    operations = paths[route.path]
    if method == "options":
        return {200}
    if method in operations and sent.target.partition("?")[0] == route.path:
        return told(operations[method])
    return set(route.refusals).union(*(told(each) for each in operations.values()))


def told(operation: Mapping[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"] if int(status) < 500}


def is_below(route: Route, sent: Sent) -> bool:
    """Whether the path is one of the dialect's, and not merely begins like one."""
    return sent.target == route.path or sent.target.startswith((f"{route.path}/", f"{route.path}?"))


def has_shape(answer: Answer, shape: Route) -> bool:
    if answer.headers.get("content-type", "").partition(";")[0] != shape.media_type:
        return False
    refusal = json.loads(answer.body)
    own: int = refusal.get("code", refusal.get("status", answer.status))
    return own == answer.status and shape.fields <= refusal.keys()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("hostile") / "data")
    installation.tenant("acme")
    with installation.serving():
        yield installation


@pytest.mark.parametrize("route", ROUTES, ids=[route.path for route in ROUTES])
def test_every_answer_is_documented_and_in_its_dialects_shape(installation: Installation, route: Route) -> None:
    paths = httpx.get(f"{installation.url}/openapi.json", timeout=PATIENCE).json()["paths"]
    master: Headers = (("X-API-KEY", (installation.data / "master-token").read_text().strip()),)
    of_workspace: Headers = (*master, ("X-Workspace-Id", "1"))
    nobody: Headers = ()
    asked = [(sent, of_workspace) for sent in requests_to(route)]
    asked += [(sent, key) for key in (nobody, master) for sent in list(requests_to(route))[::4]]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda each: answered(installation.port, each[0].written(each[1])), asked))
    found = [
        f"{problem}: {sent.method} {sent.target[:60]} {str(sent.headers)[:80]} {sent.body[:20]!r} as {key}: {answer}"
        for (sent, key), answer in zip(asked, answers, strict=True)
        if (problem := trouble(route, sent, answer, paths))
    ]
    assert not found, "\n".join(found[:20])
    statuses = Counter(answer.status for answer in answers)
    assert {200, 400, 404, 405} <= statuses.keys()
    said = installation.log.read_text(errors="replace")
    assert "Traceback" not in said
    assert "unexpected failure" not in said
