"""How fast are the mails found that replies answer, with the index of Message-IDs and without it?

    python benchmarks/message_ids.py [--mails 1000000] [--rounds 5]

Replies name six Message-IDs each, of which one is that of a mail here. Without the index the same question is asked as
a search for what holds these texts, which reads every delivery of the window. The answers of both are compared.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mailvane.maillog.clickhouse import ClickHouseMailLog, open_maillog
from mailvane.maillog.model import EventBatch, EventType, MailEvent
from mailvane.maillog.queries import LogQuestion, Match, Pattern, Term

START = 1_789_948_800_000
EVERY_MS = 4_000
CHUNK = 50_000
THREAD = 6


def message_id(number: int) -> str:
    return f"<{number:x}.{number * 2_654_435_761 % 2**32:x}@ours.example>"


def delivered(number: int) -> MailEvent:
    at = START + number * EVERY_MS
    return MailEvent(
        relay=1, accepted_at=at, number=number % 1000, type=EventType.DELIVERED, at=at + 900,
        recipient=f"c{number % 50_000}@isp{number % 300}.example", sender="ann@ours.example",
        header_from="ann@ours.example", message_id=message_id(number),
    )  # fmt: skip


def fill(maillog: ClickHouseMailLog, mails: int) -> None:
    for start in range(0, mails, CHUNK):
        events = [delivered(number) for number in range(start, min(start + CHUNK, mails))]
        maillog.append(EventBatch(f"mails {start}", 1, 0, events))


def ask(maillog: ClickHouseMailLog, names: list[str], match: Match, mails: int) -> tuple[float, int]:
    """Milliseconds, and how many mails were found."""
    question = LogQuestion(
        workspace=1, relays=(1,), terms=(Term("msgid", tuple(Pattern(name, match) for name in names)),),
        since=START, until=START + mails * EVERY_MS, limit=20_000, ascending=True,
    )  # fmt: skip
    began = time.perf_counter()
    total = maillog.search(question).total
    return (time.perf_counter() - began) * 1000, total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    chosen = random.Random(7)
    with tempfile.TemporaryDirectory() as directory, open_maillog(f"chdb://{Path(directory) / 'maillog'}") as maillog:
        fill(maillog, options.mails)
        for replies in (1, 10, 100):
            taken: dict[Match, list[float]] = {Match.WHOLE: [], Match.PART: []}
            for _ in range(options.rounds):
                known = [message_id(number) for number in chosen.sample(range(options.mails), replies)]
                names = [*known, *(f"<{chosen.random()}@elsewhere.example>" for _ in range((THREAD - 1) * replies))]
                for match, times in taken.items():
                    milliseconds, found = ask(maillog, names, match, options.mails)
                    if found != replies:
                        sys.exit(f"{match}: {found} mails instead of {replies}")
                    times.append(milliseconds)
            whole, part = (statistics.median(times) for times in taken.values())
            print(
                f"{replies:>4} replies: {whole:8.1f} ms with the index, {part:8.1f} ms without ({part / whole:.1f} x)"
            )


if __name__ == "__main__":
    main()
