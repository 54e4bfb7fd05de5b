"""How long does a page of Cleanbox's lists take, with a million messages kept?

    python benchmarks/inbound_pages.py [--data DIR] [--messages 1000000] [--contacts 100000] [--rounds 3]

A ledger is filled by SQL and its texts are indexed, unless DIR holds one from before, and a server is started on it as
a user would. Every list is asked over one kept connection: filters and orders, each with its first, middle and last
page. Printed are medians of whole requests, what takes more than the goal marked, and what the server took of the
processor for each, which holds on a machine that does other things as well. With `q`, a server that was never asked for
the text says how long that takes, as it remembers its answers.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx

from mailvane.core.ledger.database import connect
from mailvane.core.ledger.migrations.versions.v0037_inbound_search import BY_DAY, by_score
from mailvane.inbound.store.indexing import SearchIndex
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, now
from tests.acceptance.installation import Installation

GOAL_MS = 60
YEAR_MS = 365 * 86_400_000
WORLD = "world.txt"  # the key, in DIR

CONTACTS = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :contacts)
INSERT INTO inbound_contacts (id, workspace, email, name, state, category, email_count, first_seen_at, last_seen_at)
SELECT printf('c%08d', i), 1, printf('sender%d@c%d.example', i, i % 977), printf('Sender %d', (i * 7919) % :contacts),
    CASE WHEN i % 10 = 0 THEN 'whitelisted' WHEN i % 10 = 1 THEN 'blocked' ELSE 'unset' END, '',
    i % 500, :now - :year, :now - (i * 104729) % :year
FROM n
"""
MESSAGES = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :messages)
INSERT INTO inbound_messages (id, workspace, number, received_at, status, address, recipient, recipient_number, target,
    contact, sender, from_address, from_name, subject, message_id, client, client_name, protocol, size, score, reason,
    symbols, authentication, hop, marks, attempts, holder, reply, delivered_at, changed_at, trained)
SELECT printf('m%09d', i), 1, i % 1000000, :now - :year + CAST(i * (1.0 * :year / :messages) AS INTEGER),
    CASE WHEN i % 20 < 13 THEN 'delivered' WHEN i % 20 < 17 THEN 'quarantined' WHEN i % 20 = 17 THEN 'rejected'
        WHEN i % 20 = 18 THEN 'denied' ELSE 'failed' END,
    printf('a%03d', i % 200), printf('box%d@office.example', i % 200), 1, printf('box%d@office.example', i % 200),
    printf('c%08d', (i * 31) % :contacts), printf('sender%d@c%d.example', (i * 31) % :contacts, (i * 31) % 977),
    printf('sender%d@c%d.example', (i * 31) % :contacts, (i * 31) % 977), 'Sender',
    printf('Invoice %d of %d', i, i % 1000), printf('<%d@c.example>', i), '192.0.2.1', 'mx.c.example', 'ESMTP',
    1000 + i % 50000, CASE WHEN i % 10 = 9 THEN NULL ELSE ((i * 7919) % 20000) / 1000.0 END, '', '[]', '{}',
    'smtp:127.0.0.1:25', '', 1, '', '250 2.0.0 Ok', 0, 0, ''
