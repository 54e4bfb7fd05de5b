"""The gateway is killed in the middle of taking mail in and handing it on; and its disk is full for a while.

What was acknowledged arrives, and mail log, ledger and mailboxes agree. What the gateway was just handing on when it
died may arrive twice, as SMTP cannot tell (RFC 5321 section 4.5.5): one mail of each connection to the server behind.
"""

from __future__ import annotations

import logging
import os
import random
import re
import resource
import smtplib
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event

import pytest

from mailvane.inbound.model import MessageStatus
from mailvane.inbound.questions import MessageQuestion
from mailvane.inbound.weeks import week_start
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail, now
from tests.acceptance.smtp_sink import SmtpSink
from tests.depth import rounds
from tests.waiting import PATIENCE, wait_for

log = logging.getLogger(__name__)

ROUNDS = rounds(2, deep=20)
SENDERS = 4
MAILS = rounds(25, deep=250)  # of each sender in a round
HANDED_ON_AT_ONCE = 2
FULL_ROUNDS = rounds(1, deep=20)
DISK_BYTES = 256 * 1024 * 1024
_PAUSE = 0.05
OK = 250


class Load:
    """Senders that go on until the gateway is gone; `acknowledged` are the subjects that were answered with 250."""

    def __init__(self, world: GatewayWorld, *, patient: bool = False) -> None:
        self._world = world
        self._patient = patient  # a mail that is put off comes again
        self.acknowledged: set[str] = set()
        self.put_off: set[str] = set()  # what was said to those
        self.enough = Event()

    def send(self, name: str, after: int) -> None:
        """Mails, one after the other, on one connection."""
        try:
            with smtplib.SMTP("127.0.0.1", self._world.port, timeout=PATIENCE) as client:
                client.ehlo("client.example")
                for number in range(MAILS):
                    subject = f"{name}.{number}"
                    while not self._is_taken(client, subject):
                        time.sleep(_PAUSE)
                    self.acknowledged.add(subject)
                    if len(self.acknowledged) >= after:
                        self.enough.set()
        except (smtplib.SMTPException, OSError):
            return  # it was killed

    def _is_taken(self, client: smtplib.SMTP, subject: str) -> bool:
        code, said = client.mail("ann@sender.example")
        if code == OK:
            code, said = client.rcpt(f"info@{DOMAIN}")
        if code == OK:
            code, said = client.data(mail(subject, "x" * 500 + "\r\n"))
        if code == OK:
            return True
        self.put_off.add(f"{code} {said.decode()[:5]}")
        assert self._patient
        client.rset()
        return False


def copies(sink: SmtpSink) -> Counter[str]:
    found = (re.search(rb"Subject: ([\w.]+)\r\n", one.data) for one in list(sink.accepted))
    return Counter(match[1].decode() for match in found if match)


def test_no_acknowledged_mail_is_lost(tmp_path: Path) -> None:
    chance = random.Random(11)
    sink = SmtpSink().start()
    settings = f"connections_per_hop = {HANDED_ON_AT_ONCE}\nretry_minutes = [0.01, 0.01, 0.01, 0.01, 1]"
    world = GatewayWorld(tmp_path, sink.port, settings)
    world.mailbox("info")
    acknowledged: set[str] = set()
    with ThreadPoolExecutor(SENDERS) as pool:
        for number in range(ROUNDS):
            load = Load(world)
            after = chance.randint(5, SENDERS * MAILS - 10)
            with world.installation.starting("serve") as process:
                world.installation.wait_until_ready()
                sending = [pool.submit(load.send, f"r{number}s{each}", after) for each in range(SENDERS)]
                assert load.enough.wait(PATIENCE)
                process.kill()
                process.wait()
            for each in sending:
                each.result(PATIENCE)
            acknowledged |= load.acknowledged
    with world.installation.serving():
        wait_while_less_is_missing(lambda: len(acknowledged - set(copies(sink))), world)
        wait_while_less_is_missing(lambda: counts(world)[MessageStatus.PENDING], world)
        arrived = copies(sink)
        twice = sum(count - 1 for count in arrived.values())
        assert twice <= ROUNDS * HANDED_ON_AT_ONCE, f"{twice} came twice"
        assert counts(world)[MessageStatus.DELIVERED] >= len(arrived)
        assert not list((tmp_path / "content").glob("*.new"))
        wait_for(lambda: logged(world) == counts(world)[MessageStatus.DELIVERED], world.installation.said)
    log.info("%d kills: %d mails acknowledged, %d arrived, %d twice", ROUNDS, len(acknowledged), len(arrived), twice)
    sink.stop()


def wait_while_less_is_missing(number: Callable[[], int], world: GatewayWorld) -> None:
    """Until nothing is; as long as it becomes less and less, that may take its time."""
    while before := number():
        wait_for(lambda: number() < before, lambda: (number(), world.installation.said()))


def counts(world: GatewayWorld) -> dict[MessageStatus, int]:
    with world.stores() as stores:
        return stores.pages.counts(1)


def logged(world: GatewayWorld) -> int:
    """Deliveries of inbound mail in the mail log."""
    total: int = world.installation.answer("log", "--relay", "0", "--status", "delivered", "--limit", "1")["total"]
    return total


