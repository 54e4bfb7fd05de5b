"""Lines that every Postfix writes and that say nothing of what became of a mail. Others count as not understood."""

from __future__ import annotations

import re

REMARKS = frozenset(
    [
        "bcc",
        "delay",
        "filter",
        "header-redirect",
        "info",
        "milter-header-redirect",
        "milter-redirect",
        "pass",
        "permit",
        "prepend",
        "proxy-accept",
        "redirect",
        "reject_warning",
        "replace",
        "strip",
        "warn",
        "warning",
    ]
)
_IGNORED = (
    "warning: ", "fatal: ", "panic: ", "error: ", "statistics: ",
    # smtpd
    "connect from ", "disconnect from ", "lost connection ", "timeout after ", "too many errors after ",
    "SSL_accept error", "setting up TLS connection", "initializing the server-side TLS", "Anonymous TLS ",
    "Trusted TLS ", "Untrusted TLS ", "Verified TLS ", "improper command pipelining", "discarding EHLO keywords",
    "bare <LF> received", "NOQUEUE: ", "proxy-accept", "proxy-reject", "hostname ",
    "using backwards-compatible default", "TLS SNI", "abort: TLS", "warn: ", "refreshing the ", "reusing the ",
    # postscreen, dnsblog, tlsproxy
    "CONNECT from ", "DISCONNECT ", "PASS ", "PREGREET ", "DNSBL rank ", "HANGUP after ", "WHITELISTED ",
    "ALLOWLISTED ", "BLACKLISTED ", "DENYLISTED ", "WHITELIST VETO ", "ALLOWLIST VETO ", "COMMAND ",
    "NON-SMTP COMMAND ", "BARE NEWLINE ", "BARE <LF>", "ENFORCE ", "DATA without ", "cache ", "addr ",
    "close database", "TLS handshake failed", "whitelist", "allowlist",
    # smtp and lmtp
    "connect to ", "SSL_connect error ", "certificate verification failed", "Server certificate",
    "Host offered STARTTLS", "host ", "lost connection with ", "conversation with ", "enabling PIX workarounds",
    "SASL authentication failed",
    "SASL [CACHED] authentication failed", "breaking line", "initializing the client-side TLS", "looking for session",
    "certificate peer name", "subject_CN=", "fingerprint verification", "TLSA ", "mta-sts", "Cannot start TLS",
    "no shared cipher",
    # qmgr and the rest
    "skipped, still being delivered", "status=deferred (", "passing ", "delivery temporarily suspended",
    "message has been", "table ", "daemon started", "reload ", "reloading", "terminating on signal",
    "Postfix is ", "See http", "To disable backwards compatibility",
    "starting the Postfix", "stopping the Postfix", "refreshing the Postfix", "the Postfix mail system",
    "waiting for", "Deleted: ", "Requeued: ", "Placed on hold: ", "Released from hold: ", "Expired: ",
    "Removed: ", "name_mask:", "dict_", "configuration ", "process ", "watchdog", "open ", "scanning", "max ",
    "exiting", "rewrite", "verify ", "Message delivery request", "postfix-script", "start ", "postqueue",
    "to turn off these warnings", "please avoid flushing", "this may slow down", "you may need to",
)  # fmt: skip
# Of these, starts of texts of smtpd, postscreen and delivery agents that leave nothing behind, whatever follows, if it
# is no attempt, no client, no TLS connection and no answer of a proxy. None of them can begin with a queue id.
HARMLESS = tuple(
    start
    for start in _IGNORED
    if start not in ("connect from ", "disconnect from ", "NOQUEUE: ", "proxy-accept", "proxy-reject")
)
# What a daemon with `-v` says, or for a client in `debug_peer_list`: a function's name, the dialogue, attributes.
_VERBOSE = re.compile(
    r"[<>] [^\s\[]*\[|>>> |[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?: \w+)?: |(?:private|public)/[\w-]+(?: socket)?: "
    r"|(?:input|send) attr|(?:fsspace|mynetworks|mydestination|extract_addr|smtputf8): "
    r"|(?:before|after) input_transp_cleanup|connect to subsystem |(?:rewrite|proxymap|resolve) stream |trying\.\.\. "
    r"|report .* to all milters|connection (?:established|closed)|idle timeout|been_here|maps_append|watchdog"
)


def is_ignored(text: str) -> bool:
    return text.startswith(_IGNORED) or _VERBOSE.match(text) is not None


def is_remark(text: str) -> bool:
    """Whether the text behind a queue id is one that changes nothing."""
    return text.partition(": ")[0] in REMARKS or is_ignored(text)
