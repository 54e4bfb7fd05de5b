"""The paths of reputation in Mailvane's own interface, a row each."""

from __future__ import annotations

from collections.abc import Iterator

from mailvane.notify.model import Notification
from mailvane.reputation.alerts.drafts import AlertDraft
from mailvane.reputation.alerts.lines import LineFirings
from mailvane.reputation.alerts.model import Alert, LogEntry, MaintenanceWindow
from mailvane.reputation.alerts.service import Trial
from mailvane.reputation.api import alerting, heartbeats, sources
from mailvane.reputation.heartbeats import CALLS_PATH, HeartbeatStanding
from mailvane.reputation.model import SourceHealth, Zone
from mailvane.reputation.questions import EntryPage
from mailvane.reputation.services import ReputationServices
from mailvane.web.dialect import NATIVE, NATIVE_PREFIX
from mailvane.web.endpoints import PLAIN, Endpoint, Pool, RouteTable

_ALERT = "/alerts/{alert_id:str}"
_ENTRY = "/alerts/log/{entry_id:str}"
_LARGEST_FILE = 64 << 20


def _alerts() -> Iterator[Endpoint]:
    yield Endpoint(
        "post", "/alerts/backtest", "backtest_alert", "When an unsaved alert would have fired", alerting.backtest,
        alerting.BacktestReply, alerting.BacktestBody, pool=Pool.LENGTHY,
    )  # fmt: skip
    yield Endpoint(
        "post", "/alerts/backtest/lines", "backtest_lines", "How often it would have fired with other values",
        alerting.lines, list[LineFirings], alerting.BacktestBody, pool=Pool.LENGTHY,
    )  # fmt: skip
    yield Endpoint(
        "post", "/alerts/test", "test_draft", "What an unsaved alert would say now", alerting.trial, Trial, AlertDraft
    )
    yield Endpoint(
        "post", f"{_ALERT}/test", "test_alert", "What an alert would say now; may tell its channels",
        alerting.trial_of, Trial, alerting.TrialBody,
    )  # fmt: skip
    yield Endpoint(
        "post", f"{_ALERT}/snooze", "snooze_alert", "Tell nobody for a time", alerting.snooze, Alert,
        alerting.SnoozeBody,
    )  # fmt: skip
    yield Endpoint(
        "get", "/alerts/log", "all_alerts_log", "When alerts fired, of all", alerting.log, EntryPage,
        query=alerting.LOG,
    )  # fmt: skip
    yield Endpoint(
        "post", f"{_ENTRY}/acknowledge", "acknowledge_entry", "Somebody has seen it", alerting.acknowledge, LogEntry
    )
    yield Endpoint("post", f"{_ENTRY}/resolve", "resolve_entry", "It is over", alerting.resolve, LogEntry)
    yield Endpoint(
        "post", "/channels/{channel_id:str}/test", "test_channel", "Tell it that it can be told", alerting.test_channel,
        Notification, None, 201,
    )  # fmt: skip
    path = "/maintenance-windows"
    yield Endpoint("get", path, "list_windows", "Times of maintenance", alerting.windows, list[MaintenanceWindow])
    yield Endpoint(
        "post", path, "add_window", "Log alerts and tell nobody, for a time", alerting.add_window, MaintenanceWindow,
        alerting.WindowBody, 201,
    )  # fmt: skip
    yield Endpoint(
        "delete", f"{path}/{{window_id:str}}", "remove_window", "End or cancel it", alerting.remove_window, None
    )


def _sources() -> Iterator[Endpoint]:
    yield Endpoint(
        "get", "/reputation/board", "reputation_board", "What every source says of all that is watched", sources.board,
        list[sources.BoardLine],
    )  # fmt: skip
    one, zone = "/sources/{source:str}", "/blocklists/{host:str}"
    yield Endpoint("get", "/sources", "list_sources", "How sources do", sources.health, list[SourceHealth])
    yield Endpoint(
        "post", "/sources/run", "run_sources", "Ask all of them now; not twice in a minute", sources.run_all,
        sources.RunAllReply,
    )  # fmt: skip
    yield Endpoint("post", f"{one}/run", "run_source", "Ask it now", sources.run, sources.RunReply, sources.RunBody)
    yield Endpoint(
        "post", f"{one}/import", "import_source", "Take in a file of what it would say", sources.take_in,
        sources.TakenIn, str, 0, "application/octet-stream", _LARGEST_FILE, pool=Pool.LENGTHY,
        query=sources.IMPORT,
    )  # fmt: skip
    yield Endpoint(
        "get", "/blocklists", "list_zones", "The dictionary of blocklists", sources.zones, list[sources.ZoneReply]
    )
    yield Endpoint("put", zone, "save_zone", "Change or add a blocklist", sources.save_zone, Zone, sources.ZoneBody)
    yield Endpoint("delete", zone, "forget_zone", "Back to what is shipped", sources.forget_zone, None)
    yield Endpoint(
        "post", "/traps/{asset_id:str}/approve", "approve_trap", "Keep mail to spam traps of it", sources.approve,
        None, None, 204,
    )  # fmt: skip


def _heartbeats() -> Iterator[Endpoint]:
    path = "/heartbeats"
    yield Endpoint(
        "get", path, "list_heartbeats", "Heartbeats with when they were called", heartbeats.listed,
        list[HeartbeatStanding],
    )  # fmt: skip
    yield Endpoint(
        "post", path, "create_heartbeat", "A new heartbeat; the address to call is told this once", heartbeats.create,
        heartbeats.NewHeartbeatObject, heartbeats.HeartbeatBody, 201, query=heartbeats.HOST, refusals=(409,),
    )  # fmt: skip
    yield Endpoint(
        "delete", f"{path}/{{heartbeat_id:str}}", "delete_heartbeat", "Delete it: its address is unknown from then on",
        heartbeats.remove, None,
    )  # fmt: skip


def _calls() -> Iterator[Endpoint]:
    for method in ("get", "post"):
        yield Endpoint(
            method, "/{secret:str}", f"call_heartbeat_by_{method}", "The job is alive; needs no key", heartbeats.call,
            str, status=200, answer_type=PLAIN, refusals=(404,),
        )  # fmt: skip


ROUTES = RouteTable([*_alerts(), *_sources(), *_heartbeats()], ReputationServices, NATIVE, ("Native",), NATIVE_PREFIX)
CALLS = RouteTable(list(_calls()), ReputationServices, heartbeats.CALLS, ("Native",), CALLS_PATH)