def test_with_a_full_disk_nothing_is_stored_and_the_mail_comes_later(tmp_path: Path) -> None:
    sink = SmtpSink().start()
    world = GatewayWorld(tmp_path, sink.port)
    world.mailbox("info")
    with world.installation.starting("serve") as process:
        world.installation.wait_until_ready()
        # A limit of the size of files stands for the end of the disk: a write fails in the middle of a file.
        limits = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (64 * 1024, limits[1]))
        code, told = world.send(
            f"info@{DOMAIN}", mail("large", "".join(f"{random.random()}\r\n" for _ in range(40_000)))
        )
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, limits)
        assert (code, told[:5]) == (452, "4.3.1")
        with world.stores() as stores:
            assert stores.pages.page(MessageQuestion(workspace=1)).total == 0
            assert stores.teams.used(1, week_start(now())) == 0
        assert not list((tmp_path / "content").iterdir()), "nothing is left of it"
        assert world.send(f"info@{DOMAIN}", mail("small"))[0] == 250
        wait_for(lambda: copies(sink)["small"], world.installation.said)
    sink.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_what_became_of_a_mail_is_kept_when_the_disk_has_room_again(tmp_path: Path) -> None:
    """The disk is full just when the server behind takes the mail: known only in memory, and not tried again."""
    sink = SmtpSink().start()
    with small_disk(tmp_path / "disk") as disk:
        world = GatewayWorld(disk / "data", sink.port)
        world.mailbox("info")
        sink.before_answer = lambda: occupy(disk / "ballast")
        with world.installation.serving():
            assert world.send(f"info@{DOMAIN}", mail("once"))[0] == OK
            wait_for(lambda: "what became of 1 message(s) is kept later" in world.installation.said())
            (disk / "ballast").unlink()
            wait_for(lambda: counts(world)[MessageStatus.DELIVERED] == 1, world.installation.said)
            wait_for(lambda: logged(world) == 1, world.installation.said)
    assert copies(sink) == {"once": 1}
    sink.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk")
def test_a_disk_that_is_full_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    """A disk of its own, full at a random moment and for a while; senders come again, as mail servers do."""
    sink = SmtpSink().start()
    with small_disk(tmp_path / "disk") as disk:
        world = GatewayWorld(disk / "data", sink.port, "retry_minutes = [0.01, 0.01, 0.01, 0.01, 1]")
        world.mailbox("info")
        with world.installation.serving(), ThreadPoolExecutor(SENDERS) as pool:
            for number in range(FULL_ROUNDS):
                full_for_a_while(world, pool, f"f{number}", disk / "ballast")
            wait_while_less_is_missing(lambda: FULL_ROUNDS * SENDERS * MAILS - len(copies(sink)), world)
            wait_while_less_is_missing(lambda: counts(world)[MessageStatus.PENDING], world)
            delivered = counts(world)[MessageStatus.DELIVERED]
            assert delivered == FULL_ROUNDS * SENDERS * MAILS, "what was put off has left nothing"
            wait_for(lambda: not list((disk / "data" / "content").iterdir()))
            wait_for(lambda: logged(world) == delivered, world.installation.said)
    twice = copies(sink).total() - len(copies(sink))
    log.info("%d times full: %d mails acknowledged, all arrived, %d twice", FULL_ROUNDS, delivered, twice)
    sink.stop()


def full_for_a_while(world: GatewayWorld, pool: ThreadPoolExecutor, name: str, ballast: Path) -> None:
    load = Load(world, patient=True)
    after = random.randint(5, SENDERS * MAILS - 10)
    sending = [pool.submit(load.send, f"{name}s{each}", after) for each in range(SENDERS)]
    assert load.enough.wait(PATIENCE)
    occupy(ballast)
    wait_for(lambda: load.put_off or all(each.done() for each in sending), world.installation.said)
    ballast.unlink()
    for each in sending:
        each.result(PATIENCE)
    assert load.put_off <= {"452 4.3.1", "451 4.3.0"}
    assert len(load.acknowledged) == SENDERS * MAILS


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def occupy(ballast: Path) -> None:
    """All that is free."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(64 * 1024))


def test_a_mailbox_server_that_speaks_lmtp_answers_for_its_recipient(tmp_path: Path) -> None:
    sink = SmtpSink(lmtp=True).start()
    world = GatewayWorld(tmp_path, sink.port, protocol="lmtp")
    for local in ("ok.box", "full.box"):
        world.mailbox(local)
    with world.installation.serving():
        for local in ("ok.box", "full.box"):
            assert world.send(f"{local}@{DOMAIN}", mail(f"to {local}"))[0] == 250
        wait_for(lambda: counts(world)[MessageStatus.DELIVERED] == 1, world.installation.said)
        wait_for(lambda: counts(world)[MessageStatus.FAILED] == 1, world.installation.said)
    assert [one.recipients for one in sink.accepted] == [(f"ok.box@{DOMAIN}",)]
    (failed,) = world.messages(MessageStatus.FAILED)
    assert failed.reply.startswith("552 5.2.2")
    sink.stop()
