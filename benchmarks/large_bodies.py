"""How much memory do large bodies of one key cost?

    python benchmarks/large_bodies.py [--bodies 30] [--packed]

A whole server is sent so many bodies of nearly 32 MiB at once, by one workspace over as many connections, plain or as
gzip; its resident memory is looked at every 20 ms. Each body holds 100,000 events, the most that one may carry. What
the server has no room for it refuses with 503, or by an end of the connection. Goal: no more than 1,200 MiB above what
it needed before, nothing but these answers, and what was acknowledged is stored.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from increment import serving
from mixed_clients import wait_until_carried, workspaces
from soak import memory

EVENTS = 100_000
LARGEST = 32 * 1024 * 1024
GOAL = 1_200  # MiB


class Peak:
    """The most that a process had, in MiB."""

    def __init__(self, process: int) -> None:
        self.found = memory(process)
        self._process = process
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look)
        self._looking.start()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.found = max(self.found, memory(self._process))

    def end(self) -> float:
        self._over.set()
        self._looking.join()
        return self.found


def body(number: int) -> bytes:
    """As large as may be: a mail in each millisecond. Of 100,000 in one, some would share their 28-bit number."""
    length = LARGEST // EVENTS - 1
    now = time.time()
    line = (
        '{{"id":"{0}-{1}","type":"accepted","time":{2:.3f},"mail":"{0}-{1}","recipient":"a@b.example","subject":"{3}"}}'
    )
    lines = (line.format(number, each, now - each / 1000, "") for each in range(EVENTS))
    return "\n".join(each[:-2] + "x" * (length - len(each)) + each[-2:] for each in lines).encode()


def send(port: int, key: str, content: bytes, packed: bool) -> int:
    """The status; 0 where the connection ended."""
    headers = {"X-API-KEY": key, "Content-Type": "application/x-ndjson"}
    headers |= {"Content-Encoding": "gzip"} if packed else {}
    try:
        url = f"http://127.0.0.1:{port}/mailvane/v1/events"
        return httpx.post(url, content=content, headers=headers, timeout=300).status_code
    except httpx.TransportError:
        return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bodies", type=int, default=30)
    parser.add_argument("--packed", action="store_true")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name) / "data"
        with serving(directory, None) as server:
            (key,) = workspaces(directory, 1)
            bodies = [body(number) for number in range(wanted.bodies)]
            if wanted.packed:
                bodies = [gzip.compress(each, 1) for each in bodies]
            before, began, peak = memory(server.process), time.perf_counter(), Peak(server.process)
            with ThreadPoolExecutor(wanted.bodies) as pool:
                sending = [pool.submit(send, server.port, key, each, wanted.packed) for each in bodies]
                statuses = Counter(each.result() for each in sending)
            sent = time.perf_counter() - began
            wait_until_carried(server.port)
            log = httpx.get(f"http://127.0.0.1:{server.port}/mail/log?limit=1", headers={"X-API-KEY": key}, timeout=60)
            most, after = peak.end(), memory(server.process)
    stored = log.json()["total"]
    size = len(bodies[0]) / 2**20
    print(f"{wanted.bodies} bodies of {size:.1f} MiB: {dict(statuses)} in {sent:.0f} s; {stored:,} stored")
    print(f"memory before {before:.0f}, peak {most:.0f}, after {after:.0f} MiB")
    right = set(statuses) <= {200, 503, 0} and stored >= statuses[200] * EVENTS
    print("as it should" if right and most - before <= GOAL else "MISSED")


if __name__ == "__main__":
    main()
