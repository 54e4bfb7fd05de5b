"""Does exactly as much mail pass as the limits of a sender allow, with 64 who send at once?

    python benchmarks/sender_limits.py [--without-postgres]

Half of them ask over Postfix's policy protocol, half over HTTP, all for one mailbox, login and domain, until 1,600
mails were asked for. Each of the limits is 1,000 in turn: of an hour, a day and a month of each kind. Then two servers
on one PostgreSQL are asked by turns.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import httpx
from increment import MASTER, Server, free_port, postgres, serving

from mailvane.outbound.model import LimitKind, LimitWindow

LIMIT, AT_ONCE, EACH = 1_000, 64, 25


async def by_policy(port: int, number: int, name: str) -> int:
    """How many pass of one mail server's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    allowed = 0
    for mail in range(EACH):
        facts = f"sender=ann@{name}\nsasl_username=ann@{name}\ninstance={number}.{mail}\n"
        writer.write(f"request=smtpd_access_policy\nprotocol_state=DATA\n{facts}\n".encode())
        allowed += (await reader.readuntil(b"\n\n")).startswith(b"action=DUNNO")
    writer.close()
    return allowed


async def by_http(client: httpx.AsyncClient, name: str) -> int:
    who = {"sender": f"ann@{name}", "login": f"ann@{name}"}
    asked = [await client.post(f"/domains/{name}/outbound/increment", params=who) for _ in range(EACH)]
    return sum(answer.json()["allowed"] for answer in asked)


async def everybody(servers: list[tuple[Server, int]], name: str) -> int:
    async with (
        httpx.AsyncClient(base_url=_url(servers[0][0]), headers={"X-API-KEY": MASTER}, timeout=300) as first,
        httpx.AsyncClient(base_url=_url(servers[-1][0]), headers={"X-API-KEY": MASTER}, timeout=300) as last,
    ):
        asking = [by_policy(servers[number % len(servers)][1], number, name) for number in range(AT_ONCE // 2)]
        asking += [by_http((first, last)[number % 2], name) for number in range(AT_ONCE // 2)]
        return sum(await asyncio.gather(*asking))


def _url(server: Server) -> str:
    return f"http://127.0.0.1:{server.port}"


def prove(what: str, servers: list[tuple[Server, int]]) -> None:
    with httpx.Client(base_url=_url(servers[0][0]), headers={"X-API-KEY": MASTER}, timeout=60) as client:
        for kind, window in product(LimitKind, LimitWindow):
            name = f"{kind}-{window}.example"
            limited = name if kind is LimitKind.DOMAIN else f"ann@{name}"
            client.post("/domains/", json={"name": name}).raise_for_status()
            body = {window.value: LIMIT}
            client.put(f"/mailvane/v1/limits/{kind}/{limited}", json=body).raise_for_status()
            started = time.perf_counter()
            passed = asyncio.run(everybody(servers, name))
            rate = AT_ONCE * EACH / (time.perf_counter() - started)
            verdict = "as it should" if passed == LIMIT else "WRONG"
            print(
                f"{what:26}{kind:9}{window:9}{passed:6,} of {AT_ONCE * EACH:,} at {rate:6,.0f} /s: {verdict}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-postgres", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory, port = Path(name), free_port()
        with serving(directory / "sqlite", None, port) as server:
            prove("SQLite", [(server, port)])
        if wanted.without_postgres:
            return
        with postgres(directory / "two") as ledger, ExitStack() as running:
            ports = free_port(), free_port()
            both = [
                running.enter_context(serving(directory / each, ledger, port))
                for each, port in zip(("first", "second"), ports, strict=True)
            ]
            prove("PostgreSQL, two servers", list(zip(both, ports, strict=True)))


if __name__ == "__main__":
    main()
