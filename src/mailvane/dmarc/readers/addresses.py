"""IP addresses as reporters write them, in canonical form. Pure.

Some write a port, brackets, a zone or leading zeros, and some put letters in the place of numbers to protect people.
"""

from __future__ import annotations

import re
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

UNKNOWN = "unknown address"
_LONGEST = 100
_MAPPED = "::ffff:"  # RFC 4291 section 2.5.5.2
_BRACKETED = re.compile(r"\[(?:IPv6:)?([^\[\]]*)\](?::[0-9]{1,5})?", re.IGNORECASE)
_WITH_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_DECIMAL = re.compile(r"0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})\.0*([0-9]{1,3})")


def canonical(text: str) -> str | None:
    """As RFC 5952 writes it, an IPv4 address within IPv6 as what it is; None for what is no address."""
    family = AF_INET6 if ":" in text else AF_INET
    try:
        found = inet_ntop(family, inet_pton(family, text))
    except (OSError, ValueError):
        return None
    return found.removeprefix(_MAPPED) if found.startswith(_MAPPED) and "." in found else found


def as_it_is_meant(text: str) -> str:
    """The address behind what surrounds it; UNKNOWN where there is none."""
    bare = text.strip()[:_LONGEST]
    bracketed = _BRACKETED.fullmatch(bare)
    bare = (bracketed[1] if bracketed else bare).partition("%")[0]
    with_port = _WITH_PORT.fullmatch(bare)
    bare = with_port[1] if with_port else bare
    decimal = _DECIMAL.fullmatch(bare)
    return canonical(".".join(decimal.groups()) if decimal else bare) or UNKNOWN
