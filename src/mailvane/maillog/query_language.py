"""The query language of the mail log: one for the dashboard, its CSV, `mailvane log`, `q=` over HTTP and MCP.

Terms are joined by AND; a comma within a term means "or"; a minus in front excludes; quotes hold spaces together.

    from:shop.example -why:unknown_user,mailbox_full is:failing since:7d "order 1234"

An address is compared whole, a name with a dot as a domain, anything else as a part of the text, in any case.
What cannot be read is refused with the character, counted from 1, at which its term, or a quote that is not closed,
begins.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.maillog.dates import earliest, latest
from mailvane.maillog.model import DeliveryStatus, MailKind, ReasonFamily
from mailvane.maillog.queries import LogQuestion, Match, Pattern, RefusedQuestion, Term, TermField

TEXT = "text"  # the field of a word without a name: sender, recipient, subject or Message-ID
FIELDS = (
    *("from", "to", "subject", "answer", "why", "is", "mx", "host", "relay", "login", "origin", "queue", "id"),
    *("msgid", "since", "until"),
)
_ALSO = {"state": "is", "reason": "why"}  # other names of fields
STATES: dict[str, tuple[DeliveryStatus, ...]] = {
    **{status.value: (status,) for status in DeliveryStatus},
    "failing": (DeliveryStatus.BOUNCED, DeliveryStatus.EXPIRED, DeliveryStatus.DEFERRED),
    "waiting": (DeliveryStatus.QUEUED, DeliveryStatus.DEFERRED, DeliveryStatus.HELD),
}
REFUSED = "refused"
_ALONE = "is:refused stands alone: what was refused was never taken in"
_NOT_OF_REFUSED = frozenset({"mx", "transport"})
USUAL_MS = 7 * DAY_MS
_LONGEST = 2000  # characters of a query
_MOST_VALUES = 50  # of a term
_TOKEN = re.compile(r'(?P<minus>-?)(?:(?P<field>[a-z]+):)?(?P<value>(?:"[^"]*"|[^\s"])+)', re.IGNORECASE)
_VALUE = re.compile(r'(?:"[^"]*"|[^,"])+')  # between commas that stand in no quotes
_QUOTED = re.compile(r"[\s,]")  # a value that would mean something else without quotes
_QUOTED_WORD = re.compile(r"[\s,:]|^-")
_AGE = re.compile(r"(\d{1,6})(min|h|d|w)")
_AGES = {"min": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS, "w": 7 * DAY_MS}
_DOMAIN = re.compile(r"[^\s@]+\.[^\s@.]{2,}")
_MAIL_ID = re.compile("[0-9a-f]{18}")


_Q = TypeVar("_Q", LogQuestion, RefusedQuestion)


class Token(msgspec.Struct, frozen=True):
    """A term as it is written."""

    field: str  # empty: a word without a name
    values: tuple[str, ...]
    excludes: bool

    @property
    def text(self) -> str:
        """As it can be written again."""
        needs = _QUOTED if self.field else _QUOTED_WORD
        told = ",".join(f'"{value}"' if needs.search(value) else value for value in self.values)
        return f"{'-' if self.excludes else ''}{f'{self.field}:' if self.field else ''}{told}"


def tokens(query: str) -> list[Token]:
    """What a query is made of. Raises InvalidInput."""
    return [token for _, token in _placed(query)]


def _placed(query: str) -> Iterator[tuple[int, Token]]:
    """Each with the place of its first character."""
    if len(query) > _LONGEST:
        raise InvalidInput(f"a query has at most {_LONGEST} characters")
    if query.count('"') % 2:
        with _placing(query.rindex('"')):
            raise InvalidInput("a quote is not closed")
    for found in _TOKEN.finditer(query):
        with _placing(found.start()):
            yield found.start(), _token(found)


def _token(found: re.Match[str]) -> Token:
    field = (found["field"] or "").lower()
    field = _ALSO.get(field, field)
    if field and field not in FIELDS:
        raise InvalidInput(f"there is no {field}: in a query; there are {', '.join(FIELDS)}")
    values = tuple(value for each in _VALUE.findall(found["value"]) if (value := each.replace('"', "")))
    without = found["value"].lower().removesuffix(":")
    if not field and found["value"].endswith(":") and _ALSO.get(without, without) in FIELDS:
        field, values = without, ()
    if not values:
        raise InvalidInput(f"{field}: needs a value" if field else "an empty word finds nothing")
    if len(values) > _MOST_VALUES:
        raise InvalidInput(f"{field or 'a word'}: at most {_MOST_VALUES} values")
    return Token(field, values, bool(found["minus"]))


@contextmanager
def _placing(place: int) -> Iterator[None]:
    """Says at which character it was that something could not be read."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{error.message} (at character {place + 1})") from None


def question(query: str, workspace: int, relays: Sequence[int], now: int, zone: ZoneInfo) -> LogQuestion:
    """The mail log's question that a query stands for; `now` in milliseconds. Raises InvalidInput."""
    asked = LogQuestion(workspace=workspace, relays=tuple(relays), kinds=tuple(MailKind))
    for place, token in _placed(query):
        with _placing(place):
            asked = _joined(asked, token, now, zone)
    return asked


