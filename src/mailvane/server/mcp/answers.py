"""Answers that fit: texts are cut, lists shortened, and rows left out that would make an answer too long. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

# How a row is shortened until it fits: characters of a text, items of a list within the row.
_STEPS = ((600, 20), (160, 8), (60, 3))
_INDENT = 4
_ENVELOPE = 400  # characters for what stands beside the rows that no caller named


def fitting(beside: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], most_characters: int) -> dict[str, Any]:
    """`beside` with as many of the rows as fit, and under `left_out` how many of them do not."""
    told = _shortened(beside, *_STEPS[0])
    left = most_characters - _ENVELOPE - _size(told)
    kept: list[Any] = []
    given = list(rows)
    for row in given:
        fit = next((short for step in _STEPS if _size(short := _shortened(row, *step)) <= left), None)
        if fit is None:
            break
        kept.append(fit)
        left -= _size(fit)
    answer: dict[str, Any] = {**told, "rows": kept}
    if len(kept) < len(given):
        answer["left_out"] = len(given) - len(kept)
    return answer


def _size(value: object) -> int:
    """Of a row in the text that a model reads: indented by two characters a level, within a list within an object."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    return len(text.decode()) + _INDENT * (text.count(b"\n") + 1) + len(",\n")


def _shortened(value: object, characters: int, items: int) -> Any:
    """Plain types only: strings, numbers, lists and dicts, each no longer than may be."""
    plain = msgspec.to_builtins(value)
    if isinstance(plain, str):
        return plain if len(plain) <= characters else f"{plain[:characters]}… ({len(plain) - characters:,} more)"
    if isinstance(plain, Mapping):
        first = list(plain.items())[: 4 * items]
        return {str(name): _shortened(each, characters, items) for name, each in first}
    if isinstance(plain, Sequence):
        kept = [_shortened(each, characters, items) for each in plain[:items]]
        return [*kept, f"… ({len(plain) - items:,} more)"] if len(plain) > items else kept
    return plain
