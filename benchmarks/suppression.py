"""Does a long suppression list slow the policy service?

    python benchmarks/suppression.py [--addresses 1000000] [--seconds 8] [--rounds 3]

The same client asks a whole server over 16 and 64 connections, as `benchmarks/policy.py` does, every question a new
mail to an address that is not on the list: with the check off, with it on and an empty list, and with a long list.
By turns, so that what else the machine does falls on each. Of each the median of the rounds, and its share of that
without.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import policy

from mailvane.outbound.suppression import Suppression, SuppressionReason
from mailvane.server.ledger import open_ledger

CONNECTIONS = (16, 64)
DOMAINS = 1_000


def filled(data: Path, addresses: int) -> None:
    """Of every workspace's domains: the default one."""
    ledger, now = open_ledger(f"sqlite:///{data / 'ledger.sqlite'}"), time.time_ns() // 1_000_000
    workspace = ledger.tenants.workspace_named("default")
    assert workspace is not None
    reason = SuppressionReason.BOUNCED
    entries = (
        Suppression(
            address=f"d{number % DOMAINS}.example.{number:07}@inbox.example",  # around each one that is asked about
            workspace=workspace.id,
            reason=reason,
            noticed_at=now,
            source="benchmark",
        )
        for number in range(addresses)
    )
    began = time.perf_counter()
    while some := list(islice(entries, 50_000)):
        ledger.suppressions.put(some)
    if addresses:
        print(f"{addresses:,} addresses in {time.perf_counter() - began:.0f} s")
    ledger.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--addresses", type=int, default=1_000_000)
    arguments.add_argument("--seconds", type=float, default=8.0)
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    policy.QUESTION = policy.QUESTION.replace("bob@inbox.example", "{domain}@inbox.example")
    ways = {"off": ("off", 0), "empty list": ("refuse", 0), "long list": ("refuse", chosen.addresses)}
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as place, ExitStack() as running:
        ports = {}
        for name, (mode, addresses) in ways.items():
            scratch = Path(place) / name
            scratch.mkdir()

            def prepare(data: Path, mode: str = mode, addresses: int = addresses) -> None:
                (data / "mailvane.toml").write_text(f'[outbound]\nsuppression = "{mode}"\n')
                filled(data, addresses)

            ports[name] = running.enter_context(policy.mailvane(scratch, DOMAINS, prepare))
        for _ in range(chosen.rounds):
            for name, port in ports.items():
                for connections in CONNECTIONS:
                    found[name, connections].append(policy.asked(port, connections, chosen.seconds, DOMAINS).rate)
    for connections in CONNECTIONS:
        base = statistics.median(found["off", connections])
        for name in ways:
            rate = statistics.median(found[name, connections])
            print(f"{name:<12}{connections:>4} connections {rate:>9,.0f} answers/s, {rate / base:.2f} of that without")


if __name__ == "__main__":
    main()
