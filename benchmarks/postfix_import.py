"""One million Postfix log lines, imported durable and queryable, against pflogsumm reading the same file.

    python benchmarks/postfix_import.py [--lines 1000000] [--rounds 5] [--form world]

Both sides run as whole commands on the same generated file, in turns; medians are compared. For Mailvane the clock
when `mailvane import postfix` has ended, which is when every event is synced to disk and can be queried. The resident
size is measured on logs of two sizes, to show that it does not grow with the log. pflogsumm is Debian's package.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

from mailvane_demo.world.postfix import PostfixWorld

DAY = 86_400_000
MAILVANE = Path(sys.executable).with_name("mailvane")


def generate(path: Path, lines: int, form: str = "world") -> None:
    """A log of so many lines, as FORMS says; of the simulated world, as busy as a relay with 100,000 mails a day."""
    days = 20 * (1 + lines // 1_000_000)
    start = int(time.time()) * 1000 - days * DAY
    if form in ("filtered", "deferred"):
        told: Iterator[str] = each_mail(start, FILTERED if form == "filtered" else DEFERRED)
    else:
        told = PostfixWorld(seed=1, start=start, mails_per_day=100_000).lines(start, start + days * DAY)
    wrapped = WRAPPED.get(form, str)
    written = 0
    with path.open("w") as log:
        for line in islice(told, lines):
            log.write(wrapped(line) + "\n")
            written += 1
    if written < lines:
        raise SystemExit(f"the world wrote only {written} lines")


def stamp_of(line: str) -> datetime:
    year = datetime.now(UTC).year
    found = datetime.strptime(f"{year} {line[:15]}", "%Y %b %d %H:%M:%S").replace(tzinfo=UTC)
    return found if found <= datetime.now(UTC) else found.replace(year=year - 1)


def in_journald(line: str) -> str:
    host, _, rest = line[16:].partition(" ")
    tag, _, text = rest.partition("]: ")
    name, _, process = tag.partition("[")
    micros = str(int(stamp_of(line).timestamp()) * 1_000_000)
    record = {"__REALTIME_TIMESTAMP": micros, "_HOSTNAME": host, "SYSLOG_IDENTIFIER": name, "_PID": process}
    return json.dumps(record | {"MESSAGE": text})


def in_docker(line: str) -> str:
    return json.dumps({"log": line + "\n", "stream": "stdout", "time": f"{stamp_of(line):%Y-%m-%dT%H:%M:%S.%fZ}"})


WRAPPED: dict[str, Callable[[str], str]] = {
    "iso": lambda line: f"{stamp_of(line):%Y-%m-%dT%H:%M:%S.%f+00:00} {line[16:]}",
    "journald": in_journald,
    "docker": in_docker,
}
FORMS = {
    "world": "the simulated world",
    "iso": "the same with RFC 3339 stamps",
    "journald": "the same as journald exports it in JSON",
    "docker": "the same as Docker's json-file",
    "filtered": "every mail goes through a content filter on this host",
    "deferred": "every mail is deferred and sent two hours later, so that none is plain",
}
_SENT = "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as {answer})"
_BEGUN = (
    (0, "smtpd[11]: {id}: client=out.shop.example[198.51.100.9]"),
    (0, "cleanup[12]: {id}: message-id=<{number}@shop.example>"),
    (0, "qmgr[13]: {id}: from=<orders@shop.example>, size=2048, nrcpt=1 (queue active)"),
)
_TO = "smtp[14]: {id}: to=<r{number}@isp.example>, relay=mx.isp.example[203.0.113.9]:25, delay=1, delays=0/0/0/1, "
FILTERED = (
    *_BEGUN,
    (1, "smtpd[15]: {other}: client=localhost[127.0.0.1]"),
    (1, "cleanup[12]: {other}: message-id=<{number}@shop.example>"),
    (1, "qmgr[13]: {other}: from=<orders@shop.example>, size=2248, nrcpt=1 (queue active)"),
    (1, ("smtp[16]: {id}: to=<r{number}@isp.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0/0/1, "
        "dsn=2.0.0, status=sent (250 2.0.0 from MTA: 250 2.0.0 Ok: queued as {other})")),
    (1, "qmgr[13]: {id}: removed"),
    (2, _TO.replace("{id}", "{other}") + _SENT),
    (2, "qmgr[13]: {other}: removed"),
)  # fmt: skip
DEFERRED = (
    *_BEGUN,
    (1, _TO + "dsn=4.2.0, status=deferred (host mx.isp.example[203.0.113.9] said: 450 4.2.0 Greylisted)"),
    (7200, "qmgr[13]: {id}: from=<orders@shop.example>, size=2048, nrcpt=1 (queue active)"),
    (7201, _TO + _SENT),
    (7201, "qmgr[13]: {id}: removed"),
)


def each_mail(start: int, course: tuple[tuple[int, str], ...]) -> Iterator[str]:
    """One mail a second, each of this course; lines in the order of time."""
    waiting: list[tuple[int, int, str]] = []
    for number in count():
        names = {"number": number, "id": f"{number:05X}A{number:06X}", "other": f"{number:05X}B{number:06X}"}
        for place, (past, text) in enumerate(course):
            said = text.format(**names, answer=f"4C{number:07}")
            heappush(waiting, (start // 1000 + number + past, 100 * number + place, said))
        while waiting and waiting[0][0] <= start // 1000 + number:
            at, _, text = heappop(waiting)
            moment = datetime.fromtimestamp(at, UTC)
            yield f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} mx1 postfix/{text}"


class Run(NamedTuple):
    """Of one command."""

    seconds: float
    processor: float  # seconds, of all its threads
    resident: int  # KiB at most


def timed(command: list[str], environment: dict[str, str] | None = None) -> Run:
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return Run(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def imported(log: Path, scratch: Path) -> Run:
    """One import into a new data directory."""
    data = scratch / "data"
    shutil.rmtree(data, ignore_errors=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAILVANE_")}
    environment["MAILVANE_DATA"] = str(data)
    for command in (["workspace", "create", "bench"], ["relay", "create", "--workspace", "bench"]):
        subprocess.run([MAILVANE, *command], check=True, env=environment, stdout=subprocess.DEVNULL)
    result = timed([str(MAILVANE), "import", "postfix", str(log), "--workspace", "bench"], environment)
    answer = subprocess.run(
        [MAILVANE, "log", "--limit", "1", "--json"], check=True, env=environment, capture_output=True
    )
    if not json.loads(answer.stdout)["total"]:
        raise SystemExit("nothing was imported")
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--times", type=int, default=4, help="how much longer the log is that shows the memory")
    arguments.add_argument("--form", choices=FORMS, default="world", help=str(FORMS))
    chosen = arguments.parse_args()
    if not shutil.which("pflogsumm"):
        raise SystemExit("pflogsumm is missing: apt-get install pflogsumm")
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        log = scratch / "mail.log"
        generate(log, chosen.lines, chosen.form)
        syslog = log
        if chosen.form in ("journald", "docker"):
            syslog = scratch / "syslog"  # which pflogsumm reads: the same lines
            generate(syslog, chosen.lines)
        print(
            f"{FORMS[chosen.form]}: {chosen.lines:,} lines, {log.stat().st_size / 1e6:,.0f} MB, {os.cpu_count()} cores"
        )
        ours, theirs = [], []
        for _ in range(chosen.rounds):
            theirs.append(timed(["pflogsumm", str(syslog)]))
            ours.append(imported(log, scratch))
        report(chosen.lines, ours, theirs)
        first = max(run.resident for run in ours)
        print(f"resident at most: {first / 1024:.0f} MiB")
        if chosen.times > 1:
            generate(log, chosen.times * chosen.lines, chosen.form)
            grown = imported(log, scratch).resident
            print(f"and {grown / 1024:.0f} MiB for a log {chosen.times} times as long")


def report(lines: int, ours: list[Run], theirs: list[Run]) -> None:
    print(f"{'':<12}{'median':>10}{'lines/s':>12}{'processor':>12}")
    for name, runs in (("mailvane", ours), ("pflogsumm", theirs)):
        seconds, processor = _median(runs)
        print(f"{name:<12}{seconds:>8.2f} s{lines / seconds:>12,.0f}{processor:>10.2f} s")
    (mine, spent), (other, of_other) = _median(ours), _median(theirs)
    print(f"mailvane imports {other / mine:.2f} times as many lines a second (goal: 1.5, 1.0 at the least)")
    print(f"of processor time it takes {spent / of_other:.2f} times as much, on up to {os.cpu_count()} cores")


def _median(runs: list[Run]) -> tuple[float, float]:
    return statistics.median(run.seconds for run in runs), statistics.median(run.processor for run in runs)


if __name__ == "__main__":
    main()
