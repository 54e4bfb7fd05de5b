"""A real ClickHouse server for tests, started from the shared library in the npm package @chdb/lib-linux-x64-gnu.

As a program it serves until it is stopped:

    python tests/contract/clickhouse_server.py --library libchdb.so --data DIR --http 8123 --tcp 9000
        [--cluster NAME --peer 127.0.0.1:9000 --peer 127.0.0.1:9001]

The library is looked for in TEST_MAILVANE_LIBCHDB, then in `.cache/clickhouse/` of the project; `fetch` puts it there.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

PACKAGE = "@chdb/lib-linux-x64-gnu@26.7.3-stable.1"
_PATIENCE = 240.0  # seconds: a bound on what hangs. Here, as the program imports nothing of the project
CACHE = Path(__file__).parents[2] / ".cache" / "clickhouse"

_SERVE = (
    "SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; SELECT sleepEachRow(3) FROM numbers(100000000)"
    " SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0 FORMAT Null"
)
# What is asked three times would be compiled, which for the few rows of a test is a fifth of the work.
_USERS = """\
<clickhouse>
  <profiles><default>
    <compile_expressions>0</compile_expressions>
    <compile_aggregate_expressions>0</compile_aggregate_expressions>
    <compile_sort_description>0</compile_sort_description>
  </default></profiles>
  <users><default>
    <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
  </default></users>
  <quotas><default></default></quotas>
</clickhouse>
"""


def engine_file() -> Path | None:
    """Where the server's library is, if it is here."""
    named = os.environ.get("TEST_MAILVANE_LIBCHDB")
    for candidate in [Path(named)] if named else [CACHE / "libchdb.so"]:
        if candidate.is_file():
            return candidate
    return None


def fetch() -> Path:
    """Get the library from the npm registry. Needs `npm`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["npm", "pack", PACKAGE], cwd=directory, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(directory).glob("*.tgz"))) as archive:
            member = archive.getmember("package/libchdb.so")
            member.name = "libchdb.so"
            archive.extract(member, CACHE, filter="data")
    return CACHE / "libchdb.so"


@contextmanager
def servers(count: int, directory: Path, cluster: str | None = None) -> Generator[list[int]]:
    """That many servers, all knowing each other as one cluster if it has a name. Yields their HTTP ports."""
    found = engine_file()
    if found is None:
        raise FileNotFoundError("libchdb.so")
    ports = _free_ports(2 * count)
    peers = [f"127.0.0.1:{port}" for port in ports[count:]]
    starting = []
    with ExitStack() as running:
        for number in range(count):
            data = directory / f"server{number}"
            arguments = ["--library", str(found), "--data", str(data)]
            arguments += ["--http", str(ports[number]), "--tcp", str(ports[count + number])]
            if cluster:
                arguments += ["--cluster", cluster, *(word for peer in peers for word in ("--peer", peer))]
            program = running.enter_context(_program(arguments, data))
            starting.append((ports[number], program, data / "output.txt"))
        for port, program, output in starting:
            _await(port, program, output)
        yield ports[:count]


@contextmanager
def _program(arguments: Sequence[str], data: Path) -> Generator[subprocess.Popen[bytes]]:
    data.mkdir(parents=True)
    with (data / "output.txt").open("wb") as output:
        program = subprocess.Popen([sys.executable, __file__, *arguments], stdout=output, stderr=output)
        try:
            yield program
        finally:
            program.kill()
            program.wait()


def _free_ports(count: int) -> list[int]:
    """Below those of `tests/ports.py`: each of the processes that run tests side by side has some for itself."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
    ports = range(11_000 + 250 * worker, 11_250 + 250 * worker)
    found: list[int] = []
    with ExitStack() as stack:
        for port in random.sample(ports, len(ports)):
            if len(found) == count:
                break
            with suppress(OSError):  # one that is taken
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found


def _await(port: int, program: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + _PATIENCE
    while program.poll() is None and time.monotonic() < until:
        try:
            with urlopen(f"http://127.0.0.1:{port}/ping", timeout=_PATIENCE) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError(f"no ClickHouse server on port {port} (status {program.poll()}): {output.read_text()}")


def serve(options: argparse.Namespace) -> None:
    """Run the server in this process until it is killed."""
    users, configuration = options.data / "users.xml", options.data / "configuration.xml"
    users.write_text(_USERS, "utf-8")
    configuration.write_text(_configuration(users, options.cluster, options.peer), "utf-8")
    words = [
        "clickhouse",
        f"--path={options.data / 'store'}",
        "--listen_host=127.0.0.1",
        f"--http_port={options.http}",
        f"--tcp_port={options.tcp}",
        "--output-format=TabSeparated",
        f"--config-file={configuration}",
        f"--query={_SERVE}",
    ]
    engine = ctypes.CDLL(str(options.library))
    entry = engine.chdb_query_cmdline if hasattr(engine, "chdb_query_cmdline") else engine.query_stable_v2
    arguments = (ctypes.c_char_p * len(words))(*(word.encode() for word in words))
    entry.restype = ctypes.c_void_p
    thread = threading.Thread(target=entry, args=(len(words), arguments), daemon=True)
    thread.start()
    thread.join()
    sys.exit("the server ended")


def _configuration(users: Path, cluster: str | None, peers: Sequence[str]) -> str:
    replicas = "".join(
        f"<shard><replica><host>{host}</host><port>{port}</port></replica></shard>"
        for host, _, port in (peer.rpartition(":") for peer in peers)
    )
    remote = f"<remote_servers><{cluster}>{replicas}</{cluster}></remote_servers>" if cluster else ""
    backups = "<backups><allowed_path>/</allowed_path></backups>"
    return f"<clickhouse><users_config>{users}</users_config>{remote}{backups}</clickhouse>\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fetch", action="store_true", help="only get the library")
    parser.add_argument("--library", type=Path, default=engine_file())
    parser.add_argument("--data", type=Path)
    parser.add_argument("--http", type=int, default=8123)
    parser.add_argument("--tcp", type=int, default=9000)
    parser.add_argument("--cluster")
    parser.add_argument("--peer", action="append", default=[])
    options = parser.parse_args()
    if options.fetch:
        sys.stdout.write(f"{fetch()}\n")
    elif options.library and options.data:
        options.data.mkdir(parents=True, exist_ok=True)
        serve(options)
    else:
        parser.error("needs --library (or TEST_MAILVANE_LIBCHDB) and --data")


if __name__ == "__main__":
    main()
