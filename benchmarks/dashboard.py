"""Does the dashboard keep to its budget on a large mail log?

    python benchmarks/dashboard.py --data DIR [--deliveries 10000000] [--rounds 20] [--seconds 20] [--without-chromium]

DIR is filled as by `maillog_queries.py`, with mail up to the coming midnight, unless it holds what an earlier run of
the last day left: the largest workspace has 24 % of the deliveries. A server is started on it as a user would, and a
person logs in.

Printed are the 95th percentile of whole requests of each page with its budget, the processor time of the server for one
(a mean, which other work on the machine disturbs less), its bytes as they are and packed with gzip, and its elements;
what 50 open tabs cost of a core while nothing happens; and, by Chromium at a quarter of the speed of this processor,
when the largest part of a page is drawn, how much of that the server took, and how much the page shifts. What is over
is marked.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from maillog_http import prepare
from maillog_queries import WORKSPACE, fill

from mailvane.core.tenants.service import Tenancy
from mailvane.dashboard.people.service import People
from mailvane.server.ledger import open_ledger

MAILVANE = Path(sys.executable).with_name("mailvane")
PORT = 8478
BASE = f"http://127.0.0.1:{PORT}"
STAMP = "dashboard.txt"  # when DIR was filled, in DIR
PATIENCE = 300.0
TABS = 50
WORKSPACES = 20  # of the fill
IDLE_PERCENT = 5.0
HTML_BYTES, HTML_PACKED, ELEMENTS = 80_000, 15_000, 1500
FIRST_VISIT_BYTES, LATER_BYTES = 100_000, 15_000
LCP_MS, CLS = 1000, 0.0005
SLOWER = 4


class Budget(NamedTuple):
    """A page below the workspace, and the milliseconds that 95 of 100 requests take at most."""

    path: str
    milliseconds: int


PAGES = {
    "overview": Budget("", 250),
    "overview, 30 days": Budget("?range=30d", 250),
    "log, rows": Budget("/log?part=rows", 120),
    "log, rows of what fails": Budget("/log?q=is:failing&part=rows", 120),
    "log with facets": Budget("/log", 520),
    "log with facets, 30 days": Budget("/log?q=since:30d", 520),
    "newer mails": Budget("/log/newer?q=is:failing", 150),
    "refused, rows": Budget("/log?q=is:refused&part=rows", 120),
    "refused with facets": Budget("/log?q=is:refused", 520),
    "refused with facets, 30 days": Budget("/log?q=is:refused since:30d", 520),
    "domains": Budget("/domains", 150),
    "domains, their 30 days": Budget("/domains-courses", 400),
    "reputation": Budget("/reputation", 150),
    "alerts": Budget("/alerts", 150),
    "quarantine": Budget("/inbound/quarantine", 150),
    "mailboxes": Budget("/mailboxes", 150),
    "replies": Budget("/mailboxes/replies", 150),
    "relays, their figures": Budget("/settings/relays/figures", 150),
    "keys": Budget("/settings/keys", 150),
}
LIFE = 40  # milliseconds for the page of a mail


class Elements(HTMLParser):
    """Counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self.count += 1