def bounded(asked: _Q, query: str, now: int) -> _Q:
    """Of the last seven days, where no time is said and no mail is named by an id. Raises InvalidInput."""
    if asked.since is not None or asked.until is not None or names_one(query):
        return asked
    return msgspec.structs.replace(asked, since=now - USUAL_MS)


def names_one(query: str) -> bool:
    """Whether a mail is asked for by an id: then it may be of any age. Raises InvalidInput."""
    return any(token.field in {"id", "queue", "msgid"} for token in tokens(query))


def _joined(asked: LogQuestion, token: Token, now: int, zone: ZoneInfo) -> LogQuestion:
    if token.field in {"since", "until"}:
        return _bounded(asked, token, now, zone)
    if token.field == "relay":
        return msgspec.structs.replace(asked, relays=_relays(asked.relays, token))
    return msgspec.structs.replace(asked, terms=(*asked.terms, _term(token)))


def asks_refused(query: str) -> bool:
    """Whether it asks, by `is:refused`, for what was refused at the door rather than for deliveries.

    Raises InvalidInput where it asks for both: what was refused was never taken in.
    """
    states = [(place, token) for place, token in _placed(query) if token.field == "is"]
    for place, token in states:
        if any(value.lower() == REFUSED for value in token.values):
            with _placing(place):
                if len(states) > 1 or len(token.values) > 1 or token.excludes:
                    raise InvalidInput(_ALONE)
            return True
    return False


def refused_question(query: str, workspace: int, relays: Sequence[int], now: int, zone: ZoneInfo) -> RefusedQuestion:
    """The same for a query that asks for what was refused. Raises InvalidInput."""
    asked = LogQuestion(workspace=workspace, relays=tuple(relays))
    for place, token in _placed(query):
        with _placing(place):
            if token.field in _NOT_OF_REFUSED:
                raise InvalidInput(f"{token.field}: says nothing of mail that was refused")
            if token.field != "is":
                asked = _joined(asked, token, now, zone)
            elif token.excludes or [value.lower() for value in token.values] != [REFUSED]:
                raise InvalidInput(_ALONE)
    return RefusedQuestion(
        workspace=workspace, relays=asked.relays, since=asked.since, until=asked.until, terms=asked.terms
    )


def _bounded(asked: LogQuestion, token: Token, now: int, zone: ZoneInfo) -> LogQuestion:
    if token.excludes or len(token.values) > 1:
        raise InvalidInput(f"{token.field}: takes one time")
    text = token.values[0]
    age = _AGE.fullmatch(text)
    read: Callable[[str, int, ZoneInfo], int] = earliest if token.field == "since" else latest
    moment = now - int(age[1]) * _AGES[age[2]] if age else read(text, now, zone)
    return msgspec.structs.replace(asked, **{token.field: moment})


def _relays(known: tuple[int, ...], token: Token) -> tuple[int, ...]:
    named = {int(value) if value.isascii() and value.isdecimal() else -1 for value in token.values}
    return tuple(relay for relay in known if (relay in named) is not token.excludes)


def _term(token: Token) -> Term:
    read = _READERS.get(token.field, _pattern)
    patterns = tuple(pattern for value in token.values for pattern in read(value))
    return Term(cast("TermField", token.field or TEXT), patterns, token.excludes)


def _pattern(value: str) -> tuple[Pattern, ...]:
    if "@" in value.strip("@") and " " not in value:
        return (Pattern(value.lower(), Match.WHOLE),)
    if _DOMAIN.fullmatch(value.removeprefix("@")):
        return (Pattern(value.removeprefix("@").lower(), Match.DOMAIN),)
    return (Pattern(value, Match.PART),)


def _part(value: str) -> tuple[Pattern, ...]:
    return (Pattern(value, Match.PART),)


def _whole(value: str) -> tuple[Pattern, ...]:
    return (Pattern(value, Match.WHOLE),)


def _mail_id(value: str) -> tuple[Pattern, ...]:
    if not _MAIL_ID.fullmatch(value.lower()):
        raise InvalidInput("id: expected 18 hexadecimal digits")
    return (Pattern(value.lower(), Match.WHOLE),)


def _family(value: str) -> tuple[Pattern, ...]:
    name = value.lower().replace("-", "_").replace(" ", "_")
    known = [family.value for family in ReasonFamily if family.value]
    if name not in known:
        raise InvalidInput(f"why: there is no family {value[:40]}; there are {', '.join(known)}")
    return (Pattern(name, Match.WHOLE),)


def _state(value: str) -> tuple[Pattern, ...]:
    statuses = STATES.get(value.lower())
    if statuses is None:
        raise InvalidInput(f"is: there is no state {value[:40]}; there are {', '.join(STATES)}, and {REFUSED} alone")
    return tuple(Pattern(status.value, Match.WHOLE) for status in statuses)


_READERS: dict[str, Callable[[str], tuple[Pattern, ...]]] = {
    "subject": _part,
    "answer": _part,
    "msgid": _part,
    "why": _family,
    "is": _state,
    "id": _mail_id,
    "origin": _whole,
    "queue": _whole,
}
