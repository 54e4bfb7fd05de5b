"""Pages as HTML. Everything that is put into a template is escaped; nothing is ever marked as safe but our own SVG."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mailvane.core.moments import DAY_MS, HOUR_MS, MINUTE_MS
from mailvane.dashboard.static_files import StaticFiles
from mailvane.dashboard.visits import Html, Visit
from mailvane.maillog.followed_logs import FollowedLogs

_MOST_LOGS = 3
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


class Renderer:
    """Templates of this room."""

    def __init__(
        self, static: StaticFiles, zone: tzinfo, provider: str = "", followed: FollowedLogs | None = None
    ) -> None:
        """`provider`: what people call who vouches for them; "": nobody does. `followed`: logs, told at every page."""
        self._zone = zone
        self._followed = followed
        self._environment = Environment(
            loader=PackageLoader("mailvane.dashboard"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self._environment.globals |= {"static": static.url, "navigation": NAVIGATION, "provider": provider}
        self._environment.filters |= {
            "moment": self._moment,
            "clock": self._clock,
            "day": day,
            "iso": iso,
            "number": number,
            "span": span,
        }

    def page(self, page: Html, visit: Visit) -> bytes:
        values: Mapping[str, Any] = {
            "visit": visit,
            "now": visit.now,
            "visitor": visit.known,
            "workspace": visit.place,
            "home": f"/ui/{visit.place.id}" if visit.place else "/ui/workspaces",
            "followed": self._followed.of(visit.place.name)[:_MOST_LOGS] if self._followed and visit.place else [],
            **page.values,
        }
        return self._environment.get_template(page.template).render(values).encode("utf-8", "replace")

    def _moment(self, ms: int) -> str:
        """Such as 26 Nov 20:35:56; with the year when it is not this one is left to the title."""
        return self._local(ms).strftime("%d %b %H:%M:%S")

    def _clock(self, ms: int) -> str:
        return self._local(ms).strftime("%H:%M:%S")

    def _local(self, ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(self._zone)


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
