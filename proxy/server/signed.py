"""Requests to Bedrock that the proxy signs: held whole first, as the signature covers the body's hash."""

import time
from dataclasses import replace

from proxy.recording.capture import Capture
from proxy.recording.queue.recorder import Recorder
from proxy.wire.access.bedrock import LARGEST_SIGNED_BODY, Signable, Signer
from proxy.wire.call import BodyTooLargeError, Call
from proxy.wire.headers import first
from proxy.wire.message.head import AnswerHead
from proxy.wire.upstream.request import Request

_FORBIDDEN = 403
# What AWS says of session credentials that were replaced elsewhere.
_EXPIRED = b"expiredtoken"


async def signed(signer: Signer, request: Request, upstream: str) -> Request:
    """Return a request whose body is here, with its signature. Raises ``SigningError``."""
    if not isinstance(request.body, bytes):
        raise TypeError("a body that is still on its way")
    # A body that came in chunks is here whole, and AWS reads its length.
    headers = [each for each in request.headers if each[0].lower() != b"transfer-encoding"]
    if len(headers) < len(request.headers):
        headers.append((b"Content-Length", b"%d" % len(request.body)))
    signable = Signable(request.method, request.origin.scheme, upstream, request.target, headers)
    return replace(request, headers=await signer.sign(signable, request.body), size=len(request.body))


async def whole_body(call: Call, capture: Capture | None, recorder: Recorder) -> bytes:
    """Return the request's body once all of it is here. Raises ``BodyTooLargeError``."""
    pieces: list[bytes] = []
    held = 0
    while piece := await call.read():
        held += len(piece)
        if held > LARGEST_SIGNED_BODY:
            raise BodyTooLargeError
        pieces.append(piece)
        if capture is not None and capture.request.add(piece, time.monotonic_ns()):
            recorder.offer_part(capture, capture.request)
    if capture is not None:
        recorder.offer_request(capture)
    return b"".join(pieces)


def is_expired(head: AnswerHead) -> bool:
    """Tell whether AWS refused a call because its credentials have expired."""
    return head.status == _FORBIDDEN and _EXPIRED in first(head.headers, b"x-amzn-errortype").lower()
