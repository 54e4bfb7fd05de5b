"""Which columns the table of the mail log shows: as its address says, and with a saved view. Of deliveries alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.dashboard.visits import Visit


class Column(msgspec.Struct, frozen=True):
    name: str  # in an address
    head: str
    look: str  # its class
    fields: tuple[str, ...]  # of a delivery: what a file has of it


COLUMNS = (
    Column("at", "Accepted", "at", ("accepted_at",)),
    Column("state", "State", "state", ("status",)),
    Column("to", "To", "to", ("recipient",)),
    Column("from", "From", "from", ("sender",)),
    Column("subject", "Subject", "subject", ("subject",)),
    Column("answer", "Answer", "answered", ("code", "enhanced_code", "family", "reply")),
    Column("tries", "Tries", "num tries", ("attempts",)),
    Column("delay", "Took", "num took", ("delay",)),
    Column("size", "Bytes", "num size", ("size",)),
    Column("mx", "Given to", "from", ("mx_host",)),
    Column("login", "Login", "host", ("login",)),
    Column("origin", "Client", "host", ("origin",)),
    Column("host", "Host", "host", ("host",)),
    Column("queue_id", "Queue id", "host", ("queue_id",)),
)
_NAMED = {each.name: each for each in COLUMNS}
USUAL = ("at", "state", "to", "subject", "answer", "tries")
_MOST = 9  # what a page may hold at most is counted in elements
_LEADING = frozenset({"at", "to"})  # one of them leads to the mail


def chosen(visit: Visit) -> list[Column]:
    """In the order of the address. Raises InvalidInput."""
    return [_NAMED[name] for name in _names(visit.query.get("columns", ()))]


def text_of(given: Iterable[str]) -> str:
    """As an address has them; empty: what is usual. Raises InvalidInput."""
    names = _names(given)
    return "" if names == USUAL else ",".join(names)


def _names(given: Iterable[str]) -> Sequence[str]:
    names = tuple(dict.fromkeys(name for text in given for name in text.split(",") if name))
    if unknown := next((name for name in names if name not in _NAMED), None):
        raise InvalidInput(f"columns: there is no {unknown[:40]!r}; there are {', '.join(_NAMED)}")
    if not names:
        return USUAL
    names = names if _LEADING & set(names) else ("at", *names)
    if len(names) > _MOST:
        raise InvalidInput(f"columns: choose {_MOST} at most, with one of {' and '.join(sorted(_LEADING))}")
    return names
