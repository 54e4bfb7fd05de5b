"""The mail log over HTTP by the query language, `q=`: what people write in the dashboard and on the command line.

The workspace is that of the key, or of the X-Workspace-Id header; all its relays are asked. Programs that ask by
fields use `questions`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mailvane.core.errors import InvalidInput, NotAllowed
from mailvane.core.tenants.model import KeyKind
from mailvane.maillog import query_language
from mailvane.maillog.queries import Delivery, LogQuestion, RefusedPage, RefusedQuestion
from mailvane.maillog.services import MailLogServices
from mailvane.web.endpoints import Asked, Parameter
from mailvane.web.parameters import number, part

MOST_ROWS = 10_000
MOST_OFFSET = 2**31 - 1
_USUAL_ROWS = 100
PARAMETERS = (
    Parameter(
        "q",
        "A query, as the dashboard and `mailvane log` take it, such as `is:failing from:shop.example since:7d`. "
        "Without `since:`, `until:` or an id: of the last seven days. What cannot be read is answered with 400 and the "
        "character, counted from 1, at which it stands.",
        {"type": "string", "maxLength": 2000, "default": ""},
    ),
    *part(_USUAL_ROWS, MOST_ROWS),
)


class FoundDelivery(Delivery, frozen=True, kw_only=True, gc=False):
    """A delivery and the id of its mail."""

    mail_id: str  # 18 hexadecimal digits


class FoundPage(msgspec.Struct, frozen=True):
    """One page of deliveries, the newest first, and the exact number of rows on all pages."""

    total: int
    deliveries: Sequence[FoundDelivery]


def deliveries(services: MailLogServices, asked: Asked) -> FoundPage:
    """Raises InvalidInput, which says where in the query."""
    query = asked.query.get("q", "")
    relays = _relays(services, asked)
    if query_language.asks_refused(query):
        raise InvalidInput("what was refused is asked of /mailvane/v1/maillog/refused, by the same query")
    question = query_language.question(query, asked.workspace, relays, asked.now, services.zone)
    skip, limit = _page(asked)
    if not _names_relays(relays, question):
        return FoundPage(0, ())
    question = query_language.bounded(question, query, asked.now)
    page = services.maillog.search(msgspec.structs.replace(question, skip=skip, limit=limit))
    rows = [FoundDelivery(**msgspec.structs.asdict(one), mail_id=one.mail_id) for one in page.deliveries]
    return FoundPage(page.total, rows)


def refused(services: MailLogServices, asked: Asked) -> RefusedPage:
    """What was refused at the door, with or without `is:refused`. Raises InvalidInput, which says where."""
    query = asked.query.get("q", "")
    relays = _relays(services, asked)
    question = query_language.refused_question(query, asked.workspace, relays, asked.now, services.zone)
    skip, limit = _page(asked)
    if not _names_relays(relays, question):
        return RefusedPage(0, [])
    question = query_language.bounded(question, query, asked.now)
    return services.maillog.refused(msgspec.structs.replace(question, skip=skip, limit=limit))


def _relays(services: MailLogServices, asked: Asked) -> Sequence[int]:
    """Of the workspace, those that no longer send too."""
    if asked.principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not read the mail log")
    return [relay.id for relay in services.tenancy.relays(asked.workspace)]


def _page(asked: Asked) -> tuple[int, int]:
    return number(asked, "offset", 0, MOST_OFFSET), number(asked, "limit", _USUAL_ROWS, MOST_ROWS)


def _names_relays(known: Sequence[int], question: LogQuestion | RefusedQuestion) -> bool:
    """Raises InvalidInput where the query leaves none of those that there are."""
    if known and not question.relays:
        raise InvalidInput("the query names no relay of this workspace")
    return bool(known)
