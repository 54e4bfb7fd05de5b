"""How many mails a second may pass the policy service, against policyd-rate-limit and postfwd.

    python benchmarks/policy.py [--seconds 8] [--domains 1000] [--only NAME]

The same client asks each server in turn over 1, 16 and 64 connections: one question at a time on each, every question a
new mail, spread over the domains, every mail allowed. Mailvane is a whole server in a process of its own, and every
answer is in its ledger before it is given (SQLite, synchronous = FULL); on a RAM disk the same shows the price of that.
policyd-rate-limit keeps SQLite as it ships; postfwd keeps its counters in memory only, and comes as two programs:
`postfwd` is postfwd2, postfwd1 is the faster one. All are Debian's packages, asked to limit by the user who logged in,
and log nothing. `bare loop` is the ceiling for any server in Python: Mailvane's event loop with a protocol that reads
nothing, keeps nothing and says DUNNO. Servers and client share the machine; the last column is the processor time of
the server alone, all of its processes, which other load on the machine adds little to.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from mailvane.outbound.admission.rules import GovernanceRules
from mailvane.outbound.governance import Governance
from mailvane.server.ledger import open_ledger

MAILVANE = Path(sys.executable).with_name("mailvane")
CONNECTIONS = (1, 16, 64)
LIMIT = 1_000_000_000
Server = Callable[[Path, int], AbstractContextManager[int]]
ALLOWED = b"action=dunno\n\n"

# What Postfix 3.7 sends of a mail that somebody who logged in hands in.
QUESTION = """\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=192.0.2.7
client_name=app.shop.example
client_port=48052
reverse_client_name=app.shop.example
server_address=192.0.2.1
server_port=587
helo_name=app.shop.example
sender=ann@{domain}
recipient=bob@inbox.example
recipient_count=0
queue_id=
size=12345
etrn_domain=
stress=
sasl_method=plain
sasl_username=ann@{domain}
sasl_sender=
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=TLSv1.3
encryption_cipher=TLS_AES_256_GCM_SHA384
encryption_keysize=256
policy_context=
instance="""


BARE = """\
import asyncio, sys, uvloop

class Bare(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""

    def data_received(self, data):
        *asked, self.rest = (self.rest + data).split(b"\\n\\n")
        self.transport.write(b"action=DUNNO\\n\\n" * len(asked))

async def serve():
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.Runner(loop_factory=uvloop.new_event_loop).run(serve())
"""


class Measured(NamedTuple):
    """One server at one number of connections."""

    rate: float  # answers a second
    median: float  # milliseconds, likewise below
    worst: float  # 99 of 100 were faster
    processor: float  # of the server, microseconds an answer


def domain_names(domains: int) -> list[str]:
    return [f"d{number}.example" for number in range(domains)]


def questions(domains: int) -> Iterator[bytes]:
    heads = [QUESTION.format(domain=name).encode() for name in domain_names(domains)]
    process = os.getpid()
    for number in count():
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        # Postfix names a mail so: by process, second, microsecond and number.
        yield heads[number % domains] + f"{process:x}.{second:x}.{nanosecond // 1000:x}.{number:x}\n\n".encode()


def asked(port: int, connections: int, seconds: float, domains: int) -> Measured:
    """Ask on every connection again as soon as its answer is there."""
    source = questions(domains)
    poll, open_sockets, began = select.epoll(), {}, {}
    for _ in range(connections):
        one = socket.create_connection(("127.0.0.1", port), 10)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_sockets[one.fileno()] = one
        poll.register(one.fileno(), select.EPOLLIN)
    clock, times = time.perf_counter, []
    start = clock()
    for number, one in open_sockets.items():
        began[number] = clock()
        one.sendall(next(source))
    warm, until, used = start + seconds * 0.2, start + seconds * 1.2, 0.0
    processes = listening(port)
    while (now := clock()) < until:
        for number, _ in poll.poll(10):
            answer = open_sockets[number].recv(4096)
            now = clock()
            if answer.lower() != ALLOWED:
                raise SystemExit(f"port {port} answered {answer!r}")
            if now >= warm:
                used = used or processor_seconds(processes)
                times.append(now - began[number])
            began[number] = now
            open_sockets[number].send(next(source))
    elapsed, used = now - warm, processor_seconds(processes) - used
    for one in open_sockets.values():
        one.close()
    times.sort()
    half, most = times[len(times) // 2] * 1e3, times[len(times) * 99 // 100] * 1e3
    return Measured(len(times) / elapsed, half, most, used / len(times) * 1e6)


def listening(port: int) -> list[int]:
    """The processes that have a socket open which listens at this port of IPv4."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if any(str(each.readlink()) in sockets for each in (place / "fd").iterdir()):
                found.append(int(place.name))
        except OSError:
            continue
    return found


def processor_seconds(processes: list[int]) -> float:
    """User and system time until now, with children that have ended."""
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str] | None = None) -> Iterator[int]:
    """A server in the foreground, from when it listens. What it had to say is shown when something goes wrong."""
    with (
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=said) as process,
    ):
        try:
            wait_for(port, process)
            yield port
        except BaseException:
            said.seek(0)
            print(f"{command[0]} (ended: {process.poll()}) said:", *said.readlines()[-20:], sep="\n", file=sys.stderr)
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{process.args!r} does not listen")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def mailvane(scratch: Path, domains: int, prepare: Callable[[Path], None] = lambda _data: None) -> Iterator[int]:
    """`prepare` is given the data directory before the server starts."""
    data, port = scratch / "data", free_port()
    data.mkdir()
    ledger = open_ledger(f"sqlite:///{data / 'ledger.sqlite'}")
    governance, now = (
        Governance(ledger.domains, ledger.billing, ledger.tenants, GovernanceRules()),
        time.time_ns() // 1_000_000,
    )
    for name in domain_names(domains):
        governance.create(name, None, now)
        governance.change(name, {"daily_limit": LIMIT, "monthly_limit": LIMIT}, "benchmark", now)
    ledger.close()
    prepare(data)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILVANE_")}
    environment |= {"MAILVANE_DATA": str(data), "MAILVANE_POLICY": f"127.0.0.1:{port}"}
    with running([str(MAILVANE), "serve", "--roles", "policy"], port, environment):
        yield port


