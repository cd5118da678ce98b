"""The lines of the derived index: one a session, one a response that a later call may name."""

from dataclasses import replace

import orjson

from proxy.sessions.replay import SessionHead


def encode_known(known: SessionHead) -> bytes:
    """Return a session's line."""
    told = {
        "session": known.session,
        "upstream": known.upstream,
        "provider": known.provider,
        "client_session": known.client_session,
        "begun": known.begun.hex(),
        "parent": known.parent,
    }
    return orjson.dumps({name: value for name, value in told.items() if value}) + b"\n"


def encode_response(upstream: str, session: str, response_id: str) -> bytes:
    """Return the line of a response."""
    told = {"session": session, "upstream": upstream, "response_id": response_id}
    return orjson.dumps(told) + b"\n"


def decode(index: bytes) -> dict[tuple[str, str], SessionHead]:
    """Return the sessions by upstream and name, their responses with them; odd lines count for nothing."""
    sessions: dict[tuple[str, str], SessionHead] = {}
    responses: dict[tuple[str, str], list[str]] = {}
    for line in index.splitlines():
        try:
            told = orjson.loads(line)
            where = told["upstream"], told["session"]
            if "response_id" in told:
                responses.setdefault(where, []).append(told["response_id"])
            else:
                sessions[where] = SessionHead(
                    *where,
                    told["provider"],
                    client_session=told.get("client_session", ""),
                    begun=bytes.fromhex(told.get("begun", "")),
                    parent=told.get("parent", ""),
                )
        except (ValueError, KeyError, TypeError):
            continue
    return {
        where: replace(known, responses=tuple(responses.get(where, ()))) for where, known in sessions.items()
    }
