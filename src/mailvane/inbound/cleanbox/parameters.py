"""The bodies and queries of the Cleanbox API. What is wrong is named by its field; unknown fields are ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailvane.core.errors import InvalidFields
from mailvane.web.endpoints import Parameter

MOST_ROWS = 100  # larger values count as this
QUARANTINE_ROWS, MESSAGE_ROWS, USUAL_ROWS = 50, 25, 25
MOST_ITEMS = 100  # of one decision
_LATEST_PAGE = 2**31 - 1
# Words of the wire, and the columns that they mean; the first is the usual one. Snake case is taken as well.
MESSAGE_ORDERS = {
    "receivedAt": "received_at",
    "spamScore": "score",
    "received_at": "received_at",
    "spam_score": "score",
}
ADDRESS_ORDERS = {"createdAt": "created_at"}
BY_NAME = {"name": "name"}
CONTACT_ORDERS = {
    "lastSeenAt": "last_seen_at", "emailCount": "email_count", "email": "email", "name": "name",
    "firstSeenAt": "first_seen_at", "last_seen_at": "last_seen_at", "email_count": "email_count",
    "first_seen_at": "first_seen_at",
}  # fmt: skip


class Part(msgspec.Struct, frozen=True):
    """Which page of a list is asked for, and in which order."""

    page: int
    per_page: int
    sort: str
    descending: bool

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.per_page


class ContactChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a contact shall be. `delete_messages` removes the mails that are kept of it, for good."""

    state: str
    delete_messages: bool = False


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Which mails of the quarantine are decided: `uuids`, or `ids`, or one `uuid`."""

    uuids: Sequence[str] = ()
    ids: Sequence[str] = ()
    uuid: str | None = None
    block_contact: bool = False  # of a rejection

    @property
    def named(self) -> list[str]:
        """Each once, in the order given. Raises InvalidFields: none is named, or too many."""
        given = dict.fromkeys([*self.uuids, *self.ids, *([self.uuid] if self.uuid else [])])
        if not 1 <= len(given) <= MOST_ITEMS:
            raise InvalidFields(("uuids", f"1 to {MOST_ITEMS} ids are required"))
        return list(given)


class AddressCreation(msgspec.Struct, frozen=True, kw_only=True):
    """A new address. A local part that is left out is made up."""

    type: str = "alias"
    local_part: str | None = None
    domain: str
    mailbox: str | None = None
    label: str = ""


class AddressChange(msgspec.Struct, frozen=True, kw_only=True):
    """Every field is optional; what is left out stays. null removes a threshold."""

    label: str | msgspec.UnsetType = msgspec.UNSET
    active: bool | msgspec.UnsetType = msgspec.UNSET
    mailbox: str | msgspec.UnsetType = msgspec.UNSET
    quarantine_threshold: float | msgspec.UnsetType | None = msgspec.UNSET
    reject_threshold: float | msgspec.UnsetType | None = msgspec.UNSET
    weekly_limit: int | msgspec.UnsetType = msgspec.UNSET


def paged(rows: int, orders: Mapping[str, Any]) -> tuple[Parameter, ...]:
    """The parameters of a list; the first order is the usual one."""
    names = list(orders)
    return (
        Parameter("page", "Which page, counted from 1.", {"type": "integer", "minimum": 1, "default": 1}),
        Parameter(
            "per_page", f"Rows of a page; above {MOST_ROWS} count as {MOST_ROWS}.",
            {"type": "integer", "minimum": 1, "default": rows},
        ),
        Parameter("sort", "By what.", {"type": "string", "enum": names, "default": names[0]}),
        Parameter("dir", "Which way.", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}),
    )  # fmt: skip


def part(query: Mapping[str, str], rows: int, orders: Mapping[str, Any]) -> Part:
    """Raises InvalidFields."""
    sort, direction = query.get("sort") or next(iter(orders)), query.get("dir") or "desc"
    if sort not in orders:
        raise InvalidFields(("sort", f"expected one of {', '.join(orders)}"))
    if direction not in {"asc", "desc"}:
        raise InvalidFields(("dir", "expected asc or desc"))
    per_page = min(_counted(query, "per_page", rows), MOST_ROWS)
    return Part(_counted(query, "page", 1), per_page, sort, direction == "desc")


def _counted(query: Mapping[str, str], name: str, usual: int) -> int:
    text = query.get(name, "")
    if not text:
        return usual
    if not (text.isascii() and text.isdecimal() and len(text) < 11 and 1 <= int(text) <= _LATEST_PAGE):
        raise InvalidFields((name, "expected a number from 1"))
    return int(text)


def several(query: Mapping[str, str], name: str, known: Sequence[str]) -> tuple[str, ...]:
    """A comma list of known words; none: all. Raises InvalidFields."""
    given = tuple(word for word in query.get(name, "").split(",") if word)
    if unknown := [word for word in given if word not in known]:
        raise InvalidFields((name, f"unknown: {unknown[0][:40]}; expected {', '.join(known)}"))
    return given
