"""The gateway is killed in the middle of taking mail in and handing it on; and its disk is full for a while.

What was acknowledged arrives, and mail log, ledger and mailboxes agree. What the gateway was just handing on when it
died may arrive twice, as SMTP cannot tell (RFC 5321 section 4.5.5): one mail of each connection to the server behind.
"""

from __future__ import annotations

import random
import re
import resource
import smtplib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

from mailvane.inbound.model import MessageStatus
from mailvane.inbound.questions import MessageQuestion
from mailvane.inbound.weeks import week_start
from tests.acceptance.gateway_world import DOMAIN, GatewayWorld, mail, now
from tests.acceptance.smtp_sink import SmtpSink
from tests.depth import rounds
from tests.waiting import PATIENCE, wait_for

ROUNDS = rounds(2, deep=20)
SENDERS = 4
MAILS = 25  # of each sender in a round
HANDED_ON_AT_ONCE = 2


class Load:
    """Senders that go on until the gateway is gone; `acknowledged` are the subjects that were answered with 250."""

    def __init__(self, world: GatewayWorld) -> None:
        self._world = world
        self.acknowledged: set[str] = set()
        self.enough = Event()

    def send(self, name: str, after: int) -> None:
        """Mails, one after the other, on one connection."""
        try:
            with smtplib.SMTP("127.0.0.1", self._world.port, timeout=PATIENCE) as client:
                client.ehlo("client.example")
                for number in range(MAILS):
                    subject = f"{name}.{number}"
                    client.sendmail("ann@sender.example", f"info@{DOMAIN}", mail(subject, "x" * 500 + "\r\n"))
                    self.acknowledged.add(subject)
                    if len(self.acknowledged) >= after:
                        self.enough.set()
        except (smtplib.SMTPException, OSError):
            return  # it was killed


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
        wait_for(lambda: acknowledged <= set(copies(sink)), world.installation.said)
        wait_for(lambda: not counts(world)[MessageStatus.PENDING], world.installation.said)
        arrived = copies(sink)
        twice = sum(count - 1 for count in arrived.values())
        assert twice <= ROUNDS * HANDED_ON_AT_ONCE, f"{twice} came twice"
        assert counts(world)[MessageStatus.DELIVERED] >= len(arrived)
        assert not list((tmp_path / "content").glob("*.new"))
        wait_for(lambda: logged(world) == counts(world)[MessageStatus.DELIVERED], world.installation.said)
    sink.stop()


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
