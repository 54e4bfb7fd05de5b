"""Apprise as receivers of several services see it, and what it may not reach whatever its URL says."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest
from apprise.manager_plugins import NotificationManager

from mailvane.core.egress import EgressGuard
from mailvane.core.errors import InvalidInput, NotAllowed
from mailvane.notify.apprise_channel import AppriseMessage, AppriseNotifier, check_apprise_url
from mailvane.notify.apprise_plugins import SCHEMES
from mailvane.notify.model import Channel, Notification, Severity
from mailvane.notify.notifier import Delivered, NotDelivered, Refused
from tests.unit.notify.receiver import Receiver

MESSAGE = AppriseMessage("listed: 192.0.2.9", "It is listed.\nFired today", Severity.CRITICAL)


def deliver(url: str | None, guard: EgressGuard) -> Delivered:
    notification = Notification(
        id="msg_1", workspace=7, channel=Channel.APPRISE, target="channel", body={}, created_at=0
    )

    async def once() -> Delivered:
        notifier = AppriseNotifier(guard, lambda _workspace, _channel: url, lambda _one: MESSAGE)
        try:
            return await notifier.deliver(notification, 1_790_000_000_000)
        finally:
            await notifier.close()

    return asyncio.run(once())


LOCAL = EgressGuard(["127.0.0.1"])


def resolving(*addresses: str) -> EgressGuard:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return EgressGuard(resolve=resolve)


def test_json_and_ntfy_say_title_text_and_severity() -> None:
    with Receiver(200, 200).running() as receiver:
        assert deliver(f"json://127.0.0.1:{receiver.port}/hook", LOCAL).detail == "200"
        assert deliver(f"ntfy://127.0.0.1:{receiver.port}/alerts", LOCAL).detail == "200"
    by_json, by_ntfy = (json.loads(each.body) for each in receiver.received)
    assert (by_json["title"], by_json["message"], by_json["type"]) == (MESSAGE.title, MESSAGE.body, "failure")
    assert (by_ntfy["topic"], by_ntfy["title"], by_ntfy["message"]) == ("alerts", MESSAGE.title, MESSAGE.body)


def test_the_name_that_was_asked_stays_in_the_request() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    guard = EgressGuard(["127.0.0.0/8"], resolve)
    with Receiver(200).running() as receiver:
        deliver(f"json://ops.example:{receiver.port}/hook", guard)
    assert receiver.received[0].headers["host"] == f"ops.example:{receiver.port}"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "json://127.0.0.1:{port}/x",
            "json://127.1:{port}/x",
            "json://localhost:{port}/x",
            "ntfy://[::1]:{port}/topic",
        ),
        *(
            "form://[::ffff:127.0.0.1]:{port}/x",
            "xml://2130706433:{port}/x",
            "gotify://0x7f000001:{port}/Aaaaaaaaaaaaaaa",
        ),
        *("matrix://user:pass@127.0.0.1:{port}/#room", "json://rebound.example:{port}/x"),
        *("mmost://127.0.0.1:{port}/abcdefghijklmnopqrstuvwx", "rocket://user:pass@127.0.0.1:{port}/#channel"),
    ],
)
def test_nothing_of_this_network_is_reached(url: str) -> None:
    # A name server that gives a public address and one that is not gives none that is asked.
    with Receiver().running() as receiver:
        written = url.format(port=receiver.port)
        guard = resolving("93.184.216.34", "127.0.0.1") if "rebound" in url else EgressGuard()
        with pytest.raises((NotAllowed, NotDelivered)):
            deliver(written, guard)
    assert receiver.received == []


def test_a_redirect_is_not_followed() -> None:
    with Receiver().running() as hidden, Receiver(307).running() as receiver:
        receiver.headers = {"Location": hidden.url}
        with pytest.raises(NotDelivered, match="307"):
            deliver(f"json://127.0.0.1:{receiver.port}/x", LOCAL)
    assert hidden.received == []


def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver().running() as proxy, Receiver(200).running() as receiver:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        deliver(f"json://127.0.0.1:{receiver.port}/x", LOCAL)
    assert (len(proxy.received), len(receiver.received)) == (0, 1)


def test_what_may_be_taken_later_is_tried_again_and_410_is_the_end() -> None:
    with Receiver(503, 410).running() as receiver:
        receiver.headers = {"Retry-After": "7"}
        url = f"json://127.0.0.1:{receiver.port}/x"
        with pytest.raises(NotDelivered, match="503") as late:
            deliver(url, LOCAL)
        assert late.value.retry_after_ms == 7000
        with pytest.raises(Refused, match="410"):
            deliver(url, LOCAL)
    with pytest.raises(NotDelivered):
        deliver("json://127.0.0.1:9/x", LOCAL)
    with pytest.raises(Refused, match="no such channel"):
        deliver(None, LOCAL)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "mailto://u:p@example.org",
            "syslog://",
            "rsyslog://192.0.2.1",
            "mqtt://192.0.2.1/topic",
            "dbus://",
            "irc://h/#c",
        ),
        *("file:///etc/passwd", "apprise://h/token", "aprs://u:p@N0CALL", "vapid://a@b.example/sub", "windows://", "x"),
        *("smpp://u:p@h/1/2", "growl://h", "fcm://project@apikey/1?keyfile=/etc/passwd", "nonsense://h", "json://", ""),
    ],
)
def test_services_that_do_not_ask_by_http_alone_are_not_there(url: str) -> None:
    with pytest.raises(InvalidInput):
        check_apprise_url(url, EgressGuard().check_written)


@pytest.mark.parametrize(
    "url",
    [
        "discord://1234567890/abcdefghijklmnop?template={file}",
        "discord://1234567890/abcdefghijklmnop?TEMPLATE={file}",
        "discord://1234567890/abcdefghijklmnop?%74emplate={file}",
        "tgram://123456789:ABCdefghijkl_mnopqrstuvwxyz-123456789/12345?template=file://{file}",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template={file}",
        "workflows://host:443/workflowid/signature/?template={file}",
        "ntfy://topic?attach=file://{file}",
    ],
)
def test_no_url_reads_a_file_of_this_machine(url: str, tmp_path: Path) -> None:
    secret = tmp_path / "master-token"
    secret.write_text("secret")
    with pytest.raises(InvalidInput, match="not allowed"):
        check_apprise_url(url.format(file=secret), EgressGuard().check_written)


def test_a_host_that_certainly_may_not_be_reached_is_refused_when_it_is_written() -> None:
    for url in ("json://127.0.0.1/x", "ntfy://10.1.2.3/topic", "gotify://[::1]/Aaaaaaaaaaaaaaa", "json://localhost/x"):
        with pytest.raises(NotAllowed):
            check_apprise_url(url, EgressGuard().check_written)
    for url in ("discord://1234567890/abcdefghijklmnop", "ntfy://topic", "json://ops.example/x"):
        check_apprise_url(url, EgressGuard().check_written)


def test_plugins_of_the_services_ask_by_requests_and_by_nothing_else() -> None:
    other = re.compile(
        r"^\s*(?:import|from) (?:socket|smtplib|subprocess|select|ssl|asyncio|ctypes|http\.client|urllib\.request|paho"
        r"|gntp|slixmpp|smpplib|dbus|gi|hid|pika|requests_oauthlib|websocket\w*)\b|requests\.[Ss]ession|HTTPPolicy|getaddrinfo",
        re.MULTILINE,
    )
    known = NotificationManager()
    assert sorted(each for each in SCHEMES if each not in known.schemas()) == []
    for scheme in sorted(SCHEMES):
        modules = {each.__module__ for each in known[scheme].__mro__ if each.__module__.startswith("apprise.plugins.")}
        for name in modules - {"apprise.plugins.base"}:
            assert other.search(Path(sys.modules[name].__file__ or "").read_text()) is None, (scheme, name)


def test_an_url_stands_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    with Receiver(500).running() as receiver, pytest.raises(NotDelivered) as error:
        deliver(f"json://127.0.0.1:{receiver.port}/S3CRET", LOCAL)
    assert "S3CRET" not in caplog.text
    assert "S3CRET" not in str(error.value)


def test_a_session_of_a_plugin_s_own_is_refused_before_it_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    with Receiver(200).running() as receiver:
        url = f"json://127.0.0.1:{receiver.port}/hook"
        deliver(url, LOCAL)  # what plugins find under the name `requests` stands in now
        module = sys.modules["apprise.plugins.custom_json"]
        for opening in ("Session", "session"):

            def send(_plugin: object, opening: str = opening, **_given: object) -> bool:
                session = getattr(vars(module)["requests"], opening)()
                return bool(session.post(f"http://127.0.0.1:{receiver.port}/own").ok)

            monkeypatch.setattr(vars(module)["NotifyJSON"], "send", send)
            with pytest.raises(NotDelivered, match="the plugin failed: RuntimeError"):
                deliver(url, LOCAL)
    assert [each.path for each in receiver.received] == ["/hook"]
