"""Spam scores: what is known of one mail, and how Rspamd and SpamAssassin write them into headers. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from mailvane.inbound.headers import Headers

_SYMBOL = re.compile(r"([A-Z][A-Z0-9_.-]{1,80})\((-?[0-9]{1,4}(?:\.[0-9]{1,4})?)\)")
_RSPAMD = re.compile(r"[^:;]{1,80}:\s*(?:True|False)[^\[;]{0,20}\[\s*(-?[0-9.]{1,10})\s*/\s*-?[0-9.]{1,10}\s*\]")
_ASSASSIN = re.compile(r"(?:Yes|No)\s*,\s*(?:score|hits)=\s*(-?[0-9]{1,5}(?:\.[0-9]{1,4})?)", re.IGNORECASE)
_TESTS = re.compile(r"\btests=\[?([A-Za-z0-9_=.,\s-]{0,8000})")
_TEST = re.compile(r"([A-Z][A-Z0-9_]{1,80})(?:=(-?[0-9]{1,4}(?:\.[0-9]{1,4})?))?")
_NUMBER = re.compile(r"-?[0-9]{1,5}(?:\.[0-9]{1,6})?")


class Symbol(msgspec.Struct, frozen=True):
    """One finding of a spam filter."""

    name: str
    score: float = 0.0


class SpamScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a spam filter said. `value` None: nobody said anything, which is not the same as clean."""

    value: float | None = None
    symbols: tuple[Symbol, ...] = ()
    authentication: Mapping[str, str] = {}  # "spf", "dkim", "dmarc": as the filter found them
    problem: str = ""  # why there is no score, for people


UNKNOWN = SpamScore()


def from_headers(headers: Headers) -> SpamScore:
    """Of the topmost header of each kind: a relay in front adds above what the sender wrote.

    `X-Spamd-Result` and `X-Rspamd-Score` are Rspamd's, `X-Spam-Status` is SpamAssassin's, `X-Spam-Score` both write.
    """
    for value in headers.all("X-Spamd-Result")[:1]:
        match = _RSPAMD.match(value)
        score = _number(match[1]) if match else None
        if score is not None:
            symbols = tuple(Symbol(name, float(told)) for name, told in _SYMBOL.findall(value))
            return SpamScore(value=score, symbols=symbols, authentication=authentication_of(symbols))
    for value in headers.all("X-Spam-Status")[:1]:
        match = _ASSASSIN.match(value.strip())
        if match:
            return SpamScore(value=float(match[1]), symbols=_tests(value))
    for name in ("X-Rspamd-Score", "X-Spam-Score"):
        for value in headers.all(name)[:1]:
            score = _number(value.strip())
            if score is not None:
                return SpamScore(value=score)
    return SpamScore(problem="no header tells a score")


# Rspamd's own words for what SPF, DKIM and DMARC came to.
_RESULTS = {
    "R_SPF_ALLOW": ("spf", "pass"),
    "R_SPF_FAIL": ("spf", "fail"),
    "R_SPF_SOFTFAIL": ("spf", "softfail"),
    "R_SPF_NEUTRAL": ("spf", "neutral"),
    "R_SPF_NA": ("spf", "none"),
    "R_SPF_DNSFAIL": ("spf", "temperror"),
    "R_SPF_PERMFAIL": ("spf", "permerror"),
    "R_DKIM_ALLOW": ("dkim", "pass"),
    "R_DKIM_REJECT": ("dkim", "fail"),
    "R_DKIM_TEMPFAIL": ("dkim", "temperror"),
    "R_DKIM_PERMFAIL": ("dkim", "permerror"),
    "R_DKIM_NA": ("dkim", "none"),
    "DMARC_POLICY_ALLOW": ("dmarc", "pass"),
    "DMARC_POLICY_ALLOW_WITH_FAILURES": ("dmarc", "pass"),
    "DMARC_POLICY_REJECT": ("dmarc", "fail"),
    "DMARC_POLICY_QUARANTINE": ("dmarc", "fail"),
    "DMARC_POLICY_SOFTFAIL": ("dmarc", "fail"),
    "DMARC_NA": ("dmarc", "none"),
    "DMARC_DNSFAIL": ("dmarc", "temperror"),
    "DMARC_BAD_POLICY": ("dmarc", "permerror"),
}


def authentication_of(symbols: tuple[Symbol, ...]) -> dict[str, str]:
    """What Rspamd's symbols say of authentication."""
    return dict(_RESULTS[symbol.name] for symbol in symbols if symbol.name in _RESULTS)


def _tests(value: str) -> tuple[Symbol, ...]:
    match = _TESTS.search(value)
    if match is None:
        return ()
    text = re.split(r"\s+[a-z]+=", match[1])[0]  # the next field of the header
    return tuple(Symbol(name, float(score or 0)) for name, score in _TEST.findall(text) if name != "NONE")


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None
