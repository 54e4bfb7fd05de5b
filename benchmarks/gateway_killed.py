"""A thousand mails through the gateway, which is killed in the middle, or whose disk is full for a while: many times.

    python benchmarks/gateway_killed.py [--rounds 20] [--mails 1000] [--kills 2] [--seed 11]
    python benchmarks/gateway_killed.py --full-disk [--rounds 20] [--mails 1000]

Senders are as mail servers are: a mail that was not acknowledged comes again. In each round the gateway gets SIGKILL at
random moments (with --full-disk: a file system of its own has no byte left for a while), is started again, and hands on
what it has. Of each round a line says what was acknowledged, what arrived, and what came twice for which reason:
`again` were taken twice, as the sender had not heard the 250; `handed on` left twice, as the gateway was killed before
it could note that the next hop had them, which is at most one mail of each connection (RFC 5321 section 4.5.5).
Any mail that is lost, half stored or not as the mail log says ends the run with status 1.
"""

from __future__ import annotations

import argparse
import random
import re
import smtplib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail
from tests.acceptance.smtp_sink import SmtpSink
from tests.waiting import PATIENCE, wait_for

SENDERS = 4
CONNECTIONS = 2  # to the next hop
DISK_BYTES = 256 * 1024 * 1024
SETTINGS = f"connections_per_hop = {CONNECTIONS}\nretry_minutes = [0.01, 0.01, 0.01, 0.01, 1]"
LARGE = 100_000  # bytes: each tenth mail has a file of its own for its content
_PAUSE = 0.02
_WORDS = re.compile(rb"X-Mailvane-Id: (\S+)\r\n.*?\r\nSubject: ([\w.]+)\r\n", re.DOTALL)