@contextmanager
def policyd_rate_limit(scratch: Path, _domains: int) -> Iterator[int]:
    port, settings = free_port(), scratch / "policyd.yaml"
    shipped = Path("/etc/policyd-rate-limit.yaml").read_text().splitlines()
    ours = {
        "debug": "False",
        "user": '"root"',
        "group": '"root"',
        "pidfile": f'"{scratch}/policyd.pid"',
        "SOCKET": f'["127.0.0.1", {port}]',
        "    database": f'"{scratch}/policyd.sqlite3"',
        "limits": f"[[{LIMIT}, 86400]]",
    }
    kept = [line for line in shipped if line.partition(":")[0] not in ours and not line.startswith("    -")]
    lines = [f"{name}: {value}" for name, value in ours.items() if not name.startswith(" ")]
    database = ["sqlite_config:", f"    database: {ours['    database']}"]
    settings.write_text("\n".join([*(line for line in kept if line != "sqlite_config:"), *lines, *database]))
    with running(["policyd-rate-limit", "--file", str(settings)], port):
        yield port


@contextmanager
def bare_loop(_scratch: Path, _domains: int) -> Iterator[int]:
    port = free_port()
    with running([sys.executable, "-c", BARE, str(port)], port):
        yield port


def postfwd(program: str) -> Server:
    """One of its two programs."""
    return lambda scratch, _domains: _postfwd(program, scratch)


@contextmanager
def _postfwd(program: str, scratch: Path) -> Iterator[int]:
    port, pid = free_port(), scratch / "postfwd.pid"
    rule = f"id=R1; action=rate(sasl_username/{LIMIT}/86400/450 4.7.1 too much)"
    command = [program, "--daemon", "--perfmon", "--nodns", "--pidfile", str(pid), "--rule", rule]
    command += ["--interface", "127.0.0.1", "--port", str(port), "--user", "nobody", "--group", "nogroup"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as starting:
        starting.wait(30)
        wait_for_port(port)
    try:
        yield port
    finally:
        os.kill(int(pid.read_text()), signal.SIGTERM)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit("postfwd does not listen") from None
            time.sleep(0.05)
        else:
            return


@contextmanager
def on_ram_disk(_scratch: Path, domains: int) -> Iterator[int]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place, mailvane(Path(place), domains) as port:
        yield port


SERVERS: dict[str, Server] = {
    "policyd-rate-limit": policyd_rate_limit,
    "postfwd, in memory": postfwd("postfwd2"),
    "postfwd1, in memory": postfwd("postfwd1"),
    "bare loop": bare_loop,
    "mailvane": mailvane,
    "mailvane, RAM disk": on_ram_disk,
}


def sync_milliseconds(scratch: Path) -> float:
    """What making one more page durable costs on this disk."""
    took = []
    with (scratch / "sync").open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1e3


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=8.0)
    arguments.add_argument("--domains", type=int, default=1_000)
    arguments.add_argument("--only", choices=list(SERVERS), action="append")
    chosen = arguments.parse_args()
    for program in ("policyd-rate-limit", "postfwd1"):
        if not shutil.which(program):
            raise SystemExit(f"{program} is missing: apt-get install policyd-rate-limit postfwd")
    found: dict[tuple[str, int], Measured] = {}
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # postfwd gives up its rights before it writes down its process
        sync = sync_milliseconds(Path(place))
        print(f"{chosen.domains:,} domains, {os.cpu_count()} cores, a durable write of this disk takes {sync:.2f} ms")
        print(f"{'':<22}{'connections':>12}{'answers/s':>12}{'median ms':>12}{'99 % ms':>12}{'CPU us each':>12}")
        for name in chosen.only or SERVERS:
            scratch = Path(place) / str(len(found))
            scratch.mkdir(mode=0o755)
            with SERVERS[name](scratch, chosen.domains) as port:
                for connections in CONNECTIONS:
                    told = asked(port, connections, chosen.seconds, chosen.domains)
                    found[name, connections] = told
                    spans = f"{told.median:>12.2f}{told.worst:>12.2f}{told.processor:>12.0f}"
                    print(f"{name:<22}{connections:>12}{told.rate:>12,.0f}{spans}", flush=True)
    if not chosen.only:
        conclude(found)


def conclude(found: dict[tuple[str, int], Measured]) -> None:
    most = CONNECTIONS[-1]
    ours = found["mailvane", most]
    for name, goal in (("policyd-rate-limit", 10), ("postfwd, in memory", 3), ("postfwd1, in memory", 3)):
        print(f"{ours.rate / found[name, most].rate:.1f} times {name} at {most} connections (goal: {goal})")
    ceiling = found["bare loop", most]
    print(
        f"a bare loop would be {ceiling.rate / found['policyd-rate-limit', most].rate:.1f} times policyd-rate-limit;"
        f" mailvane is {ours.rate / ceiling.rate:.2f} of that"
    )
    price = found["mailvane, RAM disk", most].rate / ours.rate
    print(
        f"99 of 100 answers within {ours.worst:.1f} ms (goal: 15); not having to be durable: {price:.2f} times as many"
    )


if __name__ == "__main__":
    main()
