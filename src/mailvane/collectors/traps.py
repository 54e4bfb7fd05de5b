"""Spam traps: mails that addresses which never wrote to anybody received, as records of a feed or of one's own server.

Nothing outside is asked. A file tells of many senders; what is kept of it is for `of_watched`: mails of watched,
verified names, from the time on since they are. Each mail is kept once, under the address that sent it if that is
watched, and under its domain otherwise: rules read both from its data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Annotated, Any, BinaryIO, Literal

import msgspec
from msgspec import Meta

from mailvane.collectors.json_lines import digest, moment_ms, records
from mailvane.domain.reputation import VERIFIED_AT, Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.errors import InvalidInput
from mailvane.reputation_config import ReputationSettings

_TOGETHER = 1000  # mails: each refresh costs a transaction, so those of one sender go together
_LONGEST_TEXT = 998


class Traps:
    """Reads files; there is nobody to ask."""

    source = Source.TRAPS

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """Every name is up to date: what traps receive comes by itself."""
        for asset in assets:
            yield Refresh(source=self.source, kind=AssetKind.TRAP, asset=asset.name, at=now)

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """JSON lines of `{"ip", "domain_from", "timestamp", …}`, whoever sent the mails. Raises InvalidInput."""
        hits: list[Observation] = []
        for place, line in records(file, name, _Line):
            try:
                hits.append(_hit(line, now))
            except ValueError as error:
                raise InvalidInput(f"{place}: {error}") from None
            if len(hits) >= _TOGETHER:
                yield from _by_name(hits, now)
                hits = []
        yield from _by_name(hits, now)


def make(settings: ReputationSettings) -> Traps:  # noqa: ARG001 - there is nothing to set
    return Traps()


COLLECTOR = make


def of_watched(refreshes: Iterable[Refresh], traps: Iterable[Asset], now: int) -> Iterator[Refresh]:
    """What may be kept of a file: mails from watched, verified names, of no time before they were both."""
    since = {asset.name: _since(asset) for asset in traps if asset.verified}
    kept: list[Observation] = []
    for refresh in refreshes:
        for hit in refresh.observations:
            names = [name for name in _names(hit.data) if name in since and hit.at >= since[name]]
            kept += [msgspec.structs.replace(hit, asset=name) for name in names[:1]]
        if len(kept) >= _TOGETHER:
            yield from _by_name(kept, now)
            kept = []
    yield from _by_name(kept, now)


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
    domain = line.domain_from.strip().rstrip(".").lower()
    if not ip and not domain:
        raise ValueError("expected ip or domain_from")
    at = moment_ms(line.timestamp)
    data = {
        "ip": ip,
        "domain_from": domain,
        "email_from_header": line.email_from_header[:_LONGEST_TEXT],
        "email_subject": line.email_subject[:_LONGEST_TEXT],
        "smtp_mail_from_domain": line.smtp_mail_from_domain[:_LONGEST_TEXT].lower(),
        "data_colorcode": line.data_colorcode,
        "trap_estimated_domain_age_days": line.trap_estimated_domain_age_days,
    }
    key = line.id or digest(str(at), *map(str, data.values()))
    return Observation(kind=ObservationKind.TRAP_HIT, asset=ip or domain, key=key, at=at, seen_at=now, data=data)


def _names(data: Mapping[str, Any]) -> list[str]:
    return [name for name in (data["ip"], data["domain_from"]) if name]


def _by_name(hits: Iterable[Observation], now: int) -> Iterator[Refresh]:
    found: dict[str, list[Observation]] = defaultdict(list)
    for hit in hits:
        found[hit.asset].append(hit)
    for name, told in found.items():
        yield Refresh(source=Source.TRAPS, kind=AssetKind.TRAP, asset=name, at=now, observations=tuple(told))
