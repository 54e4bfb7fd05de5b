"""How many mails a second the gateway takes in durably and hands on, against Postfix and a bare aiosmtpd forwarder.

    python benchmarks/gateway.py [--mails 2000] [--rounds 3] [--size 4000] [--sessions 16] [--only NAME]
    python benchmarks/gateway.py --memory 20000

Postfix's own `smtp-source` sends, its `smtp-sink` stands behind; a round ends when the sink has every mail. Each has
the same disk. `gateway` answers 250 when content and ledger are synced; `postfix` when its queue file is; `forwarder`
is aiosmtpd with aiosmtplib, which answers what the sink answered and keeps nothing. All share one machine.

With --memory, so many mails go through the gateway alone, and its memory is told as they do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiosmtplib
from aiosmtpd.controller import Controller

from tests.acceptance.gateway_world import DOMAIN, GatewayWorld
from tests.acceptance.postfix_instance import Peers, PostfixInstance
from tests.ports import free_port
from tests.waiting import wait_for

SBIN = "/usr/sbin"
RECIPIENT = f"info@{DOMAIN}"
_STEPS = 10


class Sink:
    """Postfix's `smtp-sink`, and how many mails it has."""

    def __init__(self) -> None:
        self.port = free_port()
        command = [f"{SBIN}/smtp-sink", "-c", "-u", "nobody", f"127.0.0.1:{self.port}", "1000"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._last = b""
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while piece := os.read(self._process.stdout.fileno(), 65536):
            self._last = (self._last + piece)[-200:]

    @property
    def count(self) -> int:
        numbers = re.findall(rb"\d+", self._last)
        return int(numbers[-1]) if numbers else 0

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


@contextmanager
def gateway(sink: int) -> Iterator[int]:
    with tempfile.TemporaryDirectory() as directory:
        world = GatewayWorld(Path(directory) / "data", sink)
        world.mailbox("info")
        with world.installation.serving():
            yield world.port


@contextmanager
def postfix(sink: int) -> Iterator[int]:
    with PostfixInstance(Peers(sink=sink)) as running:
        yield running.smtp


class Forwarder:
    """Hands each mail on before it answers, over connections that it keeps."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[aiosmtplib.SMTP] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        client = self._free.pop() if self._free else aiosmtplib.SMTP(hostname="127.0.0.1", port=self._port)
        if not client.is_connected:
            await client.connect()
        await client.sendmail(envelope.mail_from, envelope.rcpt_tos, envelope.original_content)
        self._free.append(client)
        return "250 OK"


def forward(sink: int, port: int) -> None:
    """The process of the bare forwarder."""
    controller = Controller(Forwarder(sink), hostname="127.0.0.1", port=port)
    controller.start()
    asyncio.new_event_loop().run_forever()


@contextmanager
def forwarder(sink: int) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, __file__, "--forward", str(sink), str(port)]
    with subprocess.Popen(command) as process:
        wait_for(lambda: accepts(port))
        yield port
        process.kill()


def accepts(port: int) -> bool:
    probe = subprocess.run([f"{SBIN}/smtp-source", "-m", "1", f"127.0.0.1:{port}"], capture_output=True, check=False)
    return b"refused" not in probe.stderr


CONTENDERS = {"gateway": gateway, "postfix": postfix, "forwarder": forwarder}


def send(port: int, mails: int, wanted: argparse.Namespace) -> None:
    sizes = ["-s", str(wanted.sessions), "-l", str(wanted.size), "-m", str(mails)]
    envelope = ["-f", "ann@sender.example", "-t", RECIPIENT]
    subprocess.run([f"{SBIN}/smtp-source", *sizes, *envelope, f"127.0.0.1:{port}"], check=True)


def measure(name: str, wanted: argparse.Namespace) -> tuple[float, float]:
    """Mails a second: accepted, and delivered."""
    sink = Sink()
    contender: AbstractContextManager[int] = CONTENDERS[name](sink.port)
    with contender as port:
        send(port, 50, wanted)
        wait_while_it_grows(sink, 50)
        before = sink.count
        began = time.perf_counter()
        send(port, wanted.mails, wanted)
        accepted = time.perf_counter() - began
        wait_while_it_grows(sink, before + wanted.mails)
        delivered = time.perf_counter() - began
    sink.stop()
    return wanted.mails / accepted, wanted.mails / delivered


def compare(wanted: argparse.Namespace) -> None:
    rates: dict[str, list[tuple[float, float]]] = {}
    for number in range(wanted.rounds):
        for name in [wanted.only] if wanted.only else CONTENDERS:
            rates.setdefault(name, []).append(measure(name, wanted))
            accepted, delivered = rates[name][-1]
            print(
                f"round {number + 1}  {name:10}  {accepted:7.0f} accepted/s  {delivered:7.0f} delivered/s", flush=True
            )
    ours = statistics.median(delivered for _, delivered in rates.get("gateway", [(0.0, 0.0)]))
    for name, each in rates.items():
        theirs = statistics.median(delivered for _, delivered in each)
        print(f"{name:10}  median {theirs:7.0f} delivered/s  gateway is {ours / theirs:.2f} x (goal: 0.5)")


def memory(wanted: argparse.Namespace) -> None:
    """Resident memory of the gateway as mail goes through."""
    sink = Sink()
    with tempfile.TemporaryDirectory() as directory:
        world = GatewayWorld(Path(directory) / "data", sink.port)
        world.mailbox("info")
        with world.installation.serving() as process:
            for step in range(1, _STEPS + 1):
                send(world.port, wanted.memory // _STEPS, wanted)
                wait_while_it_grows(sink, step * (wanted.memory // _STEPS))
                print(f"after {sink.count:6} mails  {resident(process.pid):6.0f} MB", flush=True)
    sink.stop()


def resident(pid: int) -> float:
    """Megabytes."""
    (pages,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(pages) / 1024


def wait_while_it_grows(sink: Sink, least: int) -> None:
    while (before := sink.count) < least:
        wait_for(lambda: sink.count > before, lambda: (before, least))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=4000)
    parser.add_argument("--sessions", type=int, default=16)
    parser.add_argument("--only", choices=list(CONTENDERS))
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--forward", nargs=2, type=int, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.forward:
        forward(*wanted.forward)
    elif wanted.memory:
        memory(wanted)
    else:
        compare(wanted)


if __name__ == "__main__":
    main()
