"""What surrounds the text of a log line: stamp, host, instance, service, daemon and process, in every common wrapping.

Read here: RFC 3164 and RFC 5424 syslog, rsyslog's RFC 3339 form, Postfix's own `maillog_file`, journald's JSON export,
Docker's `json-file`, the prefixes of `docker logs -t`, `docker compose logs` and `kubectl logs --prefix`, the files of
Kubernetes (CRI), `journalctl -o short-full` and `short-unix`, and full stamps of syslog-ng. The text is left alone.
"""

from __future__ import annotations

import re

import msgspec

from mailvane.maillog.postfix.stamps import MONTHS, Stamps

LONGEST_LINE = 32_768  # characters of a line with all that wraps it; what is beyond is cut off
LONGEST_TEXT = 8_192  # characters of what a daemon wrote; of more, the middle is left out. Postfix stops far below
_KEPT_END = 1024  # of a text that is too long; what stands before its end is left out
_CACHED_TAGS = 4096
_CACHED_TIMES = 65_536

_DAEMONS = frozenset(
    [
        "anvil",
        "bounce",
        "cleanup",
        "defer",
        "discard",
        "dnsblog",
        "error",
        "flush",
        "lmtp",
        "local",
        "master",
        "oqmgr",
        "pickup",
        "pipe",
        "postalias",
        "postdrop",
        "postfix-script",
        "postlog",
        "postlogd",
        "postmap",
        "postqueue",
        "postscreen",
        "postsuper",
        "proxymap",
        "proxywrite",
        "qmgr",
        "qmqpd",
        "relay",
        "retry",
        "scache",
        "sendmail",
        "showq",
        "smtp",
        "smtpd",
        "spawn",
        "submission",
        "tlsmgr",
        "tlsproxy",
        "trace",
        "trivial-rewrite",
        "verify",
        "virtual",
    ]
)
# Programs whose daemons have names that Postfix's have, too.
_OTHERS = frozenset({"cyrus", "cyrus-imapd", "dovecot", "exim", "opensmtpd", "sendmail"})
_HEAD = re.compile(
    r"(?:<\w+\.\w+> )?"  # FreeBSD's syslogd -v
    r"(?:([^\s:\[\]]++|[0-9A-Fa-f]*+:[0-9A-Fa-f:.]++) +)?"  # host
    r"(?:(?:mail|daemon|user|local[0-7])\.\w+ +)?"  # busybox: facility and severity
    r"([A-Za-z0-9][\w.+-]*(?:/[\w.+:-]+)*)"  # tag
    r"(?:\[(\d+)\])?: ?"
    r"(\[ID \d+ [\w.]+\] )?"  # Solaris
    r"(.*)",
    re.DOTALL,
)
_PLAIN_PREFIX = re.compile(r"[^\s:\[\]]+ [A-Za-z0-9][\w.+:/-]*")
_PRIORITY = re.compile(r"<\d{1,3}>")
_VERSIONED = re.compile(r"1 (\S+) (\S+) (\S+) (\S+) \S+ (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) ?\ufeff?(.*)", re.DOTALL)
_COMPOSE = re.compile(r"[\w.-]+ +\| |\[pod/[^\s\]]+\] ")
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")
_CONTAINER_STREAM = re.compile(r"(?:stdout|stderr) [FP](?::\S*)? ")
_FULL_STAMP = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) ([A-Z]{2,5}|[+-]\d\d) "
)
_YEAR_FIRST = re.compile(r"(\d{4}) ([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d(?:\.\d{1,9})?) ")
_UNIX_STAMP = re.compile(r"(\d{9,10})\.(\d{3})\d{0,6} ")
_SHORT_DAY = re.compile(r"([A-Z][a-z]{2}) (\d) (\d\d:\d\d:\d\d) ")


def shortened(text: str) -> str:
    """Without what is too much of its middle: behind a long header, Postfix says at the end from whom it came."""
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - _KEPT_END] + text[-_KEPT_END:]


class Tag(msgspec.Struct, frozen=True):
    """Who wrote a line: `postfix/submission/smtpd` on `mx1` is instance `postfix`, service `submission`."""

    host: str
    instance: str
    service: str
    daemon: str  # empty for the lines of other programs
    scope: str  # host and instance, in front of a queue id


_FOREIGN = Tag("", "", "", "", "")


def read_tag(host: str, name: str) -> Tag:
    """The tag of a syslog name; one without a daemon belongs to another program."""
    parts = name.split("/")
    is_another = len(parts) > 1 and parts[-1] in _DAEMONS and parts[0] not in _OTHERS
    if is_another or parts[0].startswith("postfix"):
        service = parts[-2] if len(parts) > 2 else parts[-1]
        return Tag(host, parts[0], service, parts[-1], f"{host}/{parts[0]}/")
    return _FOREIGN


