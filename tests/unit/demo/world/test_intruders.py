"""Visitors that leave no mail."""

from __future__ import annotations

import re
from random import Random

from mailvane_demo.world.intruders import Intruders
from mailvane_demo.world.log import Log
from mailvane_demo.world.mail_server import Host, MailServer
from mailvane_demo.world.truth import Tally

AT = 1_760_000_000_000
VISITS = 400


def visited() -> tuple[list[str], Tally]:
    log, tally, random = Log(), Tally(), Random(6)
    intruders = Intruders(MailServer(Host("mx2", False, 1), log, random, tally), random, tally)
    for number in range(VISITS):
        intruders.visit(AT + number * 60_000)
    return [text for _, text in log.take(AT + 10**9)], tally


def test_every_kind_of_visitor_comes_by() -> None:
    lines, _ = visited()
    for part in (
        "lost connection after", "PREGREET", "DNSBL rank", "NOQUEUE: reject: RCPT", "SASL LOGIN authentication failed",
        "statistics: max", "imap-login",
    ):  # fmt: skip
        assert any(part in line for line in lines), part


def test_nobody_gets_a_queue_id() -> None:
    lines, _ = visited()
    assert not [line for line in lines if re.search(r"\]: [0-9A-F]{8,}: ", line)]


def test_refusals_are_counted_where_they_were_spoken() -> None:
    lines, tally = visited()
    truth = tally.truth(0, AT + 10**9)
    refused = [line for line in lines if "NOQUEUE: reject:" in line]
    assert truth.rejected == sum("postfix/smtpd" in line for line in refused) > 0
    assert truth.screened == sum("postfix/postscreen" in line for line in refused) > 0
    assert truth.accepted == 0
