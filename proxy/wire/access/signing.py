"""Signature Version 4 for Amazon Bedrock, with the credentials of this machine or task.

botocore finds the credentials by AWS's default chain (environment, profile, web identity, ECS task role, EC2
instance role) and refreshes them. It may wait for the network there, so all of it runs on threads of its own.
"""

import asyncio
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

from proxy.wire.access.bedrock import REPLACED, HeaderList, Signable, SigningError, scope_of, signed_fields

# A refresh holds botocore's lock; other calls go on with the credentials that are still valid.
_THREADS = 4


class AwsSigner:
    """Signs requests to Bedrock. ``endpoint`` is where calls without a host go, such as ``https://host``."""

    def __init__(self, region: str) -> None:
        """Find the region's endpoint, also where AWS's own settings name another. Raises ``SigningError``."""
        self._region = region
        self._session = botocore.session.get_session()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="signer")
        try:
            # No call is made with these; without them the constructor would look for credentials.
            none = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
            client = self._session.create_client("bedrock-runtime", region_name=region, **none)
        except BotoCoreError as exc:
            raise SigningError(str(exc)) from exc
        self.endpoint: str = client.meta.endpoint_url.rstrip("/")

    @property
    def host(self) -> str:
        """The endpoint's host, with its port where it names one."""
        return urllib.parse.urlsplit(self.endpoint).netloc

    async def sign(self, request: Signable, body: bytes) -> HeaderList:
        """Return the request's headers with its signature. Raises ``SigningError``."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._sign, request, body)

    def forget(self) -> None:
        """Look for credentials anew at the next call, as AWS refused those that are known as expired."""
        self._session = botocore.session.get_session()

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _sign(self, request: Signable, body: bytes) -> HeaderList:
        try:
            found = self._session.get_credentials()
            if found is None:
                raise SigningError("no AWS credentials were found")
            frozen = found.get_frozen_credentials()
            service, region = scope_of(request.host, self._region)
            signed = AWSRequest(
                method=request.method,
                url=f"{request.scheme}://{request.host}{request.target.decode('latin-1')}",
                headers=signed_fields(request),
                data=body,
            )
            SigV4Auth(frozen, service, region).add_auth(signed)
        except BotoCoreError as exc:
            raise SigningError(str(exc)) from exc
        own = [(name.encode(), str(value).encode("latin-1")) for name, value in signed.headers.items()]
        added = [each for each in own if each[0].lower() in REPLACED]
        return [each for each in request.headers if each[0].lower() not in REPLACED] + added
