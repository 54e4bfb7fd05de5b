"""kill -9 at random moments, again and again: in the end the totals and rows are those of an undisturbed run."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread

import pytest

from mailvane_demo.world.postfix import PostfixWorld
from tests.acceptance.installation import Installation, kill
from tests.depth import rounds

ROUNDS = rounds(5, deep=16)
START = 1_760_000_000_000
DAY = 86_400_000


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return list(PostfixWorld(seed=5, start=START, mails_per_day=900).lines(START, START + 4 * DAY))


@pytest.fixture(scope="module")
def wanted(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What the whole log comes to when nothing disturbs."""
    place = tmp_path_factory.mktemp("undisturbed")
    log = place / "mail.log"
    log.write_text("\n".join(lines) + "\n")
    return undisturbed(place / "data", log)


def undisturbed(place: Path, log: Path) -> dict[str, object]:
    installation = Installation(place)
    installation.tenant("acme")
    installation.run("import", "postfix", str(log), "--workspace", "acme")
    return installation.everything("acme")


def test_an_import_that_is_killed_again_and_again_ends_as_if_it_never_was(
    tmp_path: Path, lines: list[str], wanted: dict[str, object]
) -> None:
    log = tmp_path / "mail.log"
    log.write_text("\n".join(lines) + "\n")
    installation = Installation(tmp_path / "killed")
    installation.tenant("acme")
    dice = random.Random(11)
    hits = 0
    for _ in range(ROUNDS):
        with installation.starting("import", "postfix", str(log), "--workspace", "acme") as process:
            installation.wait_for_progress()
            time.sleep(dice.uniform(0, 0.3))
            hits += kill(process)
    installation.run("import", "postfix", str(log), "--workspace", "acme")
    assert hits >= ROUNDS // 3, "too few rounds were killed in the middle to prove anything"
    assert installation.everything("acme") == wanted


def test_imports_of_one_log_that_run_at_once_share_the_work(
    tmp_path: Path, lines: list[str], wanted: dict[str, object]
) -> None:
    log = tmp_path / "mail.log"
    log.write_text("\n".join(lines) + "\n")
    installation = Installation(tmp_path / "shared")
    installation.tenant("acme")
    words = ("import", "postfix", str(log), "--workspace", "acme")
    with installation.serving(), ThreadPoolExecutor(3) as pool:
        told = pool.map(lambda _: installation.answer(*words), range(3))
        assert sum(each["lines"] for each in told) == len(lines)
        found = installation.everything("acme")
    assert found == wanted


def append_slowly(log: Path, lines: list[str], hurry: Event) -> None:
    """Write in pieces that end anywhere, as a log daemon does; slowly, until there is no need to."""
    dice = random.Random(3)
    text = "\n".join(lines) + "\n"
    at = 0
    with log.open("a", buffering=1) as file:
        while at < len(text):
            piece = text[at : at + dice.randrange(1, 2 * len(text) // 400)]
            file.write(piece)
            file.flush()
            at += len(piece)
            hurry.wait(0.05)


def test_a_followed_log_is_taken_in_once_however_often_the_server_is_killed(
    tmp_path: Path, lines: list[str], wanted: dict[str, object]
) -> None:
    log = tmp_path / "mail.log"
    log.touch()
    data = tmp_path / "killed"
    installation = Installation(data)
    (data / "mailvane.toml").write_text(f'[[postfix]]\npath = "{log}"\nworkspace = "acme"\n')
    installation.tenant("acme")
    hurry = Event()
    writer = Thread(target=append_slowly, args=(log, lines, hurry))
    writer.start()
    try:
        installation.kill_servers(ROUNDS, random.Random(13), 1.5)
    finally:
        hurry.set()
        writer.join()
    with installation.serving():
        installation.run("import", "postfix", str(log), "--workspace", "acme")
        found = installation.everything("acme")
    assert found == wanted
