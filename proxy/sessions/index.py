"""The lines of the derived index: one a session, one a handle by which a later call may find it."""

from dataclasses import replace
from typing import Any, get_args

import orjson

from proxy.sessions.replay import Handle, HandleKind, SessionHead

Where = tuple[str, str]
"""Upstream and session."""

_KINDS: tuple[HandleKind, ...] = get_args(HandleKind)
# Of a session that named more, the latest are kept when the index is written anew.
_MOST_HANDLES = 256


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


def encode_handle(upstream: str, session: str, handle: Handle) -> bytes:
    """Return the line of a handle."""
    told: dict[str, Any] = {"session": session, "upstream": upstream, handle.kind: handle.name}
    if handle.seq:
        told["seq"] = handle.seq
    return orjson.dumps(told) + b"\n"


def decode(index: bytes) -> dict[Where, SessionHead]:
    """Return the sessions by upstream and name, their handles with them; odd lines count for nothing."""
    sessions: dict[Where, SessionHead] = {}
    handles: dict[Where, list[Handle]] = {}
    for line in index.splitlines():
        try:
            told = orjson.loads(line)
            where = told["upstream"], told["session"]
            if (handle := _handle(told)) is not None:
                handles.setdefault(where, []).append(handle)
            else:
                sessions[where] = _head(where, told)
        except (ValueError, KeyError, TypeError):
            continue
    return {
        where: replace(head, handles=tuple(handles.get(where, ())[-_MOST_HANDLES:]))
        for where, head in sessions.items()
    }


def _handle(told: dict[str, Any]) -> Handle | None:
    kind = next((kind for kind in _KINDS if kind in told), None)
    return Handle(kind, told[kind], told.get("seq", 0)) if kind else None


def _head(where: Where, told: dict[str, Any]) -> SessionHead:
    return SessionHead(
        *where,
        told["provider"],
        client_session=told.get("client_session", ""),
        begun=bytes.fromhex(told.get("begun", "")),
        parent=told.get("parent", ""),
    )
