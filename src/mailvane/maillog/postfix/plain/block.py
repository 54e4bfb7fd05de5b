"""One block of a file on the plain path: cut into lines, its plain mails found, their events told as columns.

`cut` needs the block alone and may run on any thread; `settle` says, when all lines before the block have been read,
which of its lines are left for the state machine; `events` tells of the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Protocol

import msgspec

from mailvane.core.memory_files import memory_file
from mailvane.core.moments import HOUR_MS
from mailvane.maillog.automatic import judged_names
from mailvane.maillog.model import EventType, MailEvent
from mailvane.maillog.postfix.connections import IDLE
from mailvane.maillog.postfix.continuations import LONGEST_DOUBT
from mailvane.maillog.postfix.event_builder import LOOPBACK, PRIVATE, may_be_filter, swallowed
from mailvane.maillog.postfix.headers import CAMPAIGN, header_address, header_ids, header_text
from mailvane.maillog.postfix.ignored_lines import HARMLESS
from mailvane.maillog.postfix.in_flight import InFlight
from mailvane.maillog.postfix.lines import Tag
from mailvane.maillog.postfix.plain.forms import EXPRESSIONS, Form
from mailvane.maillog.postfix.queue_entries import GRACE
from mailvane.maillog.postfix.records import Attempt, named_queue_id
from mailvane.maillog.queue_id import FORM, LONG_DIGITS
from mailvane.maillog.reasons import Reasons

DISORDER = 60_000  # milliseconds by which lines of a block may stand in the wrong order
MOST_UNTIMED = 200  # lines of a block
_FILLED = {
    "in_flight": "what String, name String",
    "nameless": "host String, first UInt64, last UInt64",
    "known_headers": "odd String, value String, meaning String",
    "known_failures": "reply String, code UInt16, dsn String, family String, hard Bool",
    "filters": "reply String, mx_host String, mx_ip String, transport String",
}
_MADE_OF = " ENGINE = Memory AS\n"
_TABLES = {"lines": "l", "events": "told"}  # where a statement is called otherwise than the table that it makes
_ROLES = {
    "smtpd": "smtpd", "submission": "smtpd", "postscreen": "smtpd", "qmqpd": "smtpd",
    "cleanup": "cleanup", "qmgr": "qmgr", "oqmgr": "qmgr",
    "pickup": "inner", "bounce": "inner", "defer": "inner", "trace": "inner", "postsuper": "inner",
    "smtp": "agent", "lmtp": "agent", "local": "agent", "virtual": "agent", "error": "agent", "retry": "agent",
    "relay": "agent", "": "foreign",
}  # fmt: skip
_ATOM = r"[\w!#$%&'*+/=^{|}~.-]+"
_PATTERNS = {
    "address": rf"^(?:(?:[\w !#$%&'*+/=?^{{|}}~.-]*|\"[^\"\\?]*\" *)<{_ATOM}@[\w.-]+>|{_ATOM}@[\w.-]+)$",
    "whom": r'^to=<([^<>"]*)>, (?:orig_to=<([^<>"]*)>, )?relay=([^,]*), (?:conn_use=\d+, )?delay=',
    "how": r"^(\d{1,9}(?:\.\d{1,5})?), delays=[^,]*, (?:tls=([^,]*), )?dsn=([\d.]+), status=(sent|deferred|bounced) \(",
    "said": r"^(?:delivery temporarily suspended: )?host ([^\s\[]*)\[([^\]\s]*)\](?::\d+)? "
    r"(?:said|refused to talk to me): (.*?)(?: \(in reply to [^()]* command\))?$",
    "client": r"^client=([^\[\s]*)\[([^\]]*)\](?::\w+)?"
    r"(?:, sasl_(?:username=([^,]*)|method=[^,]*(?:, sasl_username=([^,]*))?))?$",
    "passed_on": r"^client=[^\[\s]*\[[^\]]*\](?::\w+)?, orig_queue_id=(\w+)"
    r"(?:, orig_client=[^\[\s]*\[[^\]]*\](?::\w+)?)?$",
    "refused": r"^reject: [A-Z][A-Za-z-]*(?: content)? from ([^\[\s]*)\[([^\]]*)\]:(?:\d+:)? (.*)$",
    "envelope": r'^; from=<([^<>"]*)>,? to=<([^<>"]*)>,? proto=(\w+),? helo=<[^<>]*>(?:,? sasl_username=<([^<>]*)>)?$',
    "active": r'^from=<([^<>"]*)>, size=(\d{1,18}), nrcpt=(\d{1,9}) \(queue active\)$',
    "encrypted": r"^\w+ TLS connection (?:established|reused) (?:from|to) \S+: [\w.]+",
    "notified": r"^(?:sender|postmaster) (?:non-delivery|delay|delivery status) notification: \w+$",
    "harmless": f"^(?:{'|'.join(map(re.escape, HARMLESS))})",
    "queue_id": f"^(?:{FORM})$",
    "near_address": f"^(?:{'|'.join(map(re.escape, (*LOOPBACK, *PRIVATE)))})|/",
}
_READERS: dict[str, Callable[[str], str]] = {
    "subject": header_text,
    "from": header_address,
    "reply-to": header_address,
    "in-reply-to": header_ids,
    "references": header_ids,
}
_NAMED, _ACTIVE, _OUTCOME = 2, 3, 4  # kinds of lines
_LONG_SILENCE = 12 * HOUR_MS  # ours: half of what an entry lasts that was not accepted
_START = 64  # bytes of a block by which its form is told
_EVENTS = msgspec.json.Decoder(MailEvent)
_PLACE = re.compile(r"\{([a-z_]+[a-z_0-9]*)(?::([^{}]+))?\}")
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\n"


class Scratch(Protocol):
    """A session of an engine that cuts text; what it makes is gone with it."""

    def run(self, statement: str) -> None: ...
    def ask(self, question: str, form: str = "JSONCompactEachRow") -> bytes: ...
    def fill(self, table: str, rows: Sequence[tuple[object, ...]]) -> None: ...
    def fill_events(self, table: str, events: list[MailEvent]) -> None: ...
    def insert(
        self, source: str, table: str, constants: Mapping[str, int], columns: Sequence[str], settings: Mapping[str, str]
    ) -> None: ...
    @property
    def stores(self) -> bool: ...
    def close(self) -> None: ...


class Told(msgspec.Struct, frozen=True):
    """Whose events they are."""

    relay: int
    source: str


class Course:
    """What one mail went through, as far as it matters to others: is it in progress, and not named?"""

    def __init__(self, *, named_at: int | None = None, pending: int = 0, since: int | None = None) -> None:
        self.since = since  # the line from which on it is
        self._named = named_at is not None
        self._pending = pending
        self._at = named_at or 0

    def go(self, n: int, at: int, kind: int, number: int, *, odd: bool) -> int | None:
        """One more line. If it is the last of such a stretch: the first."""
        if odd or kind in (0, 5, 9) or at - self._at > _LONG_SILENCE:
            self._named = False
        self._at = at
        if kind == _NAMED:
            self._named = bool(number) and not odd
        elif kind == _ACTIVE:
            self._pending = number
            if not self._named and self.since is None:
                self.since = n
        elif kind == _OUTCOME:
            self._pending -= number
        if self.since is None or not (
            self._named or kind in (0, 5) or (kind == _OUTCOME and self._pending <= 0 and not odd)
        ):
            return None
        since, self.since = self.since, None
        return since


class Block:
    """Statements of one session, one block after another."""

    def __init__(self, scratch: Scratch, reasons: Reasons) -> None:
        self._scratch = scratch
        self._reasons = reasons
        self._made: set[str] = set()  # tables
        self._full: set[str] = set()
        self.first = 0
        self.hours: list[tuple[str, int]] = []  # as they come, with their times
        self.writers: list[tuple[str, Tag, int]] = []  # as they come: host and tag, whose they are, the first line
        self.untimed: list[tuple[int, str]] = []
        self.latest = self.earliest = 0
        self.start = b""
        self.last = ""  # line with a stamp
        self._is_sorted = True
        self._courses: list[Sequence[str | int]] = []  # of mails that are not plain

    def close(self) -> None:
        self._scratch.close()

    def cut(self, text: bytes, first: int, form: Form) -> bool:
        """Find the mails that are plain as far as the block tells; False if it is none for this path."""
        scratch = self._scratch
        self.first, self.start = first, text[:_START]
        self.clear()
        for table, columns in _FILLED.items():
            if table not in self._made:
                scratch.run(f"CREATE TEMPORARY TABLE {table} ({columns}) ENGINE = Memory")
                self._made.add(table)
        self._full.update(_FILLED)
        printable = not form.is_wrapped and not text.translate(None, _PRINTABLE)
        values: dict[str, object] = {
            **form.expressions, "first": first, "printable": "1" if printable else "NOT match(whole, '[^ -~]')",
        }  # fmt: skip
        with memory_file((text,)) as path:
            self._run("cut", values | {"path": path})
        self.untimed = [(int(n), str(line)) for n, line in self._rows("untimed", {"most": MOST_UNTIMED + 1})]
        if form.is_wrapped and list(self._rows("undecoded")) != [[0]]:
            return False
        if len(self.untimed) > MOST_UNTIMED or not self._place(form):
            return False
        return self._find()

    def clear(self, but: str = "") -> None:
        """Forget all, or all but a table. The tables stay: making them is much of what a small block costs."""
        for table in self._full - {but}:
            self._empty(table)

    def _empty(self, table: str) -> None:
        self._scratch.run(f"TRUNCATE TABLE {table}")
        self._full.discard(table)

    def _place(self, form: Form) -> bool:
        """Tell times and writers; False where an hour is not like others."""
        times = [(str(hour), form.time_of(str(hour))) for hour, _ in self._rows("hours")]
        self.hours = [(hour, time) for hour, time in times if time is not None]
        if len(self.hours) < len(times) or not times:
            return False
        found = [(str(name), form.writer(str(name)), int(n)) for name, n in self._rows("prefixes")]
        names, tags = [name for name, _, _ in found], [tag for _, tag, _ in found]
        self.writers = [(name, tag, n) for name, tag, n in found if tag is not None]
        known = [tag or _STRAY for tag in tags]
        self._run("lines", {
            "kept_as": "body" if form.is_wrapped else "line",
            "hours": [hour for hour, _ in self.hours], "times": [time for _, time in self.hours], "prefixes": names,
            "hosts": [tag.host for tag in known], "instances": [tag.instance for tag in known],
            "services": [tag.service for tag in known], "daemons": [tag.daemon for tag in known],
            "roles": ["stray" if tag is None else _ROLES.get(tag.daemon, "other") for tag in tags],
        })  # fmt: skip
        self._empty("cut")
        return True

    def _find(self) -> bool:
        ((proxied, odd, latest, earliest, last, in_order),) = self._rows("barred")
        self.latest, self.earliest, self.last = int(latest), int(earliest), str(last)
        if int(proxied) or int(odd):
            return False
        self._is_sorted = bool(in_order)
        if not self._is_sorted:
            ((disorder,),) = self._rows("disorder")
            if int(disorder) > DISORDER:
                return False
        self._run("near")
        self._run("names")
        self._run("talk")
        self._run("whole", {"latest": self.latest, "grace": GRACE})
        self._run("pairs", {"doubt": LONGEST_DOUBT - 2 * DISORDER})
        self._run("mails")
        self._run("headers", {"marks": tuple(judged_names() | {CAMPAIGN})})
        for name in ("attempts", "refused", "begun", "evidence", "before", "odd_sayings", "unusual", "shapes"):
            self._run(name, {"digits": LONG_DIGITS})
        self._courses = list(self._rows("courses"))
        self._empty("l")  # the largest; what the rest is made of is in others
        asked = [(str(odd), str(value)) for odd, value in self._rows("unknown_headers")]
        self._scratch.fill(
            "known_headers", [(odd, value, _READERS[odd](value)) for odd, value in asked if odd in _READERS]
        )
        failed = [(str(reply), int(code), str(dsn)) for reply, code, dsn in self._rows("failures")]
        self._scratch.fill("known_failures", [(*each, *self._reasons.sort(*each)) for each in failed])
        taken = self._rows("taken_nearby", {"near_address": _PATTERNS["near_address"]})
        self._scratch.fill("filters", [tuple(row) for row in taken if _is_filter(*map(str, row))])
        return True

    def settle(self, in_flight: InFlight) -> list[tuple[int, int]]:
        """The lines that are left for the state machine: number, and the latest time of all lines until there."""
        scratch = self._scratch
        whats = {"queue id": in_flight.queue_ids, "message id": in_flight.message_ids,
                 "process": in_flight.judged}  # fmt: skip
        scratch.fill("in_flight", [(what, name) for what, names in whats.items() for name in names])
        talk = [(p, 0, at, 1 if peer else 2, peer, tls) for p, peer, tls, at in in_flight.connections]
        scratch.fill("talk", talk)
        self._run("odd_processes")
        scratch.fill("nameless", list(self._nameless(in_flight)))
        self._run("doubts", {"idle": IDLE - 2 * DISORDER})
        self._run("doubt")
        self._run("refusals", {"idle": IDLE - 2 * DISORDER})
        self._run("rest")
        self._run("said_last")
        numbers = scratch.ask(_STATEMENTS["left" if self._is_sorted else "left_out_of_order"], "TabSeparated").split()
        return list(zip(map(int, numbers[::2]), map(int, numbers[1::2]), strict=True))

    def tell(self, told: Told) -> dict[EventType, int]:
        """Make the events of the plain mails and refusals that were settled; how many there are of each type."""
        self._run("events", msgspec.structs.asdict(told))
        self._scratch.run(_filled("rejections", msgspec.structs.asdict(told)))
        self.clear(but="told")
        return {EventType(str(kind)): int(count) for kind, count in self._rows("counts")}

    def add(self, events: list[MailEvent]) -> tuple[int, int, int]:
        """Put events of other mails beside them; how many there are in all, and the first and last acceptance."""
        self._scratch.fill_events("told", events)
        ((count, first, last),) = self._rows("extent")
        return int(count), int(first), int(last)

    def columns(self, form: str = "Native") -> bytes:
        """The events, in columns that are named as those of the mail log."""
        return self._scratch.ask("SELECT * FROM told", form)

    @property
    def stores(self) -> bool:
        """Whether they can be stored from where they are."""
        return self._scratch.stores

    def insert(self, table: str, constants: Mapping[str, int], settings: Mapping[str, str]) -> None:
        """Store the events in a table of the mail log, as one block. Raises StoreUnavailable."""
        self._scratch.insert("told", table, constants, MailEvent.__struct_fields__, settings)

    def noted(self) -> list[MailEvent]:
        """Those of the plain mails, before others are added, that are of use to others than the mail log, without the
        lines behind them: each of such mails was accepted here, so that of an answer no delivery need be told."""
        return _EVENTS.decode_lines(self._scratch.ask(_filled("noted", {})))

    def _nameless(self, in_flight: InFlight) -> Iterator[tuple[str, int, int]]:
        """Stretches of lines, host by host, in which a mail may be in progress whose Message-ID is not known."""
        courses = {
            key: Course(pending=pending, since=0 if pending else None) for key, pending in in_flight.nameless.items()
        }
        courses |= {key: Course(named_at=seen) for key, seen in in_flight.named.items()}
        hosts: dict[str, str] = {}
        found: list[tuple[str, int, int]] = []
        for key, host, n, at, kind, number, odd in self._courses:
            course = courses.setdefault(str(key), Course())
            hosts[str(key)] = str(host)
            if (since := course.go(int(n), int(at), int(kind), int(number), odd=bool(odd))) is not None:
                found.append((str(host), since, int(n)))
        for key, course in courses.items():
            if course.since is not None:
                found.append((hosts.get(key) or key.partition("/")[0], course.since, 1 << 62))
        return _merged(found)

    def _run(self, name: str, values: dict[str, object] | None = None) -> None:
        """Fill the table of this name."""
        table, statement = _TABLES.get(name, name), _filled(name, _PATTERNS | (values or {}))
        if table in self._made:
            statement = f"INSERT INTO {table} {statement.partition(_MADE_OF)[2]}"
        self._scratch.run(statement)
        self._made.add(table)
        self._full.add(table)

    def _rows(self, name: str, values: dict[str, object] | None = None) -> Iterator[Sequence[str | int]]:
        answer = self._scratch.ask(_filled(name, values or {}))
        return (msgspec.json.decode(line) for line in answer.splitlines())


def _merged(stretches: Iterable[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    """Those that overlap as one."""
    host, first, last = "", 0, -1
    for each in sorted(stretches):
        if each[0] == host and each[1] <= last:
            last = max(last, each[2])
            continue
        if last >= 0:
            yield host, first, last
        host, first, last = each
    if last >= 0:
        yield host, first, last


def _is_filter(reply: str, mx_host: str, mx_ip: str, transport: str) -> bool:
    if named_queue_id(reply):
        return False  # whether that is of this host is told by what has lines or is in flight
    attempt = Attempt("", "", mx_host, mx_ip, "sent", 0, "", reply, 0, "")
    return swallowed(attempt, transport) is not None or may_be_filter(attempt, transport)


_STRAY = Tag("", "", "", "", "")


def _statements() -> dict[str, str]:
    text = files(__package__ or "").joinpath("statements.sql").read_text("utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    bodies = (re.sub(r"^--.*\n", "", body, flags=re.MULTILINE).strip() for body in parts[1::2])
    return dict(zip(parts[::2], bodies, strict=True))


_STATEMENTS = _statements()
_RAW = frozenset({"printable", "kept_as", *EXPRESSIONS})  # expressions, not values


def _filled(name: str, values: dict[str, object]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] == "canonical":
            return _canonical(found[2])
        return str(values[found[1]]) if found[1] in _RAW else literal(values[found[1]])

    return _PLACE.sub(value, _STATEMENTS[name])


def literal(value: object) -> str:
    """As SQL."""
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    if isinstance(value, list | tuple):
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        return opening + ", ".join(map(literal, value)) + closing
    return str(int(str(value)))


def _canonical(text: str) -> str:
    """`canonical_address` of an expression in ASCII."""
    start = f"length({text}) - position(reverse({text}), '@')"
    return (
        f"if(match({text}, '@[^@]*[A-Z]'), concat(substring({text}, 1, {start} + 1),"
        f" lower(substring({text}, {start} + 2))), {text})"
    )
