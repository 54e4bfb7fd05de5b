"""Types that threads read for the first time at the same moment."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from mailvane.core.decoding import prepared
from tests.waiting import PATIENCE

# Without `prepared` this crashes within a few rounds. The threads give way to each other as often as they can.
AT_ONCE = """
import sys
from threading import Barrier, Thread
from typing import Union
import msgspec
from mailvane.core.decoding import prepared

sys.setswitchinterval(1e-7)
FIELDS = {f"field{number}": number for number in range(30)}
THREADS = 4

def read(kind, barrier):
    barrier.wait()
    msgspec.convert(FIELDS, prepared(kind))

for number in range(200):
    fields = {"__annotations__": {name: Union[int, str, None] for name in FIELDS}, "__module__": __name__}
    kind = type(f"Kind{number}", (msgspec.Struct,), fields)
    barrier = Barrier(THREADS)
    threads = [Thread(target=read, args=(kind, barrier)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_threads_read_a_type_for_the_first_time_at_once() -> None:
    command = [sys.executable, "-c", AT_ONCE]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE)

    assert (done.returncode, done.stderr) == (0, "")


def test_what_is_no_type_to_read_is_told_each_time() -> None:
    for _ in range(2):
        with pytest.raises(TypeError):
            prepared(dict[str, int | type[str] | list[int] | tuple[int, ...]])


def test_the_type_itself_is_given_back() -> None:
    class Value(msgspec.Struct):
        number: int

    assert prepared(Value) is Value
    assert msgspec.json.decode(b'{"number": 1}', type=prepared(Value)) == Value(1)
