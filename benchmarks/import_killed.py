"""kill -9 while a log is imported, again and again: in the end the mail log holds what one undisturbed import gives.

    python benchmarks/import_killed.py [--lines 300000] [--rounds 30]

Each round starts `mailvane import postfix`, waits a random time and kills it; now and then a second import is started
beside the first. A round counts if the import ran when it was killed. Where it had ended, the counts and a digest of
every event are compared, and the next round begins with nothing stored.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from enum import Enum
from hashlib import blake2b
from pathlib import Path

from postfix_import import MAILVANE, generate

from mailvane.maillog.clickhouse import open_maillog

_TABLES = {
    "events": "count(), sum(cityHash64(* EXCEPT (batch)))",
    "deliveries": "count(), sum(attempts), sum(cityHash64(recipient, state, via, outcome))",
    "mails": "count(), sum(accepted_at)",
    "waiting": "count(), sum(waiting)",
    "hourly": "sum(delivered), sum(deferred), sum(bounced), sum(rejected)",
    "received": "sum(received)",
    "queue_ids": "count()",
}


def made(data: Path) -> dict[str, str]:
    """The environment of a new installation with one relay."""
    shutil.rmtree(data, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILVANE_")}
    environment["MAILVANE_DATA"] = str(data)
    for command in (["workspace", "create", "bench"], ["relay", "create", "--workspace", "bench"]):
        subprocess.run([MAILVANE, *command], check=True, env=environment, stdout=subprocess.DEVNULL)
    return environment


def importing(log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [str(MAILVANE), "import", "postfix", str(log), "--workspace", "bench"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def told(data: Path) -> tuple[str, ...]:
    """What each table comes to."""
    with open_maillog(f"chdb://{data / 'maillog'}") as maillog:
        session = maillog.scratch()
        rows = [
            session.ask(f"SELECT {what} FROM {table} FINAL", "TSV")
            for table, what in _TABLES.items()
            if table != "events"
        ]
        rows.append(session.ask(f"SELECT {_TABLES['events']} FROM events", "TSV"))
        session.close()
    return (*(row.decode().strip() for row in rows), blake2b(b"".join(rows), digest_size=8).hexdigest())


class Met(Enum):
    """What an import was doing when it was to be killed."""

    RUNNING = 1
    ENDED = 2
    REFUSED = 3  # by another that had the mail log open


def kill(log: Path, environment: dict[str, str], choose: random.Random, longest: float) -> Met:
    """An import, perhaps with another beside it."""
    process = importing(log, environment)
    beside = importing(log, environment) if choose.random() < 0.2 else None
    time.sleep(choose.uniform(0.1, 1.0) * longest)
    ended = process.poll()
    for each in (process, beside):
        if each is not None:
            each.send_signal(signal.SIGKILL)
            each.wait()
    if ended is None:
        return Met.RUNNING
    return Met.REFUSED if ended else Met.ENDED


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--lines", type=int, default=300_000)
    arguments.add_argument("--rounds", type=int, default=30)
    chosen = arguments.parse_args()
    choose = random.Random(7)
    with tempfile.TemporaryDirectory() as place:
        log, killed, undisturbed = Path(place) / "mail.log", Path(place) / "killed", Path(place) / "whole"
        generate(log, chosen.lines)
        whole = made(undisturbed)
        began = time.monotonic()
        importing(log, whole).wait()
        longest = time.monotonic() - began
        wanted = told(undisturbed)
        environment, rounds, imports = made(killed), 0, 0
        while rounds < chosen.rounds:
            met = kill(log, environment, choose, longest)
            rounds += met is Met.RUNNING
            if met is Met.ENDED or rounds == chosen.rounds:
                while importing(log, environment).wait():
                    time.sleep(0.5)
                compare(wanted, told(killed))
                environment, imports = made(killed), imports + 1
        print(f"{rounds} times killed while it ran; {imports} imports came to their end, all with the same:")
        print("\n".join(wanted))


def compare(wanted: tuple[str, ...], found: tuple[str, ...]) -> None:
    if found != wanted:
        rows = (f"{one:<60}{'the same' if one == other else other}" for one, other in zip(wanted, found, strict=True))
        raise SystemExit("\n".join(rows))


if __name__ == "__main__":
    main()
