"""What the pages of the mail log share: links, terms that can be taken away, saved views."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.identifiers import new_id
from mailvane.dashboard.pages.csv_files import CSV_ROWS
from mailvane.dashboard.pages.log_columns import text_of
from mailvane.dashboard.people.model import Role
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.views.store import SavedView
from mailvane.dashboard.visits import Page, Redirect, Reply, Visit
from mailvane.maillog import query_language
from mailvane.maillog.query_language import Token


class Removable(msgspec.Struct, frozen=True):
    """A term of the query, and the query without it."""

    text: str
    link: str


class ShownView(msgspec.Struct, frozen=True):
    """A view as a tab."""

    id: str
    name: str
    query: str
    link: str
    is_chosen: bool
    is_of_all: bool
    may_remove: bool


_PLAIN = ":,@/"  # in a query of an address, by RFC 3986 section 3.4: what people copy can be read


def link(visit: Visit, query: str, **more: str) -> str:
    """With the columns that are shown, unless others are named."""
    more = {"columns": ",".join(visit.query.get("columns", ())), **more}
    rest = "".join(f"&{name}={quote(value, safe=_PLAIN)}" for name, value in more.items() if value)
    return f"/ui/{visit.workspace.id}/log?q={quote(query, safe=_PLAIN)}{rest}"


def without(tokens: Sequence[Token], *left_out: Token) -> str:
    return " ".join(each.text for each in tokens if each not in left_out)


def removable(visit: Visit, tokens: Sequence[Token]) -> list[Removable]:
    return [Removable(each.text, link(visit, without(tokens, each))) for each in tokens]


def paging(visit: Visit, query: str, ends: tuple[str, str], *, is_newest: bool, has_older: bool) -> dict[str, object]:
    """What the template needs to go on from a page whose first and last rows have these places."""
    first, last = ends
    is_live = is_newest and visit.asked("live") == "1"
    return {
        "is_newest": is_newest,
        "is_live": is_live,
        "rows_link": link(visit, query, live="1", part="rows"),
        "live_link": link(visit, query, live="" if is_live else "1"),
        "newer": 0,
        "newer_link": newer_link(visit, query, first),
        "show_link": link(visit, query),
        "earlier": link(visit, query, at=last) if has_older else "",
        "later": "" if is_newest else link(visit, query, at=first, way="later"),
        "csv": link(visit, query).replace("/log?", "/log.csv?", 1),
        "most_csv": CSV_ROWS,
    }


def newer_link(visit: Visit, query: str, first: str) -> str:
    """Asks how many rows are in front of this place."""
    return link(visit, query, at=first).replace("/log?", "/log/newer?", 1)


def views(services: DashboardServices, visit: Visit, query: str) -> list[ShownView]:
    """Of the person and of all, as tabs."""
    may_share = visit.visitor.may(visit.workspace.id, Role.OPERATOR)
    columns = text_of(visit.query.get("columns", ()))
    return [
        ShownView(
            id=each.id, name=each.name, query=each.query, link=link(visit, each.query, columns=each.columns),
            is_chosen=(each.query, each.columns) == (query, columns),
            is_of_all=each.user is None, may_remove=each.user is not None or may_share,
        )
        for each in services.views.views(visit.workspace.id, visit.visitor.user.id)
    ]  # fmt: skip


def save_view(services: DashboardServices, visit: Visit) -> Reply:
    """The query under a name, for the person; an operator may give it to all of the workspace."""
    query = visit.entered("q").strip()
    query_language.tokens(query)  # raises InvalidInput for one that nobody can read
    view = SavedView(
        id=new_id(), workspace=visit.workspace.id, user=_owner(visit), name=visit.entered("name"), query=query,
        columns=text_of(visit.form.get("columns", ())), created_at=visit.now,
    )  # fmt: skip
    services.views.add(view)
    return Redirect(link(visit, query, columns=view.columns))


def remove_view(services: DashboardServices, visit: Visit) -> Reply:
    services.views.remove(visit.workspace.id, _owner(visit), visit.entered("view"))
    return Redirect(link(visit, visit.entered("q").strip()))


def _owner(visit: Visit) -> int | None:
    """Raises NotAllowed, InvalidInput."""
    chosen = visit.entered("for") or "me"
    if chosen not in {"me", "all"}:
        raise InvalidInput("choose whom the view is for")
    if chosen == "me":
        return visit.visitor.user.id
    visit.visitor.require(visit.workspace.id, Role.OPERATOR)
    return None


PAGES = (
    Page("post", "/{workspace:int}/log/views", save_view, of_domains=True),
    Page("post", "/{workspace:int}/log/views/remove", remove_view, of_domains=True),
)
