"""Which last lines without an end are taken for whole."""

from __future__ import annotations

import pytest

from mailvane.maillog.postfix.last_lines import is_whole

HEAD = "Oct 10 10:00:00 mx1 postfix/smtp[1]: 4D0000D002: "
SENT = "to=<a@b.example>, relay=mx[192.0.2.1]:25, delay=1, delays=0/0/1/0, dsn=2.0.0, status="


@pytest.mark.parametrize(
    "text",
    [
        SENT + "sent (250 ok)",
        SENT + "bounced (host mx[192.0.2.1] said: 550 no (see (1) and (2)) (in reply to RCPT TO command))",
        "from=<a@b.example>, size=300, nrcpt=2 (queue active)",
        "from=<a@b.example>, status=expired, returned to sender",
        "removed",
        "message-id=<m@x>",
        "message-id=<>",
        "NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 no; from=<> to=<a@b> proto=ESMTP helo=<x>",
        "connect from x[192.0.2.1]",
    ],
)
def test_a_line_that_ends_as_its_kind_must_is_whole(text: str) -> None:
    assert is_whole((HEAD + text).encode())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "remov",
        SENT,
        SENT + "sent",
        SENT + "sent (250 o",
        SENT + "bounced (host mx[192.0.2.1] said: 550 no (in reply to RCPT TO command)",
        SENT + "deferred (host mx[192.0.2.1] said: 450 Greylisted (see http://x.example)",
        "from=<a@b.example>, size=300, nrcpt=2",
        "message-id=<m@",
        "client=x.example[192.0.2.1]",  # the login may follow
        "NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 no; from=<s@x.example> to=<a@b>",
        "warning: header Subject: removed from",
    ],
)
def test_a_line_that_may_go_on_is_not(text: str) -> None:
    assert not is_whole((HEAD + text).encode())


def test_a_record_of_json_is_whole_when_it_is_closed() -> None:
    record = b'{"log":"Oct 10 10:00:00 mx1 postfix/qmgr[1]: 4D0000D002: removed\\n","time":"2026-10-10T10:00:00Z"}'
    assert is_whole(record)
    assert not any(is_whole(record[:end]) for end in range(len(record)))
