"""Which mappings of a process may be given back: those that are on disk as they are in memory."""

from __future__ import annotations

import json
import subprocess
import sys

from mailvane.core.memory import Mapping, unchanged
from tests.waiting import PATIENCE

# Code, what stands beside it, addresses that were relocated and are protected since, variables, a small library,
# memory without a file, a file of data, and a file that was replaced while it is mapped.
SMAPS = """\
7f0000000000-7f0010000000 r-xp 00001000 fe:00 1234                       /opt/lib/_engine.abi3.so
Size:             262144 kB
Rss:              120000 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
7f0020000000-7f0030000000 r--p 00000000 fe:00 1234                       /opt/lib/_engine.abi3.so
Rss:               50000 kB
Anonymous:             0 kB
7f0030000000-7f0040000000 r--p 10000000 fe:00 1234                       /opt/lib/_engine.abi3.so
Anonymous:         11000 kB
7f0040000000-7f0050000000 rw-p 20000000 fe:00 1234                       /opt/lib/_engine.abi3.so
Anonymous:             0 kB
7f0050000000-7f0050100000 r-xp 00000000 fe:00 1235                       /usr/lib/libc.so.6
Anonymous:             0 kB
7f0060000000-7f0070000000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0070000000-7f0080000000 r--p 00000000 fe:00 1236                       /var/lib/words.dat
Anonymous:             0 kB
7f0080000000-7f0090000000 r-xp 00000000 fe:00 1237                       /opt/my lib/large.so.1 (deleted)
Anonymous:             0 kB
"""

GIVING_BACK = """
import json, sys
from ctypes import c_char
from pathlib import Path
from mailvane.core.memory import give_back, unchanged
from mailvane.maillog.clickhouse.engine import client_in_memory

def resident():
    told = dict(line.split(":") for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:])
    return int(told["Rss"].split()[0])

with client_in_memory() as client:
    for library in unchanged(Path("/proc/self/smaps").read_text(errors="replace")):
        for page in range(library.begins, library.begins + 100 * 1024 * 1024, 4096):
            c_char.from_address(page).value  # read once, as by a question of long ago
    before = resident()
    give_back()
    after = resident()
    answer = client.query("SELECT sum(number) FROM numbers(1000)").result_rows
print(json.dumps([before, after, str(answer)]))
"""


def test_only_what_was_never_written_is_given_back() -> None:
    assert list(unchanged(SMAPS)) == [
        Mapping(0x7F0000000000, 0x7F0010000000, "/opt/lib/_engine.abi3.so"),
        Mapping(0x7F0020000000, 0x7F0030000000, "/opt/lib/_engine.abi3.so"),
        Mapping(0x7F0080000000, 0x7F0090000000, "/opt/my lib/large.so.1 (deleted)"),
    ]


def test_a_process_with_the_engine_is_smaller_and_goes_on() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GIVING_BACK], check=True, capture_output=True, text=True, timeout=PATIENCE
    )
    before, after, answer = json.loads(done.stdout)
    assert answer == "[(499500,)]"
    if sys.platform == "linux":
        assert after < before - 50_000, "kilobytes"
