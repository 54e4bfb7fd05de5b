"""Names that look like a brand's domain, by dnstwist's fuzzer; how alike two names are. No network."""

from __future__ import annotations

import difflib
import socket
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import dnstwist  # type: ignore[import-untyped]

from mailvane.core.names import canonical_name, readable_label

if TYPE_CHECKING:
    from tldextract import TLDExtract

# Importing dnstwist sets a time limit for every socket of the process.
socket.setdefaulttimeout(None)

MOST = 3000
# The likely ones first: what is beyond the bound is left out.
_FUZZERS = (
    "omission", "transposition", "repetition", "plural", "vowel-swap", "hyphenation", "cyrillic", "tld-swap", "various",
    "dictionary", "replacement", "addition", "insertion", "bitsquatting", "homoglyph",
)  # fmt: skip
_LONGEST_FOR_PAIRS = 10  # of longer names the fuzzer makes tens of thousands by two changes at once, for seconds
# ours: words and endings that such names are made with, as reports on them show.
_WORDS = (
    "login", "secure", "mail", "account", "support", "service", "online", "pay", "verify", "help", "my", "shop", "app",
    "update", "portal", "billing",
)  # fmt: skip
_ENDINGS = (
    "com", "net", "org", "info", "biz", "co", "io", "app", "shop", "online", "site", "store", "xyz", "top", "live",
    "email", "support", "eu", "de", "co.uk",
)  # fmt: skip
_MAPPED_BEFORE = (("ß", "ss"), ("\u03c2", "\u03c3"))  # sharp s; final sigma


@cache
def _suffixes() -> TLDExtract:
    # Imported for the first name: it brings an HTTP client, which costs every start a tenth of a second.
    from tldextract import TLDExtract  # noqa: PLC0415

    # Without addresses and without a cache it reads the list that it brings, and nothing else.
    return TLDExtract(suffix_list_urls=(), cache_dir=None)


class Candidate(NamedTuple):
    name: str  # in ASCII
    fuzzer: str  # how it came about
    score: int  # how alike it is, 0 to 100


class Registrable(NamedTuple):
    """The registrable part of a name."""

    label: str
    suffix: str

    def __str__(self) -> str:
        return f"{self.label}.{self.suffix}"


def registrable(name: str) -> Registrable:
    """By the list of public suffixes; below an ending that it does not know, the last two labels."""
    found = _suffixes()(name)
    if found.suffix:
        return Registrable(found.domain, found.suffix)
    label, _, suffix = name.rpartition(".")
    return Registrable(label.rpartition(".")[2], suffix)


@lru_cache(maxsize=64)
def candidates(brand: str) -> tuple[Candidate, ...]:
    """At most MOST, the likely ones first; never the brand's own domain."""
    own = registrable(brand)
    label = readable_label(own.label)
    found: dict[str, Candidate] = {}
    for fuzzer in _FUZZERS:
        names = _fuzzed(label, own.suffix, fuzzer)
        made = [
            Candidate(name, fuzzer, likeness(str(own), name))
            for name in names
            if name.count(".") == str(registrable(name)).count(".") and str(registrable(name)) == name
        ]
        for each in sorted(made, key=lambda candidate: (-candidate.score, candidate.name)):
            if each.name != str(own) and len(found) < MOST:
                found.setdefault(each.name, each)
        if len(found) >= MOST:
            break
    return tuple(found.values())


def likeness(one: str, other: str) -> int:
    """# ours: the share of letters in common, as people see them; the vendor does not say how it scores."""
    first, second = (readable_label(registrable(name).label) for name in (one, other))
    return round(100 * difflib.SequenceMatcher(None, first, second, autojunk=False).ratio())


def _fuzzed(label: str, suffix: str, fuzzer: str) -> set[str]:
    if fuzzer == "homoglyph" and len(label) > _LONGEST_FOR_PAIRS:
        # One letter exchanged for one that looks like it.
        glyphs = dnstwist.Fuzzer.glyphs_idn_by_tld.get(suffix, dnstwist.Fuzzer.glyphs_unicode)
        found: set[str] = set()
        for place, letter in enumerate(label):
            for glyph in (*dnstwist.Fuzzer.glyphs_ascii.get(letter, ()), *glyphs.get(letter, ())):
                found.add(canonical_name(f"{label[:place]}{glyph}{label[place + 1 :]}.{suffix}"))
        return (found - {""}) | _taken_for(label, suffix)
    made = dnstwist.Fuzzer("brand.com", dictionary=_WORDS, tld_dictionary=_ENDINGS)
    made.subdomain, made.domain, made.tld = "", label, suffix
    made.generate(fuzzers=[fuzzer])
    names = {permutation["domain"].lower() for permutation in made.domains}
    return names | _taken_for(label, suffix) if fuzzer == "homoglyph" else names


def _taken_for(label: str, suffix: str) -> set[str]:
    """What programs that still read names by IDNA 2003 make of the label, or would take for it."""
    made = {label.replace(one, other) for pair in _MAPPED_BEFORE for one, other in (pair, pair[::-1])}
    return {canonical_name(f"{each}.{suffix}") for each in made - {label}} - {""}
