"""Honeytokens: mails to addresses that were given to one party only, so whoever else writes has them from a leak.

Nothing outside is asked. Who the token was given to may write: the domains that its asset's details name as trusted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from mailvane.core.mailbox import canonical_address
from mailvane.core.names import mail_domain
from mailvane.reputation.model import Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.reputation.settings import ReputationSettings
from mailvane.reputation.sources.feeds import Feed
from mailvane.reputation.sources.json_lines import digest, moment_ms

TRUSTED = "trusted_domains"  # of an asset's details: those that the token was given to


def of_watched(refreshes: Iterable[Refresh], tokens: Iterable[Asset], now: int) -> Iterator[Refresh]:
    """What may be kept of a file: mails to watched tokens by others than those whom they were given to."""
    trusted = {token.name: frozenset(map(str, token.details.get(TRUSTED, ()))) for token in tokens if token.verified}
    kept = (
        hit
        for refresh in refreshes
        for hit in refresh.observations
        if hit.asset in trusted and hit.data["domain"] not in trusted[hit.asset]
    )
    return FEED.refreshes(kept, now)


class _Line(msgspec.Struct):
    to_email: Annotated[str, Meta(max_length=320)]
    from_email: Annotated[str, Meta(max_length=320)]
    timestamp: float | str
    id: Annotated[str, Meta(max_length=200)] = ""
    domain: Annotated[str, Meta(max_length=253)] = ""


def _hit(line: _Line, now: int) -> Observation:
    """Raises ValueError."""
    sender, token = canonical_address(line.from_email.strip()).lower(), canonical_address(line.to_email.strip()).lower()
    if "@" not in token:
        raise ValueError(f"to_email: {token[:80]!r} is no mail address")
    domain = mail_domain(line.domain.strip().rstrip(".")) or sender.rpartition("@")[2].rstrip(".")
    if not domain:
        raise ValueError("expected the domain that the mail came from")
    at = moment_ms(line.timestamp)
    return Observation(
        kind=ObservationKind.HONEYTOKEN_HIT,
        asset=token,
        key=line.id or digest(str(at), sender, token, domain),
        at=at,
        seen_at=now,
        data={"from_email": sender, "to_email": token, "domain": domain},
    )


FEED = Feed(Source.HONEYTOKENS, AssetKind.HONEYTOKEN, _Line, _hit, of_watched)


def make(settings: ReputationSettings) -> Feed[_Line]:  # noqa: ARG001 - there is nothing to set
    return FEED


COLLECTOR = make
