"""What a block tells of its messages' texts."""

from __future__ import annotations

import pytest

from mailvane.inbound import text_index
from mailvane.inbound.text_index import SIZE, fold

PLACES: tuple[list[int], ...] = ([], [0], [SIZE - 1], [3, 3, 1, SIZE - 1], list(range(0, SIZE, 7)), list(range(SIZE)))


@pytest.mark.parametrize("places", PLACES, ids=len)
def test_places_come_back_as_they_were_given(places: list[int]) -> None:
    kept = text_index.packed(places)
    assert len(kept) <= SIZE // 8
    bits = text_index.bits_of(kept)
    assert list(text_index.places_of(bits)) == sorted(set(places))
    assert bits == text_index.bits_at(places)
    assert text_index.bits_of(text_index.bits_packed(bits)) == bits
    assert text_index.flags_of(bits).count("1") == len(set(places))


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Invoice 7", "invoice 7"),
        ("CAF\u00c9", "caf\u00e9"),
        ("\u039f\u03b4\u03cc\u03c2 \u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03cc\u03c3 \u03bf\u03b4\u03bf\u03c3"),
        ("\u0130 \u212a Stra\u00dfe", "\u0130 \u212a stra\u00dfe"),  # no other case of one character
    ],
)
def test_a_text_is_folded_character_by_character(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert [fold(each) for each in text] == list(folded)


def test_a_part_is_where_its_grams_are_and_common_words_prove_it() -> None:
    """The ninth message has all grams of the word and not the word."""
    texts = [(place, (f"Order {place} of today", "shop@x.example")) for place in range(100)]
    texts[9] = (9, ("ord, rde, der", "shop@x.example"))
    rests: list[None] = []
    found = text_index.indexed(texts, lambda: rests.append(None))
    kept = {key: text_index.bits_of(places) for key, places in found.places}
    everywhere = text_index.bits_at(range(100))
    possible = everywhere
    for key in text_index.grams_of("order"):
        possible &= kept[key]
    assert possible == everywhere
    sure = kept[text_index.word_key(found.words.index("order"))]
    assert list(text_index.places_of(possible & ~sure)) == [9]
    first, last = text_index.gram_range("r ")
    among = [bits for key, bits in kept.items() if first <= key <= last]
    assert list(text_index.places_of(everywhere & ~union(among))) == [9]
    assert rests == [], "few texts are read in one go"


def test_a_text_ends_with_its_last_character() -> None:
    """What is looked for may hold any character; each key comes once."""
    keys = [key for key, _ in text_index.indexed([(3, ("abcc", "cc"))], list).places]
    assert len(keys) == len(set(keys))
    for part, is_there in (("c", True), ("cc", True), ("bc", True), ("c\n", False), ("\n", False)):
        first, last = text_index.gram_range(part)
        assert any(first <= key <= last for key in keys) is is_there, part
    assert not set(text_index.grams_of("c\n\n")) & set(keys)


def union(sets: list[int]) -> int:
    found = 0
    for each in sets:
        found |= each
    return found
