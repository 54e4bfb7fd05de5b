"""How many DMARC aggregate reports a second are read, against parsedmarc; and how much memory a huge one takes.

    python benchmarks/dmarc.py [--reports 2000] [--megabytes 500] [--peer PYTHON]

The same generated reports, gzipped as they arrive, go through both in one run, each in a process of its own with one
thread. parsedmarc is asked to stay offline: no DNS; what it looks up in the database that it carries stays, since it
offers no way without. Rows of both are compared, every one. Without --peer a virtual environment with parsedmarc from
PyPI is made in a temporary directory, so that nothing of it comes near Mailvane's own.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mailvane.dmarc.intake import Aggregate
from mailvane.dmarc.readers.aggregate import read_aggregate
from mailvane.dmarc.readers.containers import documents
from mailvane.dmarc.readers.reading import read_reports

GOAL = 20
ROUNDS = 3  # the best of which counts, for both
BEGINS = 1_767_225_600
DAY = 86_400
RECORD = """\
  <record>
    <row>
      <source_ip>{address}</source_ip>
      <count>{count}</count>
      <policy_evaluated>
        <disposition>{disposition}</disposition>
        <dkim>{dkim}</dkim>
        <spf>{spf}</spf>{reason}
      </policy_evaluated>
    </row>
    <identifiers>
      <envelope_from>bounce.{domain}</envelope_from>
      <header_from>{domain}</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>{domain}</domain>
        <selector>s{selector}</selector>
        <result>{dkim}</result>
      </dkim>
      <spf>
        <domain>bounce.{domain}</domain>
        <scope>mfrom</scope>
        <result>{spf_result}</result>
      </spf>
    </auth_results>
  </record>
"""
HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<feedback{namespace}>
  <version>1.0</version>
  <report_metadata>
    <org_name>{organisation}</org_name>
    <email>reports@{organisation}</email>
    <report_id>{report_id}</report_id>
    <date_range><begin>{begins}</begin><end>{ends}</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>{domain}</domain>
    <adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>reject</sp>{generation}<fo>0</fo>
  </policy_published>
"""
REASON = "<reason><type>mailing_list</type><comment>arc=pass</comment></reason>"
NEW = ' xmlns="urn:ietf:params:xml:ns:dmarc-2.0"'

# Runs in parsedmarc's own interpreter: reads the files of a directory, then writes seconds and rows.
PEER = """
import json, logging, sys, time
from pathlib import Path
import parsedmarc
logging.disable(logging.CRITICAL)
files = [path.read_bytes() for path in sorted(Path(sys.argv[1]).iterdir())]
parsedmarc.parse_report_file(files[0], offline=True)
seconds = 1e9
for _ in range(int(sys.argv[2])):
    began = time.process_time()
    read = [parsedmarc.parse_report_file(file, offline=True)["report"] for file in files]
    seconds = min(seconds, time.process_time() - began)
rows = []
for report in read:
    head = [report["report_metadata"]["org_name"], report["report_metadata"]["report_id"],
            report["policy_published"]["domain"]]
    for record in report["records"]:
        rows.append(head + [
            record["source"]["ip_address"], record["count"], record["policy_evaluated"]["disposition"],
            record["alignment"]["dkim"], record["alignment"]["spf"],
            [[each["type"], each["comment"]] for each in record["policy_evaluated"]["policy_override_reasons"]],
            record["identifiers"]["header_from"], record["identifiers"]["envelope_from"],
            [[each["domain"], each["selector"], each["result"]] for each in record["auth_results"]["dkim"]],
            [[each["domain"], each["scope"], each["result"]] for each in record["auth_results"]["spf"]],
        ])
print(json.dumps({"seconds": seconds, "rows": rows, "version": parsedmarc.__version__}))
"""


def record(chance: random.Random, domain: str) -> str:
    spf_result = chance.choice(("pass", "pass", "pass", "fail", "softfail"))
    dkim = chance.choice(("pass", "pass", "fail"))
    spf = "pass" if spf_result == "pass" else "fail"
    address = f"2001:db8:{chance.randrange(1, 65536):x}::{chance.randrange(1, 65536):x}"
    if chance.random() < 0.8:
        address = f"198.{chance.randrange(18, 20)}.{chance.randrange(256)}.{chance.randrange(256)}"
    return RECORD.format(
        address=address,
        count=int(chance.paretovariate(1)),
        disposition="none" if "pass" in (dkim, spf) else chance.choice(("none", "reject")),
        dkim=dkim,
        spf=spf,
        spf_result=spf_result,
        reason=REASON if chance.random() < 0.1 else "",
        domain=domain,
        selector=chance.randrange(5),
    )


def head(number: int, domain: str, *, new: bool) -> str:
    return HEAD.format(
        namespace=NEW if new else "",
        organisation=f"reporter{number % 40}.example",
        report_id=f"{number}.{BEGINS}",
        begins=BEGINS,
        ends=BEGINS + DAY - 1,
        domain=domain,
        generation="<np>reject</np><testing>n</testing>" if new else "<pct>100</pct>",
    )


