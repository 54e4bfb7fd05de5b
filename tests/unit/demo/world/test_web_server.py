"""The web server hands a whole request to a function, and its reply back."""

from __future__ import annotations

import httpx

from mailvane_demo.world.web_server import Reply, Request, json, web_server


def test_a_request_arrives_whole_and_its_reply_comes_back() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> Reply:
        seen.append(request)
        return json({"told": True}, 201, "application/rdap+json")

    with web_server(answer, lambda: 42) as url:
        reply = httpx.post(f"{url}/a/b?c=d%20e", content=b"body", headers={"X-Word": "Yes"}, trust_env=False)
    assert (reply.status_code, reply.json()) == (201, {"told": True})
    assert reply.headers["content-type"] == "application/rdap+json"
    (request,) = seen
    assert (request.method, request.path, dict(request.query)) == ("POST", "/a/b", {"c": "d e"})
    assert (request.body, request.headers["x-word"], request.at) == (b"body", "Yes", 42)
