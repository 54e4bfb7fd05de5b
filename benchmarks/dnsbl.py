"""How many blocklist look-ups a second, against pydnsbl and against what the name server itself can answer.

    python benchmarks/dnsbl.py [--addresses 5000] [--zones 40] [--rounds 5] [--scratch .cache/bench]

A real rbldnsd of this machine serves the zones; one address in 32 is listed on all of them. In each round everybody
asks about every address on every zone. The limit is the better of a bare loop, which sends ready-made questions over
one socket and does not look at the answers, and of dnsperf where it is installed. `look-ups` are the answers of our
resolver client; `collector` is all that the server does about an address: verdicts, the listings' texts, reverse names;
only its questions about listings are counted. pydnsbl is installed into an environment of its own below the scratch
directory, and runs with the concurrency that it ships with. All share the machine. Needs rbldnsd.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from mailvane.core.dns import wire
from mailvane.core.dns.lookups import Lookups
from mailvane.reputation.model import Asset, AssetKind, Zone
from mailvane.reputation.sources.dnsbl.collector import Blocklists
from mailvane.reputation.sources.dnsbl.names import reverse_labels
from mailvane.reputation.sources.dnsbl.zones import shipped

LISTED = "10.0.0.0/13"
DATASET = f":127.0.0.2:Listed, see https://lists.example/$\n127.0.0.2\n{LISTED}\n"
PEER_VERSION = "pydnsbl==1.1.7"
PEER = """\
import asyncio, sys, time, warnings
warnings.simplefilter("ignore")
import aiodns
from pydnsbl import DNSBLIpChecker
from pydnsbl.providers import Provider

port, *hosts = sys.argv[1:]
addresses = sys.stdin.read().split()
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
checker = DNSBLIpChecker([Provider(host) for host in hosts], loop=loop)
checker._resolver = aiodns.DNSResolver(timeout=5, tries=2, loop=loop, nameservers=["127.0.0.1"], udp_port=int(port))
began, used = time.perf_counter(), time.process_time()
found = checker.bulk_check(addresses)
took = time.perf_counter() - began, time.process_time() - used
print(*took, sum(len(one.detected_by) for one in found), sum(len(one.failed_providers) for one in found))
"""
IN_FLIGHT = 128  # of the bare loop: more is lost before rbldnsd reads it
DNSPERF_SECONDS = 2


class Task(NamedTuple):
    """What everybody is asked to find out, of whom."""

    port: int
    addresses: Sequence[str]
    hosts: Sequence[str]
    scratch: Path

    @property
    def questions(self) -> int:
        return len(self.addresses) * len(self.hosts)


class Measured(NamedTuple):
    rate: float  # look-ups a second
    cpu: float  # microseconds of our own processor time for each; 0 where that is not known
    listings: int | None  # that were found, to compare


@contextmanager
def rbldnsd(hosts: Sequence[str]) -> Iterator[int]:
    program = shutil.which("rbldnsd", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        raise SystemExit("rbldnsd is missing: apt-get install rbldnsd")
    with tempfile.TemporaryDirectory() as place, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        Path(place).chmod(0o755)
        (Path(place) / "listed").write_text(DATASET)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        probe.close()
        rights = ["-u", "65534:65534"] if os.geteuid() == 0 else []
        zones = [f"{host}:ip4set:listed" for host in hosts]
        command = [program, "-n", "-c", "0", "-b", f"127.0.0.1/{port}", "-w", place, *rights, *zones]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                asyncio.run(answers(port, hosts[0]))
                yield port
            finally:
                process.terminate()


async def answers(port: int, host: str) -> None:
    lookups = Lookups([f"127.0.0.1:{port}"], timeout=0.5)
    for _ in range(40):
        (found,) = await lookups.addresses_below("2.0.0.127", [host])
        if found == ["127.0.0.2"]:
            return
        await asyncio.sleep(0.05)
    raise SystemExit("rbldnsd does not answer")


def bare_loop(task: Task) -> Measured:
    """Send and receive, and nothing else."""
    ends = wire.endings(tuple(task.hosts), wire.A)
    begins = [wire.labels(reverse_labels(address)) for address in task.addresses]
    ready = [wire.message(b"\0\0", question) for begin in begins for question in wire.questions(begin, ends)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("127.0.0.1", task.port))
        one.setblocking(False)
        began, used = time.perf_counter(), time.process_time()
        sent = over = lost = 0
        while over < len(ready):
            while sent < len(ready) and sent - over < IN_FLIGHT:
                one.send(ready[sent])
                sent += 1
            try:
                while over < sent:
                    one.recv(4096)
                    over += 1
            except BlockingIOError:
                if not select.select([one], [], [], 0.02)[0]:
                    lost, over = lost + sent - over, sent
        took, cpu = time.perf_counter() - began, time.process_time() - used
    return Measured((len(ready) - lost) / took, cpu / len(ready) * 1e6, None)


def dnsperf(task: Task) -> Measured:
    data = task.scratch / "dnsperf.txt"
    lines = [f"{reverse_labels(address)}.{host} A\n" for address in task.addresses[:2000] for host in task.hosts]
    data.write_text("".join(lines))
    command = ["dnsperf", "-s", "127.0.0.1", "-p", str(task.port), "-d", str(data), "-l", str(DNSPERF_SECONDS)]
    done = subprocess.run([*command, "-q", str(IN_FLIGHT)], capture_output=True, text=True, check=True)
    found = re.search(r"Queries per second:\s+([\d.]+)", done.stdout)
    if found is None:
        raise SystemExit(done.stdout)
    return Measured(float(found[1]), 0.0, None)


def pydnsbl(task: Task) -> Measured:
    place = task.scratch / "pydnsbl"
    python = place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", PEER_VERSION], check=True)
    command = [str(python), "-c", PEER, str(task.port), *task.hosts]
    done = subprocess.run(command, input="\n".join(task.addresses), stdout=subprocess.PIPE, text=True, check=True)
    took, cpu, listings, failed = done.stdout.split()
    if int(failed):
        print(f"  pydnsbl had no answer to {failed} questions", file=sys.stderr)
    return Measured(task.questions / float(took), float(cpu) / task.questions * 1e6, int(listings))


def lookups(task: Task) -> Measured:
    async def ask() -> int:
        asking, room = Lookups([f"127.0.0.1:{task.port}"]), asyncio.Semaphore(64)

        async def one(address: str) -> int:
            async with room:
                found = await asking.addresses_below(reverse_labels(address), task.hosts)
            if any(isinstance(answer, wire.Trouble) for answer in found):
                raise SystemExit(f"no answer: {found}")
            return sum(1 for answer in found if answer)

        return sum(await asyncio.gather(*map(one, task.addresses)))

    return measured(task, ask)


def collector(task: Task) -> Measured:
    zones = [Zone(host=zone.host, enabled=False) for zone in shipped()] + [Zone(host=host) for host in task.hosts]
    assets = [
        Asset(id=address, workspace=1, kind=AssetKind.IP, name=address, created_at=0) for address in task.addresses
    ]

    async def ask() -> int:
        asking = Blocklists(Lookups([f"127.0.0.1:{task.port}"]), lambda: zones)
        found = [one async for refresh in asking.refresh(assets, 1) for one in refresh.observations]
        if len(found) != task.questions:
            raise SystemExit(f"{len(found)} of {task.questions} are known")
        return sum(1 for one in found if one.data["listed"])

    return measured(task, ask)


def measured(task: Task, ask: Callable[[], Coroutine[Any, Any, int]]) -> Measured:
    """On the event loop that the server runs on."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        began, used = time.perf_counter(), time.process_time()
        listings = runner.run(ask())
        took, cpu = time.perf_counter() - began, time.process_time() - used
    return Measured(task.questions / took, cpu / task.questions * 1e6, listings)


