"""Honeytokens: mails to addresses that were given to one party only, so whoever else writes has them from a leak.

Nothing outside is asked. Who the token was given to may write: the domains that its asset's details name as trusted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from mailvane.collectors.json_lines import digest, moment_ms, records
from mailvane.domain.reputation import Asset, AssetKind, Observation, ObservationKind, Refresh, Source
from mailvane.errors import InvalidInput
from mailvane.reputation_config import ReputationSettings

TRUSTED = "trusted_domains"  # of an asset's details: those that the token was given to
_TOGETHER = 1000  # mails: each refresh costs a transaction, so those to one token go together


class Honeytokens:
    """Reads files; there is nobody to ask."""

    source = Source.HONEYTOKENS

    async def refresh(self, assets: Sequence[Asset], now: int) -> AsyncIterator[Refresh]:
        """Every token is up to date: what it receives comes by itself."""
        for asset in assets:
            yield Refresh(source=self.source, kind=AssetKind.HONEYTOKEN, asset=asset.name, at=now)

    def read(self, file: BinaryIO, name: str, now: int) -> Iterator[Refresh]:
        """JSON lines of `{"from_email", "to_email", "timestamp"}`, to whatever address. Raises InvalidInput."""
        hits: list[Observation] = []
        for place, line in records(file, name, _Line):
            try:
                hits.append(_hit(line, now))
            except ValueError as error:
                raise InvalidInput(f"{place}: {error}") from None
            if len(hits) >= _TOGETHER:
                yield from _by_token(hits, now)
                hits = []
        yield from _by_token(hits, now)


def make(settings: ReputationSettings) -> Honeytokens:  # noqa: ARG001 - there is nothing to set
    return Honeytokens()


COLLECTOR = make


def of_watched(refreshes: Iterable[Refresh], tokens: Iterable[Asset], now: int) -> Iterator[Refresh]:
    """What may be kept of a file: mails to watched tokens by others than those whom they were given to."""
    trusted = {token.name: frozenset(map(str, token.details.get(TRUSTED, ()))) for token in tokens if token.verified}
    for refresh in refreshes:
        yield from _by_token(
            [
                hit
                for hit in refresh.observations
                if hit.asset in trusted and hit.data["domain"] not in trusted[hit.asset]
            ],
            now,
        )


class _Line(msgspec.Struct):
    to_email: Annotated[str, Meta(max_length=320)]
    from_email: Annotated[str, Meta(max_length=320)]
    timestamp: float | str
    id: Annotated[str, Meta(max_length=200)] = ""
    domain: Annotated[str, Meta(max_length=253)] = ""


def _hit(line: _Line, now: int) -> Observation:
    """Raises ValueError."""
    sender, token = line.from_email.strip().lower(), line.to_email.strip().lower()
    if "@" not in token:
        raise ValueError(f"to_email: {token[:80]!r} is no mail address")
    domain = line.domain.strip().rstrip(".").lower() or sender.rpartition("@")[2].rstrip(".")
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


def _by_token(hits: Iterable[Observation], now: int) -> Iterator[Refresh]:
    found: dict[str, list[Observation]] = defaultdict(list)
    for hit in hits:
        found[hit.asset].append(hit)
    for token, told in found.items():
        yield Refresh(
            source=Source.HONEYTOKENS, kind=AssetKind.HONEYTOKEN, asset=token, at=now, observations=tuple(told)
        )
