"""What DNS says of a mailbox's domain: MX, SPF (RFC 7208), DKIM (RFC 6376), DMARC (RFC 9989). Asks; keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

import msgspec

from mailvane.core.dns.lookups import Lookups, Unanswered
from mailvane.mailboxes.health import DnsHealth, Exchanger, MxHealth, RecordHealth, RecordStatus

_LONGEST = 4096  # characters of a record that are kept


def asking(lookups: Callable[[], Lookups], selectors: Sequence[str]) -> Callable[[str], DnsHealth]:
    """What asks about a domain and waits for the answers; for any thread without a loop."""
    return lambda domain: asyncio.run(dns_health(domain, selectors, lookups()))


async def dns_health(domain: str, selectors: Sequence[str], lookups: Lookups) -> DnsHealth:
    """Asks all at once. A question that nobody answers is unknown; nothing is raised."""
    mx, spf, dkim, dmarc = await asyncio.gather(
        _mx(domain, lookups), _spf(domain, lookups), _dkim(domain, selectors, lookups), _dmarc(domain, lookups)
    )
    return DnsHealth(mx, spf, dkim, dmarc)


async def _mx(domain: str, lookups: Lookups) -> MxHealth:
    try:
        found = await lookups.preferred_exchangers(domain)
        if not found:  # the address of the domain itself stands in for it (RFC 5321 section 5.1)
            implicit = bool(await lookups.addresses(domain))
            return MxHealth(
                RecordStatus.VALID if implicit else RecordStatus.MISSING, (Exchanger(domain, 0),) if implicit else ()
            )
    except Unanswered:
        return MxHealth(RecordStatus.UNKNOWN)
    records = tuple(Exchanger(exchange, preference) for preference, exchange in found)
    # A null MX (RFC 7505): the domain takes no mail.
    valid = all(record.exchange for record in records)
    return MxHealth(RecordStatus.VALID if valid else RecordStatus.INVALID, records)


async def _spf(domain: str, lookups: Lookups) -> RecordHealth:
    try:
        texts = await lookups.texts(domain)
    except Unanswered:
        return RecordHealth(RecordStatus.UNKNOWN)
    # Section 4.5: the version ends with a space or the record; more than one record is an error.
    found = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    return _judged(found, [text for text in found if _all_of(text) not in {"all", "+all"}])


def _all_of(record: str) -> str:
    """The mechanism that matches everybody, with its qualifier; empty when there is none."""
    return next((term for term in record.lower().split() if term.lstrip("+-~?") == "all"), "")


async def _dkim(domain: str, selectors: Sequence[str], lookups: Lookups) -> RecordHealth:
    """The first selector that has a key; a key that is empty was taken back (section 3.6.1)."""
    asked = (lookups.texts(f"{selector}._domainkey.{domain}") for selector in selectors)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    revoked = RecordHealth(RecordStatus.MISSING)
    for selector, answer in zip(selectors, answers, strict=True):
        for record in _keys(answer):
            if _tags(record).get("p"):
                return RecordHealth(RecordStatus.VALID, record[:_LONGEST], selector)
            revoked = RecordHealth(RecordStatus.INVALID, record[:_LONGEST], selector)
    if revoked.status is RecordStatus.MISSING and any(isinstance(each, Unanswered) for each in answers):
        return RecordHealth(RecordStatus.UNKNOWN)
    return revoked


def _keys(answer: list[str] | BaseException) -> Iterator[str]:
    if isinstance(answer, Unanswered):
        return
    if isinstance(answer, BaseException):
        raise answer
    for record in answer:
        tags = _tags(record)
        if "p" in tags and tags.get("v", "DKIM1") == "DKIM1":
            yield record


async def _dmarc(domain: str, lookups: Lookups) -> RecordHealth:
    """Of the domain, or of the nearest name above that has one (RFC 9989 section 4.10)."""
    labels = domain.split(".")
    try:
        for place in range(max(1, len(labels) - 1)):
            name = ".".join(labels[place:])
            found = [text for text in await lookups.texts(f"_dmarc.{name}") if _tags(text).get("v") == "DMARC1"]
            if found:
                judged = _judged(found, [text for text in found if _policy(text)])
                return msgspec.structs.replace(judged, found_at=name)
    except Unanswered:
        return RecordHealth(RecordStatus.UNKNOWN)
    return RecordHealth(RecordStatus.MISSING)


def _policy(record: str) -> bool:
    return _tags(record).get("p", "").lower() in {"none", "quarantine", "reject"}


def _judged(found: Sequence[str], good: Sequence[str]) -> RecordHealth:
    if not found:
        return RecordHealth(RecordStatus.MISSING)
    valid = len(found) == 1 and len(good) == 1
    return RecordHealth(RecordStatus.VALID if valid else RecordStatus.INVALID, found[0][:_LONGEST])


def _tags(record: str) -> dict[str, str]:
    """Of `name=value; …`, by name."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): "".join(value.split()) for name, equals, value in pairs if equals}