ASKERS: dict[str, Callable[[Task], Measured]] = {
    "limit, bare loop": bare_loop,
    "limit, dnsperf": dnsperf,
    "pydnsbl": pydnsbl,
    "mailvane look-ups": lookups,
    "mailvane collector": collector,
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--addresses", type=int, default=5_000)
    arguments.add_argument("--zones", type=int, default=40)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--scratch", type=Path, default=Path(".cache/bench"))
    chosen = arguments.parse_args()
    chosen.scratch.mkdir(parents=True, exist_ok=True)
    draw = random.Random(5782)
    addresses = [f"10.{draw.randrange(1 << 8)}.{draw.randrange(1 << 8)}.{n % 256}" for n in range(chosen.addresses)]
    hosts = [f"bl{number}.lists.example" for number in range(chosen.zones)]
    askers = {name: ask for name, ask in ASKERS.items() if ask is not dnsperf or shutil.which("dnsperf")}
    found: dict[str, list[Measured]] = {name: [] for name in askers}
    with rbldnsd(hosts) as port:
        task = Task(port, addresses, hosts, chosen.scratch)
        print(f"{chosen.addresses:,} addresses on {chosen.zones} zones, {os.cpu_count()} cores, {chosen.rounds} rounds")
        for _ in range(chosen.rounds):
            for name, ask in askers.items():
                found[name].append(ask(task))
    conclude(found)


def conclude(found: dict[str, list[Measured]]) -> None:
    listings = {one.listings for told in found.values() for one in told if one.listings is not None}
    if len(listings) != 1:
        raise SystemExit(f"they do not agree on how many are listed: {listings}")
    rates = {name: statistics.median(one.rate for one in told) for name, told in found.items()}
    cpus = {name: statistics.median(one.cpu for one in told) for name, told in found.items()}
    print(f"{'':<22}{'look-ups/s':>12}{'least':>12}{'most':>12}{'own CPU µs':>12}")
    for name, told in found.items():
        least, most = min(one.rate for one in told), max(one.rate for one in told)
        print(f"{name:<22}{rates[name]:>12,.0f}{least:>12,.0f}{most:>12,.0f}{cpus[name] or float('nan'):>12.2f}")
    limit = max(rate for name, rate in rates.items() if name.startswith("limit"))
    for name in ("mailvane look-ups", "mailvane collector"):
        print(
            f"{name}: {rates[name] / rates['pydnsbl']:.1f} times pydnsbl (goal: 10), "
            f"{rates[name] / limit:.2f} of the server's limit (goal: 0.5), "
            f"{cpus['pydnsbl'] / cpus[name]:.1f} times less processor time than pydnsbl"
        )


if __name__ == "__main__":
    main()
