"""Is everybody answered in time when 300 clients ask for everything at once?

    python benchmarks/mixed_clients.py [--seconds 60] [--clients 300] [--deliveries 20000] [--tenants 4]

A whole server with the embedded mail log, in its own process, is asked over kept-alive connections by this one: the log
with many filters, statistics, orders, domains, increments of counters and the intake, by several workspaces. One more
client asks `/healthz` and `/readyz` every 100 ms. Server and load share the machine. Goals: no error, 99 of 100 pages
of `/mail/log` within 2 s, 99 of 100 looks at the health within 100 ms.

Who looks at the health is a process of its own, as a supervisor is: else it would wait for the clients beside it, too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import httpx
from increment import MASTER, length_of, serving

from mailvane.core.tenants.model import KeyKind
from mailvane.core.tenants.service import Tenancy
from mailvane.server.ledger import open_ledger

DAY = 86_400
FILTERS = (
    "limit=10", "limit=100", "limit=100&skip=100", "delivered=0", "delivered=1&limit=50", "to=user7@isp.example",
    "from=shop@sender.example", "subject=Order%207", "groupby=message", "mx=mx3.isp.example",
)  # fmt: skip


class Tenant(NamedTuple):
    """A workspace with a relay, and a customer with a domain."""

    key: str
    customer: str
    domain: str


class Told:
    """Seconds of every answer, by route, and what was no success."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.errors: dict[str, int] = defaultdict(int)

    def add(self, other: Told) -> None:
        """What somebody else was told."""
        for route, seconds in other.seconds.items():
            self.seconds[route] += seconds
        for error, count in other.errors.items():
            self.errors[error] += count

    def late(self, route: str, share: float) -> float:
        """Milliseconds within which this share was answered."""
        ordered = sorted(self.seconds[route])
        return ordered[int(len(ordered) * share)] * 1000 if ordered else 0.0


class Client:
    """One kept-alive connection."""

    def __init__(self, port: int, told: Told) -> None:
        self._port = port
        self._told = told

    async def open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def ask(self, route: str, request: bytes) -> None:
        began = time.perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        await self._reader.readexactly(length_of(head))
        self._told.seconds[route].append(time.perf_counter() - began)
        if not head.startswith(b"HTTP/1.1 2"):
            self._told.errors[head.partition(b"\r\n")[0].decode()] += 1

    def close(self) -> None:
        self._writer.close()


def request(method: str, path: str, key: str = "", body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"X-API-KEY: {key}"] if key else []
    return "\r\n".join([*lines, "", ""]).encode() + body


def events(number: int, count: int, now: float) -> bytes:
    """Mails that were accepted over the last week, and what became of them."""
    lines = []
    for each in range(number, number + count):
        at = now - each % (7 * DAY)
        mail = {"mail": f"m{each}", "recipient": f"user{each % 5000}@isp.example"}
        accepted = {"id": f"a{each}", "type": "accepted", "time": at, "sender": "shop@sender.example"}
        ended = {"id": f"d{each}", "type": "bounced" if each % 20 == 0 else "delivered", "time": at + 1}
        described = {"subject": f"Order {each % 100}"}
        lines.append(json.dumps(mail | accepted | described))
        lines.append(json.dumps(mail | ended | {"accepted_at": at, "mx_host": f"mx{each % 5}.isp.example"}))
    return "\n".join(lines).encode()


def questions(tenants: list[Tenant], seed: int) -> Iterator[tuple[str, bytes]]:
    """What one client asks, without end."""
    chance = random.Random(seed)
    tenant = tenants[seed % len(tenants)]
    for number in range(1 << 60):
        kind = chance.random()
        if kind < 0.4:
            yield "/mail/log", request("GET", f"/mail/log?{chance.choice(FILTERS)}", tenant.key)
        elif kind < 0.5:
            window = chance.choice(("1h", "24h", "7d", "month", "all"))
            yield "/mail/stats", request("GET", f"/mail/stats?time={window}", tenant.key)
        elif kind < 0.65:
            yield "/mail", request("GET", "/mail", tenant.key)
        elif kind < 0.75:
            yield "/domains/{name}/outbound", request("GET", f"/domains/{tenant.domain}/outbound", tenant.customer)
        elif kind < 0.9:
            yield "increment", request("POST", f"/domains/{tenant.domain}/outbound/increment", tenant.customer)
        else:
            body = events(10_000_000 + seed * 100_000 + number, 1, time.time())
            yield "/mailvane/v1/events", request("POST", "/mailvane/v1/events", tenant.key, body)


