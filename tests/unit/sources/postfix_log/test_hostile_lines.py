"""Lines that a stranger made Postfix write: none stops the reading, none takes long, none tells what did not happen."""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.domain.mail import EventType
from mailvane.sources.postfix_log import headers
from mailvane.sources.postfix_log.correlation import Correlation
from mailvane.sources.postfix_log.headers import header_address, header_ids, header_text, read_header
from mailvane.sources.postfix_log.lines import Lines
from mailvane.sources.postfix_log.records import (
    read_active,
    read_attempt,
    read_client,
    read_notification,
    read_refusal,
    read_submission,
    read_tls,
)
from mailvane.sources.postfix_log.stamps import Stamps
from tests.unit.sources.postfix_log.conftest import NOVEMBER

HEAD = "Oct 10 10:00:00 mx1 postfix/"
GOOD = (
    f"{HEAD}smtpd[10]: 4A0000A001: client=a.example.com[198.51.100.9]\n"
    f"{HEAD}qmgr[12]: 4A0000A001: from=<a@example.com>, size=9, nrcpt=1 (queue active)\n"
)
AFTER = "relay=mx.example.net[203.0.113.1]:25, delay=1, delays=0/0/0/1, dsn=5.1.1, status=bounced (550 5.1.1 no)"
GREAT = ["18446744073709551616", "9" * 30, "9" * 5000]


@pytest.mark.parametrize("number", GREAT, ids=["65 bits", "100 bits", "5000 digits"])
@pytest.mark.parametrize(
    "line",
    [
        "qmgr[12]: 4A0000A002: from=<a@example.com>, size=%s, nrcpt=1 (queue active)",
        "qmgr[12]: 4A0000A002: from=<a@example.com>, size=1, nrcpt=%s (queue active)",
        "smtp[13]: 4A0000A001: to=<b@example.net>, relay=none, delay=%s, delays=0/0, dsn=4.0.0, status=deferred (no)",
        "smtp[%s]: 4A0000A001: to=<b@example.net>, relay=none, delay=1, delays=0/0/0/1, dsn=%s, status=deferred (no)",
        "smtp[13]: %s: to=<b@example.net>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (no)",
        "smtpd[10]: %s: client=a.example.com[198.51.100.9]",
        "pickup[10]: 4A0000A002: uid=%s from=<a@example.com>",
    ],
)
def test_a_number_beyond_all_measure_stops_nothing(ledger: Any, tmp_path: Path, line: str, number: str) -> None:
    hostile = f"{HEAD}{line.replace('%s', number)}\n"
    last = f"{HEAD}smtp[13]: 4A0000A001: to=<b@example.net>, {AFTER}\n"
    (tmp_path / "mail.log").write_text(GOOD + hostile * 2 + last)
    ledger.import_files(str(tmp_path / "mail.log"))
    assert EventType.BOUNCED in {event.type for event in ledger.events}
    assert all(abs(value) < 1 << 63 for event in ledger.events for value in (event.size, event.delay, event.at))


