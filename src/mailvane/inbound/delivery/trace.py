"""The header fields that the gateway puts above a mail. Not a byte of the mail itself changes. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from mailvane.inbound.model import Message

_WORD = re.compile(r"[!-'*-;=?-~]*")


def with_trace(message: Message, content: bytes, hostname: str) -> bytes:
    """The mail as the next hop gets it: a Received field (RFC 5321 section 4.4), and what was found out about it."""
    when = _moment(message.received_at // 1000)
    fields = [
        f"Received: from {_word(message.client_name) or 'unknown'} ([{_word(message.client)}])",
        f"\tby {_word(hostname)} (Mailvane) with {message.protocol} id {message.mail_id}",
        f"\tfor <{_word(message.recipient)}>; {when}",
        f"X-Mailvane-Id: {message.id}",
        f"X-Mailvane-Score: {'unknown' if message.score is None else format(message.score, '.2f')}",
    ]
    if message.marks:
        fields.append(f"X-Mailvane-Contact: {message.marks}")
    return "\r\n".join([*fields, ""]).encode("utf-8", "replace") + content


@lru_cache(maxsize=8)
def _moment(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def _word(text: str) -> str:
    if _WORD.fullmatch(text):
        return text[:320]
    return "".join(each for each in text if each.isprintable() and each not in " <>()")[:320]
