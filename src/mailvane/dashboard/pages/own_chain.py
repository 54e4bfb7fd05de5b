"""From alerts about this server's own mail to that mail: what to look for in the mail log, from the narrowest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from mailvane.core.moments import DAY_MS
from mailvane.maillog.figure_questions import WAITS_AT_MOST_MS
from mailvane.reputation.model import ObservationKind

Item = Mapping[str, Any]
_WAITS = f"since:{WAITS_AT_MOST_MS // DAY_MS}d"
_STATES = {
    "MV_BOUNCE_RATE": "is:bounced,expired",
    "MV_DEFERRAL_RATE": "is:deferred",
    "DELIVERED": "is:delivered",
    "DEFERRED": "is:deferred",
    "BOUNCED": "is:bounced,expired",
}
_LIMITED = {"DOMAIN": "from", "MAILBOX": "from", "LOGIN": "login"}


def own_queries(type_: str, rule: Item, item: Item, spell: str, word: Callable[[object], str]) -> Iterator[str]:
    """`rule`: as configured; `spell`: terms of the time; `word` writes a value. Nothing where no mail is meant."""
    if destination := item.get("destination"):
        to = "" if destination == "all" else f"to:{word(destination)} "
        yield f"is:waiting {to}{_WAITS}"
        yield f"{to}{spell}"
    elif limit := item.get("limit_of"):
        yield f"{_LIMITED.get(str(limit), 'from')}:{word(item.get('name'))} {spell}"
    elif domain := item.get("domain"):
        end = "to" if rule.get("domains_are") == "RECEIVING" else "from"
        state = _STATES.get(type_, "is:bounced" if type_ == "MV_SENDING_STOPPED" else "")
        yield f"{end}:{word(domain)} {state} {spell}"
        yield f"{end}:{word(domain)} {spell}"
    elif counted := _STATES.get(str(item.get("mail"))):
        yield f"{counted} {spell}"


OWN: Mapping[ObservationKind, str] = MappingProxyType(
    {
        ObservationKind.MAIL: "domain",
        ObservationKind.STOPPED: "domain",
        ObservationKind.QUOTA: "name",
        ObservationKind.LOG_SILENCE: "",
        ObservationKind.SOURCE_STATE: "",
        ObservationKind.HEARTBEAT: "",
    }
)  # kinds that this server tells of itself, and the field of an item that may name a governed domain
