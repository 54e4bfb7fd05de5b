"""Nobody without a key stops the server: connections, half requests, deaf clients; in bounded numbers, on loopback."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.acceptance.installation import HTTP, Installation
from tests.waiting import PATIENCE, wait_for

MEBIBYTE = 1024 * 1024
HALF_HEAD = b"GET /ping HTTP/1.1\r\nHost: x\r\nX-Slow: "
DEAF, DEAF_TO_SCRIPTS = (
    b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path * 20
    for path in (b"/openapi.json", b"/api/v1.0/doc/swagger-ui-bundle.js")
)
POLICY = b"request=smtpd_access_policy\nprotocol_state=RCPT\nsender=a@shop.example\nrecipient=b@inbox.example\n\n"


class Server:
    """One that runs."""

    def __init__(self, installation: Installation, pid: int) -> None:
        self.installation = installation
        self.pid = pid

    def answers(self) -> None:
        for path in ("/healthz", "/readyz", "/ping"):
            assert HTTP.get(self.installation.url + path).status_code == httpx.codes.OK

    def readiness(self, status: int) -> httpx.Response | None:
        """The answer, once it has this status: on a busy machine one that is a few seconds old holds still."""
        response = HTTP.get(f"{self.installation.url}/readyz")
        return response if response.status_code == status else None

    def memory(self) -> int:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It may have 1,024 descriptors and no more; we may have more."""
    installation = Installation(tmp_path_factory.mktemp("crowded") / "data")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with installation.serving(descriptors=(1024, 1024)) as process:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(8192, before[1])), before[1]))
        yield Server(installation, process.pid)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def half_body(path: str, length: int) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: {length + 1}\r\n\r\n"
    return head.encode() + bytes(length)


@contextmanager
def connected(port: int, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """So many connections, each of which has sent this, as far as the server would hear it, and reads nothing."""
    with ExitStack() as stack:
        found = []
        for _ in range(count):
            one = stack.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(PATIENCE)
            one.connect(("127.0.0.1", port))
            one.settimeout(0.1)
            with suppress(OSError):  # it was told to go, or is not heard any more
                one.sendall(sent)
            one.settimeout(PATIENCE)
            found.append(one)
        yield found


@pytest.mark.parametrize(
    ("count", "sent"),
    [
        (520, b""),
        (2_000, b""),
        (520, HALF_HEAD),
        (300, half_body("/webhooks/ses", 200_000)),
        (200, half_body("/mailvane/v1/events", MEBIBYTE)),
        (200, DEAF),
        (200, DEAF_TO_SCRIPTS),
    ],
    ids=[
        "520 silent",
        "2000 silent",
        "half heads",
        "half bodies",
        "half bodies without a key",
        "deaf",
        "deaf to scripts",
    ],
)
def test_http_answers_whatever_strangers_hold(server: Server, count: int, sent: bytes) -> None:
    before = server.memory()
    with connected(server.installation.port, count, sent):
        server.answers()
        assert server.memory() - before < 64 * MEBIBYTE
        assert server.descriptors() < 900


def test_a_crowd_at_the_policy_service_stops_neither_it_nor_http(server: Server) -> None:
    port = server.installation.policy_port
    with connected(port, 1, POLICY) as (postfix,):
        assert postfix.recv(100).startswith(b"action=")
        with connected(port, 2_000, b"request=smtpd_access_policy\n"):
            server.answers()
            assert server.descriptors() < 900
            postfix.sendall(POLICY)
            assert postfix.recv(100).startswith(b"action="), "a mail server that asked before keeps its connection"
            with connected(port, 1, POLICY) as (other,):
                assert other.recv(100).startswith(b"action=")


def test_the_log_says_how_many_connections_there_may_be(server: Server) -> None:
    said = "file descriptors: 1024 (1024 when started); connections of each door: 307, of one peer: 153"
    assert said in server.installation.log.read_text()


def test_the_soft_limit_is_raised(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    installation = Installation(tmp_path / "data")
    with installation.serving(descriptors=(256, hard)) as process:
        wanted = min(65_536, hard)
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[0] == wanted
    assert f"file descriptors: {wanted} (256 when started)" in installation.log.read_text()


def test_a_server_that_can_write_no_more_is_alive_but_not_ready(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    with installation.serving() as process:
        server = Server(installation, process.pid)
        server.answers()
        before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (16 * 1024, before[1]))
        refused = wait_for(lambda: server.readiness(httpx.codes.SERVICE_UNAVAILABLE))
        assert refused is not None
        assert refused.json()["detail"] == "nothing can be written where the stores are: File too large"
        assert HTTP.get(f"{installation.url}/healthz").status_code == httpx.codes.OK
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, before)
        wait_for(lambda: server.readiness(httpx.codes.OK))
        server.answers()
