"""The exception tree."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailvane.core.errors import InvalidEvent, MailvaneError, Permanent, Transient


def below(kind: type[MailvaneError]) -> Iterator[type[MailvaneError]]:
    for child in kind.__subclasses__():
        yield child
        yield from below(child)


@pytest.mark.parametrize("kind", list(below(MailvaneError)))
def test_every_error_says_whether_trying_again_can_help(kind: type[MailvaneError]) -> None:
    assert issubclass(kind, Permanent) != issubclass(kind, Transient)


@pytest.mark.parametrize("kind", [kind for kind in below(MailvaneError) if kind.__init__ is MailvaneError.__init__])
def test_an_error_without_a_message_says_what_its_kind_means(kind: type[MailvaneError]) -> None:
    assert kind().message == (kind.__doc__ or "").splitlines()[0]


def test_a_bad_line_is_named_with_its_number() -> None:
    error = InvalidEvent(3, "no recipient")
    assert error.message == "line 3: no recipient"
    assert error.line == 3