def written(chance: random.Random, number: int) -> bytes:
    """A report; most are short, some long, as they are for a domain of some size."""
    domain = f"shop{number % 50}.example"
    count = min(200, int(chance.paretovariate(0.7)))
    records = "".join(record(chance, domain) for _ in range(count))
    return gzip.compress(f"{head(number, domain, new=number % 3 == 0)}{records}</feedback>".encode())


def rows_of(content: bytes) -> Iterator[list[Any]]:
    """As the peer's rows are written."""
    for found in read_reports(io.BytesIO(content), "report"):
        if not isinstance(found, Aggregate):
            raise TypeError(found)
        for row in found.rows:
            yield [
                found.organisation, found.report_id, found.domain,
                row["source_ip"], row["count"], row["disposition"], row["dkim_aligned"], row["spf_aligned"],
                [[each["type"], each["comment"]] for each in row.get("reasons", [])],
                row["header_from"], row["envelope_from"],
                [[each["domain"], each["selector"], each["result"]] for each in row["dkim"]],
                [[each["domain"], each["scope"], each["result"]] for each in row["spf"]],
            ]  # fmt: skip


def ours(files: list[bytes]) -> float:
    """Processor seconds for reading all, rows and sums, with every check."""
    began = time.process_time()
    for content in files:
        for found in read_reports(io.BytesIO(content), "report"):
            if not isinstance(found, Aggregate) or len(list(found.rows)) != found.row_count:
                raise TypeError(found)
    return time.process_time() - began


def peer_interpreter(folder: Path) -> Path:
    print("installing parsedmarc from PyPI into a virtual environment of its own", file=sys.stderr)
    venv.create(folder, with_pip=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", "parsedmarc"], check=True)
    return folder / "bin" / "python"


def compare(count: int, python: Path | None) -> None:
    chance = random.Random(7)
    files = [written(chance, number) for number in range(count)]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        python = python or peer_interpreter(folder / "peer")
        (folder / "reports").mkdir()
        for number, content in enumerate(files):
            (folder / "reports" / f"{number:06}.xml.gz").write_bytes(content)
        answer = subprocess.run(
            [python, "-c", PEER, folder / "reports", str(ROUNDS)], check=True, stdout=subprocess.PIPE, cwd=folder
        )
    theirs = json.loads(answer.stdout)
    seconds = min(ours(files) for _ in range(ROUNDS))
    rows = [row for content in files for row in rows_of(content)]
    print(f"{count:,} reports, {len(rows):,} rows; one processor each")
    print(f"  parsedmarc {theirs['version']:8} {count / theirs['seconds']:10,.0f} reports/s")
    print(f"  Mailvane            {count / seconds:10,.0f} reports/s")
    different = sum(mine != other for mine, other in zip(rows, theirs["rows"], strict=False))
    different += abs(len(rows) - len(theirs["rows"]))
    print(f"  {theirs['seconds'] / seconds:.1f} times (goal {GOAL}); rows that differ: {different:,}")
    if different:
        pairs = zip(rows, theirs["rows"], strict=False)
        print(*next((pair for pair in pairs if pair[0] != pair[1]), ("in number",)), sep="\n")


def write_huge(path: Path, megabytes: int) -> None:
    chance = random.Random(7)
    part = "".join(record(chance, "shop.example") for _ in range(20_000)).encode()
    with path.open("wb") as file:
        file.write(head(1, "shop.example", new=False).encode())
        while file.tell() < megabytes * 1_000_000:
            file.write(part)
        file.write(b"</feedback>")


def peak() -> int:
    """Kilobytes; `ru_maxrss` would begin with what the parent had."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def huge(path: Path) -> None:
    """In a process of its own: what it took beyond what the interpreter had."""
    before = peak()
    began = time.process_time()
    count = 0
    with path.open("rb") as file:
        for found in read_reports(file, path.name):
            if not isinstance(found, Aggregate):
                raise TypeError(found)
            count = sum(1 for _ in found.rows)
    whole = time.process_time() - began
    grown = peak() - before
    began = time.process_time()
    with path.open("rb") as file:
        for document in documents(file, path.name):
            read_aggregate(document.stream, lambda _: None)
    parsing = time.process_time() - began
    size = path.stat().st_size / 1e6
    print(
        f"{size:,.0f} MB, {count:,} rows: {grown / 1024:.0f} MB more memory; "
        f"{size / parsing:.0f} MB/s read, {size / whole:.0f} MB/s with the rows kept aside and read again"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=int, default=2000)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--peer", type=Path, help="an interpreter that has parsedmarc")
    parser.add_argument("--huge", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.huge:
        huge(chosen.huge)
        return
    compare(chosen.reports, chosen.peer)
    with tempfile.TemporaryDirectory() as made:
        for megabytes in sorted({max(1, chosen.megabytes // 10), chosen.megabytes}):
            path = Path(made) / "huge.xml"
            write_huge(path, megabytes)
            subprocess.run([sys.executable, __file__, "--huge", path], check=True)


if __name__ == "__main__":
    main()
