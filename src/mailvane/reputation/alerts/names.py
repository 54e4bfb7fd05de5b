"""The names that rules list: addresses and domains, or a word for all that are watched. Pure.

They are compared with what sources say, which comes in one spelling: a name in another would be silent for ever.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address
from typing import Annotated

from msgspec import Meta

from mailvane.core.names import canonical_name

# Any of them means all in any list: the vendor's own guide mixes them up.
WORDS = frozenset(
    {
        "ALL_IPS",
        "ALL_DOMAINS",
        "ALL_GP_DOMAINS",
        "ALL_GP_IPS",
        "ALL_SNDS_IPS",
        "ALL_TRAPS_IPS",
        "ALL_TRAPS_DOMAINS",
    }
)
_MOST = 10_000


class Address(str):
    """An IP address in its one spelling, or one of the words. Marks what `spelled` has to read; see `plain`."""

    __slots__ = ()


class DomainName(str):
    """A domain in its one spelling, or one of the words. Marks what `spelled` has to read; see `plain`."""

    __slots__ = ()


Addresses = Annotated[tuple[Address, ...], Meta(min_length=1, max_length=_MOST)]
DomainNames = Annotated[tuple[DomainName, ...], Meta(min_length=1, max_length=_MOST)]


def stands_for_all(names: Collection[str]) -> bool:
    return not WORDS.isdisjoint(names)


def spelled(kind: type, told: object) -> object:
    """From what a user wrote. Raises ValueError."""
    if kind is not Address and kind is not DomainName:
        raise NotImplementedError
    if not isinstance(told, str):
        raise ValueError(f"Expected `str`, got `{type(told).__name__}`")  # noqa: TRY004 - becomes the field's complaint
    if told in WORDS:
        return kind(told)
    return Address(_address(told)) if kind is Address else DomainName(_domain(told))


def plain(value: object) -> object:
    """Without the mark of its reading: what a rule tells of is encoded, and no encoder knows subclasses of text."""
    if isinstance(value, tuple):
        return tuple(plain(each) for each in value)
    return str(value) if isinstance(value, Address | DomainName) else value


@lru_cache(maxsize=65_536)
def _address(text: str) -> str:
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        raise ValueError(f"{text[:80]!r} is no IP address") from None


def _domain(text: str) -> str:
    name = canonical_name(text)
    if not name:
        raise ValueError(f"{text[:80]!r} is not the name of a domain")
    return name
