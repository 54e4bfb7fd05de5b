"""The paths of the mail log in Mailvane's own interface, a row each: the intake of events, questions, upkeep."""

from __future__ import annotations

from typing import Any

from litestar import Request

from mailvane.core.errors import InvalidInput, NotAllowed, UnsupportedForm
from mailvane.core.tenants.model import KeyKind, Relay, Workspace
from mailvane.maillog.api import queried, questions
from mailvane.maillog.api.event import NativeEvent
from mailvane.maillog.api.intake import LARGE_BODY, MAX_BODY, DecodedEvents, Intake, Receipt, unpacked
from mailvane.maillog.api.intake_commits import IntakeCommits
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.model import MailKey
from mailvane.maillog.queries import (
    DelayQuestion,
    Delays,
    EngagementCounts,
    EngagementQuestion,
    HourlyCounts,
    HourlyQuestion,
    LogPage,
    LogQuestion,
    MailLogHealth,
    QueueIdQuestion,
    ReceivedQuestion,
    RefusedPage,
    RefusedQuestion,
    ReplyPage,
    ReplyQuestion,
    SenderPage,
    SenderQuestion,
    Statistics,
    StatisticsQuestion,
    StatisticsQuestions,
    Tally,
    TallyQuestion,
    TimeTally,
    TimeTallyQuestion,
)
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion
from mailvane.maillog.services import MailLogServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import Endpoint, Parameter, Pool, RouteTable, threads_of
from mailvane.web.gateway import principal_of
from mailvane.web.handlers import body_of
from mailvane.web.wanted import Wanted, while_wanted

_LARGE_PACKED = 16 * 1024
NDJSON = frozenset({"", "application/x-ndjson", "application/ndjson", "application/jsonl", "text/plain"})
_ENCODING = Parameter(
    "Content-Encoding",
    "How the body is packed.",
    {"type": "string", "enum": ["identity", "gzip", "x-gzip"], "default": "identity"},
    place="header",
)


async def take_events(_services: MailLogServices, request: Request[Any, Any, Any]) -> Receipt:
    """Reads on a thread, and waits on the loop for what is committed together."""
    principal = principal_of(request)
    if principal.kind is KeyKind.CLIENT:
        raise NotAllowed("a client key may not send mail events")
    if principal.workspace is None:
        raise InvalidInput("name the workspace in the X-Workspace-Id header")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in NDJSON:
        raise UnsupportedForm("send mail events as application/x-ndjson")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    intake: Intake = request.app.state.intake
    commits: IntakeCommits = request.app.state.intake_commits
    workspace = principal.workspace
    commits.check(workspace)
    body = await body_of(request)
    is_large = len(body) > LARGE_BODY or (encoding not in {"", "identity"} and len(body) > _LARGE_PACKED)
    wanted = Wanted()

    def read() -> DecodedEvents:
        return intake.read(workspace, unpacked(body, encoding), wanted)

    reading = threads_of(request).for_workspace(workspace, is_large, read)
    decoded = await while_wanted(request, wanted, reading)
    with threads_of(request).waiting("journal"):
        receipt = await commits.add(workspace, decoded)
    request.app.state.metrics.recorded(receipt.accepted)
    return receipt


_EVENTS = Endpoint(
    "post", "/events", "MailvaneV1EventsTakeEvents", "Take in mail events", take_events, Receipt, NativeEvent,
    media_type="application/x-ndjson", largest=MAX_BODY, pool=Pool.LOOP, query=(_ENCODING,), refusals=(413, 415),
)  # fmt: skip
_QUESTIONS = [
    Endpoint(
        "post", "/workspaces", "maillog_workspaces", "Whose mail there is: the workspace of a name, or all",
        questions.workspaces, list[Workspace], questions.WorkspaceQuestion,
    ),
    Endpoint(
        "post", "/relays", "maillog_relays", "The relays of a workspace", questions.relays, list[Relay],
        questions.RelayQuestion,
    ),
    Endpoint(
        "get", "/search", "maillog_search_by_query", "Deliveries that a query finds", queried.deliveries,
        queried.FoundPage, query=queried.PARAMETERS, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "get", "/refused", "maillog_refused_by_query", "Refused mail that a query finds", queried.refused, RefusedPage,
        query=queried.PARAMETERS, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/search", "maillog_search", "One page of deliveries", questions.search, LogPage, LogQuestion,
        pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/refused", "maillog_refused", "One page of mail that was refused", questions.refused, RefusedPage,
        RefusedQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/refused_tally", "maillog_refused_tally", "How many refusals have which value",
        questions.refused_tally, list[Tally], RefusedTallyQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/refused_over_time", "maillog_refused_over_time", "How many refusals in which stretch of time",
        questions.refused_over_time, list[RefusedTime], RefusedTimeQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/replies", "maillog_replies", "One page of replies by people, with what was said of each",
        questions.replies, ReplyPage, ReplyQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/senders", "maillog_senders", "One page of those who wrote to domains", questions.senders, SenderPage,
        SenderQuestion, largest=1 << 20, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/queue-id", "maillog_queue_id", "Which mails a queue id means", questions.with_queue_id,
        list[MailKey], QueueIdQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/statistics", "maillog_statistics", "Counts and ranked tables", questions.statistics, Statistics,
        StatisticsQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/statistics_of", "maillog_statistics_of", "Counts of several windows, of one moment",
        questions.statistics_of, list[Statistics], StatisticsQuestions, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/hourly", "maillog_hourly", "Counts hour by hour", questions.hourly, list[HourlyCounts],
        HourlyQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/tally", "maillog_tally", "How many deliveries have which value", questions.tally, list[Tally],
        TallyQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/delays", "maillog_delays", "How long deliveries took", questions.delays, list[Delays],
        DelayQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/over_time", "maillog_over_time", "How many deliveries in which stretch of time",
        questions.over_time, list[TimeTally], TimeTallyQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/figures", "maillog_figures", "Shares and waiting mail at moments", questions.figures, list[Figure],
        FigureQuestion, largest=1 << 20, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/engagement", "maillog_engagement", "What became of mails, by sender, day or campaign",
        questions.engagement, list[EngagementCounts], EngagementQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/received", "maillog_received", "How many mails addresses got", questions.received, dict[str, int],
        ReceivedQuestion, largest=1 << 20, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/life", "maillog_life", "Every event of one mail", questions.life, list[list[Any]],
        questions.LifeQuestion, pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/health", "maillog_health", "What and how large the mail log is", questions.health, MailLogHealth,
        pool=Pool.MAIL_LOG,
    ),
    Endpoint(
        "post", "/verify", "maillog_verify", "Read the whole mail log; what is broken or lacking", questions.verify,
        list[str], pool=Pool.UPKEEP,
    ),
    Endpoint(
        "post", "/retain", "maillog_retain", "Apply a new retention to what is stored", questions.retain, None,
        questions.Retention, pool=Pool.UPKEEP,
    ),
    Endpoint(
        "post", "/upkeep", "maillog_upkeep",
        "Rebuild, back up or restore the mail log, or accept what is lost of it", questions.upkeep, None,
        questions.Upkeep, pool=Pool.UPKEEP, refusals=(409,),
    ),
]  # fmt: skip
TABLES = (
    RouteTable([_EVENTS], MailLogServices, NATIVE, ("Native",), NATIVE_PREFIX, clients=True),
    RouteTable(_QUESTIONS, MailLogServices, NATIVE, ("Mail log", "Native"), f"{NATIVE_PREFIX}/maillog", clients=True),
)
