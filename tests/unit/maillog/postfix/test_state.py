"""State that is written down comes back as it was, and only what changed is written."""

from __future__ import annotations

from mailvane.maillog.postfix.state import Connection, Mail, QueueEntry, Register, Start, Trouble


def entry(key: str) -> QueueEntry:
    mail = Mail(1, 1_791_626_400_000, 77, "1A2B3C4D5E", "mx1", subject="Grüße \ufffd", recipients={"a@b": 1})
    mail.undecided["a@b"] = Trouble("", 450, "4.2.0", "later")
    return QueueEntry(key, 1, mail, "1A2B3C4D5E", Start.CLIENT, 5, evidence=["1\tline"])


def test_what_is_written_comes_back() -> None:
    register = Register("q:", QueueEntry)
    register.values["a"] = entry("a")
    register.touched.add("a")
    opened, closed = register.changes()
    assert ([key for key, _ in opened], closed) == (["q:a"], [])
    restored = Register("q:", QueueEntry)
    restored.restore([*opened, ("c:other", b"not mine")])
    assert restored.values == register.values


def test_only_what_changed_is_written_and_only_what_was_written_is_taken_back() -> None:
    register = Register("c:", Connection)
    register.values["kept"] = Connection(1)
    register.values["short"] = Connection(1)
    register.touched.update(("kept", "short"))
    del register.values["short"]
    assert [key for key, _ in register.changes()[0]] == ["c:kept"]
    assert register.changes() == ([], [])
    del register.values["kept"]
    register.touched.add("kept")
    assert register.changes() == ([], ["c:kept"])
    assert register.changes() == ([], [])


def test_a_mail_learns_only_what_it_did_not_know() -> None:
    first, second = Mail(1, 0, 1, "A", "mx1", subject="known"), Mail(2, 0, 2, "B", "mx1", subject="other", size=9)
    first.learn(second)
    assert (first.subject, first.size) == ("known", 9)


def test_recipients_are_numbered_as_they_are_seen() -> None:
    mail = Mail(1, 0, 1, "A", "mx1")
    assert [mail.number_of(recipient) for recipient in ("a@b", "c@d", "a@b")] == [1, 2, 1]


def test_testimony_is_given_once() -> None:
    add_raw_line = entry("a")
    assert (add_raw_line.take_raw_lines(), add_raw_line.take_raw_lines()) == ("1\tline", "")
