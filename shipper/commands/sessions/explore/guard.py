"""Who may read the pages.

No web page that has a name rebound to this address, and beyond loopback nobody without the token.
"""

import hashlib
import hmac
from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shipper.telemetry.export.host_check import may_read

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"cache-control": b"no-store",
}
_COOKIE = "llm-loki-ship-explore"


class Guard:
    """Answers what must not pass, and gives every answer the headers that keep a browser safe.

    ``own`` is ``explore.host``. A token comes as ``Authorization: Bearer``, or once as ``?token=``, which is
    changed into a cookie.
    """

    def __init__(self, app: ASGIApp, own: str, token: str) -> None:
        self._app = app
        self._own = own
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS.items()]
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        # A page with a name of its own has no cookie of ours.
        if not self._token and not may_read(host, (self._own,)):
            return _refuse(HTTPStatus.MISDIRECTED_REQUEST, "This address is not served under that name.")
        foreign = request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
        navigates = request.headers.get("sec-fetch-mode") == "navigate"
        if (origin is not None and origin.partition("://")[2] != host) or (foreign and not navigates):
            return _refuse(HTTPStatus.FORBIDDEN, "Another site may not read this.")
        if request.method not in {"GET", "HEAD"}:
            return _refuse(HTTPStatus.METHOD_NOT_ALLOWED, "Nothing can be changed here.")
        return self._without_token(request)

    def _without_token(self, request: Request) -> Response | None:
        if not self._token or self._knows(request.headers, request.cookies):
            return None
        if _same(request.query_params.get("token", ""), self._token):
            answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)
            answer.set_cookie(_COOKIE, self._proof, httponly=True, samesite="strict")
            return answer
        return _refuse(HTTPStatus.UNAUTHORIZED, "Open /?token=... with the token of explore.token.")

    @property
    def _proof(self) -> str:
        return hashlib.sha256(f"explore {self._token}".encode()).hexdigest()

    def _knows(self, headers: Mapping[str, str], cookies: Mapping[str, str]) -> bool:
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        return _same(bearer, self._token) or _same(cookies.get(_COOKIE, ""), self._proof)


def _refuse(status: HTTPStatus, text: str) -> Response:
    return PlainTextResponse(text + "\n", status)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