class Load:
    """Mails of one round, from senders that do not give up."""

    def __init__(self, port: int, name: str, mails: int) -> None:
        self._port, self._name, self._mails = port, name, mails
        self.acknowledged: set[str] = set()
        self.tries: Counter[str] = Counter()  # mails whose end was sent, by subject
        self.answers: Counter[str] = Counter()  # what was not 250
        self.unanswered = 0
        self._lock = threading.Lock()

    def start(self, pool: ThreadPoolExecutor) -> list[Future[None]]:
        return [pool.submit(self._send, sender) for sender in range(SENDERS)]

    def wait_for(self, acknowledged: int) -> None:
        wait_for(lambda: len(self.acknowledged) >= acknowledged, lambda: (len(self.acknowledged), self.answers))

    def _send(self, sender: int) -> None:
        left = [f"{self._name}.{number}" for number in range(sender, self._mails, SENDERS)][::-1]
        until = time.monotonic() + PATIENCE
        while left:
            with suppress(smtplib.SMTPException, OSError):
                self._converse(left)
            assert time.monotonic() < until, f"{len(left)} mails are never taken: {self.answers}"
            time.sleep(_PAUSE)

    def _converse(self, left: list[str]) -> None:
        """One connection, as long as it holds; what is acknowledged is not left any more."""
        with smtplib.SMTP("127.0.0.1", self._port, timeout=PATIENCE) as client:
            client.ehlo("client.example")
            while left:
                code, said = self._one(client, left[-1])
                if code == 250:
                    with self._lock:
                        self.acknowledged.add(left.pop())
                    continue
                with self._lock:
                    self.answers[f"{code} {said[:5]}"] += 1
                client.rset()
                time.sleep(_PAUSE)

    def _one(self, client: smtplib.SMTP, subject: str) -> tuple[int, str]:
        number = int(subject.rpartition(".")[2])
        body = f"{'x' * 500}\r\n" if number % 10 else "".join(f"{random.random()}\r\n" for _ in range(LARGE // 20))
        code, said = client.mail("ann@sender.example")
        if code == 250:
            code, said = client.rcpt(f"info@{DOMAIN}")
        if code == 250:
            with self._lock:
                self.tries[subject] += 1
            try:
                code, said = client.data(mail(subject, body))
            except (smtplib.SMTPException, OSError):
                self.unanswered += 1
                raise
        return code, said.decode("utf-8", "replace")


class Found(NamedTuple):
    """What a round came to."""

    lost: int
    again: int
    handed_on: int
    problems: list[str]


def check(world: GatewayWorld, sink: SmtpSink, load: Load, name: str) -> Found:
    """Compare what was acknowledged, what arrived, the ledger and the mail log."""
    copies: dict[str, Counter[str]] = {}
    for one in list(sink.accepted):
        match = _WORDS.search(one.data)
        if match and match[2].decode().startswith(f"{name}."):
            copies.setdefault(match[2].decode(), Counter())[match[1].decode()] += 1
    lost = len(load.acknowledged - set(copies))
    again = sum(len(ids) - 1 for ids in copies.values())
    handed_on = sum(ids.total() - len(ids) for ids in copies.values())
    problems = [f"{lost} lost"] if lost else []
    if again > sum(count - 1 for count in load.tries.values()):
        problems.append(f"{again} messages more than mails, of which senders sent fewer again")
    problems += half_stored(world, {each for ids in copies.values() for each in ids}, name)
    return Found(lost, again, handed_on, problems)


def half_stored(world: GatewayWorld, arrived: set[str], name: str) -> list[str]:
    """What is in the ledger, its spool, the content files or the mail log, and should not be or is missing."""
    data = world.installation.data
    problems = []
    with closing(sqlite3.connect(data / "ledger.sqlite", timeout=PATIENCE)) as ledger:
        ids = {row[0] for row in ledger.execute("SELECT id FROM inbound_messages WHERE subject LIKE ?", [f"{name}.%"])}
        if ids != arrived:
            problems.append(f"the ledger has {len(ids)} messages, {len(arrived)} arrived")
        if spooled := ledger.execute("SELECT count(*) FROM inbound_spool").fetchone()[0]:
            problems.append(f"content of {spooled} messages is left in the ledger")
        counted = ledger.execute("SELECT sum(messages) FROM inbound_weeks WHERE address = ''").fetchone()[0]
        kept = ledger.execute("SELECT count(*) FROM inbound_messages").fetchone()[0]
        if counted != kept:
            problems.append(f"the weeks have {counted} messages, the list {kept}")
    if files := list((data / "content").iterdir()):
        problems.append(f"{len(files)} files of content are left")
    total = logged(world)
    if total != kept:
        problems.append(f"the mail log has {total} deliveries, the ledger {kept}")
    return problems


def logged(world: GatewayWorld) -> int:
    """Deliveries of inbound mail in the mail log."""
    total: int = world.installation.answer("log", "--relay", "0", "--status", "delivered", "--limit", "1")["total"]
    return total


def settle(world: GatewayWorld) -> None:
    """Until everything was handed on and is in the mail log."""

    def number(wanted: str) -> int:
        with closing(sqlite3.connect(world.installation.data / "ledger.sqlite", timeout=PATIENCE)) as ledger:
            found: int = ledger.execute(wanted).fetchone()[0]
        return found

    wait_for(
        lambda: not number("SELECT count(*) FROM inbound_messages WHERE next_at IS NOT NULL"), world.installation.said
    )
    wait_for(lambda: not number("SELECT count(*) FROM journal"), world.installation.said)


def killed(world: GatewayWorld, load: Load, kills: int, chance: random.Random) -> str:
    """Kill it so often while the mails come in, and leave it running."""
    moments = sorted(chance.sample(range(1, load._mails), kills))  # noqa: SLF001 - of this module
    for moment in moments:
        with world.installation.starting("serve") as process:
            world.installation.wait_until_ready()
            load.wait_for(moment)
            time.sleep(chance.uniform(0, 0.05))
            process.kill()
            process.wait()
    return ", ".join(map(str, moments))


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def filled(load: Load, ballast: Path, chance: random.Random) -> str:
    """Leave no byte free from a random moment on, until senders have been put off for a while."""
    moment = chance.randrange(1, load._mails * 7 // 10)  # noqa: SLF001 - of this module
    load.wait_for(moment)
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    wait_for(lambda: load.answers.total() >= 2 * SENDERS or len(load.acknowledged) == load._mails)  # noqa: SLF001
    ballast.unlink()
    return str(moment)


def round_of(world: GatewayWorld, sink: SmtpSink, name: str, wanted: argparse.Namespace, chance: random.Random) -> bool:
    load = Load(world.port, name, wanted.mails)
    with ThreadPoolExecutor(SENDERS) as pool:
        sending = load.start(pool)
        moments = "" if wanted.full_disk else killed(world, load, wanted.kills, chance)
        with world.installation.serving() if not wanted.full_disk else nullcontext():
            if wanted.full_disk:
                moments = filled(load, world.installation.data.parent / "ballast", chance)
            for each in sending:
                each.result(PATIENCE)
            settle(world)
            found = check(world, sink, load, name)
    limit = 0 if wanted.full_disk else wanted.kills * CONNECTIONS
    if found.handed_on > limit:
        found.problems.append(f"{found.handed_on} handed on twice, {limit} at most")
    told = ", ".join(f"{answer} ({count})" for answer, count in sorted(load.answers.items())) or "none"
    print(
        f"{name:>4} | {moments:>14} | {len(load.acknowledged):5} | {load.unanswered:3} | {told:40} | {found.lost:4} |"
        f" {found.again:5} | {found.handed_on:9} | {'; '.join(found.problems) or 'agree'}",
        flush=True,
    )
    return not found.problems and len(load.acknowledged) == wanted.mails


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=2)
    parser.add_argument("--full-disk", action="store_true")
    parser.add_argument("--seed", type=int, default=11)
    wanted = parser.parse_args()
    chance = random.Random(wanted.seed)
    sink = SmtpSink().start()
    good = 0
    print("round | moments | acknowledged | unanswered | put off | lost | again | handed on | ledger, files, mail log")
    with tempfile.TemporaryDirectory() as scratch, disk_of(wanted, Path(scratch)) as place:
        world = GatewayWorld(place / "data", sink.port, SETTINGS)
        world.mailbox("info")
        with world.installation.serving() if wanted.full_disk else nullcontext():
            for number in range(1, wanted.rounds + 1):
                good += round_of(world, sink, f"r{number}", wanted, chance)
    sink.stop()
    print(f"{good} of {wanted.rounds} rounds without a fault")
    sys.exit(good != wanted.rounds)


def disk_of(wanted: argparse.Namespace, scratch: Path) -> AbstractContextManager[Path]:
    return small_disk(scratch / "disk") if wanted.full_disk else nullcontext(scratch)


if __name__ == "__main__":
    main()
