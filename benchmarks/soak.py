"""Does a server that does everything at once keep its memory?

    python benchmarks/soak.py [--minutes 5] [--clients 20]

A whole server follows a Postfix log that grows by 50 mails a second, answers a policy client, takes events in and is
asked for pages, statistics and counters, for so many minutes. Its resident memory is printed every 10 seconds. Goal:
from the end of the first minute on it grows by no more than a tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

from increment import MASTER, free_port, wait_until_ready
from mixed_clients import Told, load, prepare
from policy import asked

MAILVANE = Path(sys.executable).with_name("mailvane")
MAILS_A_SECOND = 50
QUEUE_ID = "{number:010X}"


def memory(process: int) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def lines(number: int) -> str:
    """What Postfix says of one mail."""
    stamp, queue_id = datetime.now().astimezone().strftime("%b %e %H:%M:%S"), QUEUE_ID.format(number=number)
    said = (
        f"smtpd[1]: {queue_id}: client=app.example[192.0.2.7]",
        f"cleanup[2]: {queue_id}: message-id=<{number}@app.example>",
        f"qmgr[3]: {queue_id}: from=<shop@app.example>, size=2048, nrcpt=1 (queue active)",
        (
            f"smtp[4]: {queue_id}: to=<user{number % 1000}@isp.example>, relay=mx.isp.example[198.51.100.9]:25, "
            "delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
        ),
        f"qmgr[3]: {queue_id}: removed",
    )
    return "".join(f"{stamp} mx1 postfix/{each}\n" for each in said)


async def grow(log: Path, until: float) -> None:
    number = 1 << 32
    with log.open("a") as file:
        while time.perf_counter() < until:
            file.write("".join(lines(number + each) for each in range(MAILS_A_SECOND // 10)))
            file.flush()
            number += MAILS_A_SECOND // 10
            await asyncio.sleep(0.1)


async def watch(process: int, until: float) -> list[tuple[float, float]]:
    began, seen = time.perf_counter(), []
    while time.perf_counter() < until:
        seen.append((time.perf_counter() - began, memory(process)))
        print(f"{seen[-1][0]:>6.0f} s {seen[-1][1]:>8.0f} MiB", flush=True)
        await asyncio.sleep(10)
    return seen


async def soak(directory: Path, process: int, ports: tuple[int, int], wanted: argparse.Namespace) -> None:
    seconds = wanted.minutes * 60
    until = time.perf_counter() + seconds
    tenants = await asyncio.to_thread(prepare, directory, ports[0], 4, 5_000)
    policy = asyncio.to_thread(asked, ports[1], 4, seconds / 1.2, 100)
    asking: asyncio.Task[Told] = asyncio.create_task(load(ports[0], tenants, wanted.clients, seconds))
    growing = asyncio.create_task(grow(directory.parent / "mail.log", until))
    seen, answers, _, _ = await asyncio.gather(watch(process, until), asking, policy, growing)
    first = max(size for at, size in seen if at <= 75)
    last = seen[-1][1]
    print(f"{sum(map(len, answers.seconds.values())):,} answers; errors: {dict(answers.errors) or 'none'}")
    print(f"{first:.0f} MiB after a minute, {last:.0f} at the end: " + ("flat" if last <= first * 1.1 else "GROWN"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--clients", type=int, default=20)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory, ports = Path(name) / "data", (free_port(), free_port())
        directory.mkdir()
        (Path(name) / "mail.log").touch()
        (directory / "mailvane.toml").write_text(
            f'[[postfix]]\npath = "{name}/mail.log"\nworkspace = "followed"\n', encoding="utf-8"
        )
        settings = {"MAILVANE_DATA": str(directory), "MAILVANE_MASTER_TOKEN": MASTER}
        settings |= {"MAILVANE_HTTP": f"127.0.0.1:{ports[0]}", "MAILVANE_POLICY": f"127.0.0.1:{ports[1]}"}
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MAILVANE_")} | settings
        for made in (["workspace", "create", "followed"], ["relay", "create", "--workspace", "followed"]):
            subprocess.run([MAILVANE, *made], env=environment, check=True, stdout=subprocess.DEVNULL)
        log = Path(name) / "server.log"
        with log.open("wb") as output:
            server = subprocess.Popen([MAILVANE, "serve"], env=environment, stdout=output, stderr=output)
        with contextlib.ExitStack() as ending:
            ending.callback(server.wait, 60)
            ending.callback(server.terminate)
            wait_until_ready(server, ports[0], log)
            asyncio.run(soak(directory, server.pid, ports, wanted))


if __name__ == "__main__":
    main()
