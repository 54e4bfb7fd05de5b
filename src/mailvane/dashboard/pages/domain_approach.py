"""How a domain that was stopped came to its line: its mail and what came back of it, up to the stop.

The end is what the audit keeps of the stop. What is before it is counted back from there: sent mail and bounces by the
mail log, or by the minutes of decisions where that does not know the mail; complaints by the mail log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from markupsafe import Markup

from mailvane.core.errors import NotFound
from mailvane.core.moments import MINUTE_MS
from mailvane.dashboard.pages.domain_story import STORED, Stop, stop_of, stopped_by, story
from mailvane.dashboard.parts.approach import Stage, approach
from mailvane.dashboard.parts.local_time import local, term
from mailvane.dashboard.services import DashboardServices
from mailvane.dashboard.visits import Html, Page, Reply, Visit
from mailvane.mailboxes.rates import wilson
from mailvane.maillog import query_language
from mailvane.maillog.figure_questions import FigureQuestion
from mailvane.maillog.model import DeliveryStatus, MailKind
from mailvane.maillog.outcomes import in_states
from mailvane.maillog.queries import LogQuestion, TimeTallyQuestion
from mailvane.outbound.admission.counters import month_start
from mailvane.outbound.admission.rules import Line
from mailvane.outbound.model import Counting, Domain

_STEPS = 200  # stretches of time that mail is counted in
_NOTICES = 200  # bounces that are told one by one, the newest
_OFF = 0.05  # the mail log may differ by this share from what was counted, and still tells when mail was sent


class Notice(msgspec.Struct, frozen=True):
    """What came back of mail: when, of how many, and of which."""

    at: int
    count: int
    mail: str  # its id; empty: it is not known
    about: str


class Sent(msgspec.Struct, frozen=True):
    """Mail of a stretch of time."""

    since: int
    count: int


class Approach(msgspec.Struct, frozen=True):
    """All that the template shows."""

    stop: Stop
    picture: Markup | str  # empty: nothing is stored of what was before the stop
    stages: Sequence[Stage]  # those that something came back at, for the table
    certain: str  # what asking for certainty would have done
    unknown: str  # what the picture does not know; empty: it knows all


def show(services: DashboardServices, visit: Visit) -> Reply:
    """A part of the domain's page that is asked for after it, as it asks the mail log."""
    domain = services.outbound.governance.domain(visit.path["name"], visit.workspace.id)
    found = approach_of(services, visit, domain)
    if found is None:
        raise NotFound("no line stopped this domain")
    return Html("domain_approach.html", {"approach": found, "domain": domain})


def approach_of(services: DashboardServices, visit: Visit, domain: Domain) -> Approach | None:
    """None: it is not stopped, or no line stopped it."""
    told = stop_of(domain, story(services.outbound.governance.audit(domain.name, STORED, visit.workspace.id)))
    stop = stopped_by(told) if told else None
    if stop is None:
        return None
    relays = [relay.id for relay in services.tenancy.relays(visit.workspace.id)]
    if stop.is_earlier or not relays:
        return Approach(stop, "", (), "", "It counted in an earlier month than that of the stop.")
    begins = _begins(services, visit, domain, stop)
    query = f"from:{domain.name} since:{term(begins)} until:{term(stop.at)}"
    asked = query_language.question(query, visit.workspace.id, relays, visit.now, visit.zone)
    asked = msgspec.structs.replace(asked, since=begins, until=stop.at, kinds=(MailKind.MAIL,))
    sent, is_exact = _sent(services, domain, asked, stop)
    notices = _bounces(services, domain, asked) if stop.line is Line.BOUNCES else _complaints(services, domain, asked)
    notices = _counted([each for each in notices if each.at <= stop.at], stop.count)
    stages = list(_stages(visit, stop, sent, notices))
    known = sum(each.count for each in notices)
    return Approach(
        stop=stop,
        picture=_picture(stop, stages) if len(stages) > 1 else "",
        stages=[each for each in stages if each.title],
        certain=_certain(stop, stages),
        unknown=_unknown(stop, known, is_exact=is_exact),
    )


def _begins(services: DashboardServices, visit: Visit, domain: Domain, stop: Stop) -> int:
    """When its count began: with the month, or when it was made or let send again."""
    base = services.outbound.governance.usage_today(domain.name, visit.now, visit.workspace.id).baseline.at
    return max(month_start(stop.at), domain.created_at, base if base < stop.at else 0)


