"""A process serves one client at a time, and retires."""

from __future__ import annotations

from mailvane_demo.world.processes import Daemon, process_ids


def daemon() -> Daemon:
    return Daemon("mx1", "postfix/smtpd", process_ids(1000))


def test_two_clients_at_one_time_meet_two_processes() -> None:
    smtpd = daemon()
    assert smtpd.take(0)[1] != smtpd.take(0)[1]


def test_a_process_that_is_free_again_serves_the_next_client() -> None:
    smtpd = daemon()
    uses, label = smtpd.take(0)
    smtpd.give_back(50, uses, label)
    assert smtpd.take(49)[1] != label
    assert smtpd.take(50) == (1, label)


def test_a_process_retires_after_a_hundred_clients() -> None:
    smtpd = daemon()
    labels = []
    for at in range(250):
        uses, label = smtpd.take(at)
        smtpd.give_back(at, uses, label)
        labels.append(label)
    assert [labels.count(label) for label in dict.fromkeys(labels)] == [100, 100, 50]


def test_a_label_is_host_service_and_process_id() -> None:
    assert daemon().label() == "mx1 postfix/smtpd[1000]: "
