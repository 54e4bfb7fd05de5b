"""How long does the MailBaby API take over HTTP on a large mail log?

    python benchmarks/maillog_http.py --data DIR [--rounds 7]

DIR holds what `python benchmarks/maillog_queries.py --data DIR --without-postgres` left behind: 10 million deliveries,
20 workspaces, the largest with 2.4 million. A server is started on it as a user would; every filter and window of
the API is asked in turn, over one kept connection, about the largest workspace; medians of whole requests are printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import httpx
from increment import serving

from mailvane.core.tenants.model import KeyKind
from mailvane.core.tenants.service import Tenancy
from mailvane.server.ledger import open_ledger

RELAY = 10  # of the largest workspace, as the fill numbers them
REPLY_TO = "reply@sender1.example"  # of a third of its mails
OTHERS = 9
WORKSPACES = 20  # that the fill numbers
NOW = time.time_ns() // 1_000_000
PATIENCE = 120.0


def prepare(data: Path) -> str:
    """The workspace and relays that the fill speaks of; a key to the largest."""
    ledger = open_ledger(f"sqlite:///{data.absolute()}/ledger.sqlite")
    tenancy = Tenancy(ledger.tenants, "")
    largest = tenancy.ensure_workspace("largest", NOW)
    if not tenancy.relays(largest.id):
        other = tenancy.ensure_workspace("other", NOW)
        for _ in range(OTHERS):
            tenancy.create_relay(other.id, "", NOW)
        for _ in range(2):
            tenancy.create_relay(largest.id, "", NOW)
    for number in range(3, WORKSPACES + 1):
        tenancy.ensure_workspace(f"other {number}", NOW)
    token = tenancy.create_key(KeyKind.WORKSPACE, largest.id, NOW).token
    ledger.close()
    return token


def questions(sample: dict[str, Any]) -> dict[str, tuple[dict[str, Any], int]]:
    """Query of `/mail/log` and the goal in milliseconds."""
    exact = {
        "from": sample["from"],
        "to": sample["recipient"],
        "subject": sample["subject"],
        "origin": sample["origin"],
        "mx": sample["mxHostname"],
        "replyto": REPLY_TO,
        "headerfrom": sample["from"],  # in the fill they are the same
        "mailid": sample["id"],
        "delivered": 0,
    }
    asked: dict[str, tuple[dict[str, Any], int]] = {"newest page with total": ({}, 25)}
    asked |= {f"{name} =": ({name: value}, 100) for name, value in exact.items() if value is not None}
    asked["part of a Message-ID"] = ({"messageId": sample["messageId"][5:20]}, 250)
    asked["a week, undelivered, skip 5000"] = (
        {"startDate": sample["time"] - 7 * 86400, "endDate": sample["time"], "delivered": 0, "skip": 5000},
        100,
    )
    asked["groupby=message"] = ({"groupby": "message"}, 250)
    return asked


def median(client: httpx.Client, path: str, query: dict[str, Any], rounds: int) -> float:
    times = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        client.get(path, params=query).raise_for_status()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def ask(client: httpx.Client, rounds: int) -> None:
    sample = client.get("/mail/log", params={"id": RELAY, "limit": 1, "skip": 1000, "delivered": 1}).json()["emails"][0]
    print(f"{'GET /mail/log':<34}{'median':>9}{'goal':>8}")
    for name, (query, goal) in questions(sample).items():
        print(f"{name:<34}{median(client, '/mail/log', {'id': RELAY, **query}, rounds):>6.0f} ms{goal:>5} ms")
    print(f"{'GET /mail/stats':<34}")
    for window in ("24h", "7d", "month", "billing", "all"):
        goal = {"24h": 30, "all": 400}.get(window, 150)
        print(f"{window:<34}{median(client, '/mail/stats', {'time': window}, rounds):>6.0f} ms{goal:>5} ms")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--rounds", type=int, default=7)
    chosen = arguments.parse_args()
    token = prepare(chosen.data)
    with (
        serving(chosen.data, None) as server,
        httpx.Client(
            base_url=f"http://127.0.0.1:{server.port}", headers={"X-API-KEY": token}, timeout=PATIENCE
        ) as client,
    ):
        ask(client, chosen.rounds)


if __name__ == "__main__":
    main()
