"""A simulated server: what it logs from the first line of a mail to the last."""

from __future__ import annotations

import itertools
import re
from random import Random

from mailvane_demo.world import providers
from mailvane_demo.world.addresses import Recipient
from mailvane_demo.world.log import Log
from mailvane_demo.world.mail import Letter
from mailvane_demo.world.mail_server import Host, MailServer
from mailvane_demo.world.providers import NOWHERE, OWN_MAILBOXES, PROVIDERS, Refusal
from mailvane_demo.world.senders import Client
from mailvane_demo.world.truth import Tally, Truth

AT = 1_760_000_000_000
HOUR = 3_600_000
APP = Client("app.shop.example", "198.51.100.9", "app")
PERSON = Client("laptop.access.example", "203.0.113.5", "[192.168.1.5]", "ann@brandt-partner.example", tls=True)
GOOD = Recipient("m.brandt@brandt-partner.example", OWN_MAILBOXES)
UNKNOWN = Recipient("gone@acme-werke.example", PROVIDERS[6], PROVIDERS[6].unknown)
DEAD = Recipient("old@old-company.example", NOWHERE, providers.DEAD_SERVER)


class Place:
    def __init__(self, *, long_ids: bool = True, lifetime: int = 10 * HOUR) -> None:
        self.log, self.tally = Log(), Tally()
        self.server = MailServer(Host("mx1", long_ids, lifetime), self.log, Random(4), self.tally)

    def lines(self, hours: int = 1000) -> list[str]:
        self.server.run_queue(AT + hours * HOUR)
        return [text for _, text in self.log.take(AT + hours * HOUR)]

    def truth(self) -> Truth:
        return self.tally.truth(0, AT + 1000 * HOUR)


def letter(*recipients: Recipient, sender: str = "orders@kettleandco.example", filtered: bool = False) -> Letter:
    headers = (("From", "Kettle <orders@kettleandco.example>"), ("Subject", "Your order"))
    return Letter(sender, list(recipients), headers, "<1@kettleandco.example>", 1200, 0.0, 0.0, filtered)


def process(line: str) -> str:
    found = re.match(r"mx1 (?:postfix/)?([^\[]+)\[\d+\]: ", line)
    assert found, line
    return found.group(1)


def queue_ids(lines: list[str], pattern: str) -> list[str]:
    return [found.group(1) for line in lines if (found := re.search(pattern, line))]


def test_a_mail_passes_through_the_daemons_in_their_order() -> None:
    place = Place()
    place.server.hand_in(APP, [letter(GOOD)], AT)
    lines = place.lines()
    assert [process(line) for line in lines if "disconnect" not in line] == [
        "smtpd", "smtpd", "cleanup", "cleanup", "cleanup", "qmgr", "lmtp", "qmgr",
    ]  # fmt: skip
    assert lines[0].endswith("]: connect from app.shop.example[198.51.100.9]")
    assert lines[1].endswith(": client=app.shop.example[198.51.100.9]")
    assert "info: header Subject: Your order from app.shop.example[198.51.100.9]; from=<orders@kettleandco" in lines[3]
    assert lines[3].endswith("to=<m.brandt@brandt-partner.example> proto=ESMTP helo=<app>")
    assert lines[4].endswith(": message-id=<1@kettleandco.example>")
    assert lines[5].endswith("from=<orders@kettleandco.example>, size=1200, nrcpt=1 (queue active)")
    assert lines[-1].endswith(": removed")
    assert (place.truth().accepted, place.truth().delivered) == (1, 1)


def test_a_person_logs_in_over_tls_at_the_submission_service() -> None:
    place = Place()
    place.server.hand_in(PERSON, [letter(GOOD)], AT)
    lines = place.lines()
    assert process(lines[0]) == "submission/smtpd"
    assert "]: Anonymous TLS connection established from laptop.access.example[203.0.113.5]: TLSv1.3" in lines[1]
    assert lines[2].endswith(", sasl_method=PLAIN, sasl_username=ann@brandt-partner.example")
    assert any("proto=ESMTPSA helo=<[192.168.1.5]>" in line for line in lines)
    (bye,) = [line for line in lines if "disconnect from" in line]
    assert bye.endswith(" ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8")


