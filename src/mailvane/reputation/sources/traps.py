"""Spam traps: mails that addresses which never wrote to anybody received, as records of a feed or of one's own server.

Nothing outside is asked. A file tells of many senders; what is kept of it is for `of_watched`: mails of watched,
verified names, from the time on since they are. Each mail is kept once, under the address that sent it if that is
watched, and under its domain otherwise: rules read both from its data.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from mailvane.core.names import mail_domain
from mailvane.reputation.model import VERIFIED_AT, Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.feeds import Feed
from mailvane.reputation.sources.json_lines import digest, moment_ms

_LONGEST_TEXT = 998


def of_watched(refreshes: Iterable[Refresh], traps: Iterable[Asset], now: int) -> Iterator[Refresh]:
    """What may be kept of a file: mails from watched, verified names, of no time before they were both."""
    since = {asset.name: _since(asset) for asset in traps if asset.verified}
    kept = (
        msgspec.structs.replace(hit, asset=names[0])
        for refresh in refreshes
        for hit in refresh.observations
        if (
            names := [
                name
                for name in [name for name in (hit.data["ip"], hit.data["domain_from"]) if name]
                if name in since and hit.at >= since[name]
            ]
        )
    )
    return FEED.refreshes(kept, now)


def _since(asset: Asset) -> int:
    verified = asset.details.get(VERIFIED_AT)
    return max(asset.created_at, verified if isinstance(verified, int) else 0)


class _Line(msgspec.Struct):
    timestamp: float | str
    id: Annotated[str, Meta(max_length=200)] = ""
    ip: str = ""
    domain_from: Annotated[str, Meta(max_length=253)] = ""
    email_from_header: str = ""
    email_subject: str = ""
    smtp_mail_from_domain: str = ""
    data_colorcode: Literal["black", "grey", ""] = ""
    trap_estimated_domain_age_days: Annotated[int, Meta(ge=0)] | None = None


def _hit(line: _Line, now: int) -> Observation:
    """Raises ValueError."""
    ip = str(ip_address(line.ip.strip())) if line.ip.strip() else ""
    domain = mail_domain(line.domain_from.strip().rstrip("."))
    if not ip and not domain:
        raise ValueError("expected ip or domain_from")
    at = moment_ms(line.timestamp)
    data = {
        "ip": ip,
        "domain_from": domain,
        "email_from_header": line.email_from_header[:_LONGEST_TEXT],
        "email_subject": line.email_subject[:_LONGEST_TEXT],
        "smtp_mail_from_domain": mail_domain(line.smtp_mail_from_domain[:_LONGEST_TEXT]),
        "data_colorcode": line.data_colorcode,
        "trap_estimated_domain_age_days": line.trap_estimated_domain_age_days,
    }
    key = line.id or digest(str(at), *map(str, data.values()))
    return Observation(kind=ObservationKind.TRAP_HIT, asset=ip or domain, key=key, at=at, seen_at=now, data=data)


FEED = Feed(Source.TRAPS, AssetKind.TRAP, _Line, _hit, of_watched)


def make(settings: ReputationSettings) -> Feed[_Line]:  # noqa: ARG001 - there is nothing to set
    return FEED


COLLECTOR = make
