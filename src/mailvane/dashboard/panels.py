"""A page of several questions: one that is not answered says so in its place, and the rest of the page stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from mailvane.core.errors import Transient
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Visit

_T = TypeVar("_T")
_Otherwise = TypeVar("_Otherwise")
_UNAVAILABLE = 503


class Unanswered(msgspec.Struct, frozen=True):
    """What was asked in vain."""

    asked: str  # in words: How its mail fares
    failure: str
    since: int  # that it has not been answered


class Panels:
    """Of one page while it is made. `page` is its path as declared: questions of pages are told apart by it."""

    def __init__(self, services: DashboardServices, visit: Visit, page: str) -> None:
        self._outages = services.outages
        self._now = visit.now
        self._page = page
        self.unanswered: dict[str, Unanswered] = {}

    def ask(self, name: str, asked: str, question: Callable[[], _T], otherwise: _Otherwise) -> _T | _Otherwise:
        """The answer; what is put in its place when there is none, which the template finds by this name."""
        key = f"{self._page} {name}"
        try:
            answer = question()
        except Transient as error:
            self.unanswered[name] = Unanswered(asked, error.message, self._outages.failed(key, self._now))
            return otherwise
        self._outages.answered(key)
        return answer

    def html(self, template: str, values: Mapping[str, object]) -> Html:
        """With a status that says to programs that something is missing."""
        return Html(template, {**values, "unanswered": self.unanswered}, _UNAVAILABLE if self.unanswered else 200)
