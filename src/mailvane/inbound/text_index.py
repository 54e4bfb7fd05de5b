"""How parts of texts are found: which messages of a block hold which three characters in a row, and which words.

A block is a run of SIZE serial numbers, and what is told of it are sets of places in it. Three characters tell exactly
where a part of up to three is; of a longer one they tell where it may be. Of those places, the words that many
messages of the block have tell where it surely is. Texts of messages never change, so a block that was read once is
read for good. Pure: what is kept, and where, is `store.searching`'s.
"""

from __future__ import annotations

import re
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

SIZE = 1 << 13  # serial numbers of a block; ledgers hold blocks of this size
GRAM = 3
_BYTES = SIZE // 8
_FEW = SIZE // 64  # places that are kept as a list
_COMMON = SIZE // 256  # messages that have a word which is kept
_LONGEST = 80  # word
_CHARACTER_BITS = 21
_RESTING = 256  # texts that are read in one go
_BETWEEN_DIGITS = re.compile(r"\d+")
_PARTS = re.compile(r"[^\W\d_]+|@[^@\s]+")  # runs of letters, and domains


def fold(text: str) -> str:
    """In one case, character by character, so that a part of a text stays a part of it."""
    return text.lower() if text.isascii() else "".join(map(_folded, text))


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    if character == "\u03c2":  # the sigma at the end of a word
        return "\u03c3"
    lower = character.lower()
    # A few have two letters in the other case, or one of ASCII, where SQLite knows no other case of theirs.
    return lower if len(lower) == 1 and lower.isascii() is character.isascii() else character


def grams_of(part: str) -> list[int]:
    """The keys that all places have where this folded part of a text, of three characters or more, can be."""
    return sorted({_key(part[at : at + GRAM]) for at in range(len(part) - GRAM + 1)})


def gram_range(part: str) -> tuple[int, int]:
    """The first and the last key of grams that begin with this folded part of one or two characters."""
    if len(part) == 1:
        return _key(part), _key(part)
    first = _key(part)
    return first, first | (1 << _CHARACTER_BITS) - 1


def _key(gram: str) -> int:
    key = 0
    for place in range(GRAM):
        key = key << _CHARACTER_BITS | (ord(gram[place]) if place < len(gram) else 0)
    return key


def word_key(number: int) -> int:
    """The key of a word by its place in the block's list."""
    return -1 - number


class Indexed(NamedTuple):
    """A block of one workspace: the words that many of its messages have, by how many, and the places of every key."""

    words: list[str]
    places: list[tuple[int, bytes]]


def indexed(messages: Iterable[tuple[int, Sequence[str]]], rest: Callable[[], object]) -> Indexed:
    """Of places in a block and the texts of the messages there. `rest` is called now and then."""
    texts: defaultdict[str, list[int]] = defaultdict(list)  # senders and recipients come again and again
    for place, those in messages:
        for text in those:
            texts[text].append(place)
    grams: defaultdict[str, list[int]] = defaultdict(list)
    words: defaultdict[str, list[int]] = defaultdict(list)
    for number, (text, places) in enumerate(texts.items(), 1):
        folded = fold(text)
        # Each character, too; and the last ones begin a gram that is shorter.
        for gram in {folded[at : at + GRAM] for at in range(len(folded))}.union(folded):
            grams[gram] += places
        for word in {folded, *folded.split(), *_BETWEEN_DIGITS.split(folded), *_PARTS.findall(folded)}:
            words[word] += places
        if number % _RESTING == 0:
            rest()
    common = [word for word, places in words.items() if len(places) >= _COMMON and GRAM < len(word) <= _LONGEST]
    common.sort(key=lambda word: (-len(words[word]), word))
    kept = [(word_key(number), packed(words[word])) for number, word in enumerate(common)]
    kept += [(_key(gram), packed(places)) for gram, places in grams.items()]
    return Indexed(common, sorted(kept))


def packed(places: Sequence[int]) -> bytes:
    """As short as it gets, whatever comes twice: numbers of two bytes, or a bit for each place of the block."""
    if len(places) <= _FEW:
        each = sorted(set(places))
        return struct.pack(f"<{len(each)}H", *each)
    return bits_packed(bits_at(places))


def bits_at(places: Iterable[int]) -> int:
    """A set of places as the bits of a number."""
    flags = bytearray(b"0") * SIZE
    for place in places:
        flags[place] = 49  # "1"
    return int(flags[::-1], 2)


def bits_packed(bits: int) -> bytes:
    return bits.to_bytes(_BYTES, "little")


def bits_of(kept: bytes) -> int:
    """What was packed."""
    if len(kept) == _BYTES:
        return int.from_bytes(kept, "little")
    bits = bytearray(_BYTES)
    for place in struct.unpack(f"<{len(kept) // 2}H", kept):
        bits[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(bits, "little")


def flags_of(bits: int) -> str:
    """A character for each place of a block: 1 where it is in the set, else 0."""
    return f"{bits:0{SIZE}b}"[::-1]


def places_of(bits: int) -> Iterator[int]:
    """In their order."""
    if bits:
        yield from (found.start() for found in re.finditer("1", flags_of(bits)))
