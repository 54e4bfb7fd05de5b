"""Pages as HTML. Everything that is put into a template is escaped; nothing is ever marked as safe but our own SVG."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import UTC, datetime, tzinfo
from shlex import quote
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dashboard.parts.local_time import local
from mailvane.dashboard.static_files import StaticFiles
from mailvane.dashboard.visits import Html, Visit
from mailvane.maillog.followed_logs import FollowedLogs, FollowedLogState

_MOST_LOGS = 3
_SHOWN = 300  # characters of a text in a list
_ZONE: ContextVar[tzinfo] = ContextVar("zone", default=UTC)  # of whoever the page is made for
_CODE = re.compile("`([^`\n]+)`")
_STEPS = ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (1000, "s"))

NAVIGATION = (
    ("", "Overview", "home", "o"),
    ("/log", "Mail log", "log", "l"),
    ("/domains", "Domains", "domain", "d"),
    ("/reputation", "Reputation", "shield", "r"),
    ("/alerts", "Alerts", "bell", "a"),
    ("/inbound/quarantine", "Inbound", "inbox", "i"),
    ("/mailboxes", "Mailboxes", "mailbox", "m"),
    ("/settings/relays", "Settings", "sliders", "s"),
)  # path below the workspace, name, icon, key after g
_OF_DOMAINS = tuple(each for each in NAVIGATION if each[1] in {"Overview", "Mail log", "Domains"})


class Renderer:
    """Templates of this room."""

    def __init__(
        self,
        static: StaticFiles,
        badges: Callable[[Visit], Mapping[str, object]],
        provider: str = "",
        followed: FollowedLogs | None = None,
    ) -> None:
        """`provider`: what people call who vouches for them; "": nobody does. `followed`: logs, told at every page."""
        self._badges = badges
        self._followed = followed
        self._environment = Environment(
            loader=PackageLoader("mailvane.dashboard"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals |= {"static": static.url, "provider": provider}
        self._environment.filters |= {
            "moment": moment,
            "clock": clock,
            "dotted": dotted,
            "day": day,
            "iso": iso,
            "number": number,
            "span": span,
            "took": took,
            "cut": cut,
            "code": code,
            "shell": quote,
        }

    def page(self, page: Html, visit: Visit) -> bytes:
        values: Mapping[str, Any] = {
            "visit": visit,
            "now": visit.now,
            "visitor": visit.known,
            "workspace": visit.place,
            "home": f"/ui/{visit.place.id}" if visit.place else "/ui/workspaces",
            "reach": visit.reach,
            "navigation": NAVIGATION if visit.reach is None else _OF_DOMAINS,
            "followed": self._logs(visit),
            "badges": self._badges(visit),
            "unanswered": {},
            **page.values,
        }
        _ZONE.set(visit.zone)
        return self._environment.get_template(page.template).render(values).encode("utf-8", "replace")

    def _logs(self, visit: Visit) -> Sequence[FollowedLogState]:
        """Of the workspace: who is bound to domains is told of none."""
        if self._followed is None or visit.place is None or visit.reach is not None:
            return []
        return self._followed.of(visit.place.name)[:_MOST_LOGS]


def moment(ms: int) -> str:
    """Such as 26 Nov 20:35:56; with the year when it is not this one is left to the title."""
    return local(ms, _ZONE.get()).strftime("%d %b %H:%M:%S")


def clock(ms: int) -> str:
    return local(ms, _ZONE.get()).strftime("%H:%M:%S")


def dotted(name: str) -> Markup:
    """The name of a host, which may be broken after a dot, and elsewhere only where no dot helps."""
    return Markup(".<wbr>").join(name.split("."))


def cut(text: str) -> str:
    """As much of a stranger's text as a list shows: a browser needs seconds to break a word of 8,000 letters."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def code(text: str) -> Markup:
    """What stands between backticks, such as a command in an advice, as code; all of it is text nevertheless."""
    parts = enumerate(_CODE.split(text))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in parts
    )


def iso(ms: int) -> str:
    """UTC, for titles and `datetime`."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def day(ms: int) -> str:
    """A day of UTC, as sources tell of."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %Y")


def number(value: int) -> str:
    return f"{value:,}"


def span(ms: int) -> str:
    """How long: its two largest parts, such as 3 h 26 min."""
    if ms < 1000:
        return f"{max(ms, 0)} ms"
    parts: list[str] = []
    for size, name in _STEPS:
        count, ms = divmod(ms, size)
        if count or parts:
            parts.append(f"{count} {name}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if part)


def took(ms: int) -> str:
    """Likewise, where tenths of a second tell something: such as 1.9 s."""
    return f"{ms / 1000:.1f}".removesuffix(".0") + " s" if 1000 <= ms < MINUTE_MS else span(ms)
