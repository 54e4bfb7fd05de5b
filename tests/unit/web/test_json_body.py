"""Bodies of JSON: read as a value, or refused with what is wrong and where."""

from __future__ import annotations

import msgspec
import pytest

from mailvane.core.errors import InvalidInput
from mailvane.web.json_body import InvalidBody, NotJson, TooDeep, read_json


class Rule(msgspec.Struct):
    type: str


class Body(msgspec.Struct):
    name: str = ""
    rules: list[Rule] = []


def test_a_body_becomes_a_value_and_an_empty_one_that_of_no_fields() -> None:
    assert read_json(Body, b'{"name": "a", "other": 1}') == Body("a")
    assert read_json(Body, b"") == Body()


@pytest.mark.parametrize(
    ("body", "field", "complaint"),
    [
        (b'{"name": 3}', "name", "Expected `str`, got `int`"),
        (b'{"rules": [{"type": null}]}', "rules[0].type", "Expected `str`, got `null`"),
        (b"[]", "", "Expected `object`, got `array`"),
    ],
)
def test_a_wrong_shape_is_told_with_its_place(body: bytes, field: str, complaint: str) -> None:
    with pytest.raises(InvalidBody) as refused:
        read_json(Body, body)
    assert (refused.value.field, refused.value.complaint) == (field, complaint)


@pytest.mark.parametrize("body", [b"{", b'{"name": "\xff"}', b"{} {}", b"\x00"])
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson):
        read_json(Body, body)


def test_an_empty_body_may_count_as_nothing() -> None:
    with pytest.raises(NotJson):
        read_json(Body, b"", empty=b"")


def test_deep_nesting_is_refused_and_breaks_nothing() -> None:
    with pytest.raises(TooDeep) as refused:
        read_json(object, b"[" * 100_000 + b"]" * 100_000)
    assert isinstance(refused.value, InvalidInput)
