"""Posts health reports to a Slack incoming webhook. Its address is a secret, and stands in no error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mailvane.core.errors import CollectionFailed
from mailvane.core.http_client import HttpClient
from mailvane.notify.notifier import NotDelivered, Refused

_MOST_ANSWER = 100_000
_GONE = frozenset({403, 404, 410})  # as Slack answers for a webhook that was removed or switched off


async def post_to_slack(url: str, messages: Sequence[Mapping[str, Any]]) -> None:
    """One after the other, each once: Slack shows what comes twice twice. Raises NotDelivered, Refused."""
    async with HttpClient("Slack", most_bytes=_MOST_ANSWER, pauses=()) as client:
        for message in messages:
            try:
                answer = await client.ask(url, json=message)
            except CollectionFailed as error:
                raise NotDelivered(error.message) from None
            if answer.status in _GONE:
                raise Refused(f"Slack has no such webhook (status {answer.status})")
            if not 200 <= answer.status < 300:
                told = "".join(each for each in answer.body[:100].decode("utf-8", "replace") if each.isprintable())
                raise NotDelivered(f"Slack does not take it (status {answer.status}): {told}")


def slack_url(file: str | None) -> str:
    """The address that a file holds. Raises Refused."""
    if file is None:
        raise Refused("no Slack webhook is set: slack_url_file of [health], or --slack-url")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise Refused(f"the file of the Slack webhook cannot be read: {type(error).__name__}") from None