def test_a_bounce_tells_the_sender_under_another_queue_id() -> None:
    place = Place()
    place.server.hand_in(APP, [letter(UNKNOWN, GOOD)], AT)
    lines = place.lines()
    (mail,) = queue_ids(lines, r": (\w+): client=")
    (notification,) = queue_ids(lines, rf"{mail}: sender non-delivery notification: (\w+)$")
    assert any(f"{notification}: from=<>, size=" in line for line in lines)
    assert len(queue_ids(lines, rf"({mail}|{notification}): removed")) == 2
    truth = place.truth()
    assert (truth.accepted, truth.delivered, truth.bounced, truth.notifications) == (1, 1, 1, 1)


def test_the_null_sender_is_told_nothing() -> None:
    place = Place()
    place.server.hand_in(APP, [letter(UNKNOWN, sender="")], AT)
    assert not any("notification" in line for line in place.lines())
    assert place.truth().notifications == 0


def test_a_mail_nobody_takes_is_tried_ever_more_rarely_and_then_expires() -> None:
    place = Place()
    place.server.hand_in(APP, [letter(DEAD)], AT)
    lines = place.lines()
    delays = [int(delay) for delay in queue_ids(lines, r"<old@old-company\.example>.* delay=(\d+), ")]
    gaps = [later - earlier for earlier, later in itertools.pairwise(delays)]
    assert 300 <= gaps[1] <= 1200
    assert 4000 <= gaps[-1] <= 4400
    assert delays[-2] < 36_000 <= delays[-1]
    expired = next(number for number, line in enumerate(lines) if "status=expired, returned to sender" in line)
    assert "status=deferred" in lines[expired - 1]
    assert any("sender non-delivery notification" in line for line in lines[expired:])
    assert (place.truth().expired, place.truth().bounced) == (1, 0)


def test_a_mail_that_waits_is_not_removed() -> None:
    place = Place()
    place.server.hand_in(APP, [letter(DEAD)], AT)
    assert not any(line.endswith(": removed") for line in place.lines(hours=5))


def test_a_deferred_mail_is_delivered_later() -> None:
    place = Place()
    once = Refusal(text="450 4.2.0 wait", enhanced="4.2.0", family=providers.GREYLISTED.family, recovery=1.0)
    place.server.hand_in(APP, [letter(Recipient("ann@littlebakery.example", PROVIDERS[7], once))], AT)
    statuses = queue_ids(place.lines(), r"status=(\w+)")
    assert statuses == ["deferred", "sent"]
    assert (place.truth().deferred, place.truth().delivered) == (1, 1)


def test_the_content_filter_gives_a_mail_back_under_another_queue_id() -> None:
    place = Place(long_ids=False)
    place.server.hand_in(PERSON, [letter(GOOD, filtered=True)], AT)
    lines = place.lines()
    (first,) = queue_ids(lines, r": (\w+): client=laptop")
    (second,) = queue_ids(lines, rf": (\w+): client=localhost\[127.0.0.1\], orig_queue_id={first}, orig_client=")
    handed = next(line for line in lines if ":10024, delay=" in line)
    assert handed.endswith(
        f"status=sent (250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {second})"
    )
    assert queue_ids(lines, r"(\w+): message-id=<1@kettleandco.example>") == [first, second]
    assert (place.truth().accepted, place.truth().delivered) == (1, 1)


def test_a_program_on_the_server_sends_without_a_client() -> None:
    place = Place()
    place.server.submit(letter(GOOD, sender="root@mx1"), AT)
    lines = place.lines()
    assert lines[0].endswith(": uid=0 from=<root>")
    assert any(line.endswith(" from local; from=<root@mx1>") for line in lines)
    assert any("orig_to=<root>, relay=local, delay=" in line for line in lines)
    assert (place.truth().accepted, place.truth().delivered) == (1, 1)


def test_a_probe_is_no_mail() -> None:
    place = Place()
    place.server.probe(UNKNOWN, AT)
    lines = place.lines()
    assert any("from=<double-bounce@mx1>" in line for line in lines)
    assert any("status=undeliverable" in line for line in lines)
    assert place.truth() == Tally().truth(0, 1)
