"""TLS as configured: whom to trust and what to show, read again when a file changes."""

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import certifi

from shipper.config import LokiSettings

_State = tuple[tuple[int, int, int] | None, ...]


class TrustError(Exception):
    """A file cannot be used; the text names key, path and reason."""


@dataclass(slots=True)
class Trust:
    """Gives the TLS context of each new connection; threads may share it.

    A file that changes counts for the next connection. Where the new files cannot be used, the last ones that
    could stay in use: a renewal writes certificate and key one after the other.
    """

    loki: LokiSettings
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _context: ssl.SSLContext | None = None
    _state: _State = ()

    def context(self) -> ssl.SSLContext:
        """Return the context. Raises ``TrustError``."""
        with self._lock:
            state = tuple(map(_state_of, self._files()))
            if self._context is None or state != self._state:
                try:
                    self._context = _load(self.loki)
                except TrustError:
                    if self._context is None:
                        raise
                self._state = state
            return self._context

    def forget(self) -> None:
        """Read the files again for the next connection, whatever their times say."""
        with self._lock:
            self._state = ()

    def _files(self) -> Iterator[str]:
        own = (self.loki.ca_file, self.loki.cert_file, self.loki.key_file)
        store = ssl.get_default_verify_paths()
        yield from filter(None, (*own, os.environ.get("SSL_CERT_FILE"), store.cafile, store.capath))


def _state_of(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - one call for each connection
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _load(loki: LokiSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=_authorities(loki))
    context.set_alpn_protocols(["http/1.1"])
    if loki.cert_file:
        key = loki.key_file or loki.cert_file
        for name, path in (("loki.cert_file", loki.cert_file), ("loki.key_file", key)):
            _look_at(name, path)
        try:
            context.load_cert_chain(loki.cert_file, loki.key_file or None, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as exc:
            reason = getattr(exc, "reason", None) or exc
            raise TrustError(
                f"loki.cert_file = {loki.cert_file!r} with key {key!r}: not usable ({reason})"
            ) from exc
    return context


def _authorities(loki: LokiSettings) -> str | None:
    """Return the file of authorities; None for the system's store."""
    named = ("loki.ca_file", loki.ca_file) if loki.ca_file else ("SSL_CERT_FILE", _from_environment())
    name, path = named
    if not path:
        return None if _has_store() else certifi.where()
    _look_at(name, path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except (OSError, ssl.SSLError) as exc:
        raise TrustError(f"{name} = {path!r}: no certificates in PEM") from exc
    return path


def _from_environment() -> str:
    return os.environ.get("SSL_CERT_FILE", "")


def _has_store() -> bool:
    """Tell whether this system has a store of authorities; small container images have none."""
    paths = ssl.get_default_verify_paths()
    with suppress(OSError):
        return bool(paths.cafile or (paths.capath and os.listdir(paths.capath)))  # noqa: PTH208 - any name will do
    return False


def _look_at(name: str, path: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123 - whether it opens
            pass
    except OSError as exc:
        raise TrustError(f"{name} = {path!r}: {exc.strerror or exc}") from exc


def _no_password() -> str:
    """Refuse a key with a password: OpenSSL would ask for it on the terminal."""
    raise ValueError("the key has a password")
