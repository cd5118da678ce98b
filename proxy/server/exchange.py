"""One call on its way: where it goes, whose it is, and what is on record of it."""

import random
import time

from proxy.recording.capture import Capture
from proxy.recording.queue.recorder import Recorder
from proxy.server.tap import Tap
from proxy.wire.access.call_kind import Kind
from proxy.wire.call import Call
from proxy.wire.headers import first
from proxy.wire.routing import Route

_VERSION_AND_VARIANT = 0x4000_8000_0000_0000_0000  # version 4, variant 1
_VERSION_AND_VARIANT_CLEAR = ~(0xF000_C000_0000_0000_0000)
_ids = random.Random()  # noqa: S311 - ids need not be secret


class Exchange:
    """One call. It is on record as ``capture``, or by ``tap`` once it is a WebSocket; perhaps not at all."""

    def __init__(self, call: Call, route: Route, caller: str, recorded: frozenset[Kind]) -> None:
        """Take a call that is on record if its kind is ``recorded``; WebSockets always are."""
        self.call = call
        self.route = route
        self.is_upgrade = call.wants_upgrade and first(call.headers, b"upgrade").lower() == b"websocket"
        self._caller = caller
        self.capture = self.new_capture() if route.kind in recorded or self.is_upgrade else None
        self.tap: Tap | None = None

    def new_capture(self) -> Capture:
        """Return a capture that begins now."""
        call, route = self.call, self.route
        return Capture(
            request_id=new_id(),
            provider=route.provider,
            upstream=route.upstream,
            method=call.method,
            path=route.path,
            query=route.query,
            headers=call.headers,
            started=time.monotonic_ns(),
            started_wall=time.time_ns(),
            caller=self._caller,
            client=call.client,
        )


class Upload:
    """A request's body as the client sends it."""

    def __init__(self, call: Call, capture: Capture | None, recorder: Recorder) -> None:
        self._call = call
        self._capture = capture
        self._recorder = recorder

    async def read(self) -> bytes:
        """Return the next piece, on record; nothing at the end."""
        piece = await self._call.read()
        capture = self._capture
        if capture is not None:
            if not piece:
                self._recorder.offer_request(capture)
            elif capture.request.add(piece, time.monotonic_ns()):
                self._recorder.offer_part(capture, capture.request)
        return piece


def new_id() -> str:
    """Return a random UUID (RFC 9562). uuid4 asks the kernel each time, and so lets go of the interpreter."""
    text = f"{_ids.getrandbits(128) & _VERSION_AND_VARIANT_CLEAR | _VERSION_AND_VARIANT:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
