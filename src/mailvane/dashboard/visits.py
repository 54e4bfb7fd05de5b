"""What a page is asked, and what it answers. Values only; pages know no framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from mailvane.core.errors import InvalidInput, NotAuthenticated, NotFound
from mailvane.core.tenants.model import Workspace
from mailvane.dashboard.people.model import Reach, Role
from mailvane.dashboard.people.service import Browser, Visitor

MOST_PAGES = 2000

Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Visit:
    """A request for a page."""

    path: Mapping[str, str]
    query: Query
    form: Query  # empty for a page that is only looked at
    browser: Browser
    now: int  # milliseconds since the epoch, UTC
    address: str  # path and query, to come back to
    zone: ZoneInfo  # of the person's browser; the server's where it has not told
    origin: str  # of the server as the browser knows it, such as http://127.0.0.1:8225
    attempt: str = ""  # of a login that is away at the provider, as the browser kept it
    known: Visitor | None = None
    place: Workspace | None = None

    @property
    def visitor(self) -> Visitor:
        """Raises NotAuthenticated."""
        if self.known is None:
            raise NotAuthenticated("log in first")
        return self.known

    @property
    def workspace(self) -> Workspace:
        """Raises NotFound where the page belongs to no workspace."""
        if self.place is None:
            raise NotFound("there is no such page")
        return self.place

    @property
    def reach(self) -> Reach | None:
        """What alone the person may see of this workspace, who is bound to domains; None: all of it."""
        return None if self.known is None or self.place is None else self.known.reach_in(self.place.id)

    def asked(self, name: str, usual: str = "") -> str:
        """The last value of the query's parameter."""
        return self.query.get(name, (usual,))[-1]

    def page_number(self) -> int:
        """Of a list that is shown in parts, from 1. Raises InvalidInput."""
        text = self.asked("page", "1")
        if not (text.isascii() and text.isdecimal() and 1 <= int(text[:9]) <= MOST_PAGES):
            raise InvalidInput(f"page: expected a number from 1 to {MOST_PAGES}")
        return int(text[:9])

    def with_query(self, **changed: str) -> str:
        """The query with other values: a link on the same page. An empty value is left out."""
        kept = {name: list(values) for name, values in self.query.items() if name not in changed}
        return "?" + urlencode({**kept, **{name: value for name, value in changed.items() if value}}, doseq=True)

    def entered(self, name: str) -> str:
        """The last value of the form's field."""
        return self.form.get(name, ("",))[-1]


@dataclass(frozen=True)
class Html:
    """A page, made from a template."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True)
class Redirect:
    """Look there instead; after a form, so that reloading repeats nothing."""

    to: str
    token: str | None = None  # of a session that begins; "": of one that ends
    attempt: str | None = None  # of a login that goes to the provider; "": of one that is over


@dataclass(frozen=True)
class File:
    """Something to keep."""

    content: bytes
    media_type: str
    name: str


Reply = Html | Redirect | File


@dataclass(frozen=True)
class Page:
    """A row of the table of pages. `role` None: open to all; a path that begins with /{workspace} needs that role."""

    method: str
    path: str
    function: Any  # of the dashboard's services and a Visit, blocking; gives a Reply
    role: Role | None = Role.VIEWER
    of_domains: bool = False  # whether who is bound to domains gets it, cut to these; else it is refused to them
