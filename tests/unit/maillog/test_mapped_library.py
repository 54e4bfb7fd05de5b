"""Which ranges of the engine's library may be unmapped: those that are in the file as they are in memory."""

from __future__ import annotations

from mailvane.maillog.clickhouse.embedded import _unwritten

SMAPS = """\
7f0000000000-7f0000100000 r--p 00000000 fe:00 1234                       /opt/a b/chdb/_chdb.abi3.so
Size:               1024 kB
Rss:                 512 kB
Anonymous:             0 kB
VmFlags: rd mr mw me
7f0000100000-7f0000200000 r-xp 00100000 fe:00 1234                       /opt/a b/chdb/_chdb.abi3.so
Size:               1024 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
7f0000200000-7f0000300000 r--p 00200000 fe:00 1234                       /opt/a b/chdb/_chdb.abi3.so
Size:               1024 kB
Anonymous:           128 kB
VmFlags: rd mr mw me
7f0000300000-7f0000400000 rw-p 00300000 fe:00 1234                       /opt/a b/chdb/_chdb.abi3.so
Size:               1024 kB
Anonymous:             0 kB
VmFlags: rd wr mr mw me
7f0000400000-7f0000500000 rw-p 00000000 00:00 0
Size:               1024 kB
Anonymous:             0 kB
VmFlags: rd wr mr mw me
7f0000500000-7f0000600000 r-xp 00000000 fe:00 99                         /usr/lib/libc.so.6
Size:               1024 kB
Anonymous:             0 kB
"""


def test_what_was_written_and_what_can_be_stays() -> None:
    assert _unwritten(SMAPS, "_chdb.abi3.so") == [
        (0x7F0000000000, 0x7F0000100000),
        (0x7F0000100000, 0x7F0000200000),
    ]
