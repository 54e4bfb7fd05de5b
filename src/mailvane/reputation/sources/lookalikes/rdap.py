"""Asks registries about domains by RDAP (RFC 9082, 9083), each at a polite pace. What they say is kept by others.

Which registry is asked comes from IANA's list (RFC 9224), fetched at most once a day or read from a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from mailvane.core.decoding import prepared
from mailvane.core.errors import CollectionFailed
from mailvane.core.http_client import Answer, HttpClient, RateLimited
from mailvane.core.moments import DAY_MS, MINUTE_MS

PACE_SECONDS = 1.0  # ours: between two questions to one registry; none publishes what it takes
_LIST_KEPT_MS = DAY_MS
_LIST_RETRY_MS = 10 * MINUTE_MS
_LEAST_REST_SECONDS = 60.0  # after a server asked for patience
_NO_PATIENCE = "the registry asked for patience, which is not over"
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_LONGEST = 300  # of any text that a registry tells


class Registration(msgspec.Struct, frozen=True):
    """What a registry says of a domain. Times in milliseconds; None: it does not say."""

    reg_created_date: int | None = None
    reg_updated_date: int | None = None
    registrar: str = ""
    registrar_abuse_email: str = ""
    dnssec: bool | None = None


class NoRegistry(CollectionFailed):
    """No registry is known that could be asked."""


class Registries:
    """Belongs to one event loop at a time. `bootstrap` is an address or a path."""

    def __init__(self, bootstrap: str, pace: float = PACE_SECONDS) -> None:
        self._bootstrap = bootstrap
        self._pace = pace
        self._servers: Mapping[str, str] = {}
        self._listed_at = 0
        self._list_error: tuple[int, str] | None = None
        # By server and the loop's clock: when the next question may be asked, and until when it asked for patience.
        self._free_at: dict[str, float] = {}
        self._rests_until: dict[str, float] = {}

    async def registration(self, client: HttpClient, name: str, now: int) -> Registration | None:
        """None: the registry says that nobody has it. Raises NoRegistry, CollectionFailed."""
        base = await self._base(client, name, now)
        url = f"{base}domain/{quote(name)}"
        answer, asked = await self._followed(client, url)
        if answer.status == 404:
            if urlsplit(asked).netloc != urlsplit(base).netloc:
                raise CollectionFailed("a server that is not the registry's own does not know it")
            return None
        if answer.status != 200:
            raise CollectionFailed(f"the registry answered with status {answer.status}")
        return read_registration(answer.body, name)

    async def _followed(self, client: HttpClient, url: str) -> tuple[Answer, str]:
        listed = urlsplit(url).hostname
        for _ in range(_MOST_REDIRECTS + 1):
            # Where a registry sends us to is its own word, and no setting: never into this machine's network.
            answer = await self._paced(client, url, public=urlsplit(url).hostname != listed)
            if answer.status not in _REDIRECTS:
                return answer, url
            target = urljoin(url, answer.headers.get("location", ""))
            if urlsplit(target).scheme not in ("https", urlsplit(url).scheme):
                raise CollectionFailed("the registry redirects to somewhere less safe")
            url = target
        raise CollectionFailed("the registry redirects without end")

    async def _paced(self, client: HttpClient, url: str, *, public: bool) -> Answer:
        server = urlsplit(url).netloc
        clock = asyncio.get_running_loop().time
        if clock() < self._rests_until.get(server, 0.0):
            raise CollectionFailed(_NO_PATIENCE)
        begin = max(clock(), self._free_at.get(server, 0.0))
        self._free_at[server] = begin + self._pace
        await asyncio.sleep(begin - clock())
        if clock() < self._rests_until.get(server, 0.0):
            raise CollectionFailed(_NO_PATIENCE)
        try:
            return await client.ask(url, headers={"Accept": "application/rdap+json, application/json"}, public=public)
        except RateLimited as error:
            self._rests_until[server] = clock() + max(error.wait_ms / 1000, _LEAST_REST_SECONDS)
            raise

    async def _base(self, client: HttpClient, name: str, now: int) -> str:
        await self._list(client, now)
        labels = name.lower().split(".")
        for place in range(1, len(labels)):
            base = self._servers.get(".".join(labels[place:]))
            if base:
                return base
        raise NoRegistry(f"no registry of .{labels[-1][:63]} answers by RDAP")

    async def _list(self, client: HttpClient, now: int) -> None:
        """An old list is better than none, while a new one cannot be had."""
        if self._servers and now - self._listed_at < _LIST_KEPT_MS:
            return
        if self._list_error is not None and now - self._list_error[0] < _LIST_RETRY_MS:
            if self._servers:
                return
            raise CollectionFailed(self._list_error[1])
        try:
            self._servers = read_bootstrap(await self._bootstrap_text(client))
            self._listed_at, self._list_error = now, None
        except CollectionFailed as error:
            self._list_error = (now, error.message)
            if not self._servers:
                raise

    async def _bootstrap_text(self, client: HttpClient) -> bytes:
        if "://" not in self._bootstrap:
            try:
                return await asyncio.to_thread(Path(self._bootstrap).read_bytes)
            except OSError as error:
                raise CollectionFailed(f"rdap_bootstrap cannot be read: {error.strerror}") from None
        answer = await client.ask(self._bootstrap)
        if answer.status != 200:
            raise CollectionFailed(f"the list of RDAP servers was answered with status {answer.status}")
        return answer.body


class _List(msgspec.Struct):
    services: list[list[list[str]]]


def read_bootstrap(text: bytes) -> dict[str, str]:
    """The server of each ending, one that is reached safely if there is. Raises CollectionFailed."""
    try:
        services = msgspec.json.decode(text, type=prepared(_List)).services
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CollectionFailed("the list of RDAP servers is not understood") from None
    found: dict[str, str] = {}
    for service in services:
        bases = [url for url in (service[1] if len(service) > 1 else []) if url.startswith(("https://", "http://"))]
        if bases:
            base = next((url for url in bases if url.startswith("https://")), bases[0])
            found.update(dict.fromkeys(map(str.lower, service[0]), base.rstrip("/") + "/"))
    return found


def read_registration(text: bytes, name: str) -> Registration:
    """Raises CollectionFailed when it is not about this domain."""
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CollectionFailed("the registry's answer is not understood") from None
    if not isinstance(document, dict) or str(document.get("ldhName", name)).rstrip(".").lower() != name.lower():
        raise CollectionFailed("the registry's answer is about something else")
    if not {"objectClassName", "ldhName", "events", "entities"} & document.keys():
        raise CollectionFailed("the registry's answer is not understood")
    registrar = next(_with_role(document, "registrar"), {})
    abuse = next(_with_role(registrar, "abuse"), next(_with_role(document, "abuse"), {}))
    secure = document.get("secureDNS")
    signed = secure.get("delegationSigned") if isinstance(secure, dict) else None
    return Registration(
        reg_created_date=_event(document, "registration"),
        # Not "last update of RDAP database": that is of the database, and moves every day.
        reg_updated_date=_event(document, "last changed"),
        registrar=_name(registrar),
        registrar_abuse_email=_card(abuse, "email"),
        dnssec=signed if isinstance(signed, bool) else None,
    )


def _dicts(value: Any) -> Sequence[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _with_role(document: Mapping[str, Any], role: str) -> Iterator[Mapping[str, Any]]:
    for entity in _dicts(document.get("entities")):
        roles = entity.get("roles")
        if isinstance(roles, list) and role in roles:
            yield entity


def _event(document: Mapping[str, Any], action: str) -> int | None:
    for event in _dicts(document.get("events")):
        if event.get("eventAction") == action:
            try:
                moment = datetime.fromisoformat(str(event.get("eventDate")).strip())
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return int(moment.timestamp() * 1000)
            except (ValueError, OverflowError):
                continue
    return None


def _name(entity: Mapping[str, Any]) -> str:
    """Of an entity; else, where it has none of its own, of the first one in it that has: some registries write only the
    contacts of a registrar out.
    """
    within = (entity, *_dicts(entity.get("entities")))
    return next((name for each in within if (name := _card(each, "fn") or _card(each, "org"))), "")


def _card(entity: Mapping[str, Any], wanted: str) -> str:
    """A property of its jCard (RFC 7095); of one in several components, such as `org`, the first."""
    card = entity.get("vcardArray")
    properties = card[1] if isinstance(card, list) and len(card) > 1 and isinstance(card[1], list) else []
    for each in properties:
        if not (isinstance(each, list) and len(each) > 3 and str(each[0]).lower() == wanted):
            continue
        value = each[3][0] if isinstance(each[3], list) and each[3] else each[3]
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())[:_LONGEST]
    return ""
