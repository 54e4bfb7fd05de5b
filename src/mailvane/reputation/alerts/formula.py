"""Formulas over the keys of an alert's rules: AND, OR and parentheses; AND binds tighter. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import msgspec

from mailvane.core.errors import InvalidFields

_TOKEN = re.compile(r"\s*(?:([A-Za-z0-9_.-]+)|([()]))")
_LONGEST = 2000
_MOST_PARENTHESES = 100
_WORDS = frozenset({"AND", "OR", "NOT"})


class Key(msgspec.Struct, frozen=True):
    name: str

    def holds(self, truth: Mapping[str, bool]) -> bool:
        return truth[self.name]


class All(msgspec.Struct, frozen=True):
    parts: tuple[Formula, ...]

    def holds(self, truth: Mapping[str, bool]) -> bool:
        return all(part.holds(truth) for part in self.parts)


class AnyOf(msgspec.Struct, frozen=True):
    parts: tuple[Formula, ...]

    def holds(self, truth: Mapping[str, bool]) -> bool:
        return any(part.holds(truth) for part in self.parts)


Formula = Key | All | AnyOf


def read_formula(text: str, keys: Collection[str]) -> Formula:
    """The formula; every key must be a rule's, and every rule must be in it. Raises InvalidFields."""
    tokens = _tokens(text)
    if tokens.count("(") > _MOST_PARENTHESES:
        raise _wrong(f"more than {_MOST_PARENTHESES} parentheses")
    parser = _Parser(tokens)
    formula = parser.read()
    used = set(parser.names)
    if unknown := sorted(used - set(keys)):
        raise _wrong(f"there is no rule with the key {unknown[0]}")
    if unused := sorted(set(keys) - used):
        raise _wrong(f"the rule {unused[0]} is not in it")
    return formula


def _tokens(text: str) -> list[str]:
    if len(text) > _LONGEST:
        raise _wrong(f"longer than {_LONGEST} characters")
    tokens, at = [], 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _wrong(f"cannot be understood at {text[at : at + 20]!r}")
        tokens.append(found[1] or found[2])
        at = found.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self.names: list[str] = []

    def read(self) -> Formula:
        formula = self._any_of()
        if self._next() is not None:
            raise _wrong(f"{self._next()} is not expected there")
        return formula

    def _any_of(self) -> Formula:
        parts = [self._all()]
        while self._takes("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _all(self) -> Formula:
        parts = [self._one()]
        while self._takes("AND"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _one(self) -> Formula:
        if self._takes("("):
            inner = self._any_of()
            if not self._takes(")"):
                raise _wrong("a parenthesis is not closed")
            return inner
        word = self._next()
        if word is None or word == ")" or word.upper() in _WORDS:
            raise _wrong("a rule's key is missing" if word is None else f"{word} is not expected there")
        self._at += 1
        self.names.append(word)
        return Key(word)

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _takes(self, word: str) -> bool:
        token = self._next()
        if token is None or token.upper() != word:
            return False
        self._at += 1
        return True


def _wrong(reason: str) -> InvalidFields:
    return InvalidFields(("formula", reason))
