"""Whoever asks for one moment waits for one write at most, and whoever writes for those who ask already."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Thread
from typing import Any

from mailvane.maillog.clickhouse.one_moment import Writing


class Embedded:
    """As much of an engine as is asked."""

    embedded = True


def writing(clock: Any = lambda: 0.0) -> Writing:
    return Writing(Embedded(), clock)  # type: ignore[arg-type]


def test_all_who_ask_after_a_write_ask_together() -> None:
    one, together = writing(), Barrier(3, timeout=30)
    with one:
        pass
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(one.none_during, together.wait) for _ in range(3)]
        assert sorted(each.result() for each in asked) == [0, 1, 2], "each is there while the others ask"


def test_who_asks_while_something_is_written_is_answered_before_the_next_write() -> None:
    one, begun, order = writing(), Event(), list[str]()

    def ask() -> None:
        one.none_during(lambda: order.append("asked"))

    def write() -> None:
        with one:
            order.append("written")

    with one:
        asking = Thread(target=ask)
        asking.start()
        while not one._wait_to_ask:
            begun.wait(0.001)
        writer = Thread(target=write)
        writer.start()
        while not one._wait_to_write:
            begun.wait(0.001)
        order.append("first")
    asking.join()
    writer.join()
    assert order == ["first", "asked", "written"]


def test_those_who_keep_coming_do_not_keep_a_writer_waiting() -> None:
    one, go_on, order = writing(), Event(), list[str]()
    with one:
        pass

    def first() -> None:
        order.append("first")
        go_on.wait(30)

    def write() -> None:
        with one:
            order.append("written")

    threads = [Thread(target=one.none_during, args=(first,)), Thread(target=write)]
    threads[0].start()
    while not order:
        go_on.wait(0.001)
    threads[1].start()
    while not one._wait_to_write:
        go_on.wait(0.001)
    threads.append(Thread(target=one.none_during, args=(lambda: order.append("second"),)))
    threads[2].start()
    while not one._wait_to_ask:
        go_on.wait(0.001)
    go_on.set()
    for each in threads:
        each.join()
    assert order == ["first", "written", "second"]


def test_what_was_overtaken_is_asked_once_more_and_kept_by_nobody_before() -> None:
    one, answers = writing(), list[int]()

    def ask() -> int:
        answers.append(len(answers))
        if answers == [0]:
            writer = Thread(target=one.__enter__)
            writer.start()
            writer.join()
            one.__exit__(None, None, None)
        return answers[-1]

    assert one.none_during(ask) == 1
