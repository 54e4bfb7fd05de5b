"""The one spelling of the name of a domain: A-labels by IDNA 2008, mapped as UTS 46 says, non-transitionally. Pure.

Registries, Postfix and browsers read names so. IDNA 2003, the codec of the standard library, does not: for it straße.de
is strasse.de, which may be somebody else's.
"""

from __future__ import annotations

import re
from functools import lru_cache

import idna

from mailvane.core.errors import InvalidInput

_LONGEST_NAME = 253
_LONGEST_WRITTEN = 4 * _LONGEST_NAME  # characters that stand for nothing may be among them
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_A_LABEL = "xn--"


@lru_cache(maxsize=65_536)
def canonical_name(name: str) -> str:
    """As a domain is stored: lower case, without a final dot, in ASCII. Empty when nothing can be of that name."""
    if len(name) > _LONGEST_WRITTEN:
        return ""
    labels = _mapped(name.strip()).removesuffix(".").split(".")
    try:
        found = ".".join(map(_in_ascii, labels))
    except UnicodeError:  # every error of `idna` is one
        return ""
    return found if _is_host(found) else ""


def looked_up_name(name: str) -> str:
    """Canonical, or as an earlier version may have stored a domain whose A-labels IDNA 2008 does not know."""
    return canonical_name(name) or _stored_before(name)


def mail_domain(domain: str) -> str:
    """The domain of a mail address as it is kept: canonical where it can be, otherwise in lower case."""
    lowered = domain.lower()
    return lowered if lowered.isascii() else canonical_name(domain) or lowered


def readable_label(label: str) -> str:
    """A label as people read it, not as it stands in DNS."""
    try:
        return idna.ulabel(label)
    except UnicodeError:
        return label


@lru_cache(maxsize=4_096)
def _stored_before(name: str) -> str:
    plain = name.strip().lower().removesuffix(".")
    return plain if plain.isascii() and _is_host(plain) else ""


def _mapped(name: str) -> str:
    """By UTS 46, which also knows other full stops. Empty for what it refuses."""
    if name.isascii():
        return name.lower()
    try:
        return idna.uts46_remap(name, std3_rules=False, transitional=False)
    except UnicodeError:
        return ""


def _in_ascii(label: str) -> str:
    """Raises UnicodeError."""
    if not label.isascii():
        return idna.alabel(label).decode("ascii")
    if label.startswith(_A_LABEL):
        idna.ulabel(label)
    return label


def _is_host(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and all(_LABEL.fullmatch(label) for label in name.split("."))


def checked_name(name: str) -> str:
    """The canonical name of a domain that mail can be sent from. Raises InvalidInput."""
    canonical = canonical_name(name)
    if "." not in canonical or canonical.rpartition(".")[2].isdigit():
        raise InvalidInput(f"{name[:80]!r} is not the name of a domain")
    return canonical
