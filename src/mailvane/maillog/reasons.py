"""Why a delivery failed: replies sorted into reason families by the table in `reasons.toml`. No rule lives in code."""

from __future__ import annotations

import re
import tomllib
from functools import cache, cached_property, lru_cache
from importlib import resources

import msgspec

from mailvane.core.decoding import prepared
from mailvane.maillog.model import ReasonFamily

_CACHED_REPLIES = 16_384
# What differs from mail to mail and decides nothing: addresses, IP addresses, queue ids. The rules never see it, so
# that replies of one kind are decided once.
_PECULIAR = re.compile(
    r"<[^<>@]*+@[^<>]*+>|(?<![0-9])[0-9]++\.[0-9]++\.[0-9]++\.[0-9]++"
    r"|(?<![A-Za-z0-9_-])(?![245][0-9]{2}-)[A-Za-z_-]*+[0-9][A-Za-z0-9_-]{7,}+|\s++"
)
_LONGEST_REPLY = 4000  # characters that are looked at; of what is left when that is cut out:
_LONGEST_ESSENCE = 1000


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the table: all that it names must hold."""

    family: ReasonFamily
    text: str = ""  # regular expression, searched in the reply in any case
    code: str = ""  # regular expression for the whole reply code
    enhanced: str = ""  # regular expression for the whole enhanced code
    hard: bool | None = None  # None: by the class of the code


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: list[Rule]


class _Matcher(msgspec.Struct, frozen=True):
    rule: Rule
    text: re.Pattern[str] | None
    code: re.Pattern[str] | None
    enhanced: re.Pattern[str] | None

    def matches(self, text: str, code: str, enhanced: str) -> bool:
        return (
            (self.code is None or self.code.fullmatch(code) is not None)
            and (self.enhanced is None or self.enhanced.fullmatch(enhanced) is not None)
            and (self.text is None or self.text.search(text) is not None)
        )


class Reasons:
    """The table, ready for use. The first rule that matches decides."""

    def __init__(self, rules: list[Rule]) -> None:
        self._rules = rules
        self._cached = lru_cache(_CACHED_REPLIES)(self._decide)

    @cached_property
    def _matchers(self) -> list[_Matcher]:
        """Compiled with the first reply: that takes a tenth of a second, which a start should not wait for."""
        return [
            _Matcher(rule, _compiled(rule.text, re.IGNORECASE), _compiled(rule.code), _compiled(rule.enhanced))
            for rule in self._rules
        ]

    def sort(self, reply: str, code: int, enhanced: str) -> tuple[ReasonFamily, bool]:
        """`(family, hard)`: hard when trying again cannot help."""
        return self._cached(_PECULIAR.sub(" ", reply[:_LONGEST_REPLY])[:_LONGEST_ESSENCE], str(code or ""), enhanced)

    def _decide(self, reply: str, code: str, enhanced: str) -> tuple[ReasonFamily, bool]:
        permanent = (code or enhanced)[:1] == "5"
        for matcher in self._matchers:
            if matcher.matches(reply, code, enhanced):
                hard = matcher.rule.hard
                return matcher.rule.family, permanent if hard is None else hard and permanent
        return ReasonFamily.OTHER, permanent


@cache
def load_reasons() -> Reasons:
    """The table that ships with Mailvane; compiled once, shared by all that sort replies."""
    text = resources.files(__package__).joinpath("reasons.toml").read_text("utf-8")
    return Reasons(msgspec.convert(tomllib.loads(text), prepared(_Table)).rule)


def _compiled(pattern: str, flags: int = 0) -> re.Pattern[str] | None:
    return re.compile(pattern, flags) if pattern else None
