"""What do traces of requests cost?

    python benchmarks/tracing.py [--seconds 6] [--rounds 3] [--connections 16]

Four whole servers, each in a process of its own, are asked by turns, so that what else the machine does falls on each:
without the libraries of the extra `otel`, with them and no receiver set (as installed), with a tenth of the requests
traced, and with all of them. A receiver beside takes the spans as a collector does, and counts them. Asked are a page
of the mail log and the list of heartbeats, which is a question to the ledger alone. Of each the median of the rounds:
answers a second, processor time of the server for each, and that time over the one as installed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import repeat
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import httpx
from increment import Server, load, serving
from mixed_clients import events, wait_until_carried, workspaces

ROOT = Path(__file__).parents[1]
PAGES = {"mail log": "/mail/log?limit=10", "heartbeats": "/mailvane/v1/heartbeats"}
USUAL = "installed, off"
MAILS = 2_000


class Measured(NamedTuple):
    """One server with one page, in one round."""

    rate: float  # answers a second
    cost: float  # seconds of processor time an answer


def receive(parent: Connection) -> None:
    """A collector, until something is said to it; then how many spans it got."""
    sys.path.insert(0, str(ROOT))
    from tests.otlp_receiver import OtlpReceiver  # noqa: PLC0415 - of the tests, in this process alone

    with OtlpReceiver().running() as receiver:
        parent.send(receiver.address)
        parent.recv()
        parent.send(len(receiver.spans))


@contextmanager
def collector() -> Iterator[tuple[str, Connection]]:
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=receive, args=(there,), daemon=True)
    process.start()
    try:
        yield str(here.recv()), here
    finally:
        process.terminate()
        process.join()


@contextmanager
def without_libraries(place: Path) -> Iterator[None]:
    """Processes that are started meanwhile find no OpenTelemetry."""
    missing = place / "opentelemetry"
    missing.mkdir(parents=True)
    (missing / "__init__.py").write_text("raise ModuleNotFoundError('left out', name='opentelemetry')\n")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(place), before)))
    try:
        yield
    finally:
        os.environ["PYTHONPATH"] = before


@contextmanager
def server(place: Path, table: str) -> Iterator[tuple[Server, str]]:
    """With mail in its log, and the key of whose it is."""
    place.mkdir()
    (place / "mailvane.toml").write_text(table)
    with serving(place, None) as running:
        (key,) = workspaces(place, 1)
        mail = events(0, MAILS, time.time())
        intake = f"http://127.0.0.1:{running.port}/mailvane/v1/events"
        httpx.post(intake, content=mail, headers={"X-API-KEY": key}, timeout=60).raise_for_status()
        wait_until_carried(running.port)
        yield running, key


def asked(running: Server, key: str, page: str, connections: int, seconds: float) -> Measured:
    question = f"GET {page} HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\nContent-Length: 0\r\n\r\n".encode()
    before = running.cpu_seconds()
    told, elapsed = asyncio.run(load([running], repeat(question), connections, seconds))
    if told.failed:
        raise RuntimeError(f"{told.failed} of {len(told.seconds)} requests for {page} failed")
    return Measured(len(told.seconds) / elapsed, (running.cpu_seconds() - before) / len(told.seconds))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=6.0)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--connections", type=int, default=16)
    chosen = arguments.parse_args()
    found: dict[tuple[str, str], list[Measured]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        place = Path(name)
        address, receiver = running.enter_context(collector())
        traced = f'[tracing]\nendpoint = "{address}"\n'
        with without_libraries(place / "missing"):
            servers = {"not installed": running.enter_context(server(place / "without", ""))}
        for way, table in {
            USUAL: "", "a tenth traced": f"{traced}sample_ratio = 0.1\n", "all traced": traced,
        }.items():  # fmt: skip
            servers[way] = running.enter_context(server(place / way.replace(" ", "-"), table))
        for number in range(chosen.rounds + 1):  # the first is to warm up
            for page, path in PAGES.items():
                for way, (one, key) in servers.items():
                    measured = asked(one, key, path, chosen.connections, chosen.seconds if number else 1.0)
                    found[page, way] += [measured] if number else []
        report(found)
        receiver.send("enough")
        print(f"spans that the receiver got: {receiver.recv():,}")
    print(f"load of the machine: {', '.join(f'{each:.1f}' for each in os.getloadavg())}")


def report(found: dict[tuple[str, str], list[Measured]]) -> None:
    print(f"{'':<28}{'answers/s':>10}{'CPU each':>12}{'over off':>10}")
    for (page, way), rounds in found.items():
        rate, cost = (statistics.median(each) for each in zip(*rounds, strict=True))
        usual = statistics.median(each.cost for each in found[page, USUAL])
        print(f"{page + ', ' + way:<28}{rate:>10,.0f}{cost * 1e6:>9,.0f} µs{cost / usual:>10.3f}")


if __name__ == "__main__":
    main()
