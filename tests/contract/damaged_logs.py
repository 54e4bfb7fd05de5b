"""Logs of the demo's world and of the filter simulator, and what may befall a log on its way."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from mailvane_demo.world.postfix import PostfixWorld
from tests.contract.bounced_logs import bounced_lines
from tests.contract.filtered_logs import filtered_lines
from tests.unit.maillog.postfix.test_continuations import world as filter_world

START = 1_791_000_000_000  # 2026-10-03
DAY = 86_400_000
_STAMP = re.compile(r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d:\d\d:\d\d) ")
_QUEUE_ID = re.compile(r"\b(?:[0-9A-F]{10,}|4[0-9A-Za-z]{13,})\b")
_MESSAGE_ID = re.compile(r"message-id=<[^<>]*>")
_PROCESS = re.compile(r"\[\d+\]: ")
_NASTY = '\x00\t<>[]():,;?"\\ =@éÿ\u2028' + "aZ09"
_SAYINGS = (
    (
        "NOQUEUE: reject: RCPT from x[192.0.2.1]: 554 5.7.1 <a@b.example>: no; from=<s@x.example> to=<a@b.example>"
        " proto=ESMTP helo=<x>"
    ),
    "NOQUEUE: client=out.example[198.51.100.7]",
    "NOQUEUE: milter-hold: END-OF-MESSAGE from x[192.0.2.1]: 451 4.7.1 x; from=<s@x.example> to=<a@b.example>",
    "connect from x[192.0.2.1]",
    "Anonymous TLS connection established from x[192.0.2.1]: TLSv1.3 with cipher X",
    "{queue_id}: hold: header Subject: x from x[192.0.2.1]; from=<s@x.example> to=<a@b.example> proto=ESMTP helo=<x>",
    "{queue_id}: message-id=<>",
    "{queue_id}: from=<>, size=1, nrcpt=2 (queue active)",
    (
        "{queue_id}: to=<q@r.example>, relay=127.0.0.1[127.0.0.1]:10024, delay=1, delays=0/0, dsn=2.0.0, status=sent"
        " (250 2.0.0 Ok: queued as {other})"
    ),
    "{queue_id}: removed",
    "message repeated 2 times: [ {queue_id}: removed]",
    "{queue_id}: sender non-delivery notification: {other}",
    "{queue_id}: client=x[10.0.0.1], orig_queue_id={other}, orig_client=y[192.0.2.7]",
    (
        "{queue_id}: info: header X-Mailvane-Campaign: spring from x[192.0.2.1]; from=<s@x.example> to=<a@b.example>"
        " proto=ESMTP helo=<x>"
    ),
)
_PEERS = ("x[192.0.2.1]", "unknown[192.0.2.77]", "x.example[2001:db8::9]", "[198.51.100.4]:40112", "y[192.0.2.5]:25")
_REPLIES = (
    "554 5.7.1 <{to}>: Relay access denied", "450 4.1.8 <{sender}>: Sender address rejected: Domain not found",
    "554 5.7.1 Service unavailable; Client host [192.0.2.77] blocked using zen.example; https://q.example/?ip=192.0.2.77",
    "550 5.7.1 Service unavailable; client [192.0.2.5] blocked using bl.example", "550 5.1.1 <{to}>: unknown  <a<b@c>",
    "554 no code", "45 4.7.1 short", "450 4.2.0 <{to}>: Greylisted, see 10.1.2.3; to=<x@y.example>", "", "5.7.1 x",
    "451 4.3.5 see [10.1.2.3.4] and [10.1.2]; : Server configuration error", "554 5.7.10000 far", "554 5.7.1x: y",
    "552 5.3.4 Message size exceeds fixed limit; helo=<x>; sasl_username=<y>",
)  # fmt: skip
_SENDERS = ("s@X.Example", "", "MiXed@ex-1.example", "bad sender@x.example", '"q>u"@x.example', "a; to=<b>", "no-at")
_ENVELOPES = (
    "; from=<{sender}> to=<{to}> proto=ESMTP helo=<{helo}>", "; from=<{sender}>, to=<{to}>, proto=SMTP, helo=<{helo}>",
    "; from=<{sender}> to=<{to}> proto=ESMTP helo=<{helo}> sasl_username=<me@x.example>", "; proto=SMTP helo=<{helo}>",
    "; from=<{sender}> proto=ESMTP helo=<{helo}>", "; from=<{sender}> to=<{to}> proto=ESMTP helo=<{helo}>: by a rule",
    "; from=<{sender}> to=<{to}> proto=LOCAL", "; from=<{sender}> to=<{to}", "",
)  # fmt: skip
_STAGES = ("RCPT", "RCPT", "RCPT", "MAIL", "CONNECT", "END-OF-MESSAGE", "BDAT content", "rcpt")
_HELOS = ("x.example", "[192.0.2.1]", "proxy-1", "a b; from=x", "")


def refused_lines(choose: random.Random) -> list[str]:
    """Clients that are refused, by some processes, before there is a queue id."""
    found = []
    pause, odd = choose.choice((1, 1, 120)), choose.choice((0, 0, 0.02))
    for turn in range(choose.randrange(20, 300)):
        daemon = choose.choice(("smtpd", "smtpd", "submission/smtpd", "postscreen", "qmqpd"))
        daemon = "smtp" if choose.random() < odd else daemon
        moment = datetime.fromtimestamp(START // 1000 + turn * pause, UTC)
        head = f"{moment:%b} {moment.day:2d} {moment:%H:%M:%S} mx1 postfix/{daemon}[{choose.randrange(1, 9)}]: "
        usual = choose.random() < 0.5
        pick = _first if usual else choose.choice
        given = {"sender": pick(_SENDERS), "to": pick(_SENDERS), "helo": choose.choice(_HELOS)}
        said = (choose.choice(_REPLIES[:4] if usual else _REPLIES) + pick(_ENVELOPES)).format(**given)
        verdict = choose.choice(("milter-reject", "discard", "hold")) if choose.random() < odd else "reject"
        stage, peer = pick(_STAGES), choose.choice(_PEERS)
        texts = (
            *(f"NOQUEUE: {verdict}: {stage} from {peer}: {said}",) * 8,
            f"connect from {peer}",
            f"disconnect from {peer}",
            f"Anonymous TLS connection established from {peer}: TLSv1.3 with",
            f"lost connection after RCPT from {peer}",
        )
        found.append(head + choose.choice(texts))
    return found


def _first(among: Sequence[str]) -> str:
    return among[0]


@lru_cache(maxsize=4)
def demo_lines(seed: int, days: int) -> tuple[str, ...]:
    made = PostfixWorld(seed=seed, start=START, mails_per_day=600)
    return tuple(made.lines(START, START + days * DAY))


def log_of(choose: random.Random) -> list[str]:
    """Some lines as they were written."""
    if choose.random() < 0.3:
        return filtered_lines(choose)
    if choose.random() < 0.3:
        return filter_world(choose).run().splitlines()
    if choose.random() < 0.2:
        return refused_lines(choose)
    if choose.random() < 0.2:
        return bounced_lines(choose, START)
    lines = demo_lines(choose.randrange(1, 3), 2)
    first = choose.randrange(len(lines) - 1500)
    found = list(lines[first : first + choose.randrange(100, 1500)])
    if choose.random() < 0.3:
        found = [*filter_world(choose).run().splitlines(), *found]
    return found


def befallen(choose: random.Random, lines: list[str]) -> list[str]:
    """What becomes of them: out of order, twice, cut, mixed up, or nothing at all."""
    for _ in range(choose.choice((0, 1, 1, 2, 4))):
        choose.choice(_FATES)(choose, lines)
    return lines


def _swap(choose: random.Random, lines: list[str]) -> None:
    for _ in range(1 + len(lines) // 50):
        at = choose.randrange(len(lines))
        to = min(len(lines) - 1, max(0, at + choose.randrange(-6, 7)))
        lines.insert(to, lines.pop(at))


def _scatter(choose: random.Random, lines: list[str]) -> None:
    for _ in range(1 + len(lines) // 100):
        lines.insert(choose.randrange(len(lines)), lines.pop(choose.randrange(len(lines))))


def _repeat(choose: random.Random, lines: list[str]) -> None:
    for _ in range(1 + len(lines) // 100):
        lines.insert(choose.randrange(len(lines)), choose.choice(lines))


def _lose(choose: random.Random, lines: list[str]) -> None:
    for _ in range(1 + len(lines) // 50):
        if len(lines) > 20:
            del lines[choose.randrange(len(lines))]


def _mutate(choose: random.Random, lines: list[str]) -> None:
    for _ in range(1 + len(lines) // 50):
        at = choose.randrange(len(lines))
        line = lines[at]
        place = choose.randrange(len(line) + 1)
        lines[at] = (
            line[:place] + choose.choice(_NASTY) * choose.choice((1, 1, 2)) + line[place + choose.choice((0, 1, 9)) :]
        )


def _exchange(pattern: re.Pattern[str], most: int) -> Callable[[random.Random, list[str]], None]:
    def exchange(choose: random.Random, lines: list[str]) -> None:
        given = [found[0] for line in choose.sample(lines, min(len(lines), 200)) if (found := pattern.search(line))]
        for _ in range(1 + len(lines) // most if given else 0):
            at = choose.randrange(len(lines))
            lines[at] = pattern.sub(lambda _: choose.choice(given), lines[at], count=1)

    return exchange


def _insert(choose: random.Random, lines: list[str]) -> None:
    for _ in range(choose.randrange(1, 8)):
        at = choose.randrange(len(lines))
        head, end, _ = lines[at].partition("]: ")
        ids = [found[0] for line in lines[max(0, at - 30) : at + 30] if (found := _QUEUE_ID.search(line))] or [
            "4A0000A001"
        ]
        saying = choose.choice(_SAYINGS)
        if end:
            saying = saying.replace("{queue_id}", choose.choice(ids)).replace("{other}", choose.choice(ids))
            lines.insert(at + choose.randrange(2), f"{head}{end}{saying}")


def _move_clock(choose: random.Random, lines: list[str]) -> None:
    """Some lines, or all behind one, by a stamp of another line."""
    stamps = [found[0] for line in lines if (found := _STAMP.match(line))]
    if not stamps:
        return
    for _ in range(choose.choice((1, 1, 5))):
        at = choose.randrange(len(lines))
        lines[at] = _STAMP.sub(choose.choice(stamps), lines[at], count=1)


def _foreign(choose: random.Random, lines: list[str]) -> None:
    for _ in range(3):
        at = choose.randrange(len(lines))
        stamp = lines[at][:16]
        lines.insert(
            at, choose.choice((f"{stamp}mx1 dovecot: imap-login: x", f"{stamp}mx1 kernel: [12.3] y: z", "", "-- x --"))
        )


def _lengthen(choose: random.Random, lines: list[str]) -> None:
    """Beyond what is read of a line, and beyond what is kept of one."""
    lines[choose.randrange(len(lines))] += "x" * choose.choice((40_000, 300_000))


_FATES = (
    _swap, _scatter, _repeat, _lose, _mutate, _lengthen, _exchange(_QUEUE_ID, 80), _exchange(_MESSAGE_ID, 30),
    _exchange(_PROCESS, 30), _insert, _insert, _move_clock, _foreign,
)  # fmt: skip


def records(lines: list[str], choose: random.Random, odd: float | None = None) -> list[str]:
    """The same lines as Docker keeps them, or as journald exports them; so many with oddities of either."""
    in_journald = choose.random() < 0.5
    spaced = choose.random() < 0.5
    odd = choose.choice((0.0, 0.0, 0.01)) if odd is None else odd
    found = []
    for line in lines:
        stamp = _STAMP.match(line)
        head, end, text = line[16:].partition("]: ")
        if stamp is None or not end or "[" not in head:
            found.append(line)
            continue
        moment = datetime.strptime(f"2026 {stamp[1]} {stamp[2].strip()} {stamp[3]}", "%Y %b %d %H:%M:%S").replace(
            tzinfo=UTC
        )
        millis = choose.randrange(1000)
        writer, _, process = head.rpartition("[")
        host, _, name = writer.partition(" ")
        record: dict[str, object] = {
            "log": line + "\n",
            "stream": "stdout",
            "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{millis:03}123Z",
        }
        if in_journald:
            micros = f"{int(moment.timestamp())}{millis:03}123"
            record = {"__REALTIME_TIMESTAMP": micros, "_HOSTNAME": host, "SYSLOG_IDENTIFIER": name, "_PID": process}
            record |= {"PRIORITY": "6", "MESSAGE": text}
        if choose.random() < odd:
            record |= choose.choice(
                ({"_PID": 5}, {"MESSAGE": [104, 105]}, {"log": None}, {"time": "x"}, {"X": '\\"_PID"'})
            )
        made = json.dumps(record, separators=None if spaced else (",", ":"))
        if choose.random() < odd:
            made = choose.choice((made[:-9], made.replace("<", "\\u003c"), made.replace("MESSAGE", "\\u004dESSAGE")))
        found.append(made.replace("<", "\\u003c").replace(">", "\\u003e") if not spaced else made)
    return found


def internet_stamps(lines: list[str], choose: random.Random) -> list[str]:
    """The same lines with RFC 3339 stamps, as rsyslog writes them."""
    zone = choose.choice(("+00:00", "Z", "+02:00", ""))
    digits = choose.choice((0, 3, 6))

    def stamp(found: re.Match[str]) -> str:
        moment = datetime.strptime(f"2026 {found[1]} {found[2].strip()} {found[3]}", "%Y %b %d %H:%M:%S").replace(
            tzinfo=UTC
        )
        fraction = f".{choose.randrange(10**digits):0{digits}d}" if digits else ""
        return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}{zone} "

    return [_STAMP.sub(stamp, line, count=1) for line in lines]
