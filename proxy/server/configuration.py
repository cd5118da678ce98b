"""What only this process can check of its settings, before it takes anything into its hands."""

import os
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from groundwork.commands.program import machine_name
from groundwork.settings.proxies import Proxies, ProxyVariableError, proxies_of
from groundwork.settings.settings import ConfigurationError, Loaded
from proxy.config import ProxySettings
from proxy.content.redact.patterns import compile_patterns
from proxy.content.redact.shapes import SHAPES
from proxy.recording.transcript import Policy
from proxy.wire.access.bedrock import Signer, SigningError
from proxy.wire.access.tls import server_context
from proxy.wire.admission import Admission
from proxy.wire.routing import Upstream, is_loopback, parse_upstreams

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings as values. Without ``tls`` the listener speaks http; without ``signer`` nobody signs."""

    upstreams: tuple[Upstream, ...]
    policy: Policy
    admission: Admission
    proxies: Proxies
    tls: ssl.SSLContext | None
    signer: Signer | None


def configured(loaded: Loaded[ProxySettings]) -> Configuration:
    """Check the settings. Raises ``ConfigurationError``."""
    settings = loaded.settings
    upstreams = _checked(loaded, "upstreams", settings.upstreams, parse_upstreams)
    shapes = SHAPES if settings.redact_secrets else ()
    mask = _checked(loaded, "redact", (*settings.redact, *shapes), compile_patterns)
    _check_bind(loaded)
    signer, endpoint = _signer(loaded)
    return Configuration(
        (*upstreams, *endpoint),
        Policy(machine_name(), settings.log_bodies, mask, settings.repeat_history),
        Admission.of(settings.proxy_token, settings.allowed_hosts, settings.tokens),
        _proxies(),
        _tls(loaded),
        signer,
    )


def _check_bind(loaded: Loaded[ProxySettings]) -> None:
    settings = loaded.settings
    if is_loopback(settings.host):
        return
    has_token = bool(settings.proxy_token or settings.tokens)
    if not (has_token or any(settings.allowed_hosts)):
        raise ConfigurationError(
            f"host = {settings.host!r} ({loaded.origins['host']}): beyond loopback, proxy_token or"
            " allowed_hosts must say who may call"
        )
    if settings.bedrock.region and not has_token:
        raise ConfigurationError(
            f"bedrock.region = {settings.bedrock.region!r} ({loaded.origins['bedrock.region']}): beyond"
            " loopback, proxy_token or tokens must say who may use the AWS credentials"
        )


def _signer(loaded: Loaded[ProxySettings]) -> tuple[Signer | None, tuple[Upstream, ...]]:
    """Return what signs calls to Bedrock, and where AWS's own settings say that they go."""
    region = loaded.settings.bedrock.region
    if not region:
        return None, ()
    # botocore takes half a second to load, and nobody else needs it.
    from proxy.wire.access.signing import AwsSigner  # noqa: PLC0415

    try:
        signer = AwsSigner(region)
        return signer, parse_upstreams([signer.endpoint])
    except (SigningError, ValueError) as exc:
        origin = loaded.origins["bedrock.region"]
        raise ConfigurationError(f"bedrock.region = {region!r} ({origin}): {exc}") from exc


def _tls(loaded: Loaded[ProxySettings]) -> ssl.SSLContext | None:
    tls = loaded.settings.tls
    if not tls.cert_file:
        if tls.key_file:
            origin = loaded.origins["tls.key_file"]
            raise ConfigurationError(f"tls.key_file = {tls.key_file!r} ({origin}): needs tls.cert_file")
        return None
    try:
        return server_context(tls.cert_file, tls.key_file)
    except ValueError as exc:
        origin = loaded.origins["tls.cert_file"]
        raise ConfigurationError(f"tls.cert_file = {tls.cert_file!r} ({origin}): {exc}") from exc


def _proxies() -> Proxies:
    try:
        return proxies_of(os.environ)
    except ProxyVariableError as exc:
        raise ConfigurationError(str(exc)) from exc


def _checked(
    loaded: Loaded[ProxySettings], key: str, items: Sequence[str], read: Callable[[Sequence[str]], T]
) -> T:
    try:
        return read([each for each in items if each])
    except ValueError as exc:
        raise ConfigurationError(f"{key} ({loaded.origins[key]}): {exc}") from exc
