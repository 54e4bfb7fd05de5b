"""What the line of a delivery agent says became of a recipient. One attempt at a time, no memory.

A content filter that throws a mail away tells Postfix that it has taken it, so its words are looked at. Those of a
server elsewhere are not: what another relay does with a mail that it took is no longer this relay's mail.
"""

from __future__ import annotations

import re

from mailvane.maillog.model import EventType
from mailvane.maillog.postfix.records import Attempt

OUTCOMES = {
    "sent": EventType.DELIVERED,
    "deferred": EventType.DEFERRED,
    "SOFTBOUNCE": EventType.DEFERRED,
    "bounced": EventType.BOUNCED,
    "expired": EventType.EXPIRED,
    "deliverable": EventType.DELIVERED,
    "undeliverable": EventType.BOUNCED,
    "undeliverable-but-not-cached": EventType.BOUNCED,
}
PROBES = frozenset({"deliverable", "undeliverable", "undeliverable-but-not-cached"})
# ours: a pipe(8) service of such a name delivers; any other one that is followed by the same mail is a filter.
DELIVERY_PIPES = frozenset({"dovecot", "maildrop", "procmail", "cyrus", "uucp", "mailman", "bsmtp", "ifmail"})
# IPv4 and IPv6 of this machine, and of networks that no route leads to from elsewhere (RFC 1122, 1918, 3927, 4193,
# 4291, 6598).
LOOPBACK = ("127.", "::1", "::ffff:127.")
PRIVATE = (
    "10.", "192.168.", "169.254.", "fc", "fd", "fe8", "fe9", "fea", "feb",
    *(f"172.{n}." for n in range(16, 32)), *(f"100.{n}." for n in range(64, 128)),
)  # fmt: skip
_NEAR = (*LOOPBACK, *PRIVATE)
# amavis: "250 2.7.0 Ok, discarded, id=1-01 - INFECTED: Eicar", "250 2.5.0 Ok, id=1-01, DISCARD(bounce.suppressed)";
# clamsmtp and proxsmtp: "250 Virus Detected; Discarded Email"; Proxmox: "250 2.7.0 BLOCKED (4A2B)".
_SWALLOWED = re.compile(
    r"\bdiscard(?:ed|ing|s)?\b|\bvirus (?:detected|found)\b|\binfected\b|\bbanned\b|\bquarantin(?:ed?|ing)\b"
    r"|\bblocked\b|\b(?:message|mail|email) (?:was )?(?:dropped|deleted|removed)\b",
    re.IGNORECASE,
)
# amavis, when it has written to the sender itself: "250 2.5.0 Ok, id=1-01, BOUNCE".
_RETURNED = re.compile(r"\bBOUNCED?\b")
_ADDRESS = re.compile(r"<[^<>]*>")
# ours: how LMTP servers say that a mail is in its mailbox: Dovecot, Cyrus, Zimbra, DBMail.
_IN_MAILBOX = re.compile(r"\bSaved\b|SESSIONID=|\bDelivery OK\b|\b(?:delivered|stored)\b", re.IGNORECASE)


def is_near(address: str) -> bool:
    """Whether an IP address, or the path of a socket, is of this machine or of its own networks."""
    return address.startswith(_NEAR) or "/" in address


def swallowed(attempt: Attempt, transport: str) -> EventType | None:
    """What a content filter of this relay did with a mail that it took and will not give back."""
    if transport != "pipe" and not is_near(attempt.address):
        return None
    if "queued as " in attempt.reply:
        return None
    reply = _ADDRESS.sub("", attempt.reply)
    if _SWALLOWED.search(reply):
        return EventType.DISCARDED
    return EventType.BOUNCED if _RETURNED.search(reply) else None


def may_be_filter(attempt: Attempt, transport: str) -> bool:
    """Whether what took the mail, and named no new queue id, may be a filter that gives it back."""
    if transport == "pipe":
        return attempt.relay not in DELIVERY_PIPES
    if transport == "lmtp":
        return is_near(attempt.address) and "/" not in attempt.address and not _IN_MAILBOX.search(attempt.reply)
    return transport not in ("local", "virtual") and is_near(attempt.address)