async def client(port: int, told: Told, tenants: list[Tenant], seed: int, until: float) -> None:
    one = Client(port, told)
    try:
        await one.open()
        for route, asked in questions(tenants, seed):
            if time.perf_counter() >= until:
                break
            await one.ask(route, asked)
    except (OSError, asyncio.IncompleteReadError) as error:
        told.errors[type(error).__name__] += 1
    one.close()


async def watcher(port: int, told: Told, until: float) -> None:
    one = Client(port, told)
    await one.open()
    while time.perf_counter() < until:
        for path in ("/healthz", "/readyz"):
            await one.ask(path, request("GET", path))
        await asyncio.sleep(0.1)
    one.close()


def watched(port: int, seconds: float) -> Told:
    """What a supervisor is told of the health for so long."""
    told = Told()
    asyncio.run(watcher(port, told, time.perf_counter() + seconds))
    return told


async def load(port: int, tenants: list[Tenant], clients: int, seconds: float) -> Told:
    told = Told()
    with ProcessPoolExecutor(1, get_context("spawn")) as beside:
        supervisor = asyncio.get_running_loop().run_in_executor(beside, watched, port, seconds)
        until = time.perf_counter() + seconds
        await asyncio.gather(*(client(port, told, tenants, seed, until) for seed in range(clients)))
        told.add(await supervisor)
    return told


def prepare(directory: Path, port: int, tenants: int, deliveries: int) -> list[Tenant]:
    """Workspaces with mail of a week, and customers with a domain each."""
    from_master = {"Authorization": f"Bearer {MASTER}"}
    found = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120) as http:
        for number, key in enumerate(workspaces(directory, tenants)):
            customer, domain = f"emb_customer{number}_{'x' * 20}", f"domain{number}.example"
            keyed = {"token": customer, "partner_ref": f"customer{number}"}
            http.post("/api-keys/", json=keyed, headers=from_master).raise_for_status()
            named = {"name": domain, "partner_ref": f"customer{number}"}
            http.post("/domains/", json=named, headers=from_master).raise_for_status()
            for start in range(0, deliveries, 5_000):
                body = events(start, min(5_000, deliveries - start), time.time())
                http.post("/mailvane/v1/events", content=body, headers={"X-API-KEY": key}).raise_for_status()
            found.append(Tenant(key, customer, domain))
    return found


def wait_until_carried(port: int) -> None:
    """Everything that was acknowledged is in the mail log."""
    for _ in range(600):
        ready = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=10)
        if ready.is_success and not ready.json()["journal"]["batches"]:
            break
        time.sleep(0.5)
    time.sleep(2)


def workspaces(directory: Path, count: int) -> list[str]:
    """Their keys."""
    ledger = open_ledger(f"sqlite:///{directory}/ledger.sqlite")
    tenancy, now, keys = Tenancy(ledger.tenants, ""), time.time_ns() // 1_000_000, []
    for number in range(count):
        workspace = tenancy.ensure_workspace(f"tenant{number}", now)
        tenancy.create_relay(workspace.id, "", now)
        keys.append(tenancy.create_key(KeyKind.WORKSPACE, workspace.id, now).token)
    ledger.close()
    return keys


def report(told: Told, seconds: float) -> None:
    asked = sum(map(len, told.seconds.values()))
    print(f"{asked / seconds:,.0f} answers a second; errors: {dict(told.errors) or 'none'}")
    print(f"{'':<24}{'answers':>9}{'p50 ms':>10}{'p99 ms':>10}{'worst ms':>10}")
    for route, times in sorted(told.seconds.items()):
        figures = (told.late(route, 0.5), told.late(route, 0.99), max(times) * 1000)
        print(f"{route:<24}{len(times):>9,}" + "".join(f"{each:>10,.1f}" for each in figures))
    goals = {"no error": not told.errors, "log": told.late("/mail/log", 0.99) <= 2000}
    goals |= {path: told.late(path, 0.99) <= 100 for path in ("/healthz", "/readyz")}
    print("; ".join(f"{name}: {'as it should' if met else 'MISSED'}" for name, met in goals.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--deliveries", type=int, default=20_000)
    parser.add_argument("--tenants", type=int, default=4)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "data"
        with serving(directory, None) as server:
            tenants = prepare(directory, server.port, wanted.tenants, wanted.deliveries)
            wait_until_carried(server.port)
            told = asyncio.run(load(server.port, tenants, wanted.clients, wanted.seconds))
    report(told, wanted.seconds)


if __name__ == "__main__":
    main()
