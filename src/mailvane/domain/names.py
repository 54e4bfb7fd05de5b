"""The one spelling of the name of a domain. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST_NAME = 253
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


@lru_cache(maxsize=65_536)
def canonical_name(name: str) -> str:
    """As a domain is stored: lower case, without a final dot, in ASCII. Empty when nothing can be of that name."""
    lowered = name.strip().lower().removesuffix(".")
    if not lowered.isascii():
        try:
            lowered = lowered.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    if len(lowered) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in lowered.split(".")):
        return ""
    return lowered
