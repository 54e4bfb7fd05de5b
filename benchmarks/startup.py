"""How long a start takes: the server until it answers, and each kind of command beside it.

    PYTHONPATH=src python benchmarks/startup.py [--rounds 5]

Says seconds of processor time (user and system, the least of the rounds: other load on the machine adds little to it)
and of the clock. Makes a data directory of its own, starts one server on it, and stops it.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import httpx

PROGRAM = (sys.executable, "-c", "from mailvane.server.main import main; main()")
READY_SECONDS = 300
# What a person asks while the server runs; the last two open the ledger, which loads SQLAlchemy.
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("--version",),
    ("log",),
    ("log", "--since", "yesterday"),
    ("stats",),
    ("explain", "000000000000000000"),
    ("rebuild",),
    ("workspace", "list"),
    ("dmarc", "summary"),
)


class Spent(NamedTuple):
    """Seconds."""

    processor: float
    clock: float


def spent(words: tuple[str, ...], environment: Mapping[str, str]) -> Spent:
    begun = time.monotonic()
    quiet = subprocess.DEVNULL
    process = subprocess.Popen((*PROGRAM, *words), env=environment, stdout=quiet, stderr=quiet)
    _, _, used = os.wait4(process.pid, 0)
    return Spent(used.ru_utime + used.ru_stime, time.monotonic() - begun)


def least(rounds: list[Spent]) -> Spent:
    return Spent(min(one.processor for one in rounds), min(one.clock for one in rounds))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """`mailvane serve` from its start until it is ready."""

    def __init__(self, environment: Mapping[str, str], address: str) -> None:
        begun = time.monotonic()
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen((*PROGRAM, "serve"), env=environment, stdout=quiet, stderr=quiet)
        with httpx.Client(trust_env=False) as client:
            while not self._ready(client, address):
                if time.monotonic() > begun + READY_SECONDS:
                    self.stop()
                    raise SystemExit("the server does not start")
                time.sleep(0.01)
        self.ready = Spent(self._processor(), time.monotonic() - begun)

    @staticmethod
    def _ready(client: httpx.Client, address: str) -> bool:
        try:
            return client.get(f"http://{address}/readyz").status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _processor(self) -> float:
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> str:
        text = Path(f"/proc/{self._process.pid}/smaps_rollup").read_text()
        sizes = {line.split()[0]: int(line.split()[1]) // 1024 for line in text.splitlines()[1:]}
        return f"resident {sizes['Rss:']} MiB, of it private {sizes['Private_Dirty:']} MiB"

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with TemporaryDirectory() as directory:
        address = f"127.0.0.1:{free_port()}"
        environment = {
            **os.environ,
            "MAILVANE_DATA": directory,
            "MAILVANE_HTTP": address,
            "MAILVANE_POLICY": f"unix:{directory}/policy",
            "MAILVANE_SMTP": f"127.0.0.1:{free_port()}",
            "PYTHONPYCACHEPREFIX": f"{directory}/bytecode",  # an installed program is compiled already
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        spent(("workspace", "create", "one"), environment)
        spent(("relay", "create", "--workspace", "one"), environment)
        Server(environment, address).stop()  # makes the mail log
        starts = []
        for _ in range(rounds):
            server = Server(environment, address)
            starts.append(server.ready)
            server.stop()
        server = Server(environment, address)
        time.sleep(5)
        print(f"{'':32} processor s   clock s")
        print(f"{'serve, until /readyz says 200':32} {least(starts).processor:11.2f} {least(starts).clock:9.2f}")
        for words in COMMANDS:
            found = least([spent(words, environment) for _ in range(rounds)])
            print(f"{' '.join(words):32} {found.processor:11.2f} {found.clock:9.2f}")
        print(f"idle: {server.memory()}")
        server.stop()


if __name__ == "__main__":
    main()
