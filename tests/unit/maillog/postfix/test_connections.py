"""What a process said of its peer lasts as long as the connection, over restarts too, and not for ever."""

from __future__ import annotations

from mailvane.maillog.postfix.connections import Connections

HOUR = 3_600_000


def test_what_was_noted_is_known_until_the_connection_ends() -> None:
    connections = Connections()
    assert connections.of("mx1", "100") is None
    connections.note("mx1", "100", 0).tls = "TLSv1.3"
    found = connections.of("mx1", "100")
    assert found is not None
    assert found.tls == "TLSv1.3"
    assert connections.of("mx2", "100") is None
    connections.end("mx1", "100")
    assert connections.of("mx1", "100") is None


def test_a_restart_knows_open_connections_only() -> None:
    connections = Connections()
    connections.note("mx1", "100", 0).tls = "TLSv1.3"
    connections.note("mx1", "101", 0)
    written = dict(connections.register.changes()[0])
    connections.end("mx1", "101")
    opened, closed = connections.register.changes()
    assert opened == []
    for key in closed:
        del written[key]
    restarted = Connections()
    restarted.restore(written.items())
    assert restarted.of("mx1", "100") == connections.of("mx1", "100") is not None
    assert restarted.of("mx1", "101") is None


def test_connections_whose_end_was_not_logged_are_forgotten() -> None:
    connections = Connections()
    connections.note("mx1", "100", 0)
    connections.note("mx1", "101", 5 * HOUR)
    connections.sweep(7 * HOUR)
    assert connections.of("mx1", "100") is None
    assert connections.of("mx1", "101") is not None


def test_a_before_queue_filter_has_the_mail_until_it_answers_or_the_client_leaves() -> None:
    connections = Connections()
    connections.proxy("mx1", "10", 5).ip = "198.51.100.9"
    connections.proxy("mx1", "11", 5)
    restarted = Connections()
    restarted.restore(connections.register.changes()[0])
    assert restarted.proxied("mx1") == ["mx1/10", "mx1/11"]
    assert restarted.proxied("mx2") == []
    assert restarted.answered("mx1", "10")
    assert not restarted.answered("mx1", "10")
    restarted.end("mx1", "11")
    assert restarted.proxied("mx1") == []
