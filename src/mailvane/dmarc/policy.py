"""The DMARC record of a domain, as receivers find it (RFC 9989): its own, or that of a name above. Knows no asset."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

_MOST_ASKED = 8  # names; a receiver asks no more
_LONGEST = 7  # labels of the first name above that is asked about, when there are many
_TAGS = ("p", "sp", "np", "adkim", "aspf", "fo", "t", "pct", "psd")
_ADDRESSES = ("rua", "ruf")


async def policy_of(domain: str, texts: Callable[[str], Awaitable[list[str]]]) -> Mapping[str, Any]:
    """Every field each time: what is not said any more must not stay as it was. Raises what asking raises."""
    for name in names_asked(domain):
        records = [text for text in await texts(f"_dmarc.{name}") if is_record(text)]
        if len(records) > 1:
            continue  # several are none
        if records:
            return _details(records[0], name)
    return _details("", "")


def is_record(text: str) -> bool:
    first = text.partition(";")[0]
    tag, equals, value = first.partition("=")
    return bool(equals) and tag.strip() == "v" and value.strip() == "DMARC1"


def names_asked(domain: str) -> Iterator[str]:
    """The domain, then those above it, up to the top."""
    labels = domain.split(".")
    yield domain
    above = labels[1:] if len(labels) <= _MOST_ASKED else labels[-_LONGEST:]
    for place in range(min(len(above), _MOST_ASKED - 1)):
        yield ".".join(above[place:])


def tags_of(record: str) -> dict[str, str]:
    """By name; of one that is said twice, the first."""
    tags: dict[str, str] = {}
    for part in record.split(";"):
        name, equals, value = part.partition("=")
        if equals:
            tags.setdefault(name.strip().lower(), value.strip())
    return tags


def _details(record: str, found_at: str) -> Mapping[str, Any]:
    tags = tags_of(record)
    details: dict[str, Any] = {"dmarc": record[:2000], "found_at": found_at}
    details |= {name: tags.get(name, "").lower()[:100] for name in _TAGS}
    # Those that reports go to, without the limit of size that may stand behind one.
    details |= {
        name: [uri.strip().partition("!")[0] for uri in tags.get(name, "").split(",") if uri.strip()][:20]
        for name in _ADDRESSES
    }
    return details
