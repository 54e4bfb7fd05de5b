"""How many mails a second the gateway takes in durably and hands on, against Postfix and a bare aiosmtpd forwarder.

    python benchmarks/gateway.py [--mails 2000] [--rounds 3] [--size 4000] [--sessions 16] [--only NAME]
    python benchmarks/gateway.py --memory 20000

Postfix's own `smtp-source` sends, its `smtp-sink` stands behind; a round ends when the sink has every mail. Each has
the same disk. `gateway` answers 250 when content and ledger are synced; `postfix` when its queue file is; `forwarder`
is aiosmtpd with aiosmtplib, which answers what the sink answered and keeps nothing. All share one machine. Beside the
rates stands what one process took of the processor for a mail, all its threads together: that of the gateway, the
forwarder; Postfix is many.

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
from typing import Any, NamedTuple

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
_REST_SECONDS = 2.0


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


class Running(NamedTuple):
    """What mail is sent to."""

    port: int
    process: int | None  # the one that does all the work


class Rates(NamedTuple):
    """Of one round."""

    accepted: float  # mails a second
    delivered: float
    busy: float  # milliseconds of the processor for a mail; 0: not known


@contextmanager
def gateway(sink: int) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as directory:
        world = GatewayWorld(Path(directory) / "data", sink)
        world.mailbox("info")
        with world.installation.serving() as process:
            yield Running(world.port, process.pid)


@contextmanager
def postfix(sink: int) -> Iterator[Running]:
    with PostfixInstance(Peers(sink=sink)) as running:
        yield Running(running.smtp, None)


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
def forwarder(sink: int) -> Iterator[Running]:
    port = free_port()
    command = [sys.executable, __file__, "--forward", str(sink), str(port)]
    with subprocess.Popen(command) as process:
        wait_for(lambda: accepts(port))
        yield Running(port, process.pid)
        process.kill()


def accepts(port: int) -> bool:
    probe = subprocess.run([f"{SBIN}/smtp-source", "-m", "1", f"127.0.0.1:{port}"], capture_output=True, check=False)
    return b"refused" not in probe.stderr


CONTENDERS = {"gateway": gateway, "postfix": postfix, "forwarder": forwarder}


def send(port: int, mails: int, wanted: argparse.Namespace) -> None:
    sizes = ["-s", str(wanted.sessions), "-l", str(wanted.size), "-m", str(mails)]
    envelope = ["-f", "ann@sender.example", "-t", RECIPIENT]
    subprocess.run([f"{SBIN}/smtp-source", *sizes, *envelope, f"127.0.0.1:{port}"], check=True)


def measure(name: str, wanted: argparse.Namespace) -> Rates:
    sink = Sink()
    contender: AbstractContextManager[Running] = CONTENDERS[name](sink.port)
    with contender as running:
        send(running.port, 50, wanted)
        wait_while_it_grows(sink, 50)
        before, busy = sink.count, processor_seconds(running.process)
        began = time.perf_counter()
        send(running.port, wanted.mails, wanted)
        accepted = time.perf_counter() - began
        wait_while_it_grows(sink, before + wanted.mails)
        delivered = time.perf_counter() - began
        time.sleep(_REST_SECONDS)  # what is still to be told to the mail log is part of it
        busy = processor_seconds(running.process) - busy
    sink.stop()
    return Rates(wanted.mails / accepted, wanted.mails / delivered, 1000 * busy / wanted.mails)


def processor_seconds(process: int | None) -> float:
    """That a process has had, all its threads together."""
    if process is None:
        return 0.0
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(wanted: argparse.Namespace) -> None:
    rates: dict[str, list[Rates]] = {}
    for number in range(wanted.rounds):
        for name in [wanted.only] if wanted.only else CONTENDERS:
            rates.setdefault(name, []).append(measure(name, wanted))
            one = rates[name][-1]
            print(
                f"round {number + 1}  {name:10}  {one.accepted:7.0f} accepted/s  {one.delivered:7.0f} delivered/s"
                f"  {one.busy:6.2f} ms of the processor a mail",
                flush=True,
            )
    ours = statistics.median(one.delivered for one in rates.get("gateway", [Rates(0, 0, 0)]))
    for name, each in rates.items():
        theirs, busy = (
            statistics.median(values) for values in ([one.delivered for one in each], [one.busy for one in each])
        )
        told = f"{busy:.2f} ms of the processor a mail"
        print(f"{name:10}  median {theirs:7.0f} delivered/s, {told}; gateway is {ours / theirs:.2f} x (goal: 0.5)")


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
