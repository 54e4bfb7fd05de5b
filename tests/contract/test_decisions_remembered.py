"""What a decision remembers of the one before never outlives a change, whoever makes it: on both ledgers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NoReturn

import msgspec
import pytest

from mailvane.core.ledger.memory import Remembering
from mailvane.core.moments import DAY_MS, HOUR_MS
from mailvane.mailboxes.model import Mailbox, mailbox_id
from mailvane.outbound.holds import HoldKind, Holds
from mailvane.outbound.model import Domain, LimitKind, OutboundStatus, Reason, SendRequest, Usage, Verdict
from mailvane.outbound.send_limits import SendLimits
from mailvane.outbound.suppression import SuppressionMode, SuppressionReason, SuppressionRules
from mailvane.outbound.suppression_list import Said, SuppressionList
from mailvane.server.ledger import Ledger, open_ledger
from tests.contract.deciding import JUDGE, NOW, added, usages

ANN, BOB = "ann@ours.example", "bob@inbox.example"
REFUSE = SuppressionRules(mode=SuppressionMode.REFUSE)
OURS = "ours.example"


@pytest.fixture
def workspace(ledger: Ledger) -> int:
    found = ledger.tenants.add_workspace("ours", NOW).id
    added(ledger, Domain(id=0, workspace=found, name=OURS, created_at=NOW))
    return found


@pytest.fixture(params=["this", "another"])
def changing(request: pytest.FixtureRequest, ledger: Ledger, ledger_url: str) -> Iterator[Ledger]:
    """Who changes something: the process that decides, over the same connections, or another one."""
    if request.param == "this":
        yield ledger
        return
    other = open_ledger(ledger_url)
    yield other
    other.close()


def asked(instance: str = "", domain: str = OURS) -> SendRequest:
    return SendRequest(domain=domain, instance=instance, senders=(ANN,), login=ANN, recipients=(BOB,), mail_server=True)


def ask(ledger: Ledger, now: int = NOW) -> Verdict:
    return ledger.domains.decide([asked()], now, JUDGE, None, REFUSE)[0]


def limited(ledger: Ledger, _workspace: int) -> None:
    ledger.domains.change_domain(OURS, lambda old: msgspec.structs.replace(old, daily_limit=1), None)


def suspended(ledger: Ledger, _workspace: int) -> None:
    stopped = OutboundStatus.SUSPENDED
    ledger.domains.change_domain(OURS, lambda old: msgspec.structs.replace(old, status=stopped), None)


def login_limited(ledger: Ledger, _workspace: int) -> None:
    SendLimits(ledger.send_limits).set(LimitKind.LOGIN, ANN, {"daily": 0})


def mailbox_limited(ledger: Ledger, workspace: int) -> None:
    ledger.mailboxes.add(Mailbox(id=mailbox_id(workspace, ANN), workspace=workspace, address=ANN, daily_limit=0))


def suppressed(ledger: Ledger, workspace: int) -> None:
    said = Said(reason=SuppressionReason.MANUAL)
    SuppressionList(ledger.suppressions, REFUSE).add(workspace, BOB, said, NOW)


def held(ledger: Ledger, _workspace: int) -> None:
    Holds(ledger.holds).hold(HoldKind.LOGIN, ANN, "test", NOW)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (limited, Reason.DAILY),
        (suspended, Reason.SUSPENDED),
        (login_limited, Reason.LOGIN),
        (mailbox_limited, Reason.MAILBOX),
        (suppressed, Reason.SUPPRESSED),
        (held, Reason.HELD),
    ],
)
def test_a_change_holds_for_the_next_mail(
    ledger: Ledger, changing: Ledger, workspace: int, change: Callable[[Ledger, int], None], reason: Reason
) -> None:
    assert [ask(ledger).reason for _ in range(2)] == [None, None]
    change(changing, workspace)
    assert ask(ledger).reason is reason


def test_a_domain_that_was_not_there_is_known_once_it_is(ledger: Ledger, changing: Ledger, workspace: int) -> None:
    new = "new.example"
    assert not ledger.domains.decide([asked(domain=new)], NOW, JUDGE)[0].known
    added(changing, Domain(id=0, workspace=workspace, name=new, created_at=NOW))
    assert ledger.domains.decide([asked(domain=new)], NOW, JUDGE)[0].known


def test_counters_are_those_of_all_who_count(ledger: Ledger, changing: Ledger, workspace: int) -> None:
    told = [ask(each).sent_today for each in (ledger, ledger, changing, ledger, changing, changing, ledger)]
    assert told == [1, 2, 3, 4, 5, 6, 7]
    assert usages(ledger, OURS)[OURS].sent_today == 7


def test_what_is_remembered_is_what_is_stored_whatever_the_hour(ledger: Ledger, workspace: int) -> None:
    for hours in (0, 0, 1, 24, 24, 24 * 40, 24, 0):
        ask(ledger, NOW + hours * HOUR_MS)
        stored = usages(ledger, OURS)[OURS]
        after = ask(ledger, NOW + hours * HOUR_MS)
        assert (after.sent_today, after.sent_month) == (stored.sent_today + 1, stored.sent_month + 1)
        assert usages(ledger, OURS)[OURS] == msgspec.structs.replace(
            stored,
            sent_today=stored.sent_today + 1,
            sent_this_hour=stored.sent_this_hour + 1,
            sent_month=stored.sent_month + 1,
        )


def test_a_decision_that_failed_counts_nothing(ledger: Ledger, workspace: int) -> None:
    ask(ledger)

    def failing(domain: Domain, usage: Usage, request: SendRequest, now: int) -> tuple[Verdict, Usage]:
        if request.instance == "bad":
            raise ArithmeticError
        return JUDGE(domain, usage, request, now)

    with pytest.raises(ArithmeticError):
        ledger.domains.decide([asked("good"), asked("bad")], NOW, failing)
    assert ask(ledger).sent_today == 2


def test_a_transaction_that_ends_with_an_error_is_not_remembered(ledger: Ledger) -> None:
    remembering = Remembering(ledger.database)

    def write(value: str) -> list[str]:
        with remembering.write() as (_, memory):
            found = list(memory.of("words"))
            memory.of("words")[value] = ()
            return found

    def fail() -> NoReturn:
        with remembering.write() as (_, memory):
            memory.of("words")["wrong"] = ()
            raise ArithmeticError

    write("right")
    assert write("more") == (["right"] if ledger.database.is_sqlite else [])
    with pytest.raises(ArithmeticError):
        fail()
    assert write("later") == []
    ledger.tenants.add_workspace("other", NOW + DAY_MS)
    assert write("last") == []