def _sent(services: DashboardServices, domain: Domain, asked: LogQuestion, stop: Stop) -> tuple[list[Sent], bool]:
    """By time, and whether to the second rather than to the minute."""
    total, first = services.history.total_and_first(asked)
    if first is not None and abs(total - stop.sent) <= _OFF * stop.sent:
        since = max(first, asked.since or 0)
        step = max(1000, -(-(stop.at - since + 1) // _STEPS))
        counts: dict[int, int] = {}
        for each in services.maillog.over_time(TimeTallyQuestion(asked, step)):
            counts[each.since] = counts.get(each.since, 0) + each.count
        return [Sent(each, counts[each]) for each in sorted(counts)], True
    minutes = services.outbound.governance.decided(domain, asked.since or 0, stop.at + 1)
    together = -(-len(minutes) // _STEPS)
    parts = [minutes[place : place + together] for place in range(0, len(minutes), max(together, 1))]
    return [Sent(part[0].minute, sum(each.allowed for each in part)) for part in parts], False


def _bounces(services: DashboardServices, domain: Domain, asked: LogQuestion) -> list[Notice]:
    """As they count: for good, and once for a mail unless the domain counts recipients."""
    wanted = msgspec.structs.replace(asked, terms=(*asked.terms, in_states((DeliveryStatus.BOUNCED,))), limit=_NOTICES)
    found: dict[tuple[str, str], Notice] = {}
    for one in sorted(services.history.search(wanted).deliveries, key=lambda one: one.at):
        if one.hard:
            name = one.recipient if domain.counting is Counting.RECIPIENTS else ""
            found.setdefault((one.mail_id, name), Notice(one.at, 1, one.mail_id, one.recipient))
    return list(found.values())


def _complaints(services: DashboardServices, domain: Domain, asked: LogQuestion) -> list[Notice]:
    since, until = asked.since or 0, asked.until or 0
    step = max(MINUTE_MS, -(-(until - since) // _STEPS))
    question = FigureQuestion(
        workspace=asked.workspace, relays=asked.relays, what="complaints", by="sender_domain", domains=(domain.name,),
        first=since + step, last=since + step * max(1, -(-(until - since) // step)), step=step, window=step, least=0,
    )  # fmt: skip
    figures = services.maillog.figures(question)
    return [Notice(min(each.at, until), each.count, "", "") for each in figures if each.count]


def _counted(notices: Sequence[Notice], most: int) -> list[Notice]:
    """Those that had come in: one that tells of a time before the stop may have arrived after it."""
    found: list[Notice] = []
    for each in notices:
        if (most := most - each.count) < 0:
            break
        found.append(each)
    return found


def _stages(visit: Visit, stop: Stop, sent: Sequence[Sent], notices: Sequence[Notice]) -> Iterator[Stage]:
    """Counted back from the stop, so that the last is what was judged; what counted nowhere any more is left out."""
    before = stop.sent - sum(each.count for each in sent)
    count = stop.count - sum(each.count for each in notices)
    coming = list(notices)
    for number, each in enumerate(sent):
        until = sent[number + 1].since if number + 1 < len(sent) else stop.at + 1
        before += each.count
        yield from _stage(before, count)
        while coming and coming[0].at < until:
            notice = coming.pop(0)
            count += notice.count
            yield from _stage(before, count, notice, visit)
    for notice in coming:
        count += notice.count
        yield from _stage(before, count, notice, visit)


def _stage(sent: int, count: int, notice: Notice | None = None, visit: Visit | None = None) -> Iterator[Stage]:
    if sent <= 0 or not 0 <= count <= sent:
        return
    bound = wilson(count, sent)
    title, to = "", ""
    if notice is not None and visit is not None:
        at = local(notice.at, visit.zone).strftime("%d %b %H:%M:%S")
        share = f"{count:,} of {sent:,} = {count / sent:.1%}, with 95 % certainty {bound.low:.1%} to {bound.high:.1%}"
        title = f"{at}{f', {notice.about}' if notice.about else ''}: {share}"
        to = f"/ui/{visit.workspace.id}/mail/{notice.mail}" if notice.mail else ""
    yield Stage(sent, count / sent, bound.low, bound.high, title, to)


def _picture(stop: Stop, stages: Sequence[Stage]) -> Markup:
    title = (
        f"Share of {stop.line.value} after each mail, with its 95 % interval: {stop.rate:g} % of {stop.sent:,} mails "
        f"at the stop, where the line is {stop.limit:g} %"
    )
    return approach(stages, stop.limit / 100, stop.rule.minimum_volume, title)


def _certain(stop: Stop, stages: Sequence[Stage]) -> str:
    """Whether, and when, the rule that asks for certainty would have stopped it; or the one that does not."""

    def is_above(each: Stage) -> bool:
        share = each.share if stop.rule.confident else each.low
        return each.sent >= stop.rule.minimum_volume and 100 * share > stop.limit

    words = "Without asking for certainty" if stop.rule.confident else "If certainty were asked for"
    first = next((each for each in stages if is_above(each)), None)
    if not stages:
        return ""
    if first is None:
        return f"{words} it would not have been stopped by then."
    if first.sent >= stop.sent:
        return f"{words} it would have been stopped at the same mail."
    return f"{words} it would have been stopped {stop.sent - first.sent:,} mails earlier."


def _unknown(stop: Stop, known: int, *, is_exact: bool) -> str:
    told = []
    if known < stop.count:
        told.append(f"The mail log tells of {known:,} of the {stop.count:,} {stop.line.value} one by one.")
    if not is_exact:
        told.append(
            "When mail was sent is known to the minute, of the decisions: the mail log does not have all of it."
        )
    return " ".join(told)


PAGES = (Page("get", "/{workspace:int}/domains/{name:str}/approach", show, of_domains=True),)
