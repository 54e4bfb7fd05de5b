"""The mail log on ClickHouse: which statement answers which question. One server, several, or the embedded engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Self

import msgspec

from mailvane.core.errors import InvalidInput
from mailvane.maillog.clickhouse import hours, inventory, one_moment, owners, queue_ids, schema, senders, terms, upkeep
from mailvane.maillog.clickhouse import refused as refusals
from mailvane.maillog.clickhouse import repair as doubt
from mailvane.maillog.clickhouse.buckets import Bucket, Span, joined, locate, moments_of_page, rows_of_page
from mailvane.maillog.clickhouse.engagement import received
from mailvane.maillog.clickhouse.engagement_days import EngagementDays
from mailvane.maillog.clickhouse.engine import Engine, Statement, parse_address
from mailvane.maillog.clickhouse.figures import figure_statement, figures_of
from mailvane.maillog.clickhouse.inserting import insert_batch
from mailvane.maillog.clickhouse.kept_answers import KeptAnswers
from mailvane.maillog.clickhouse.lives import events_of
from mailvane.maillog.clickhouse.merged_partitions import Counts, Week
from mailvane.maillog.clickhouse.message_ids import named_mails
from mailvane.maillog.clickhouse.outcomes import OutcomesOfWeeks
from mailvane.maillog.clickhouse.questions import AT_ONCE, FOUND, MOMENTS, NAMED, Search, whole_days
from mailvane.maillog.clickhouse.replies import replies_of
from mailvane.maillog.clickhouse.rows import (
    INSERT_SETTINGS,
    Name,
    Stored,
    batch_mark,
    decode_counts,
    decode_names,
    decode_rows,
    decode_total,
    delivery,
    kept_days,
    newest_reactions,
)
from mailvane.maillog.clickhouse.scratch import ScratchSession, scratch_session
from mailvane.maillog.clickhouse.tallies import Tallies
from mailvane.maillog.figure_questions import Figure, FigureQuestion
from mailvane.maillog.inventory import TableParts
from mailvane.maillog.model import EventBatch, Holding, MailEvent, MailKey, Owner, rows_of
from mailvane.maillog.named_mails import NamedMail, NamedQuestion
from mailvane.maillog.outcomes import OutcomeQuestion, Outcomes
from mailvane.maillog.queries import (
    DelayQuestion,
    Delays,
    Delivery,
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
    Tally,
    TallyQuestion,
    TimeTally,
    TimeTallyQuestion,
)
from mailvane.maillog.ranking import RankingQuestion, SenderRanking
from mailvane.maillog.refused_questions import RefusedTallyQuestion, RefusedTime, RefusedTimeQuestion

_TABLE = re.compile(r"\{(" + "|".join(schema.TABLES) + r")\}")
_ROUNDS = 10  # at most does one question look for a page that holds what its total says
_FEW = 50_000
_COMPACT = "JSONCompactEachRow"


def open_maillog(dsn: str, filling: upkeep.Filling = upkeep.unannounced) -> ClickHouseMailLog:
    """Open the mail log that a DSN names, creating what is missing; `filling` hears before views are filled anew.

    Raises InvalidSetting, StoreInUse, StoreTooNew, StoreUnavailable.
    """
    address = parse_address(dsn)
    engines: list[Engine] = []
    try:
        for server in range(max(1, len(address.servers))):
            engines.append(Engine(address, server))
            upkeep.prepare(engines[-1], filling)
    except BaseException:
        for engine in engines:
            engine.close()
        raise
    return ClickHouseMailLog(engines)


class ClickHouseMailLog:
    """The append-only record of mail events and every view of it. Any number of threads may use one."""

    def __init__(self, engines: list[Engine]) -> None:
        self._engines, self._engine = engines, engines[0]
        self._scope = "all_" if self._engine.address.cluster is not None else ""
        self._writing = one_moment.Writing(self._engine)
        self.scratch: Callable[[], ScratchSession] = lambda: scratch_session(self._engine)
        self.merging_later = partial(upkeep.merging_later, self._engines)
        self._merged = upkeep.MergedParts(self._engine)
        self.kept = KeptAnswers(self._engine)
        self._tallies = Tallies(self._rows, self.kept.weeks, self._is_waiting)
        self._outcomes = OutcomesOfWeeks(self._tallies, self.kept.weeks)
        self.engagement_days = EngagementDays(self._engine, self.kept.settles, self.kept.weeks_of_engagement)
        self._recall()

    def _recall(self) -> None:
        """What `append` has to know of what was stored before."""
        self._any_restored = self._number(Statement("SELECT count() FROM {restored}", {})) > 0
        self._begun_anew = owners.begun_anew(self._engines)

    def append(self, batch: EventBatch, doubtful: bool = False) -> None:
        """Store a batch durably, whole or not at all; a token seen before changes nothing.

        Doubtful is one that was perhaps tried before by a process that was killed. Raises StoreUnavailable.
        """
        if not rows_of(batch):
            return
        if created_at := self._begun_anew.get(batch.workspace):
            # The mail of an earlier owner of this id was deleted, but not the marks of its batches.
            batch = msgspec.structs.replace(batch, token=f"{created_at}/{batch.token}")
        if self._came_with_backup(batch):
            return
        with self._writing, self.kept.appending(batch, doubtful):
            if doubtful and self._engine.embedded:
                doubt.settle(self._engine, batch, INSERT_SETTINGS)
                return
            settings = INSERT_SETTINGS | {"insert_deduplication_token": f"{batch.workspace}:{batch.token}"}
            insert_batch(self._engine, f"{self._scope}events", batch, settings)
            self._merged.inserted()

    def _came_with_backup(self, batch: EventBatch) -> bool:
        if not self._any_restored:
            return False
        question = Statement("SELECT 1 FROM {restored} WHERE batch = {batch:UInt64}", {"batch": batch_mark(batch)})
        return bool(self._rows(question))

    def search(self, question: LogQuestion) -> LogPage:
        """One page of deliveries and the exact total.

        Rows are counted first and read after; what is written in between may move or drop one. A page that does not
        hold what the total says is therefore not given out: the question is asked anew.
        """
        for turn in range(_ROUNDS):
            page = self._search(question, by_moments=turn < _ROUNDS // 2)
            missing = rows_of_page(page.total, question) - len(page.deliveries)
            if not missing:
                return page
        # Rows leave the answer faster than they are counted: those that are gone are no longer of the total.
        return LogPage(page.total - missing, page.deliveries)

    def _search(self, question: LogQuestion, by_moments: bool) -> LogPage:
        """An answer that may be short of rows, or have one too many, if some were written meanwhile."""
        try:
            search = Search(question)
        except InvalidInput:
            return LogPage(0, [])
        weeks = self.kept.weeks.now() if search.selects or search.summary else []
        page = self._page(search, question, weeks, by_moments)
        if search.selects and not self.kept.weeks.still(weeks):  # what was read apart is to be joined after all
            page = self._page(Search(question), question, [], by_moments)
        return page

    def _page(self, search: Search, question: LogQuestion, weeks: list[Week], by_moments: bool) -> LogPage:
        """The answer, right if these weeks are settled until it is there."""
        waiting = self._is_waiting(question)
        if search.selects and weeks:
            search.read_apart(weeks)
        self._narrow(search)
        if by_moments and search.is_short and not search.passes_all:
            total, moments = decode_total(self._lines(search.total(waiting), _COMPACT))
            return self._of_moments(search, waiting, moments, total)
        if search.sifted:
            found = [int(str(moment)) for (moment,) in self._rows(search.few(waiting))]
            if len(found) <= FOUND and min(question.limit, len(found)) <= MOMENTS:
                return self._of_moments(search, waiting, found, len(found))
            if not search.indexed:
                search = Search(question)
        return self._located(search, question, waiting, self._counts(search, waiting, weeks))

    def _counts(self, search: Search, waiting: bool, weeks: list[Week]) -> list[Bucket]:
        """How many rows pass, by time of acceptance."""
        if search.summary is None:
            return self._counted_by_time(search, waiting, [])
        return self.kept.buckets.ask(
            search.workspace, search.summary, lambda: self._counted_by_time(search, waiting, weeks)
        )

    def _counted_by_time(self, search: Search, waiting: bool, weeks: list[Week]) -> list[Bucket]:
        known: dict[Week, Counts] = {}
        if not (search.by_message and waiting):  # one mail may wait and have deliveries, and is to be counted once
            known = self._known(search, weeks)
        rows = decode_counts(self._lines(search.counts(waiting, list(known)), _COMPACT))
        return joined(rows, search.is_fine, (pair for pairs in known.values() for pair in pairs))

    def _located(self, search: Search, question: LogQuestion, waiting: bool, counts: list[Bucket]) -> LogPage:
        """The page that lies where these counts tell."""
        total, span = sum(bucket.rows for bucket in counts), locate(counts, question)
        if span is None:
            return LogPage(total, [])
        rows = self._rows_of(search, question, waiting, span)
        if len(rows) != rows_of_page(total, question):
            self.kept.buckets.forget(search.workspace, search.summary)
            # With rows to spare, so that a few may leave the answer before they are read.
            span = locate(counts, question, 2 * question.limit + 100) or span
            rows = decode_rows(self._lines(search.at_once(waiting, span), _COMPACT))
            if span.ends and (rows or not question.skip):
                total = max(question.skip + len(rows), total if len(rows) == question.limit else 0)
        if question.limit > NAMED:
            reactions = newest_reactions(self._rows(search.reactions(span))) if self._has_reactions(search) else {}
            return LogPage(total, [delivery(row, reactions) for row in rows.values()])
        return LogPage(total, self._deliveries(search, rows))

    def _rows_of(self, search: Search, question: LogQuestion, waiting: bool, span: Span) -> dict[Name, Stored]:
        """The rows of a page; perhaps without some that changed between being named and being read."""
        if search.passes_all and span.rows <= AT_ONCE:
            return decode_rows(self._lines(search.at_once(waiting, span), _COMPACT))
        if question.limit > NAMED:
            return decode_rows(self._lines(search.page(waiting, span), _COMPACT))
        names = decode_names(self._lines(search.names(waiting, span), _COMPACT))
        if not names:
            return {}
        named = set(names)
        waited = {name[:3] for name in names if not name[3]}
        rows = decode_rows(self._lines(search.rows(names, waiting), _COMPACT))
        found = (name for name in rows if name in named or name[:3] in waited)
        return {name: rows[name] for name in islice(found, question.limit)}

    def _of_moments(self, search: Search, waiting: bool, found: list[int], total: int) -> LogPage:
        """The page, given when the rows up to its end were accepted."""
        question = search.question
        moments, skip = moments_of_page(found, question)
        if not moments:
            return LogPage(total, [])
        page = self._deliveries(search, decode_rows(self._lines(search.whole(waiting, moments, skip), _COMPACT)))
        ends = question.skip + question.limit >= total
        return LogPage(question.skip + len(page) if ends and page else total, page)

    def _known(self, search: Search, weeks: list[Week]) -> dict[Week, Counts]:
        """The counts of settled weeks, remembered or made now; what was not settled to the end is left out."""
        if search.summary is None:
            return {}
        known = self.kept.in_weeks.known(search.summary, weeks)
        if unknown := [week for week in weeks if week not in known]:
            rows = [
                (str(part), int(str(bucket)), int(str(count)))
                for part, bucket, count in self._rows(search.counts_apart(unknown))
            ]
            if self.kept.weeks.still(unknown):
                known |= self.kept.in_weeks.learn(search.summary, unknown, rows)
        return known

    def _narrow(self, search: Search) -> None:
        """Look only at few moments, if a filter leaves few."""
        if candidates := search.candidates(self._are_few(search)):
            moments = [int(str(moment)) for (moment,) in self._rows(candidates)]
            if len(moments) <= MOMENTS:
                search.narrow(moments)

    def _are_few(self, search: Search) -> bool:
        """Whether the whole workspace has so few rows that no filter need be looked up before they are joined."""
        return search.selects and self.kept.sizes.ask(search.workspace, lambda: self._number(search.size())) <= _FEW

    def _deliveries(self, search: Search, rows: dict[Name, Stored]) -> list[Delivery]:
        """These rows, each with what its recipient did."""
        if not rows:
            return []
        reactions = newest_reactions(self._rows(search.reactions_to(list(rows)))) if self._has_reactions(search) else {}
        return [delivery(row, reactions) for row in rows.values()]

    def _has_reactions(self, search: Search) -> bool:
        return self.kept.reacted.ask(search.workspace, None, lambda: self._number(search.any_reaction())) > 0

    def total_and_first(self, question: LogQuestion) -> tuple[int, int | None]:
        """How many deliveries pass, and when the first of their mails was accepted."""
        return self._tallies.total_and_first(question)

    def statistics(self, question: StatisticsQuestion) -> Statistics:
        """Counts and ranked tables of a window."""
        return self.statistics_of([question])[0]

    def statistics_of(self, questions: Sequence[StatisticsQuestion]) -> list[Statistics]:
        """The same of several windows, all of one moment."""
        return self._writing.none_during(lambda: one_moment.statistics_of(questions, self._rows, self.kept))

    def tally(self, question: TallyQuestion) -> list[Tally]:
        """How many deliveries have which value, the most first."""
        return terms.tallies(question.by, self._tallies.tally(question))

    def tallies(self, questions: Sequence[TallyQuestion]) -> list[list[Tally]]:
        """The same of several values of the deliveries of one question."""
        return [terms.tallies(*each) for each in self._tallies.tallies(questions)]

    def delays(self, question: DelayQuestion) -> list[Delays]:
        """How long deliveries took, by value, those of the most deliveries first."""
        rows = self._tallies.counted(question.log, terms.delays(question.by), top=question.top)
        return terms.delays_of(question.by, rows)

    def outcomes(self, question: OutcomeQuestion) -> Outcomes:
        """Where and why deliveries fail, and how long those took that were made."""
        return self._outcomes.ask(question)

    def over_time(self, question: TimeTallyQuestion) -> list[TimeTally]:
        """How many deliveries of each state in each stretch of time, the oldest first."""
        how, values = terms.over_time(question)
        return terms.time_tallies(question.step, self._tallies.counted(question.log, how, **values))

    def _is_waiting(self, question: LogQuestion) -> bool:
        """Whether there may be mails in the window that wait untried.

        Asked of whole days: windows that end now, or begin a week ago, move on with every question.
        """
        wide = whole_days(question)
        window = (wide.relays, wide.since, wide.until)
        return self.kept.waiting.ask(question.workspace, window, lambda: self._number(Search(wide).waiting())) > 0

    def hourly(self, question: HourlyQuestion) -> list[HourlyCounts]:
        """Counts hour by hour, oldest first; hours without events are left out."""
        return hours.hourly(question, self._lines, self._rows, self.kept)

    def figures(self, question: FigureQuestion) -> list[Figure]:
        """Shares and waiting mail at moments, by domain or of all. Raises InvalidInput."""
        return figures_of(self._rows(figure_statement(question)))

    def engagement(self, question: EngagementQuestion) -> list[EngagementCounts]:
        """What became of mails and what recipients did, by sender, day or campaign; those that sent most first."""
        return self.engagement_days.ask(question, self._lines)

    def ranking(self, question: RankingQuestion) -> SenderRanking:
        """All senders by what they sent."""
        return self.engagement_days.ranked(question, self._lines)

    def received(self, question: ReceivedQuestion) -> dict[str, int]:
        """How many mails these addresses got; those that got none are left out."""
        return received(question, self._rows)

    def replies(self, question: ReplyQuestion) -> ReplyPage:
        """Replies by people, the newest first, and the total."""
        return replies_of(question, self._lines, self._rows)

    def refused(self, question: RefusedQuestion) -> RefusedPage:
        """One page of what was refused, and the total. What comes in between the two is counted already."""
        return refusals.page(question, self._lines, self._rows)

    def refused_tally(self, question: RefusedTallyQuestion) -> list[Tally]:
        """How many refusals have which value, the most first."""
        return refusals.tally(question, self._rows)

    def refused_over_time(self, question: RefusedTimeQuestion) -> list[RefusedTime]:
        """How many refusals, permanent or transient, in each stretch of time, the oldest first."""
        return refusals.over_time(question, self._rows)

    def senders(self, question: SenderQuestion) -> SenderPage:
        """One page of those who wrote to domains, and the total."""
        return senders.page(question, self._lines, self._rows)

    def with_queue_id(self, question: QueueIdQuestion) -> list[MailKey]:
        """The mails that a queue id may mean, refused ones too, the newest first."""
        return queue_ids.mails_of(self._rows(queue_ids.newest(question)))

    def named(self, question: NamedQuestion) -> list[NamedMail]:
        """The mails with these Message-IDs, the oldest first."""
        return named_mails(question, self._lines, self._engine.embedded)

    def mail_events(self, workspace: int, *mails: MailKey) -> list[MailEvent]:
        """Every event of these mails, one mail after the other; of unknown mails there is none."""
        return events_of(workspace, mails, partial(self._lines, form=_COMPACT))

    def retain(self, workspace: int, days: int) -> None:
        """Apply a new retention to what is stored already; 0 keeps for ever."""
        with self._writing:
            for engine in self._engines:
                upkeep.retain(engine, workspace, kept_days(days))

    def rebuild(self) -> None:
        """Make every view anew from the events."""
        self._on_every_server(lambda engine, _number: upkeep.rebuild(engine))

    def backup(self, target: Path) -> None:
        """Write everything to a new directory. Raises AlreadyExists."""
        self._on_every_server(lambda engine, number: upkeep.backup(engine, self._share(target, number)))

    def restore(self, source: Path) -> None:
        """Take everything from a backup into an empty mail log. Raises AlreadyExists, NotFound."""
        self._on_every_server(lambda engine, number: upkeep.restore(engine, self._share(source, number)))

    def accept_losses(self) -> None:
        """Set aside what is broken."""
        self._on_every_server(lambda engine, _number: inventory.set_aside_broken(engine))

    def _on_every_server(self, keep_up: Callable[[Engine, int], None]) -> None:
        with self._rewriting():
            for number, engine in enumerate(self._engines):
                keep_up(engine, number)
        self._recall()

    @contextmanager
    def _rewriting(self) -> Generator[None]:
        """Nothing that is kept of answers outlives the block."""
        with self._writing, self.kept.rewriting():
            try:
                yield
            finally:
                self.engagement_days.look_anew()

    def _share(self, directory: Path, number: int) -> Path:
        """Servers of a cluster each keep their share in a directory of their own."""
        return directory / f"server{number}" if len(self._engines) > 1 else directory

    def inventory(self) -> dict[str, dict[str, TableParts]]:
        """What every server's tables are made of."""
        return {self._server(number): inventory.take(engine) for number, engine in enumerate(self._engines)}

    def is_changing(self) -> bool:
        """Whether stored rows are being rewritten or deleted."""
        return any(inventory.is_changing(engine) for engine in self._engines)

    def verify(self) -> list[str]:
        """Read everything that is stored; what is broken or lacking, a line each. This takes as long as it takes."""
        servers = ((self._server(number), engine) for number, engine in enumerate(self._engines))
        return [f"{server} {each}".strip() for server, engine in servers for each in inventory.verify(engine)]

    def _server(self, number: int) -> str:
        """A name for the server: it has none where there is one."""
        return ":".join(map(str, self._engine.address.servers[number])) if len(self._engines) > 1 else ""

    def owners(self) -> list[Owner]:
        """Those whose mail is here, by id; more than one of an id when several ledgers wrote here."""
        return owners.owners(self._engines)

    def holders(self) -> list[int]:
        """Every workspace that an event names, by id."""
        return owners.holders(self._engine, f"{self._scope}events")

    def own(self, owner: Owner) -> None:
        """Note, durably, whose mail will be stored. Twice is once."""
        for engine in self._engines:
            owners.note(engine, owner)
        self._begun_anew = owners.begun_anew(self._engines)

    def adopt(self, owner: Owner) -> None:
        """Give all mail of this id to this owner, whoever had it before."""
        for engine in self._engines:
            owners.adopt(engine, owner)

    def drop(self, workspace: int) -> None:
        """Delete all mail of a workspace, in the events and in every view."""
        with self._rewriting():
            for engine in self._engines:
                owners.drop(engine, workspace)

    def holding(self, workspace: int) -> Holding:
        """How much there is of a workspace, by which relays."""
        return owners.holding(self._engine, f"{self._scope}events", workspace)

    def greatest_ids(self) -> tuple[int, int]:
        """The greatest id of a workspace and of a relay that an event names; 0 when there are none."""
        return owners.greatest_ids(self._engine, f"{self._scope}events")

    def health(self, measured: bool = True) -> MailLogHealth:
        """What it is and, when measured, how large, which takes a while. Raises StoreUnavailable."""
        return inventory.health(self._engines, self._named, measured)

    def close(self) -> None:
        """Give the engine back. The mail log must not be used afterwards."""
        self._merged.close()
        for engine in self._engines:
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _named(self, sql: str) -> str:
        return _TABLE.sub(lambda found: self._scope + found[1], sql)

    def _lines(self, statement: Statement, form: str = "JSONEachRow") -> bytes:
        return self._engine.lines(self._named(statement.sql), statement.values, form)

    def _rows(self, statement: Statement) -> list[tuple[object, ...]]:
        return self._engine.rows(self._named(statement.sql), statement.values)

    def _number(self, statement: Statement) -> int:
        return int(str(self._rows(statement)[0][0]))