def test_a_line_that_raises_is_a_line_not_understood(
    ledger: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Correlation.feed

    def failing(self: Correlation, at: int, tag: Any, process: str, text: str) -> bool:
        if "evil" in text:
            raise RecursionError
        return feed(self, at, tag, process, text)

    monkeypatch.setattr(Correlation, "feed", failing)
    (tmp_path / "mail.log").write_text(f"{HEAD}qmgr[1]: evil\n{GOOD}")
    steps = list(ledger.reading().read_all((str(tmp_path / "mail.log"),), NOVEMBER))
    assert sum(step.summary.not_understood.total() for step in steps) == 1
    assert [event.type for step in steps for event in step.entry.batch.events] == [EventType.ACCEPTED]


STARTS = [
    "",
    "to=<",
    "to=",
    "to=<a>, orig_to=<",
    "to=<a>, relay=",
    "to=<a>, relay=b, delay=",
    "to=<a>, relay=b, delay=1, tls=",
    "to=<a>, relay=b, delay=1, dsn=2.0.0, status=sent (",
    "to=<a>, relay=b, delay=1, delays=1, dsn=2.0.0, status=sent (host ",
    "client=",
    "client=a[",
    "client=a[b], sasl_method=x, sasl_username=",
    "client=a[b], sasl_sender=",
    "uid=1 from=<",
    "from=<",
    "reject: RCPT from a[b]: ",
    "milter-reject: END-OF-MESSAGE from ",
    "reject: header ",
    "reject: header a from ",
    "sender non-delivery notification: ",
    "Untrusted TLS connection established to ",
    "header Subject: ",
    "header From: ",
    "<22>1 2026-10-10T10:00:00Z a b c d [",
    "Oct 10 10:00:00 ",
    "2026-10-10T10:00:00Z a ",
    "a | ",
    '{"log":"',
]
REPEATED = [
    "a",
    "a.",
    '"',
    "<",
    ">",
    "<>",
    "[",
    "]",
    "(",
    ")",
    ", ",
    ": ",
    " ",
    "/",
    "=",
    "\\",
    '\\"',
    "1",
    "?",
    "? ",
    "=?",
    "=?a?q?b?=",
    "a=?a?b?",
    "to=<",
    "from=<",
    " from ",
    " from a[",
    ">, relay=",
    ", relay=",
    ", delay=1",
    ", delays=1",
    ", orig_to=<",
    ", sasl_username=",
    ", sasl_sender=",
    ", orig_client=a[",
    ", orig_queue_id=",
    "; from=<",
    '; from=<"',
    "; to=<",
    "; helo=<",
    "; proto=a",
    ": ",
    ";",
    " [ID 1 a] ",
    "host a[b] said: ",
    " (in reply to ",
    " command)",
    ">, size=1",
    "status=sent (",
    "a | ",
    "{",
    '\\"log\\":',
    "\r",
    "\x00",
    "é",
    "<1>",
]


def every_expression(text: str) -> None:
    Lines(Stamps(NOVEMBER)).read(text)
    for read in (read_attempt, read_client, read_active, read_submission, read_refusal, read_tls, read_notification):
        read(text)
    for decode in (read_header, header_text, header_ids, header_address):
        decode(text)


def seconds(text: str) -> float:
    """The least of three measurements of processor time."""
    taken = []
    for _ in range(3):
        headers._encoded_text.cache_clear()
        header_address.cache_clear()
        started = time.process_time()
        every_expression(text)
        taken.append(time.process_time() - started)
    return min(taken)


@pytest.mark.parametrize("start", STARTS)
def test_twice_the_length_takes_no_more_than_twice_the_time(start: str) -> None:
    """Judged between lengths that differ eightfold: what is quadratic takes 64 times as long, else 8 times."""
    for repeated in REPEATED:
        short, long = (start + repeated * (size // len(repeated)) for size in (8_000, 64_000))
        least, most = seconds(short), seconds(long)
        assert most < 30 * least + 0.05, (start, repeated, least, most)


SEPARATORS = [
    ">, relay=x[192.0.2.1]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 ok)",
    ">, orig_to=<",
    ", relay=",
    ", delay=1",
    ", delays=1/1/1/1",
    ", dsn=2.0.0",
    ", status=sent (250 ok)",
    ">",
    "<",
    ", ",
    ": ",
    "; ",
    "[",
    "]",
    "(",
    ")",
    " ",
    "to=<",
    "a",
    "@",
    ">, size=1, nrcpt=1 (queue active)",
    "; from=<x> to=<y> proto=ESMTP helo=<z>",
    " proto=SMTP",
    "> orig_id=AB",
]
locals_ = st.lists(st.sampled_from([*SEPARATORS, '\\"', "\\\\"]), min_size=1, max_size=6).map("".join)
addresses = st.tuples(locals_, st.sampled_from(["example.net", "[192.0.2.1]"])).map(
    lambda parts: f'"{parts[0]}"@{parts[1]}'
)


@given(addresses, st.none() | addresses)
def test_no_address_tells_its_own_outcome(recipient: str, original: str | None) -> None:
    also = "" if original is None else f"orig_to=<{original}>, "
    attempt = read_attempt(f"to=<{recipient}>, {also}{AFTER}")
    assert attempt is not None
    assert (attempt.recipient, attempt.original_recipient) == (recipient, original or "")
    assert (attempt.status, attempt.code, attempt.relay, attempt.address) == (
        "bounced", 550, "mx.example.net", "203.0.113.1",
    )  # fmt: skip


@given(addresses)
def test_no_sender_tells_another_sender_or_size(sender: str) -> None:
    assert read_active(f"from=<{sender}>, size=77, nrcpt=2 (queue active)") == (sender, 77, 2)
    assert read_submission(f"uid=5 from=<{sender}>") == ("5", sender, "")


@given(addresses, addresses)
def test_no_address_tells_its_own_refusal(sender: str, recipient: str) -> None:
    refusal = read_refusal(
        f"reject: RCPT from a.example[192.0.2.7]: 550 5.1.1 no; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<h>"
    )
    assert refusal is not None
    assert (refusal.sender, refusal.recipient, refusal.protocol) == (sender, recipient, "ESMTP")


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_quote_that_an_old_postfix_left_open_tells_no_outcome(separator: str) -> None:
    attempt = read_attempt(f'to=<"{separator}@example.net>, {AFTER}')
    assert attempt is not None
    assert (attempt.status, attempt.recipient) == (
        "bounced",
        f'"{separator}@example.net',
    ) or ">, orig_to=<" in separator


def test_pieces_of_hostile_text_in_any_order_raise_nothing() -> None:
    for start, one, two in itertools.product(STARTS, REPEATED, REPEATED):
        every_expression(start + one + two)
