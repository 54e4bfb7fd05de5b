"""What the SendKit API reads of a request: dates, filters, bodies.

A date alone means its day, UTC: the start of it as `from`, the end of it as `to`. A time is taken as it is given;
without a zone it is UTC. # ours: the vendor says neither; nor what an empty value means, which counts as left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS
from mailvane.mailboxes.dates import read_bound
from mailvane.mailboxes.model import MailboxQuestion, MailboxStatus, Provider, TagMode, WarmupStatus
from mailvane.mailboxes.performance import Window
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.json_body import NotJson, read_json

T = TypeVar("T")

DEFAULT_DAYS = 30
_MOST_DAYS = 90
USUAL_ROWS, MOST_ROWS = 50, 100  # ours
_HIGH_BOUNCES = 0.05  # ours: what `highBounceRate` begins at
_ID = re.compile(r"[0-9a-fA-F]{24}")
_TIME = {"type": "string", "maxLength": 64}
_FLAG = {"type": "string", "enum": ["true", "false", "1", "0", ""]}

HEALTHS = ("good", "fair", "poor")
CONNECTIONS = ("smtp", "oauth")

FROM = Parameter("from", "First day, or time, of acceptance. Left out: no lower bound.", _TIME)
TO = Parameter("to", "Last day, or time, of acceptance. Left out: no upper bound.", _TIME)
RANGE = (FROM, TO)
SUBSEQUENCE = Parameter("subsequenceId", "`main`, or the id of a subsequence; left out: all of them.")
DAYS = Parameter(
    "days", "How many days back.", {"type": "integer", "minimum": 1, "maximum": _MOST_DAYS, "default": DEFAULT_DAYS}
)
PAGE = (
    Parameter("cursor", "Id of the mailbox that the page begins behind."),
    Parameter("page", "Number of the page, from 1, instead of a cursor.", {"type": "integer", "minimum": 1}),
    Parameter("limit", "Rows at most.", {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": USUAL_ROWS}),
)
SEARCH = Parameter("search", "A part of the address or the name.")
FILTERS = (
    Parameter("status", "One or more of active, inactive, suspended, error, with commas between."),
    Parameter("provider", "Where it is kept.", {"type": "string", "enum": [*Provider, ""]}),
    Parameter("sendingEnabled", "Whether it may send.", _FLAG),
    Parameter("tags", "Tags, with commas between."),
    Parameter("tagMode", "One of the tags, or all.", {"type": "string", "enum": [*TagMode, ""]}),
    Parameter("untagged", "Whether it has no tag.", _FLAG),
    SEARCH,
    Parameter("warmupEnabled", "Whether a warm-up was started.", _FLAG),
    Parameter("warmupStatus", "One or more of not_started, in_progress, paused, completed."),
    Parameter("warmupHealth", "good, fair or poor.", {"type": "string", "enum": [*HEALTHS, ""]}),
    Parameter("minBounceRate", "A fraction.", {"type": "number", "minimum": 0, "maximum": 1}),
    Parameter("maxBounceRate", "A fraction.", {"type": "number", "minimum": 0, "maximum": 1}),
    Parameter("highBounceRate", "Whether more than 5 % bounce.", _FLAG),
    Parameter("minHealthScore", "Of DNS, when it was asked last.", {"type": "integer", "minimum": 0, "maximum": 100}),
    Parameter("maxHealthScore", "Of DNS, when it was asked last.", {"type": "integer", "minimum": 0, "maximum": 100}),
    Parameter("campaignIds", "Ids of campaigns that it sent in, with commas between."),
    Parameter("notInCampaign", "Id of a campaign that it did not send in."),
    Parameter("inActiveCampaign", "Whether it sent in a campaign of the last 30 days.", _FLAG),
    Parameter("connectionType", "smtp or oauth.", {"type": "string", "enum": [*CONNECTIONS, ""]}),
)


def window(asked: Asked) -> Window:
    """Raises InvalidInput for what is no date, and for a `from` later than `to`."""
    found = Window(bound(asked.query, "from"), bound(asked.query, "to"))
    found.check()
    return found


def daily_window(asked: Asked) -> Window:
    """The last 30 days and today where nothing is said; with an end alone, the 30 days before it (# ours)."""
    given = window(asked)
    until = given.until if given.until is not None else asked.now // DAY_MS * DAY_MS + DAY_MS - 1
    since = given.since if given.since is not None else until // DAY_MS * DAY_MS - DEFAULT_DAYS * DAY_MS
    return Window(since, until)


def bound(query: Mapping[str, str], name: str) -> int | None:
    """In milliseconds, of a day's start or, as `to`, its end; None when it is left out. Raises InvalidInput."""
    try:
        return read_bound(query.get(name, ""), last=name == "to")
    except ValueError:
        raise InvalidInput(f"Invalid date: {name}") from None


def days(asked: Asked) -> int:
    return number(asked.query, "days", DEFAULT_DAYS, 1, _MOST_DAYS)


def number(query: Mapping[str, str], name: str, usual: int, least: int, most: int) -> int:
    """Raises InvalidInput."""
    text = query.get(name, "").strip()
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and least <= int(text) <= most):
        raise InvalidInput(f"Invalid {name}: expected a number from {least} to {most}")
    return int(text)


class Rows(msgspec.Struct, frozen=True):
    """Which part of a list is asked for."""

    limit: int
    cursor: str | None
    page: int | None

    @property
    def skip(self) -> int:
        return 0 if self.page is None else (self.page - 1) * self.limit


