"""How many durable requests of a tracking pixel a second does a server answer?

    python benchmarks/tracking.py [--seconds 10] [--connections 128] [--pixels 120000]

A whole server, in its own process, is asked over kept-alive connections by `wrk` (of Debian) or, where that is not
installed, by this process; server and load share the machine. Every pixel is of another mail and asked for once, so
every answer is in the ledger, SQLite with `synchronous = FULL`, before it is given; the rows are counted afterwards.
The second line asks for one pixel again and again, as a proxy does. The third is the same image from an application
that does nothing else, on uvicorn: what is possible here at all.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from increment import MASTER, Server, free_port, serving, timed

from mailvane.mailboxes.tracking.links import Link, LinkKind, MailName, token_of
from mailvane.server.ledger import open_ledger

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
GOAL = 3_000
WRK = shutil.which("wrk")
SCRIPT = """
local paths, at = {{}}, 0
for line in io.lines("{paths}") do
  paths[#paths + 1] = wrk.format("GET", line, {{["Host"] = "localhost", ["User-Agent"] = "{agent}"}})
end
request = function()
  at = at + 1
  if at > #paths then
    if {once} then wrk.thread:stop() end
    at = 1
  end
  return paths[at]
end
"""
BARE = """
import asyncio, sys, uvicorn
from mailvane.mailboxes.tracking.pages import PIXEL
HEADERS = [(b"content-type", b"image/gif"), (b"content-length", str(len(PIXEL)).encode())]
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": PIXEL})
uvicorn.run(app, port=int(sys.argv[1]), http="httptools", access_log=False, log_level="warning", lifespan="off")
"""


def workspace_of(server: Server) -> int:
    """A workspace of which a link was made, so that it has a secret."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"X-API-KEY": MASTER}) as client:
        client.post("/domains/", json={"name": "ours.example"}).raise_for_status()
        mail = {"recipient": "a@x.example", "message_id": "<0@ours.example>"}
        made = client.post("/mailvane/v1/tracking/links", json=mail, headers={"X-Workspace-Id": "1"})
        made.raise_for_status()
        client.get(urlsplit(made.json()["pixel"]).path).raise_for_status()
    return 1


def pixels(directory: Path, workspace: int, count: int) -> Iterator[str]:
    """Paths, signed here with the secret of the server: to make them over HTTP would take longer than to ask."""
    ledger = open_ledger(f"sqlite:///{directory / 'ledger.sqlite'}")
    secret, now = ledger.tracking.secret(workspace, 0), time.time_ns() // 1_000_000
    ledger.close()
    for number in range(1, count + 1):
        link = Link(workspace, LinkKind.OPEN, now, MailName(f"{number}@x.example", f"<{number}@ours.example>"))
        yield f"/t/o/{token_of(link, secret)}.gif"


def ask(name: str, server: Server, paths: Sequence[str], once: bool, wanted: argparse.Namespace) -> float:
    """Requests a second."""
    if WRK is None:
        heads = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {AGENT}\r\n\r\n".encode() for path in paths]
        told = timed(name, [server], iter(heads) if once else cycle(heads), wanted.connections, wanted.seconds)
        return float(len(told.seconds) / wanted.seconds)
    with tempfile.TemporaryDirectory() as place:
        listed, script = Path(place) / "paths", Path(place) / "ask.lua"
        listed.write_text("\n".join(paths))
        script.write_text(SCRIPT.format(paths=listed, agent=AGENT, once="true" if once else "false"))
        before = server.cpu_seconds()
        command = [WRK, "-t1", f"-c{wanted.connections}", f"-d{wanted.seconds:g}s", "--latency", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{server.port}"], check=True, capture_output=True, text=True
        ).stdout
    requests = int(re.search(r"(\d+) requests in", done)[1])  # type: ignore[index]
    rate: float = float(re.search(r"Requests/sec: +([\d.]+)", done)[1])  # type: ignore[index]
    late = re.search(r"99% +(\S+)", done)[1]  # type: ignore[index]
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", done)
    each = (server.cpu_seconds() - before) / requests * 1e6
    print(f"{name:34}{rate:8,.0f} /s   p99 {late:>9}   server {each:4.0f} µs each")
    if failed:
        raise SystemExit(f"{failed[1]} of {requests} requests were refused")
    return rate


@contextmanager
def bare() -> Iterator[Server]:
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", BARE, str(port)])
    try:
        for _ in range(300):
            try:
                httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(30)


def kept(directory: Path) -> int:
    """Rows in the ledger's file."""
    with sqlite3.connect(directory / "ledger.sqlite") as ledger:
        return int(ledger.execute("SELECT count(*) FROM tracked_reactions").fetchone()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--pixels", type=int, default=120_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "sqlite"
        directory.mkdir()
        (directory / "mailvane.toml").write_text("[mailboxes]\ntracking_per_second = 0\n")
        with serving(directory, None) as server:
            paths = list(pixels(directory, workspace_of(server), wanted.pixels))
            before = kept(directory)
            once = ask("each pixel once", server, paths, True, wanted)
            durable = (kept(directory) - before) / wanted.seconds
            print(f"{'':34}{durable:8,.0f} rows of the ledger a second")
            again = ask("one pixel again and again", server, paths[:1], False, wanted)
        with bare() as server:
            nothing = ask("an application that does nothing", server, paths[:1], False, wanted)
    print(f"each once: {once / nothing:.2f} of what is possible, again: {again / nothing:.2f}")
    print(f"{durable:,.0f} durable pixels a second, the goal is {GOAL:,}: {'met' if durable >= GOAL else 'MISSED'}")


if __name__ == "__main__":
    main()
