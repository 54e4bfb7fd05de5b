"""A mailbox as people write it, `Name <local@domain>` or `local@domain` (RFC 5322 section 3.4). Pure."""

from __future__ import annotations

from email.errors import InvalidHeaderDefect, NonPrintableDefect, UndecodableBytesDefect
from email.headerregistry import Address, HeaderRegistry
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.core.names import canonical_name, mail_domain

_LONGEST = 1000  # characters as written
_LONGEST_LOCAL = 64  # octets, RFC 5321 section 4.5.3.1.1
_LONGEST_ADDRESS = 254  # octets: a path has 256 with its angle brackets, section 4.5.3.1.3
_BROKEN = (InvalidHeaderDefect, NonPrintableDefect, UndecodableBytesDefect)
_HEADERS = HeaderRegistry()


class Mailbox(msgspec.Struct, frozen=True):
    """One person or program that mail comes from or goes to."""

    name: str  # to be displayed; empty when there is none
    local: str  # without the quotes that it may need
    domain: str  # canonical, in ASCII; or an address literal in brackets

    @property
    def address(self) -> str:
        """The addr-spec, quoted where it has to be: what the envelope and ids need."""
        return Address(username=self.local, domain=self.domain).addr_spec

    def header(self, name: str = "") -> Address:
        """As a header field of a message shows it; `name` is displayed when it has none of its own."""
        return Address(self.name or name, self.local, self.domain)


def read_mailbox(text: str) -> Mailbox:
    """Raises InvalidInput when the text is anything else than one mailbox."""
    try:
        found = _one(text)
        domain = _domain(found.domain)
        mailbox = Mailbox(found.display_name, found.username, domain)
        address = mailbox.address.encode()
    except (ValueError, LookupError, AttributeError, RecursionError):
        raise _wrong(text) from None
    if not (mailbox.name + mailbox.local).isprintable() or not mailbox.local or not domain:
        raise _wrong(text)
    if len(mailbox.local.encode()) > _LONGEST_LOCAL or len(address) > _LONGEST_ADDRESS:
        raise InvalidInput(f"{text[:80]!r} is longer than an address may be")
    return mailbox


def _one(text: str) -> Address:
    """Raises ValueError."""
    if len(text) > _LONGEST or not text.strip().isprintable():
        raise ValueError
    # The standard library's parser of RFC 5322: it repairs what it can, and says what it repaired.
    header: Any = _HEADERS("From", text.strip())
    (group,) = header.groups
    (found,) = group.addresses
    if group.display_name is not None or any(isinstance(defect, _BROKEN) for defect in header.defects):
        raise ValueError
    one: Address = found
    return one


def _domain(written: str) -> str:
    """Empty when it is none. Raises ValueError for a literal that is no address."""
    if not written.startswith("["):
        return canonical_name(written)
    inner = written.removeprefix("[").removesuffix("]")
    if inner.lower().startswith("ipv6:"):
        return f"[IPv6:{IPv6Address(inner[5:])}]"
    return f"[{IPv4Address(inner)}]"


def _wrong(text: str) -> InvalidInput:
    return InvalidInput(
        f"{text[:80]!r} is no mail address: expected one such as alerts@example.com or"
        ' "Alerts, Mailvane" <alerts@example.com>; a name with commas or other signs stands in quotes'
    )


def canonical_address(address: str) -> str:
    """The address with its domain in lower case (RFC 5321 section 2.4: only the local part may have a case).

    A domain that is not in ASCII is kept as the DNS knows it, so that both spellings are one (RFC 6531 section 3.2).
    """
    local, at, domain = address.rpartition("@")
    return f"{local}@{mail_domain(domain)}" if at else address


def domain_of(address: str) -> str:
    """The part after the last `@`, or the empty string."""
    return address.rpartition("@")[2] if "@" in address else ""
