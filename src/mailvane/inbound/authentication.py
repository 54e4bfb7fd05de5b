"""What is known of who really sent a mail: SPF, DKIM and DMARC as somebody trusted found them (RFC 8601). Pure.

Unknown is not pass. Only fields of the relay in front count, by its authserv-id: anybody can write others.
"""

from __future__ import annotations

from collections.abc import Mapping

import authres
from authres.core import AuthResError

from mailvane.inbound.headers import Headers

_METHODS = ("spf", "dkim", "dmarc")


def from_results(headers: Headers, authserv_id: str) -> dict[str, str]:
    """The results in the topmost Authentication-Results of that name; empty when there is none.

    Of several DKIM signatures one that passes is enough (RFC 6376 section 6.1).
    """
    if not authserv_id:
        return {}
    for value in headers.all("Authentication-Results"):
        try:
            read = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {value}")
        except (AuthResError, ValueError, IndexError):
            continue
        if str(read.authserv_id).lower() != authserv_id.lower():
            continue
        found: dict[str, str] = {}
        for each in read.results:
            method = str(each.method).lower()
            if method in _METHODS and found.get(method) != "pass":
                found[method] = str(each.result).lower()
        return found
    return {}


def is_proven(results: Mapping[str, str]) -> bool:
    """Whether the domain in From is proven. SPF and DKIM alone prove another one: they count only within DMARC."""
    return results.get("dmarc") == "pass"


def is_refuted(results: Mapping[str, str]) -> bool:
    """Whether somebody found that the mail is not of the domain in From."""
    return results.get("dmarc") == "fail"
