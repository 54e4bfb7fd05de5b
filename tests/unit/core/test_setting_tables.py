"""What tables of the settings file have in common: unknown keys, errors in one line, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Literal, get_type_hints

import msgspec
import pytest
from msgspec import Meta

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import as_toml, check_names, choices_of, description_of, plain


class Way(Enum):
    IN = "in"
    OUT = "out"


class Inner(msgspec.Struct, frozen=True):
    way: Way = Way.IN


class Table(msgspec.Struct):
    number: Annotated[Annotated[int, Meta(ge=1)], Meta(description="How many.")] = 1
    silent: Annotated[int, Meta(ge=1)] = 1
    way: Literal["in", "out"] = "in"
    ways: tuple[Way, ...] = ()
    by_way: Annotated[Mapping[Way, Literal["one", "two"]], Meta(description="By way.")] = {}
    inner: Inner = Inner()


def test_a_key_that_there_is_not_is_refused_with_the_nearest_one() -> None:
    check_names({"number": 1}, ("number",), "file")
    with pytest.raises(InvalidSetting, match=r"file: nmber: there is no such key; did you mean number\?"):
        check_names({"nmber": 1}, ("number",), "file")
    with pytest.raises(InvalidSetting, match=r"there is no such key$"):
        check_names({"zzz": 1}, ("number",), "file")


def test_an_error_says_where_and_what_in_one_line() -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert({"number": 0}, Table)
    assert plain(refused.value) == plain(refused.value, Table) == "number: Expected `int` >= 1"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"way": "on"}, "way: Invalid enum value 'on'; expected one of in, out"),
        ({"ways": ["in", "on"]}, "ways[1]: Invalid enum value 'on'; expected one of in, out"),
        ({"by_way": {"in": "three"}}, "by_way[...]: Invalid enum value 'three'; expected one of one, two"),
        ({"by_way": {"on": "one"}}, "by_way: Invalid enum value 'on'; expected one of in, out"),
        ({"inner": {"way": "on"}}, "inner.way: Invalid enum value 'on'; expected one of in, out"),
    ],
)
def test_an_error_says_which_words_are_taken(given: dict[str, object], said: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(given, Table)
    assert plain(refused.value, Table) == said


def test_the_words_that_a_key_takes_are_known() -> None:
    hints = get_type_hints(Table, include_extras=True)
    assert {name: choices_of(hint) for name, hint in hints.items() if choices_of(hint)} == {
        "way": ("in", "out"), "ways": ("in", "out"),
    }  # fmt: skip


def test_help_stands_with_the_type() -> None:
    hints = get_type_hints(Table, include_extras=True)
    assert description_of(hints["number"]) == "How many."
    assert description_of(hints["silent"]) == ""


@pytest.mark.parametrize(
    ("value", "written"),
    [(True, "true"), (3.5, "3.5"), ("a", '"a"'), ([], "[]"), (None, ""), ({}, "{}"), ({"a": 1}, "{ a = 1 }")],
)
def test_a_default_is_shown_as_it_would_stand_in_the_file(value: object, written: str) -> None:
    assert as_toml(value) == written
