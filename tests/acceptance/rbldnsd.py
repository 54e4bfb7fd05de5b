"""A real rbldnsd in a directory of its own, and a resolver before it that keeps silent about some zones."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import dns.exception
import dns.message
import dns.query

from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

NOBODY = "65534:65534"


def cannot_run() -> str:
    """Why no rbldnsd can be started here; empty when one can."""
    if not shutil.which("rbldnsd", path=os.environ.get("PATH", "") + ":/usr/sbin"):
        return "rbldnsd is not installed"
    return ""


class Rbldnsd:
    """`zones` maps a host to its datasets: their type, and their lines."""

    def __init__(self, zones: Mapping[str, Mapping[str, str]]) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        # Not below a test's own directory: rbldnsd gives up its rights before it reads its zones again.
        self._place = tempfile.TemporaryDirectory(prefix="rbldnsd.")
        self._home = Path(self._place.name)
        self._home.chmod(0o755)
        self._zones = [f"{host}:{kind}:{kind}-{host}" for host, datasets in zones.items() for kind in datasets]
        for host, datasets in zones.items():
            for kind, lines in datasets.items():
                self.write(host, kind, lines)

    def write(self, host: str, kind: str, lines: str) -> None:
        """Put other lines into a dataset; `reload` has them read."""
        written = self._home / "new"
        written.write_text(lines + "\n")
        written.chmod(0o644)
        written.rename(self._home / f"{kind}-{host}")

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        command = shutil.which("rbldnsd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        assert command is not None
        rights = ["-u", NOBODY] if os.geteuid() == 0 else []
        bound = ["-n", "-c", "0", "-b", f"127.0.0.1/{self.port}", "-w", str(self._home)]
        with (self._home / "log").open("ab") as said:
            self._process = subprocess.Popen([command, *bound, *rights, *self._zones], stdout=said, stderr=said)
        wait_for(self._answers, (self._home / "log").read_text)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._home / "log").read_text()
        return bool(self.says(f"x.{self._zones[0].partition(':')[0]}"))

    def says(self, name: str) -> str:
        """The outcome and the answer for a name; nothing when there is none."""
        try:
            told = dns.query.udp(dns.message.make_query(name, "A"), "127.0.0.1", 0.1, self.port)
        except (dns.exception.DNSException, OSError):
            return ""
        return " ".join([dns.rcode.to_text(told.rcode()), *(str(one) for rrset in told.answer for one in rrset)])

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)

    @contextmanager
    def running(self) -> Iterator[Rbldnsd]:
        try:
            self.start()
            yield self
        finally:
            self.stop()
            self._place.cleanup()


@contextmanager
def resolver(upstream: int, silent: str) -> Iterator[int]:
    """Forwards every question but those that end in `silent`; its port."""
    label = b"".join(bytes([len(part)]) + part.encode() for part in silent.split("."))
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as clients,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server,
    ):
        clients.bind(("127.0.0.1", 0))
        clients.settimeout(0.05)
        server.settimeout(0.2)
        server.connect(("127.0.0.1", upstream))
        going = [True]

        def forward() -> None:
            while going:
                try:
                    question, client = clients.recvfrom(4096)
                    if label in question:
                        continue
                    server.send(question)
                    while (answer := server.recv(4096))[:2] != question[:2]:
                        pass
                    clients.sendto(answer, client)
                except OSError:  # nobody asks, or the server is away
                    continue

        thread = Thread(target=forward)
        thread.start()
        try:
            yield clients.getsockname()[1]
        finally:
            going.clear()
            thread.join()