def prepared(data: Path, deliveries: int) -> tuple[int, str]:
    """The largest workspace, and a login link's token."""
    stamp = data / STAMP
    if not stamp.exists() or time.time() - stamp.stat().st_mtime > 86_400:
        if (data / "maillog").exists() and stamp.exists():
            raise SystemExit(f"{data} holds a mail log of another day: name an empty directory")
        data.mkdir(parents=True, exist_ok=True)
        fill(f"chdb://{data.absolute()}/maillog", deliveries)
        stamp.write_text(f"{deliveries}\n")
    prepare(data)
    ledger = open_ledger(f"sqlite:///{data.absolute()}/ledger.sqlite")
    tenancy = Tenancy(ledger.tenants, "")
    for number in range(3, WORKSPACES + 1):  # the fill's others, without whose ledger no server starts
        tenancy.ensure_workspace(f"other {number}", time.time_ns() // 1_000_000)
    people, now = People(ledger.people, ledger.tenants), time.time_ns() // 1_000_000
    token = people.first_link(now) or people.login_link("admin", now)
    ledger.close()
    return WORKSPACE, token


@contextmanager
def serving(data: Path) -> Iterator[int]:
    """A server as a user would start it; its process."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAILVANE_")}
    environment = {**kept, "MAILVANE_DATA": str(data), "MAILVANE_HTTP": f"127.0.0.1:{PORT}"}
    with subprocess.Popen([MAILVANE, "serve", "--roles", "http"], env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            while not answers():
                if server.poll() is not None:
                    raise SystemExit(f"the server ended with {server.returncode}")
                time.sleep(0.2)
            yield server.pid
        finally:
            server.terminate()


def answers() -> bool:
    try:
        return httpx.get(f"{BASE}/ping").is_success
    except httpx.HTTPError:
        return False


def logged_in(token: str) -> httpx.Client:
    client = httpx.Client(base_url=BASE, timeout=PATIENCE)
    client.post(f"/ui/login/{token}", headers={"sec-fetch-site": "same-origin"})
    return client


def mark(value: float, budget: float) -> str:
    return " OVER" if value > budget else ""


def ask(client: httpx.Client, workspace: int, process: int, rounds: int) -> None:
    """Every page, again and again."""
    pages = dict(PAGES)
    newest = client.get(f"/ui/{workspace}/log?q=is:delivered&part=rows").text
    if found := re.search(r'data-href="/ui/\d+(/mail/[0-9a-f]+)"', newest):
        pages["mail"] = Budget(found[1], LIFE)
    print(f"{'page':<28}{'p95':>9}{'budget':>9}{'processor':>12}{'bytes':>10}{'packed':>9}{'elements':>10}")
    for name, page in pages.items():
        times, used = [], 0.0
        for number in range(rounds + 1):
            if number == 1:  # the first is not counted
                used = cpu_seconds(process)
            began = time.perf_counter()
            answer = client.get(f"/ui/{workspace}{page.path}")
            answer.raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
        spent = 1000 * (cpu_seconds(process) - used) / rounds
        taken = sorted(times[1:])[max(0, -(-95 * rounds // 100) - 1)]
        packed, counted = len(gzip.compress(answer.content, 6)), Elements()
        counted.feed(answer.text)
        over = mark(taken, page.milliseconds) + mark(len(answer.content), HTML_BYTES).replace("OVER", "BYTES")
        over += mark(packed, HTML_PACKED).replace("OVER", "PACKED")
        over += mark(counted.count, ELEMENTS).replace("OVER", "ELEMENTS")
        print(
            f"{name:<28}{taken:>6.0f} ms{page.milliseconds:>6} ms{spent:>9.0f} ms{len(answer.content):>10,}{packed:>9,}"
            f"{counted.count:>10,}{over}"
        )
    files(client, workspace)


def files(client: httpx.Client, workspace: int) -> None:
    """What a first visit loads beside the page, packed, and what a later one does."""
    page = client.get(f"/ui/{workspace}").text
    whole = packed = 0
    for url in dict.fromkeys(re.findall(r'(?:src|href)="(/ui/static/[^"]+)"', page)):
        content = client.get(url).content
        whole, packed = whole + len(content), packed + len(gzip.compress(content, 6))
    overview = len(gzip.compress(page.encode(), 6))
    print(f"first visit: {overview + packed:,} bytes packed, {len(page) + whole:,} as they are"
          f"{mark(overview + packed, FIRST_VISIT_BYTES)}; later {overview:,}{mark(overview, LATER_BYTES)}")  # fmt: skip


async def tabs(client: httpx.Client, workspace: int, process: int, seconds: float) -> None:
    """What open pages cost while nothing happens, compared with none."""
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    limits = httpx.Limits(max_connections=None)
    async with AsyncExitStack() as streams:
        asking = await streams.enter_async_context(httpx.AsyncClient(base_url=BASE, timeout=PATIENCE, limits=limits))
        before = await cost(process, seconds)
        for _ in range(TABS):
            stream = asking.stream("GET", f"/ui/{workspace}/ticks", headers={"cookie": cookies})
            answer = await streams.enter_async_context(stream)
            answer.raise_for_status()
        await cost(process, 3.0)
        during = await cost(process, seconds)
    more = during - before
    print(
        f"{TABS} open tabs: {during:.1f} % of a core, {before:.1f} % without: {more:+.1f} %{mark(more, IDLE_PERCENT)}"
    )


async def cost(process: int, seconds: float) -> float:
    """Percent of a core that the process takes."""
    began, used = time.perf_counter(), cpu_seconds(process)
    await asyncio.sleep(seconds)
    return 100 * (cpu_seconds(process) - used) / (time.perf_counter() - began)


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


PAINTED = """() => new Promise(done => {
  let paint = 0, shift = 0;
  new PerformanceObserver(list => { for (const one of list.getEntries()) paint = one.startTime; })
    .observe({type: 'largest-contentful-paint', buffered: true});
  new PerformanceObserver(list => { for (const one of list.getEntries()) if (!one.hadRecentInput) shift += one.value; })
    .observe({type: 'layout-shift', buffered: true});
  const asked = performance.getEntriesByType('navigation')[0];
  setTimeout(() => done([paint, shift, asked.responseStart]), 1500);
})"""


def draw(client: httpx.Client, workspace: int, rounds: int) -> None:
    """In Chromium, slowed down."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - a figure that may be left out

    path = shutil.which("chromium") or shutil.which("chromium-browser")
    cookies: list[Any] = [{"name": name, "value": value, "url": BASE} for name, value in client.cookies.items()]
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies(cookies)
        page = context.new_page()
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})
        for name in ("overview", "log with facets", "domains", "reputation", "alerts", "mailboxes"):
            drawn = []
            for _ in range(rounds):
                page.goto(f"{BASE}/ui/{workspace}{PAGES[name].path}")
                drawn.append(page.evaluate(PAINTED))
            paint, server = (sorted(each[part] for each in drawn)[rounds // 2] for part in (0, 2))
            own = sorted(each[0] - each[2] for each in drawn)[rounds // 2]
            shift = max(each[1] for each in drawn)
            print(
                f"{name:<28}largest paint {paint:.0f} ms{mark(paint, LCP_MS)}: the server {server:.0f}, the browser "
                f"{own:.0f}; shift {shift:.4f}{mark(shift, CLS)}"
            )
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--deliveries", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--without-chromium", action="store_true")
    chosen = parser.parse_args()
    workspace, token = prepared(chosen.data, chosen.deliveries)
    with serving(chosen.data) as process:
        client = logged_in(token)
        ask(client, workspace, process, chosen.rounds)
        asyncio.run(tabs(client, workspace, process, chosen.seconds))
        if not chosen.without_chromium:
            draw(client, workspace, max(1, chosen.rounds // 4))


if __name__ == "__main__":
    main()
