"""Who may read the pages."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from starlette.responses import PlainTextResponse

from shipper.commands.sessions.explore.guard import POLICY, Guard


def ask(headers: dict[str, str], token: str = "", query: str = "", method: str = "GET") -> Any:
    """Return the status and the headers of the answer."""
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    given = {"host": "127.0.0.1:12073"} | headers
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asyncio.run(Guard(PlainTextResponse("the page"), "127.0.0.1", token)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:12073"}, 200),
        ({"host": "evil.example:12073"}, 421),
        ({"origin": "http://127.0.0.1:12073"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, 200),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}, 403),
        ({"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}, 403),
    ],
)
def test_only_the_page_itself_may_read(headers: dict[str, str], status: int) -> None:
    assert ask(headers)[0] == status


def test_nothing_can_be_changed() -> None:
    assert ask({}, method="POST")[0] == 405


def test_every_answer_keeps_the_browser_safe() -> None:
    for headers in ({}, {"host": "evil.example"}):
        told = ask(headers)[1]
        assert told[b"content-security-policy"].decode() == POLICY
        assert "unsafe" not in POLICY
        assert told[b"cache-control"] == b"no-store"
        assert told[b"x-content-type-options"] == b"nosniff"


def test_with_a_token_nobody_reads_without_it() -> None:
    assert ask({}, token="secret")[0] == 401
    assert ask({}, token="secret", query="token=wrong")[0] == 401
    assert ask({"authorization": "Bearer secret"}, token="secret")[0] == 200
    status, headers = ask({}, token="secret", query="token=secret")
    cookie = headers[b"set-cookie"].decode()
    assert status == 303
    assert "secret" not in cookie.lower().replace("secure", "")
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert ask({"cookie": cookie.partition(";")[0]}, token="secret")[0] == 200
