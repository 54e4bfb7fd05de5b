"""A number is remembered until something is written that may change it."""

from __future__ import annotations

from mailvane.maillog.clickhouse.since_written import SinceWritten


def test_a_number_is_asked_once_until_its_workspace_is_written_to() -> None:
    numbers = SinceWritten[int](remembers=True)
    asked = iter(range(10))
    assert [numbers.ask(1, "waiting", lambda: next(asked)) for _ in range(3)] == [0, 0, 0]
    with numbers.writing(2):
        pass
    assert numbers.ask(1, "waiting", lambda: next(asked)) == 0
    with numbers.writing(1):
        pass
    assert numbers.ask(1, "waiting", lambda: next(asked)) == 1
    with numbers.writing(None):
        pass
    assert numbers.ask(1, "waiting", lambda: next(asked)) == 2


def test_what_was_found_before_or_during_a_write_is_not_remembered_after_it() -> None:
    numbers = SinceWritten[int](remembers=True)

    def overtaken() -> int:
        with numbers.writing(1):
            return 0

    assert numbers.ask(1, "waiting", overtaken) == 0
    assert numbers.ask(1, "waiting", lambda: 5) == 5
    with numbers.writing(1):
        assert numbers.ask(1, "waiting", lambda: 6) == 6
    assert numbers.ask(1, "waiting", lambda: 7) == 7


def test_where_others_write_too_it_is_asked_every_time() -> None:
    numbers = SinceWritten[int](remembers=False)
    asked = iter(range(10))
    assert [numbers.ask(1, "waiting", lambda: next(asked)) for _ in range(3)] == [0, 1, 2]
