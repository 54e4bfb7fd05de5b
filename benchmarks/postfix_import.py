"""One million Postfix log lines, imported durable and queryable, against pflogsumm reading the same file.

    python benchmarks/postfix_import.py [--lines 1000000] [--rounds 3]

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
from pathlib import Path

from mailvane_demo.world.postfix import PostfixWorld

DAY = 86_400_000
MAILVANE = Path(sys.executable).with_name("mailvane")


def generate(path: Path, lines: int) -> None:
    """A log of so many lines of the simulated world, about as busy as a relay with 100,000 mails a day."""
    days = 20 * (1 + lines // 1_000_000)
    start = int(time.time()) * 1000 - days * DAY
    world = PostfixWorld(seed=1, start=start, mails_per_day=100_000)
    written = 0
    with path.open("w") as log:
        for line in world.lines(start, start + days * DAY):
            log.write(line + "\n")
            written += 1
            if written == lines:
                return
    raise SystemExit(f"the world wrote only {written} lines")


def timed(command: list[str], environment: dict[str, str] | None = None) -> tuple[float, int]:
    """Seconds, and the largest resident size in KiB."""
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss


def imported(log: Path, scratch: Path) -> tuple[float, int]:
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
    arguments.add_argument("--rounds", type=int, default=3)
    chosen = arguments.parse_args()
    if not shutil.which("pflogsumm"):
        raise SystemExit("pflogsumm is missing: apt-get install pflogsumm")
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        log = scratch / "mail.log"
        generate(log, chosen.lines)
        print(f"{chosen.lines:,} lines, {log.stat().st_size / 1e6:,.0f} MB, {os.cpu_count()} cores")
        ours, theirs = [], []
        for _ in range(chosen.rounds):
            theirs.append(timed(["pflogsumm", str(log)])[0])
            ours.append(imported(log, scratch))
        report(chosen.lines, [seconds for seconds, _ in ours], theirs)
        generate(log, 4 * chosen.lines)
        first, grown = max(size for _, size in ours), imported(log, scratch)[1]
        print(f"resident at most: {first / 1024:.0f} MiB, {grown / 1024:.0f} MiB for a log four times as long")


def report(lines: int, ours: list[float], theirs: list[float]) -> None:
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"{'':<12}{'median':>10}{'lines/s':>12}")
    print(f"{'mailvane':<12}{mine:>8.2f} s{lines / mine:>12,.0f}")
    print(f"{'pflogsumm':<12}{other:>8.2f} s{lines / other:>12,.0f}")
    print(f"mailvane imports {other / mine:.2f} times as many lines a second (goal: 1.0 or more, 0.5 at the least)")


if __name__ == "__main__":
    main()
