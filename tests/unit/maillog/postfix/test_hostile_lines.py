"""Lines that a stranger made Postfix write: none stops the reading, none takes long, none tells what did not happen."""

from __future__ import annotations

import math
import random
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailvane.core.mailbox import canonical_address
from mailvane.maillog.model import EventType
from mailvane.maillog.postfix import headers
from mailvane.maillog.postfix.correlation import Correlation
from mailvane.maillog.postfix.event_builder import may_be_filter, swallowed
from mailvane.maillog.postfix.headers import header_address, header_ids, header_text, read_header
from mailvane.maillog.postfix.lines import Lines, read_tag
from mailvane.maillog.postfix.records import (
    Attempt,
    named_queue_id,
    read_active,
    read_attempt,
    read_client,
    read_notification,
    read_refusal,
    read_submission,
    read_tls,
)
from mailvane.maillog.postfix.stamps import Stamps
from mailvane.maillog.postfix.years import survey
from mailvane.maillog.reasons import load_reasons
from tests.unit.maillog.postfix.conftest import NOVEMBER

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
    '{"MESSAGE":[',
    "<22>Oct 10 10:00:00 mx1 postfix/smtp[1]: ",
    "2026-10-10T10:00:00Z mx1 postfix/smtp[1]: ",
    "discarded, id=",
    "550 ",
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
    '{"a":',
    "[",
    "a-",
    "1.",
    "a1",
    "user ",
    "unknown local ",
    "<a@",
    "queued as ",
    "; helo=<",
    "; sasl_username=<",
    "@xn--",
    "ü.",
]


SORTER = load_reasons()


def every_expression(text: str) -> None:
    Lines(Stamps(NOVEMBER)).read(text)
    SORTER.sort(text, 550, "5.1.1")
    attempt = Attempt("", "", "", "127.0.0.1", "sent", 250, "", text, 0, "")
    swallowed(attempt, "pipe")
    may_be_filter(attempt, "lmtp")
    named_queue_id(text)
    survey([text.encode("utf-8", "replace")], Stamps(NOVEMBER))
    canonical_address(text)
    for read in (read_attempt, read_client, read_active, read_submission, read_refusal, read_tls, read_notification):
        read(text)
    for decode in (read_header, header_text, header_ids, header_address):
        decode(text)


def seconds(text: str) -> float:
    """Processor time."""
    headers._encoded_text.cache_clear()
    header_address.cache_clear()
    started = time.process_time()
    every_expression(text)
    return time.process_time() - started


@pytest.mark.parametrize("start", STARTS)
def test_twice_the_length_takes_no_more_than_twice_the_time(start: str) -> None:
    """Judged between lengths that differ eightfold: what is quadratic takes 64 times as long, else 8 times."""
    for repeated in dict.fromkeys(REPEATED):
        short, long = (start + repeated * (size // len(repeated)) for size in (2_000, 16_000))
        least, most = math.inf, seconds(long)
        for _ in range(8):  # of what the machine was slow in once, the least counts
            if most < 0.05:  # too little to be judged, and no harm
                break
            least, most = min(least, seconds(short)), min(most, seconds(long))
            if most < 30 * least:
                break
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
    "; from=<v@victim.example> to=<w@victim.example>: ",
    "; from=<v@victim.example> to=<w@victim.example> proto=SMTP helo=<g>: ",
    '; from=<\\"',
    ";: ",
    " from x[192.0.2.66]",
    "info: header ",
    "message-id=<",
    ">, status=expired, returned to sender",
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


def as_repeated(address: str) -> str:
    """As a reply repeats it: without quotes."""
    local, _, domain = address.rpartition("@")
    return re.sub(r"\\(.)", r"\1", local[1:-1]) + f"@{domain}"


@given(addresses, addresses)
def test_no_address_that_a_reply_repeats_tells_an_envelope(sender: str, recipient: str) -> None:
    for at, repeated in (("RCPT", recipient), ("MAIL", sender)):
        reply = f"550 5.1.1 <{as_repeated(repeated)}>: Recipient address rejected: no"
        refusal = read_refusal(
            f"reject: {at} from a.example[192.0.2.7]: {reply}; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<h>"
        )
        assert refusal is not None
        assert (refusal.sender, refusal.recipient, refusal.protocol) == (sender, recipient, "ESMTP")
        assert (refusal.client_ip, refusal.code, refusal.reply) == ("192.0.2.7", 550, reply)


@given(locals_, addresses, addresses, st.sampled_from(["", ": by a rule of this relay"]))
def test_no_header_tells_an_envelope(text: str, sender: str, recipient: str, action: str) -> None:
    value = f"s{text} from x[192.0.2.66]; from=<v@victim.example> to=<w@victim.example> proto=SMTP helo=<g>: {text}e"
    envelope = f"from b.example[192.0.2.7]; from=<{sender}> to=<{recipient}> proto=ESMTP helo=<h>{action}"
    header = read_header(f"header Subject: {value} {envelope}")
    assert header is not None
    assert (header.name, header.value, header.sender, header.protocol) == ("subject", value, sender, "ESMTP")
    refusal = read_refusal(f"reject: header Subject: {value} {envelope}")
    assert refusal is not None
    assert (refusal.sender, refusal.recipient, refusal.client_ip) == (sender, recipient, "192.0.2.7")


@given(locals_)
def test_no_name_that_a_client_gives_tells_where_its_mail_came_from(name: str) -> None:
    name += ", orig_queue_id=4A0000A001, orig_client=victim.example[192.0.2.66]"
    client = read_client(f"client=a.example[192.0.2.7]:25, sasl_method=PLAIN, sasl_username=anna, sasl_sender={name}")
    assert client is not None
    assert (client.ip, client.login, client.original_queue_id, client.original_ip) == ("192.0.2.7", "anna", "", "")


@given(addresses)
def test_no_sender_tells_that_its_mail_has_expired(sender: str) -> None:
    entries = Correlation(1, load_reasons())
    local, _, domain = sender.rpartition("@")
    hostile = f'{local[:-1]}>, status=expired, returned to sender"@{domain}'
    line = f"4A0000A001: from=<{hostile}>, size=77, nrcpt=1 (queue active)"
    assert entries.feed(NOVEMBER, read_tag("mx1", "postfix/qmgr"), "1", line)
    told = [(event.type, event.sender) for event in entries.builder.take()]
    assert told == [(EventType.ACCEPTED, canonical_address(hostile))]


@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_quote_that_an_old_postfix_left_open_tells_no_outcome(separator: str) -> None:
    attempt = read_attempt(f'to=<"{separator}@example.net>, {AFTER}')
    assert attempt is not None
    assert (attempt.status, attempt.recipient) == (
        "bounced",
        f'"{separator}@example.net',
    ) or ">, orig_to=<" in separator


def test_pieces_of_hostile_text_in_any_order_raise_nothing() -> None:
    choose = random.Random(1)
    for start in STARTS:
        for _ in range(150):
            every_expression(start + "".join(choose.choices(REPEATED, k=choose.randrange(1, 6))))


@pytest.mark.parametrize("text", ['{"a":' * 100_000, '{"MESSAGE":' + "[" * 100_000, '{"x":' + "9" * 5000 + "}"])
def test_a_wrapping_without_end_is_not_understood(text: str) -> None:
    assert Lines(Stamps(NOVEMBER)).read(text) is None
