"""Lines that every Postfix writes and that say nothing of a mail's fate. Others count as not understood."""

from __future__ import annotations

_ASIDES = (
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
    "close database", "TLS handshake failed for ", "whitelist", "allowlist",
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
    "Postfix is using backwards-compatible", "See http", "To disable backwards compatibility",
    "starting the Postfix", "stopping the Postfix", "refreshing the Postfix", "the Postfix mail system",
    "waiting for", "Deleted: ", "Requeued: ", "Placed on hold: ", "Released from hold: ", "Expired: ",
    "Removed: ", "name_mask:", "dict_", "configuration ", "process ", "watchdog", "open ", "scanning", "max ",
    "exiting", "rewrite", "verify ", "Message delivery request", "postfix-script", "start ", "postqueue",
    "to turn off these warnings", "please avoid flushing", "this may slow down", "you may need to",
)  # fmt: skip


def is_aside(text: str) -> bool:
    return text.startswith(_ASIDES)
