"""Which messages have a part of a text: asked of the blocks that are indexed, and looked for in what came after them.

What a block answers stays true, but for messages that are removed. So answers are remembered for a while: who turns
the pages of a list asks the same each time. Blocks are made by `indexing`; `text_index` says what they hold.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
)

from mailvane.core.ledger.columns import contains, in_chunks, is_one_of_numbers, plain
from mailvane.core.ledger.database import Database
from mailvane.inbound import text_index
from mailvane.inbound.store.tables import messages, search_blocks, search_postings
from mailvane.inbound.text_index import GRAM, SIZE

_REMEMBERED = 32  # texts
_AT_ONCE = 500
_BLOCK = tuple(search_blocks.c[name] for name in ("block", "live", "ready", "first_at", "last_at"))
_LONGEST_FLAGS = 16_000_000  # serial numbers that one set of flags spans


class Times(NamedTuple):
    """When the messages of a block came, at the earliest and at the latest."""

    first: int
    last: int


class Matches(msgspec.Struct, frozen=True):
    """Serial numbers of messages, as bits by block."""

    blocks: Mapping[int, int]
    times: Mapping[int, Times]

    @property
    def count(self) -> int:
        return sum(bits.bit_count() for bits in self.blocks.values())

    def serials(self) -> list[int]:
        """In their order."""
        return _serials(self.blocks)

    def before(self, skip: int, *, ascending: bool) -> tuple[Matches, int]:
        """Blocks that hold no more than so many, the first in the order of arrival, and a time: what comes before it in
        that order is of these blocks."""
        order = sorted(self.blocks, key=lambda block: self.times[block].first if ascending else -self.times[block].last)
        ahead: dict[int, int] = {}
        for block in order:
            skip -= self.blocks[block].bit_count()
            if skip < 0:
                times = self.times[block]
                return Matches(ahead, self.times), times.first if ascending else times.last
            ahead[block] = self.blocks[block]
        raise AssertionError("there are not so many")


def _serials(blocks: Mapping[int, int]) -> list[int]:
    return [block * SIZE + place for block, bits in sorted(blocks.items()) for place in text_index.places_of(bits)]


class TextSearch:
    """For any number of threads; each process remembers what it was asked."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._answers: OrderedDict[tuple[int, str], dict[int, int]] = OrderedDict()

    def matches(self, connection: Connection, workspace: int, text: str) -> Matches:
        """Those of a workspace that have the text in their subject, sender or recipient, in any case."""
        end = _end(connection)  # before the blocks are read: one that is begun meanwhile is read through
        rows = connection.execute(select(*_BLOCK).where(search_blocks.c.workspace == workspace)).all()
        live = {row.block: text_index.bits_of(row.live) for row in rows if row.ready}
        answers = self._answered(connection, _Part(workspace, text, text_index.fold(plain(text))), live)
        found = {block: answers[block] & bits for block, bits in live.items()}
        times = {row.block: Times(row.first_at, row.last_at) for row in rows if row.ready}
        others = [messages.c.serial >= end * SIZE, *(_inside(row.block) for row in rows if not row.ready)]
        read: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for serial, at in _read_through(connection, workspace, text, or_(*others)):
            read[serial // SIZE].append((serial % SIZE, at))
        for block, those in read.items():
            found[block] = found.get(block, 0) | text_index.bits_at(place for place, _ in those)
            moments = [*times.get(block, ()), *(at for _, at in those)]
            times[block] = Times(min(moments), max(moments))
        return Matches({block: bits for block, bits in found.items() if bits}, times)

    def among(self, found: Matches) -> ColumnElement[bool]:
        """Whether a message is one of many."""
        first, last = min(found.blocks), max(found.blocks)
        if (last - first) * SIZE > _LONGEST_FLAGS:
            return is_one_of_numbers(self._database, messages.c.serial, found.serials())
        flags = "".join(text_index.flags_of(found.blocks.get(block, 0)) for block in range(first, last + 1)).encode()
        place = messages.c.serial - first * SIZE
        if self._database.is_sqlite:
            # A place before the first would be counted from the end.
            flag = func.substr(literal(flags, LargeBinary), place + 1, 1)
            return and_(place >= 0, flag == literal(b"1", LargeBinary))
        inside = and_(place >= 0, place < len(flags))
        byte = func.get_byte(literal(flags, LargeBinary), cast(place, Integer))
        return case((inside, byte), else_=0) == ord("1")

    def _answered(self, connection: Connection, part: _Part, live: Mapping[int, int]) -> Mapping[int, int]:
        """The places in each block; of messages that were removed meanwhile, too."""
        key = part.workspace, part.folded
        with self._lock:
            known = self._answers.get(key, {})
        if missing := sorted(live.keys() - known.keys()):
            known = {**known, **_places(connection, self._database, part, {one: live[one] for one in missing})}
            with self._lock:
                self._answers[key] = known
                self._answers.move_to_end(key)
                if len(self._answers) > _REMEMBERED:
                    self._answers.popitem(last=False)
        return known


class _Part(NamedTuple):
    """What is looked for: as it was given, and folded."""

    workspace: int
    text: str
    folded: str


def _places(connection: Connection, database: Database, part: _Part, live: Mapping[int, int]) -> dict[int, int]:
    """Where it is, of what is still there of these blocks."""
    if len(part.folded) < GRAM:
        return _with_gram(connection, part, live)
    possible = _with_grams(connection, part, live)
    if len(part.folded) == GRAM:
        return possible
    sure = _with_words(connection, part, possible)
    doubtful = {block: bits & ~sure.get(block, 0) for block, bits in possible.items()}
    found = {block: bits & sure.get(block, 0) for block, bits in possible.items()}
    for some in in_chunks(_serials(doubtful), SIZE):
        for serial, _ in _read_through(
            connection, part.workspace, part.text, is_one_of_numbers(database, messages.c.serial, some)
        ):
            found[serial // SIZE] |= 1 << serial % SIZE
    return found


def _with_gram(connection: Connection, part: _Part, live: Mapping[int, int]) -> dict[int, int]:
    """Of a text of one or two characters: all that begins with it."""
    found = dict.fromkeys(live, 0)
    key = search_postings.c.key.between(*text_index.gram_range(part.folded))
    for row in _postings(connection, part.workspace, live, key):
        found[row.block] |= text_index.bits_of(row.places)
    return {block: bits & live[block] for block, bits in found.items()}


def _with_grams(connection: Connection, part: _Part, live: Mapping[int, int]) -> dict[int, int]:
    """Where all of its grams are."""
    keys = text_index.grams_of(part.folded)
    found, seen = dict(live), dict.fromkeys(live, 0)
    for some in in_chunks(keys, _AT_ONCE):
        for row in _postings(connection, part.workspace, live, search_postings.c.key.in_(some)):
            found[row.block] &= text_index.bits_of(row.places)
            seen[row.block] += 1
    return {block: bits if seen[block] == len(keys) else 0 for block, bits in found.items()}


def _with_words(connection: Connection, part: _Part, possible: Mapping[int, int]) -> dict[int, int]:
    """Where it is within words that are kept: in the most common of them, and if that is not all, in the others."""
    words = _words(connection, part, [block for block, bits in possible.items() if bits])
    found = _with_keys(connection, part, {block: keys[:1] for block, keys in words.items()})
    rest = {block: keys[1:] for block, keys in words.items() if possible[block] & ~found[block]}
    for block, bits in _with_keys(connection, part, rest).items():
        found[block] |= bits
    return found


def _words(connection: Connection, part: _Part, blocks: Sequence[int]) -> dict[int, list[int]]:
    """The keys of the words that have it, by block."""
    named = select(search_blocks.c.block, search_blocks.c.words).where(search_blocks.c.workspace == part.workspace)
    found: dict[int, list[int]] = {}
    for some in in_chunks(blocks, _AT_ONCE):
        for row in connection.execute(named.where(search_blocks.c.block.in_(some))):
            words = msgspec.json.decode(row.words, type=list[str])
            found[row.block] = [text_index.word_key(number) for number, word in enumerate(words) if part.folded in word]
    return found


def _with_keys(connection: Connection, part: _Part, keys: Mapping[int, Collection[int]]) -> dict[int, int]:
    """Where any of these keys is, by block."""
    found = dict.fromkeys(keys, 0)
    for some in in_chunks(sorted({key for each in keys.values() for key in each}), _AT_ONCE):
        for row in _postings(connection, part.workspace, keys, search_postings.c.key.in_(some)):
            if row.key in keys[row.block]:
                found[row.block] |= text_index.bits_of(row.places)
    return found


def _postings(
    connection: Connection, workspace: int, blocks: Collection[int], key: ColumnElement[bool]
) -> Iterator[Any]:
    columns = (search_postings.c.block, search_postings.c.key, search_postings.c.places)
    wanted = select(*columns).where(search_postings.c.workspace == workspace, key)
    for some in in_chunks(sorted(blocks), _AT_ONCE):
        yield from connection.execute(wanted.where(search_postings.c.block.in_(some)))


def _end(connection: Connection) -> int:
    """The first block that is not indexed, of any workspace."""
    newest = connection.execute(select(func.max(search_blocks.c.block))).scalar()
    return 0 if newest is None else int(newest) + 1


def _inside(block: int) -> ColumnElement[bool]:
    return and_(messages.c.serial >= block * SIZE, messages.c.serial < (block + 1) * SIZE)


def _read_through(
    connection: Connection, workspace: int, text: str, those: ColumnElement[bool]
) -> Iterator[tuple[int, int]]:
    """Those of these messages that have the text, told by their texts, and when they came."""
    columns = (messages.c.subject, messages.c.from_address, messages.c.from_name, messages.c.recipient)
    has = or_(*(contains(column, text) for column in columns))
    # They are looked up by their serials: not all of a workspace in an index.
    own = func.coalesce(messages.c.workspace, 0) == workspace
    wanted = select(messages.c.serial, messages.c.received_at).where(those, own, has)
    for row in connection.execute(wanted):
        yield row.serial, row.received_at
