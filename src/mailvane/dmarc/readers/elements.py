"""The children of an XML document's root, one at a time, each forgotten once the next is asked for. Bounded.

Knows no report. Whoever calls has seen to it that the document declares no entities.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import cast
from xml.etree.ElementTree import Element, XMLPullParser

from mailvane.core.errors import InvalidInput

MOST_PART = 4 * 1024 * 1024  # bytes of one child
_MOST_ELEMENTS = 50_000  # of one child
MOST_IN_ALL = 5_000_000  # elements of one document: a quarter of a million records, or some seconds of hostile ones
_MOST_NAMES = 10_000  # different ones; a parser keeps them all
_NAMES_MATTER = 1024 * 1024  # bytes; what is shorter cannot hold enough names to hurt


def children(chunks: Iterable[bytes]) -> Iterator[tuple[Element, Element | None]]:
    """The root, empty, with None; then with it each child, complete. Raises ParseError and InvalidInput."""
    parser: XMLPullParser[Element] = XMLPullParser(("start",))
    root: Element | None = None
    names: set[str] = set()
    fed = size = elements = total = 0
    for chunk in chunks:
        parser.feed(chunk)
        started = [element for _, element in cast("Iterator[tuple[str, Element]]", parser.read_events())]
        if root is None and started:
            root = started[0]
            yield Element(root.tag), None
        fed += len(chunk)
        size += len(chunk)
        elements += len(started)
        total += len(started)
        if total > MOST_IN_ALL:
            raise InvalidInput(f"more than {MOST_IN_ALL:,} elements")
        if fed > _NAMES_MATTER:
            _watch_names(started, names)
        if root is not None and len(root) > 1:
            # Whatever stands before the last child is complete.
            for child in root[:-1]:
                yield root, child
            del root[:-1]
            size = elements = 0
        if size > MOST_PART or elements > _MOST_ELEMENTS:
            raise InvalidInput(f"one part of it has more than {MOST_PART:,} bytes or {_MOST_ELEMENTS:,} elements")
    parser.close()
    list(parser.read_events())  # raises what is wrong with the end
    if root is not None:
        for child in root:
            yield root, child


def _watch_names(started: Iterable[Element], names: set[str]) -> None:
    for element in started:
        names.add(element.tag)
        if element.attrib:
            names.update(element.attrib)
    if len(names) > _MOST_NAMES:
        raise InvalidInput(f"it has more than {_MOST_NAMES:,} different names of elements and attributes")