FROM n
"""
ADDRESSES = """
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 200)
INSERT INTO inbound_addresses (id, workspace, type, address, label, active, weekly_limit, created_at)
SELECT printf('a%03d', i), 1, 'mailbox', printf('box%d@office.example', i), '', 1, 0, :now FROM n
"""
TALLIES = (
    "SELECT 1, 'message', received_at / 600000, count(*) FROM inbound_messages GROUP BY 3",
    "SELECT 1, 'message:' || status, received_at / 600000, count(*) FROM inbound_messages GROUP BY 2, 3",
    "SELECT 1, 'contact', 0, count(*) FROM inbound_contacts",
    "SELECT 1, 'contact:' || state, 0, count(*) FROM inbound_contacts GROUP BY 2",
)
FILTERS: dict[str, list[dict[str, str]]] = {
    "/v1/quarantine": [{}],
    "/v1/messages": [
        {},
        {"status": "delivered"},
        {"status": "failed"},
        {"status": "quarantined,rejected"},
        {"address": f"box7@{DOMAIN}"},
        {"status": "delivered", "address": f"box7@{DOMAIN}"},
        {"contact": "sender62@c62.example"},
        {"from": "sender62@c62.example"},
        {"to": f"box7@{DOMAIN}"},
        {"q": "Invoice 77777 "},
        {"q": "Invoice"},
        {"q": "Invoice 7"},
        {"q": "Invoice", "status": "failed"},
    ],
    "/v1/contacts": [{}, {"state": "unset"}, {"state": "blocked"}, {"q": "sender777"}, {"q": "sender"}, {"q": "7"}],
}
ORDERS = {
    "/v1/quarantine": ("receivedAt", "spamScore"),
    "/v1/messages": ("receivedAt", "spamScore"),
    "/v1/contacts": ("lastSeenAt", "emailCount", "email", "name", "firstSeenAt"),
}


def fill(data: Path, messages: int, contacts: int) -> str:
    """A ledger with so much in it; the key that asks for it."""
    known = data / WORLD
    if known.exists():
        return known.read_text()
    world = GatewayWorld(data, 9)
    values = {"now": now(), "year": YEAR_MS, "messages": messages, "contacts": contacts}
    with closing(sqlite3.connect(data / "ledger.sqlite")) as ledger:
        for statement in (ADDRESSES, CONTACTS, MESSAGES):
            ledger.execute(statement, values)
        for statement in TALLIES:
            ledger.execute(f"INSERT INTO inbound_tallies (workspace, what, stretch, count) {statement}")
        for statement in (BY_DAY, *by_score("sqlite")):
            ledger.execute(statement)
        ledger.commit()
    index_texts(data / "ledger.sqlite")
    known.write_text(world.key)
    return world.key


def index_texts(path: Path) -> None:
    """As the server does in the background."""
    before, began = path.stat().st_size, time.process_time()
    with closing(connect(f"sqlite:///{path}")) as database:
        index = SearchIndex(database)
        while index.advance():
            pass
    took, grown = time.process_time() - began, path.stat().st_size - before
    print(f"texts indexed in {took:.0f} s of the processor; the ledger grew by {grown / 1e6:.0f} MB", flush=True)


def asked() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every list with every filter and order."""
    for path, filters in FILTERS.items():
        for wanted in filters:
            for order in ORDERS[path]:
                for direction in ("asc", "desc"):
                    yield path, {**wanted, "sort": order, "dir": direction}


class Taken(NamedTuple):
    """Milliseconds of one request, whole and of the server's processor, and how many pages there are."""

    whole: float
    cpu: float
    pages: int


class Asking:
    """One kept connection to one server."""

    def __init__(self, client: httpx.Client, server: int) -> None:
        self._client = client
        self._server = Path(f"/proc/{server}/stat")

    def once(self, path: str, query: dict[str, Any]) -> Taken:
        began, before = time.perf_counter(), self._cpu()
        answer = self._client.get(path, params=query)
        took = time.perf_counter() - began
        assert answer.status_code == 200, answer.text
        return Taken(took * 1000, self._cpu() - before, answer.json()["total_pages"])

    def often(self, path: str, query: dict[str, Any], rounds: int) -> Taken:
        """The one in the middle, and the mean of the processor's time, which the system counts in hundredths."""
        each = [self.once(path, query) for _ in range(rounds)]
        return Taken(statistics.median(one.whole for one in each), statistics.mean(one.cpu for one in each), 0)

    def _cpu(self) -> float:
        user, system = self._server.read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) * 1000 / os.sysconf("SC_CLK_TCK")


def compare(asking: Asking, rounds: int) -> None:
    slow, slow_cpu, all_of_them = 0, 0, 0
    known: set[str] = set()
    for path, query in asked():
        first = asking.once(path, {**query, "per_page": 25})
        told = []
        if (text := query.get("q")) and f"{path} {text}" not in known:
            known.add(f"{path} {text}")
            told.append(f"first time: {first.whole:.0f} ms ({first.cpu:.0f})")
        for page in sorted({1, max(1, first.pages // 2), max(1, first.pages)}):
            took = asking.often(path, {**query, "per_page": 25, "page": page}, rounds)
            told.append(f"page {page}: {took.whole:.0f} ms{' !' if took.whole > GOAL_MS else ''} ({took.cpu:.0f})")
            slow += took.whole > GOAL_MS
            slow_cpu += took.cpu > GOAL_MS
            all_of_them += 1
        print(f"{path} {' '.join(f'{name}={value}' for name, value in query.items())}: {', '.join(told)}", flush=True)
    print(
        f"{all_of_them - slow} of {all_of_them} pages within {GOAL_MS} ms; {all_of_them - slow_cpu} of the processor's"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data: Path = (wanted.data or Path(scratch)).absolute()
        key = fill(data, wanted.messages, wanted.contacts)
        installation = Installation(data)
        headers = {"Authorization": f"Bearer {key}"}
        with (
            installation.serving() as server,
            httpx.Client(base_url=installation.url, headers=headers, timeout=120, trust_env=False) as client,
        ):
            compare(Asking(client, server.pid), wanted.rounds)


if __name__ == "__main__":
    main()
