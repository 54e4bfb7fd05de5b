"""What do traces of requests cost?

    python benchmarks/tracing.py [--requests 300] [--rounds 3] [--connections 16]

Four whole servers, each in a process of its own, are asked by turns, so that what else the machine does falls on each:
without the libraries of the extra `otel`, with them and no receiver set (as installed), with a tenth of the requests
traced, and with all of them. A receiver beside takes the spans as a collector does, and counts them. Asked are a page
of the mail log and the list of heartbeats, which is a question to the ledger alone. Of each: answers a second (the
median of the rounds), processor time of the server for each, less what it uses while nobody asks, and that over the one
as installed.
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

from mailvane.web.opentelemetry_tracing import OpenTelemetryTracing
from mailvane.web.tracing import UNTRACED, Tracing

ROOT = Path(__file__).parents[1]
PAGES = {"mail log": "/mail/log?limit=10", "heartbeats": "/mailvane/v1/heartbeats"}
USUAL = "installed, off"
MAILS = 2_000
IDLE_SECONDS = 5.0
LONGEST_SECONDS = 600.0
SPANS = 500


class Measured(NamedTuple):
    """One server with one page, in one round."""

    answers: int
    seconds: float
    used: float  # seconds of processor time for them


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


def idle(running: Server) -> float:
    """Seconds of processor time a second, while nobody asks."""
    before = running.cpu_seconds()
    time.sleep(IDLE_SECONDS)
    return (running.cpu_seconds() - before) / IDLE_SECONDS


def asked(running: Server, question: bytes, requests: int, connections: int, idle_share: float) -> Measured:
    before = running.cpu_seconds()
    told, elapsed = asyncio.run(load([running], repeat(question, requests), connections, LONGEST_SECONDS))
    if told.failed:
        raise RuntimeError(f"{told.failed} of {len(told.seconds)} requests failed: {question!r}")
    return Measured(len(told.seconds), elapsed, running.cpu_seconds() - before - idle_share * elapsed)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--requests", type=int, default=300)
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
        at_rest = {way: idle(one) for way, (one, _) in servers.items()}
        for number in range(chosen.rounds + 1):  # the first is to warm up
            for page, path in PAGES.items():
                for way, (one, key) in servers.items():
                    question = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-KEY: {key}\r\n\r\n".encode()
                    requests = chosen.requests if number else 30
                    measured = asked(one, question, requests, chosen.connections, at_rest[way])
                    found[page, way] += [measured] if number else []
        report(found)
        spans()
        receiver.send("enough")
        print(f"spans that the receiver got: {receiver.recv():,}")
    print(f"load of the machine: {', '.join(f'{each:.1f}' for each in os.getloadavg())}")


def spans() -> None:
    """What it costs to make the five spans of a request that asks two pools: processor time of this thread alone."""
    ways: dict[str, Tracing] = {
        "off": UNTRACED,
        "not sampled": OpenTelemetryTracing("http://127.0.0.1:9/v1/traces", 0.0, "1"),
        "sampled": OpenTelemetryTracing("http://127.0.0.1:9/v1/traces", 1.0, "1"),
    }
    for name, tracing in ways.items():
        costs = []
        for _ in range(7):
            began = time.thread_time()
            for _ in range(SPANS):
                with tracing.request("GET", []) as request:
                    for pool in ("quick", "ledger"):
                        with tracing.waiting(pool):
                            tracing.working(pool, int)()
                    request.answered("native", "/route", 200, 1)
            costs.append((time.thread_time() - began) / SPANS)
        print(f"spans of a request, {name:<14}{min(costs) * 1e6:>6,.0f} µs")


def report(found: dict[tuple[str, str], list[Measured]]) -> None:
    print(f"{'':<28}{'answers/s':>10}{'CPU each':>12}{'over off':>10}")
    cost = {
        of: sum(each.used for each in rounds) / sum(each.answers for each in rounds) for of, rounds in found.items()
    }
    for (page, way), rounds in found.items():
        rate = statistics.median(each.answers / each.seconds for each in rounds)
        each = cost[page, way]
        print(f"{page + ', ' + way:<28}{rate:>10,.0f}{each * 1e6:>9,.0f} µs{each / cost[page, USUAL]:>10.2f}")


if __name__ == "__main__":
    main()