class _Record(msgspec.Struct):
    """What matters of a record of journald or of Docker."""

    message: str | list[int] | None = msgspec.field(default=None, name="MESSAGE")
    identifier: str = msgspec.field(default="", name="SYSLOG_IDENTIFIER")
    host: str = msgspec.field(default="", name="_HOSTNAME")
    source_time: str = msgspec.field(default="", name="_SOURCE_REALTIME_TIMESTAMP")
    time_of_receipt: str = msgspec.field(default="", name="__REALTIME_TIMESTAMP")
    syslog_process: str = msgspec.field(default="", name="SYSLOG_PID")
    process: str = msgspec.field(default="", name="_PID")
    log: str | None = None
    time: str | None = None


_RECORDS = msgspec.json.Decoder(_Record)


class Lines:
    """Reads lines of any of the known wrappings, mixed as they may be."""

    def __init__(self, stamps: Stamps) -> None:
        self.stamps = stamps
        self._times: dict[str, int] = {}
        self._tags: dict[str, Tag] = {}
        self._writers: dict[str, tuple[Tag, str]] = {}  # tag and process, by host, tag and process as they stand

    def read(self, line: str) -> tuple[int, Tag, str, str] | None:
        """`(time, tag, process id, text)`, or None if no wrapping is recognised.

        Lines of other programs come back with a tag that is not Postfix's.
        """
        stamp = line[:15]
        time = self._times.get(stamp)
        if time is None:
            if line[4:5] == "-":
                return self._read_internet(line)
            time = self._learn(stamp) if line[15:16] == " " else None
        if time is not None:
            head, end, text = line.partition("]: ")
            name = head[16:]
            writer = self._writers.get(name) or self._meet(name)
            if writer and end:
                return time, writer[0], writer[1], text
        return self._read_any(line[:LONGEST_LINE], 0)

    def writer(self, prefix: str) -> Tag | None:
        """Whose lines `STAMP HOST TAG[PROCESS]: TEXT` are, of `HOST TAG`; None if they may be read otherwise."""
        host, _, name = prefix.partition(" ")
        sample = f"{prefix}[1]: x"
        head = _HEAD.match(sample)
        if head is None or head.groups() != (host, name, "1", None, "x") or not _PLAIN_PREFIX.fullmatch(prefix):
            return None
        return read_tag(host, name) if self._split_stamp(sample)[0] is None else None

    @property
    def room(self) -> int:
        """How many more tags can be learnt before all are forgotten."""
        return _CACHED_TAGS - len(self._tags)

    def learn(self, prefix: str, tag: Tag) -> None:
        """A line of this host and tag was there."""
        if prefix not in self._tags:
            self._keep_tag(prefix, tag)

    def _meet(self, name: str) -> tuple[Tag, str] | None:
        """Another process of a tag that was seen before."""
        prefix, bracket, process = name.partition("[")
        tag = self._tags.get(prefix)
        if tag is None or not bracket:
            return None
        if len(self._writers) >= _CACHED_TAGS:
            self._writers.clear()
        return self._writers.setdefault(name, (tag, process))

    def _learn(self, stamp: str) -> int | None:
        if self.stamps.new_month(stamp):
            self._times.clear()
        time = self.stamps.syslog(stamp)
        if time is not None and self.stamps.lasting:
            if len(self._times) >= _CACHED_TIMES:
                self._times.clear()
            self._times[stamp] = time
        return time

    def _read_internet(self, line: str) -> tuple[int, Tag, str, str] | None:
        space = line.find(" ")
        time = self.stamps.internet(line[:space])
        if time is not None:
            head, end, text = line.partition("]: ")
            name = head[space + 1 :]
            writer = self._writers.get(name) or self._meet(name)
            if writer and end:
                return time, writer[0], writer[1], text
        return self._read_any(line[:LONGEST_LINE], 0)

    def _read_any(self, line: str, outer: int, composed: bool = False) -> tuple[int, Tag, str, str] | None:
        if line[:1] == "{" and not outer:
            return self._read_json(line)
        if "\x1b" in line:
            line = _COLOUR.sub("", line)
        if line[:1] == "<":
            mark = _PRIORITY.match(line)
            if mark:
                line = line[mark.end() :]
                versioned = _VERSIONED.match(line)
                if versioned:
                    return self._read_versioned(versioned)
        time, rest = self._split_stamp(line)
        if time is None:
            prefix = _COMPOSE.match(line) if not composed else None
            if prefix:
                return self._read_any(line[prefix.end() :], outer, composed=True)
            return self._read_head(outer, line) if outer else None
        if not outer:
            # `docker logs -t` puts its own stamp before the line; having year and fraction it is the better one.
            stream = _CONTAINER_STREAM.match(rest)
            rest = rest[stream.end() :] if stream else rest
            inner, inner_rest = self._split_stamp(rest)
            if inner is not None:
                return self._read_head(time, inner_rest)
        return self._read_head(outer or time, rest)

    def head(self, line: str) -> tuple[int | None, str]:
        """Time and host of a line that names no program; None when it begins with no stamp."""
        time, rest = self._split_stamp(line)
        return time, rest.partition(" ")[0]

    def _split_stamp(self, line: str) -> tuple[int | None, str]:
        if line[3:4] == " ":
            time = self.stamps.syslog(line[:15])
            if time is not None:
                return time, line[15:].partition(" ")[2]
        time, end = self._rare_stamp(line)
        if time is not None:
            return time, line[end:]
        stamp, _, rest = line.partition(" ")
        return self.stamps.internet(stamp), rest

    def _rare_stamp(self, line: str) -> tuple[int | None, int]:
        """Other forms: the time, and where what follows begins."""
        if found := _SHORT_DAY.match(line):
            return self.stamps.syslog(f"{found[1]}  {found[2]} {found[3]}"), found.end()
        if found := _FULL_STAMP.match(line):
            # Names of zones are ambiguous: all but UTC are taken for that of the log.
            zone = {"UTC": "+00:00", "GMT": "+00:00"}.get(found[3], found[3] if found[3][0] in "+-" else "")
            return self.stamps.internet(f"{found[1]}T{found[2]}{zone}"), found.end()
        if (found := _YEAR_FIRST.match(line)) and found[2] in MONTHS:
            day = f"{found[1]}-{MONTHS[found[2]]:02}-{int(found[3]):02}"
            return self.stamps.internet(f"{day}T{found[4]}"), found.end()
        if found := _UNIX_STAMP.match(line):
            time = int(found[1] + found[2])
            return time if self.stamps.possible(time) else None, found.end()
        return None, 0

    def _read_head(self, time: int, text: str) -> tuple[int, Tag, str, str] | None:
        bracket = text.find("[")
        known = self._tags.get(text[:bracket])
        end = text.find("]: ", bracket)
        if known is not None and end > 0:
            return time, known, text[bracket + 1 : end], text[end + 3 :]
        head = _HEAD.match(text)
        if head is None:
            return None
        host, name, process, solaris, message = head.groups()
        tag = read_tag(host or "", name)
        prefix = f"{host} {name}"
        if process and not solaris and _PLAIN_PREFIX.fullmatch(prefix):
            tag = self._keep_tag(prefix, tag)
        return time, tag, process or "", message

    def _read_versioned(self, fields: re.Match[str]) -> tuple[int, Tag, str, str] | None:
        stamp, host, name, process, message = fields.groups()
        time = self.stamps.internet(stamp)
        if time is None:
            return None
        return time, read_tag("" if host == "-" else host, name), "" if process == "-" else process, message

    def _read_json(self, line: str) -> tuple[int, Tag, str, str] | None:
        try:
            record = _RECORDS.decode(line)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):  # the last for brackets without end
            return None
        if record.message is not None:
            return self._read_journal(record, record.message)
        if record.log is None or record.time is None:
            return None
        time = self.stamps.internet(record.time)
        return None if time is None else self._read_any(record.log.rstrip("\r\n"), time)

    def _read_journal(self, record: _Record, message: str | list[int]) -> tuple[int, Tag, str, str] | None:
        if isinstance(message, list):
            # journald writes a message that is not clean UTF-8 as an array of byte values.
            try:
                message = bytes(message).decode("utf-8", "replace")
            except ValueError:
                return None
        micros, name = record.source_time or record.time_of_receipt, record.identifier
        if not name or not (micros.isdecimal() and micros.isascii() and len(micros) < 18):
            return None
        time = int(micros) // 1000
        if not self.stamps.possible(time):
            return None
        prefix = f"{record.host} {name}"
        tag = self._tags.get(prefix) or self._keep_tag(prefix, read_tag(record.host, name))
        return time, tag, record.syslog_process or record.process, message

    def _keep_tag(self, prefix: str, tag: Tag) -> Tag:
        if len(self._tags) >= _CACHED_TAGS:
            self._tags.clear()
        return self._tags.setdefault(prefix, tag)
