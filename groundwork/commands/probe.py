"""A health probe that costs little: an orchestrator runs it every few seconds, for ever.

It reads its few keys in the order of ``groundwork.settings``, but imports none of the libraries that the
settings need, and speaks HTTP over a bare socket.
"""

import os
import socket
import time
from collections.abc import Sequence

_TIMEOUT_SECONDS = 4.0
# A status and a short body; a port of another program may send anything.
_MOST_BYTES = 64 * 1024


class Unanswered(Exception):  # noqa: N818 - it says what happened
    """Nothing that speaks HTTP has answered; the text tells why."""


def lookup(key: str, arguments: Sequence[str], default: str) -> str:
    """Return a key's value from flag, environment, file or default.

    ``arguments`` are those of the command line; the file is the one of ``--config``, else the user's. What
    cannot be read counts as absent: the process itself has refused it at its start.
    """
    flag = _flag(f"--{key.replace('.', '-').replace('_', '-')}", arguments)
    variable = os.environ.get(f"LLM_PROXY_{key.replace('.', '_').upper()}")
    return flag or variable or _in_file(key, _flag("--config", arguments)) or default


def ask(host: str, port: int, path: str, most: int = _MOST_BYTES, *, tls: bool = False) -> tuple[int, bytes]:
    """GET a path and return status and body, of ``most`` bytes in all. Raises ``Unanswered``.

    With ``tls`` it is https; the certificate is not verified, as this process was told where to ask.
    """
    target = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - compared
    try:
        with _open(target, port, tls=tls) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {target}:{port}\r\n\r\n".encode())
            head, _, body = _all_of(connection, most).partition(b"\r\n\r\n")
        return int(head.split(b" ", 2)[1]), body
    except OSError as exc:
        raise Unanswered(f"nothing answers at {target}:{port}: {exc.strerror or exc}") from exc
    except (IndexError, ValueError) as exc:
        raise Unanswered(f"nothing answers at {target}:{port}: what it answers is no HTTP") from exc


def _open(target: str, port: int, *, tls: bool) -> socket.socket:
    connection = socket.create_connection((target, port), _TIMEOUT_SECONDS)
    if not tls:
        return connection
    import ssl  # noqa: PLC0415 - only where there is a certificate

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(connection)
    except OSError:
        connection.close()
        raise


def _all_of(connection: socket.socket, most: int) -> bytes:
    end = time.monotonic() + _TIMEOUT_SECONDS
    received = bytearray()
    while len(received) < most and (data := connection.recv(min(_MOST_BYTES, most - len(received)))):
        received += data
        if time.monotonic() > end:
            raise TimeoutError("timed out")
    return bytes(received)


def _flag(name: str, arguments: Sequence[str]) -> str:
    for word, following in zip(arguments, [*arguments[1:], ""], strict=False):
        if word == name:
            return following
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return ""


def _in_file(key: str, path: str) -> str:
    try:
        with open(path or os.path.expanduser("~/.config/llm-proxy/config.toml"), "rb") as file:  # noqa: PTH111, PTH123 - pathlib costs a quarter of the probe
            text = file.read()
    except OSError:
        return ""
    import tomllib  # noqa: PLC0415 - only where there is a file to read

    try:
        table = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return ""
    for part in key.split("."):
        table = table.get(part, {}) if isinstance(table, dict) else {}
    return str(table) if table != {} else ""