def rows(asked: Asked) -> Rows:
    """Raises InvalidInput."""
    limit = number(asked.query, "limit", USUAL_ROWS, 1, MOST_ROWS)
    cursor = asked.query.get("cursor", "").strip() or None
    if cursor is not None and not _ID.fullmatch(cursor):
        raise InvalidInput("Invalid cursor")
    page = number(asked.query, "page", 0, 1, 1_000_000) or None
    return Rows(limit, None if cursor is None else cursor.lower(), page)


class BounceRange(msgspec.Struct, frozen=True):
    """Of the bounce rate, a fraction; None: no bound."""

    least: float | None = None
    most: float | None = None
    high: bool | None = None

    @property
    def filters(self) -> bool:
        return self != BounceRange()

    def holds(self, rate: float) -> bool:
        if self.high is not None and (rate > _HIGH_BOUNCES) is not self.high:
            return False
        return (self.least is None or rate >= self.least) and (self.most is None or rate <= self.most)


def bounce_range(query: Mapping[str, str]) -> BounceRange:
    """Raises InvalidInput."""
    return BounceRange(
        fraction(query, "minBounceRate"), fraction(query, "maxBounceRate"), flag(query, "highBounceRate")
    )


def fraction(query: Mapping[str, str], name: str) -> float | None:
    """Raises InvalidInput."""
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise InvalidInput(f"Invalid {name}: expected a number from 0 to 1")
    return found


def flag(query: Mapping[str, str], name: str) -> bool | None:
    """None when it is left out. Raises InvalidInput."""
    text = query.get(name, "").strip().lower()
    if not text:
        return None
    if text not in {"true", "false", "1", "0"}:
        raise InvalidInput(f"Invalid {name}: expected true or false")
    return text in {"true", "1"}


def names(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    """Of a list with commas between; empty when it is left out."""
    return tuple(part.strip() for part in query.get(name, "").split(",") if part.strip())


def word(query: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    """One of these; empty when it is left out. Raises InvalidInput."""
    given = query.get(name, "").strip()
    if given and given not in words:
        raise InvalidInput(f"Invalid {name}: expected {' or '.join(words)}")
    return given


def one_of(query: Mapping[str, str], name: str, kind: Callable[[str], T]) -> tuple[T, ...] | None:
    """Words of a set, with commas between; None when it is left out. Raises InvalidInput."""
    given = names(query, name)
    try:
        return tuple(kind(word) for word in given) or None
    except ValueError:
        raise InvalidInput(f"Invalid {name}") from None


# Words of the vendor for what no mailbox of ours is ever.
_NEVER = frozenset({"warming_up", "failed", "pending"})


def question(asked: Asked, part: Rows) -> MailboxQuestion:
    """The filters that the ledger answers. Raises InvalidInput."""
    query = asked.query
    score = {name: number(query, name, -1, 0, 100) for name in ("minHealthScore", "maxHealthScore")}
    statuses = tuple(word for word in names(query, "status") if word not in _NEVER)
    return MailboxQuestion(
        workspace=asked.workspace,
        now=asked.now,
        statuses=one_of({"status": ",".join(statuses)}, "status", MailboxStatus)
        if statuses or not names(query, "status")
        else (),
        provider=next(iter(one_of(query, "provider", Provider) or ()), None),
        sending_enabled=flag(query, "sendingEnabled"),
        tags=names(query, "tags"),
        tag_mode=next(iter(one_of(query, "tagMode", TagMode) or ()), TagMode.ANY),
        untagged=flag(query, "untagged"),
        search=query.get("search", "").strip(),
        warming=flag(query, "warmupEnabled"),
        warmup_statuses=one_of(query, "warmupStatus", WarmupStatus),
        least_score=score["minHealthScore"] if score["minHealthScore"] >= 0 else None,
        most_score=score["maxHealthScore"] if score["maxHealthScore"] >= 0 else None,
        after=part.cursor,
        skip=part.skip,
        limit=part.limit,
    )


class ServerBody(msgspec.Struct, frozen=True, kw_only=True):
    """How a mailbox is reached. Neither name nor password is kept."""

    host: str = ""
    port: int = 0
    secure: bool = False


class MailboxBody(msgspec.Struct, frozen=True, kw_only=True):
    """A new mailbox."""

    email: str
    displayName: str | None = None  # noqa: N815 - the wire's names, likewise below
    provider: Provider | None = None
    smtp: ServerBody | None = None
    imap: ServerBody | None = None
    dailySendLimit: int | None = None  # noqa: N815
    signature: str | None = None
    tags: list[str] | None = None


class MailboxChange(msgspec.Struct, frozen=True, kw_only=True):
    """Every field is optional; what is left out, or null, stays. Tags replace those that there are."""

    displayName: str | None = None  # noqa: N815
    dailySendLimit: int | None = None  # noqa: N815
    signature: str | None = None
    sendingEnabled: bool | None = None  # noqa: N815
    tags: list[str] | None = None


def body(model: type[T], asked: Asked) -> T:
    """Raises InvalidInput."""
    try:
        return read_json(model, asked.body)
    except NotJson:
        raise InvalidInput("The body is not JSON") from None


_FIELDS = {
    "displayName": "display_name",
    "provider": "provider",
    "dailySendLimit": "daily_limit",
    "signature": "signature",
    "sendingEnabled": "sending_enabled",
    "tags": "tags",
}
LEAST_A_DAY, MOST_A_DAY = 1, 50  # the vendor clamps a daily limit


def fields(given: MailboxBody | MailboxChange) -> dict[str, Any]:
    """What is said, by the names of Mailbox."""
    found: dict[str, Any] = {
        ours: value for theirs, ours in _FIELDS.items() if (value := getattr(given, theirs, None)) is not None
    }
    if "daily_limit" in found:
        found["daily_limit"] = min(MOST_A_DAY, max(LEAST_A_DAY, found["daily_limit"]))
    return found
