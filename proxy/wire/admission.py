"""Who may call: the token, the Host values served, and no web page."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from proxy.wire.routing import RawHeaders, RefusedError, is_loopback

TOKEN_HEADER = b"x-llm-proxy-token"
LOG_BODIES_HEADER = b"x-llm-proxy-log-bodies"
# Headers spoken to the proxy itself; they never reach an upstream.
OWN_HEADERS = frozenset({TOKEN_HEADER, LOG_BODIES_HEADER})


@dataclass(frozen=True, slots=True)
class Admission:
    """What a call must show. Without tokens and hosts only Host values of this machine are served.

    ``tokens`` are by the name of the caller; that of ``proxy_token`` is empty.
    """

    tokens: Mapping[str, bytes] = field(repr=False)
    hosts: frozenset[str]

    @classmethod
    def of(
        cls, token: str, allowed_hosts: Sequence[str], tokens: Mapping[str, str] | None = None
    ) -> "Admission":
        """Take the settings as they are written."""
        named = {name: each.encode() for name, each in (tokens or {}).items()}
        if token:
            named[""] = token.encode()
        return cls(named, frozenset(each.lower() for each in allowed_hosts if each))

    def check(self, headers: RawHeaders, *, needs_token: bool = True) -> str:
        """Return the name of the caller; empty where its token has none, or none is asked for.

        Raises ``RefusedError`` for a call that is not to be served. A page in a browser cannot read the token
        and cannot hide its ``Origin`` or ``Sec-Fetch-Site`` (Fetch standard); one that had its own name
        rebound to this address shows that name as ``Host``.
        """
        host = token = b""
        for name, value in headers:
            lower = name.lower()
            if lower == b"host":
                host = value
            elif lower == TOKEN_HEADER:
                token = value
            elif lower == b"origin" or (lower == b"sec-fetch-site" and value != b"none"):
                raise RefusedError(HTTPStatus.FORBIDDEN, "requests from web pages are not served")
        caller = self._caller(token) if needs_token else ""
        if not self._serves(host.decode("latin-1").lower()):
            raise RefusedError(HTTPStatus.FORBIDDEN, "this Host is not served; see allowed_hosts")
        return caller

    def _caller(self, token: bytes) -> str:
        """Compare with every token, so that the time tells nothing of which one was near."""
        found = [name for name, each in self.tokens.items() if hmac.compare_digest(token, each)]
        if self.tokens and not found:
            raise RefusedError(HTTPStatus.FORBIDDEN, "X-LLM-Proxy-Token is missing or wrong")
        return found[0] if found else ""

    def _serves(self, host: str) -> bool:
        name = _without_port(host)
        if host in self.hosts or name in self.hosts or is_loopback(name):
            return True
        return bool(self.tokens) and not self.hosts


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]
