"""The query of /mail/log: eighteen names, checked in upstream's order; the first bad one is the one that is reported.

A name that is absent does not filter. An empty value is a value, and fails its check. Unknown names are ignored; of a
repeated name the last value counts. This is also what the OpenAPI document says about them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.addresses import is_address
from mailvane.core.errors import InvalidInput
from mailvane.core.mailbox import canonical_address
from mailvane.maillog.dates import earliest, latest
from mailvane.maillog.queue_id import is_queue_id

MAX_LIMIT = 10_000
_MAX_SKIP = 2**31 - 1
_ID_LENGTHS = (18, 19)
_INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_LABEL = r"[^\W](?:[\w-]{0,61}\w)?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_LOCAL_PART = re.compile(r"""[^\s\x00-\x20\x7f()<>\[\]:;@\\,"]{1,256}|"[^\x00-\x1f\x7f"]{0,254}\"""")


class When(msgspec.Struct, frozen=True):
    """What relative dates are read against."""

    now: int
    zone: ZoneInfo


@dataclass(frozen=True)
class Parameter:
    """One name of the query."""

    name: str
    field: str  # of LogQuery; empty when there is nothing to choose
    read: Callable[[str, When], Any]
    description: str
    schema: dict[str, Any]


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query that passed every check."""

    relay: int | None = None
    ascending: bool = False
    by_message: bool = False
    mail_id: str | None = None
    sender: str | None = None
    recipient: str | None = None
    reply_to: str | None = None
    header_from: str | None = None
    mx_host: str | None = None
    origin: str | None = None
    subject: str | None = None
    message_id_part: str | None = None
    since: int | None = None
    until: int | None = None
    delivered: bool | None = None
    skip: int = 0
    limit: int = 100


def read_log_query(values: Mapping[str, str], when: When) -> LogQuery:
    """The query, checked.

    Raises InvalidInput for the first value that is not accepted.
    """
    fields: dict[str, Any] = {}
    for parameter in PARAMETERS:
        value = values.get(parameter.name)
        if value is None:
            continue
        try:
            read = parameter.read(value, when)
        except InvalidInput as error:
            raise InvalidInput(f"invalid {parameter.name}: {error.message}") from None
        if parameter.field:
            fields[parameter.field] = read
    return LogQuery(**fields)


def _choice(*words: str, meaning: str) -> Callable[[str, When], bool]:
    def read(value: str, _: When) -> bool:
        if value not in words:
            raise InvalidInput(f"must be {' or '.join(words)}")
        return value == meaning

    return read


def _integer(value: str) -> int:
    if not _INTEGER.fullmatch(value):
        raise InvalidInput("must be an integer")
    return int(value)


def _between(lowest: int, highest: int) -> Callable[[str, When], int]:
    def read(value: str, _: When) -> int:
        number = _integer(value)
        if not lowest <= number <= highest:
            raise InvalidInput(f"must be from {lowest} to {highest}")
        return number

    return read


def _mail_id(value: str, _: When) -> str:
    if len(value) not in _ID_LENGTHS and not is_queue_id(value):
        raise InvalidInput("must have 18 or 19 characters, or be a Postfix queue id")
    return value


def _address(value: str, _: When) -> str:
    local, at, domain = value.rpartition("@")
    if not at or len(value) > 320 or not _LOCAL_PART.fullmatch(local) or not _is_mail_domain(domain):
        raise InvalidInput("must be a bare email address")
    return canonical_address(value)


def _is_mail_domain(domain: str) -> bool:
    if domain.startswith("[") and domain.endswith("]"):
        return is_address(domain[1:-1].removeprefix("IPv6:"))
    return _is_host(domain)


def _is_host(text: str) -> bool:
    return len(text) <= 253 and bool(_HOST.fullmatch(text))


def _host(value: str, _: When) -> str:
    if not (_is_host(value) or is_address(value)):
        raise InvalidInput("must be a host name")
    return value


def _ip(value: str, _: When) -> str:
    try:
        address = ip_address(value)
    except ValueError:
        raise InvalidInput("must be an IPv4 or IPv6 address") from None
    if "%" in value:
        raise InvalidInput("must be an IPv4 or IPv6 address")
    return str(address)


def _text(value: str, _: When) -> str:
    if "\x00" in value:
        raise InvalidInput("must not hold a NUL")
    return value


def _start(value: str, when: When) -> int:
    return earliest(value, when.now, when.zone)


def _end(value: str, when: When) -> int:
    return latest(value, when.now, when.zone)


def _relay(value: str, _: When) -> int:
    return _integer(value)


_EMAIL = {"type": "string", "format": "email"}
_DATE = {"oneOf": [{"type": "integer", "minimum": 0, "maximum": 9_999_999_999}, {"type": "string"}]}

PARAMETERS = (
    Parameter("sort", "", _choice("time", meaning="time"), "Sort key.", {"enum": ["time"], "default": "time"}),
    Parameter(
        "dir",
        "ascending",
        _choice("asc", "desc", meaning="asc"),
        "Oldest or newest first.",
        {"enum": ["asc", "desc"], "default": "desc"},
    ),
    Parameter(
        "groupby",
        "by_message",
        _choice("message", "recipient", meaning="message"),
        "One row per recipient, or one per mail with the details of its first recipient that passes the filters.",
        {"enum": ["message", "recipient"], "default": "recipient"},
    ),
    Parameter(
        "mailid",
        "mail_id",
        _mail_id,
        "The entry's `id`; or a Postfix queue id: that of the mail here, or the one that the next server gave it.",
        {"type": "string", "minLength": 6, "maxLength": 31},
    ),
    Parameter("from", "sender", _address, "Envelope sender.", _EMAIL),
    Parameter("to", "recipient", _address, "Envelope recipient.", _EMAIL),
    Parameter("replyto", "reply_to", _address, "Address of the Reply-To header.", _EMAIL),
    Parameter("headerfrom", "header_from", _address, "Address of the From header.", _EMAIL),
    Parameter("mx", "mx_host", _host, "The host that delivery was tried to.", {"type": "string"}),
    Parameter("origin", "origin", _ip, "Client IP address, v4 or v6.", {"type": "string"}),
    Parameter(
        "startDate",
        "since",
        _start,
        "Accepted at this time or later: Unix seconds, or text as PHP's `strtotime` reads it, in the server's zone.",
        _DATE,
    ),
    Parameter(
        "endDate",
        "until",
        _end,
        "Accepted at this time or earlier. Text that names a day and no time takes in that whole day.",
        _DATE,
    ),
    Parameter(
        "skip",
        "skip",
        _between(0, _MAX_SKIP),
        "Rows to pass over.",
        {"type": "integer", "minimum": 0, "default": 0},
    ),
    Parameter(
        "limit",
        "limit",
        _between(1, MAX_LIMIT),
        "Rows of a page.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": 100},
    ),
    Parameter(
        "delivered",
        "delivered",
        _choice("0", "1", meaning="1"),
        "1: delivered; 0: everything else, mail that waits included.",
        {"type": "integer", "enum": [0, 1]},
    ),
    Parameter("id", "relay", _relay, "The mail order; without it the first active one.", {"type": "integer"}),
    Parameter("subject", "subject", _text, "Subject header, exact.", {"type": "string"}),
    Parameter("messageId", "message_id_part", _text, "Part of the Message-ID header, in any case.", {"type": "string"}),
)
