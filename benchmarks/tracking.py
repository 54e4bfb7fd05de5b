"""How many durable requests of a tracking pixel a second does a server answer?

    python benchmarks/tracking.py [--seconds 10] [--connections 128] [--pixels 60000]

A whole server, in its own process, is asked over kept-alive connections by this one; server and load share the machine.
Every pixel is of another mail and asked for once, so every answer is in the ledger, SQLite with `synchronous = FULL`,
before it is given. The second line asks for one pixel again and again, as a proxy does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from increment import MASTER, Server, serving, timed

from mailvane.mailboxes.tracking.links import Link, LinkKind, MailName, token_of
from mailvane.server.ledger import open_ledger

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def workspace_of(server: Server) -> int:
    """A workspace of which a link was made, so that it has a secret."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers={"X-API-KEY": MASTER}) as client:
        client.post("/domains/", json={"name": "ours.example"}).raise_for_status()
        mail = {"recipient": "a@x.example", "message_id": "<0@ours.example>"}
        made = client.post("/mailvane/v1/tracking/links", json=mail, headers={"X-Workspace-Id": "1"})
        made.raise_for_status()
        client.get(urlsplit(made.json()["pixel"]).path).raise_for_status()
    return 1


def pixels(directory: Path, workspace: int, count: int) -> Iterator[bytes]:
    """Requests, signed here with the secret of the server: to make them over HTTP would take longer than to ask."""
    ledger = open_ledger(f"sqlite:///{directory / 'ledger.sqlite'}")
    secret, now = ledger.tracking.secret(workspace, 0), time.time_ns() // 1_000_000
    ledger.close()
    for number in range(1, count + 1):
        link = Link(workspace, LinkKind.OPEN, now, MailName(f"{number}@x.example", f"<{number}@ours.example>"))
        head = f"GET /t/o/{token_of(link, secret)}.gif HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {AGENT}\r\n\r\n"
        yield head.encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=128)
    parser.add_argument("--pixels", type=int, default=60_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "sqlite"
        directory.mkdir()
        (directory / "mailvane.toml").write_text("[mailboxes]\ntracking_per_second = 0\n")
        with serving(directory, None) as server:
            asked = list(pixels(directory, workspace_of(server), wanted.pixels))
            timed("each pixel once", [server], iter(asked), wanted.connections, wanted.seconds)
            timed("one pixel again and again", [server], repeat(asked[0]), wanted.connections, wanted.seconds)


if __name__ == "__main__":
    main()
