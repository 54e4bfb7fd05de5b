"""What tables of the settings file have in common: unknown keys, errors in one line, defaults."""

from __future__ import annotations

from typing import Annotated, get_type_hints

import msgspec
import pytest
from msgspec import Meta

from mailvane.core.errors import InvalidSetting
from mailvane.core.setting_tables import as_toml, check_names, description_of, plain


class Table(msgspec.Struct):
    number: Annotated[Annotated[int, Meta(ge=1)], Meta(description="How many.")] = 1
    silent: Annotated[int, Meta(ge=1)] = 1


def test_a_key_that_there_is_not_is_refused_with_the_nearest_one() -> None:
    check_names({"number": 1}, ("number",), "file")
    with pytest.raises(InvalidSetting, match=r"file: nmber: there is no such key; did you mean number\?"):
        check_names({"nmber": 1}, ("number",), "file")
    with pytest.raises(InvalidSetting, match=r"there is no such key$"):
        check_names({"zzz": 1}, ("number",), "file")


def test_an_error_says_where_and_what_in_one_line() -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert({"number": 0}, Table)
    assert plain(refused.value) == "number: Expected `int` >= 1"


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
