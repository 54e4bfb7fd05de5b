"""A request of `mailvane api` on its way to the running server."""

from __future__ import annotations

import httpx

from mailvane.core.errors import InvalidInput, ServerUnreachable
from mailvane.server.asking import serving
from mailvane.server.program import ApiAnswer, ApiRequest
from mailvane.server.settings import Settings, base_url, master_token

_PATIENCE = httpx.Timeout(None, connect=5.0)  # a backtest or a removal takes as long as it does


def ask(settings: Settings, request: ApiRequest) -> ApiAnswer:
    """With the master token. Raises InvalidInput, ServerUnreachable."""
    server = serving(settings) or base_url(settings)
    headers = {"X-API-KEY": master_token(settings), **request.headers}
    try:
        # It is ours and near: a proxy of the environment is not asked.
        with httpx.Client(base_url=server, timeout=_PATIENCE, trust_env=False) as client:
            answer = client.request(request.method, request.path, content=request.content, headers=headers)
    except httpx.HTTPError as error:
        raise ServerUnreachable(f"the server at {server} does not answer: {error}") from None
    except (httpx.InvalidURL, UnicodeError) as error:
        raise InvalidInput(f"{request.path!r} is no path: {error}") from None
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return ApiAnswer(answer.status_code, answer.content, bool(answer.content) and kind.endswith("json"))
