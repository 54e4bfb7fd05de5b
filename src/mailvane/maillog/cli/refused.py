"""`mailvane log --refused`: what was refused before it was taken in, a row a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from rich.table import Table
from rich.text import Text

from mailvane.core.cli.rendering import console, is_narrow, moment, print_csv, print_json, short_moment
from mailvane.core.errors import InvalidInput
from mailvane.maillog.queries import LogQuestion, RefusedMail, RefusedPage, RefusedQuestion

if TYPE_CHECKING:
    from mailvane.maillog.cli.program import MailLogProgram

_SHARED = frozenset(RefusedQuestion.__struct_fields__) & frozenset(LogQuestion.__struct_fields__)
_OPTIONS = {
    "subject": "--subject",
    "mx_host": "--mx",
    "mail_id": "--mail-id",
    "message_id_part": "--message-id",
    "reply_to": "--reply-to",
    "header_from": "--header-from",
    "delivered": "--delivered",
    "status": "--status",
    "by_message": "--by-message",
}
_SQUEEZED: dict[str, Any] = {"overflow": "ellipsis", "no_wrap": True}
_COLUMNS: dict[str, Any] = {
    "refused": {"no_wrap": True, "min_width": 19},
    "client": {**_SQUEEZED, "ratio": 3},
    "from": {**_SQUEEZED, "ratio": 4},
    "to": {**_SQUEEZED, "ratio": 4},
    "answer": {**_SQUEEZED, "ratio": 8},
    "mail id": {"no_wrap": True, "min_width": 18},
}
_LEFT_OUT = frozenset({"from", "mail id"})  # where there is little room: what was answered to whom tells most


def print_refused(program: MailLogProgram, asked: LogQuestion, shape: str) -> None:
    """Print a page as "json", "csv" or "table". Raises InvalidInput for a filter that refusals do not know."""
    question = _question(asked)
    with program.maillog() as maillog:
        page = maillog.refused(question)
    if shape == "json":
        print_json({"total": page.total, "refused": [_fields(one) for one in page.refused]})
    elif shape == "csv":
        names = ("mail_id", *RefusedMail.__struct_fields__)
        print_csv(names, (tuple(_fields(one).values()) for one in page.refused))
    else:
        _print_table(program, page, question)


def _question(asked: LogQuestion) -> RefusedQuestion:
    for name, option in _OPTIONS.items():
        if getattr(asked, name) not in (None, False) or (name == "delivered" and asked.delivered is not None):
            raise InvalidInput(f"{option} does not go with --refused: what was refused has none")
    return RefusedQuestion(**{name: getattr(asked, name) for name in _SHARED})


def _fields(one: RefusedMail) -> dict[str, Any]:
    return {"mail_id": one.mail_id, **msgspec.structs.asdict(one)}


def _print_table(program: MailLogProgram, page: RefusedPage, question: RefusedQuestion) -> None:
    out = console()
    if not page.total:
        out.print("no refusals match")
        return
    narrow = is_narrow()
    columns = {name: options for name, options in _COLUMNS.items() if not narrow or name not in _LEFT_OUT}
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name, options in columns.items():
        table.add_column(name, **({**options, "min_width": 11} if narrow and name == "refused" else options))
    for one in page.refused:
        family = f"[{one.family.value.replace('_', ' ')}] " if one.family else ""
        cells: dict[str, str | Text] = {
            "refused": (short_moment if narrow else moment)(one.at, program.zone),
            "client": Text(one.origin if narrow else f"{one.client_name} {one.origin}".strip()),
            "from": Text(one.sender or "<>"),
            "to": Text(one.recipient or "-"),
            "answer": Text(family + one.reply.replace("\n", " ")),
            "mail id": Text(one.mail_id, "dim"),
        }
        table.add_row(*(cells[name] for name in columns))
    if page.refused:
        out.print(table)
    last = question.skip + len(page.refused)
    span = f"{question.skip + 1:,}-{last:,}" if page.refused else "0"
    out.print(Text(f"{span} of {page.total:,} refusals", "dim"))
