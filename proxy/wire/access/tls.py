"""The TLS side of the listener."""

import ssl


def server_context(cert_file: str, key_file: str) -> ssl.SSLContext:
    """Return the context of a listener with this certificate chain and key, both PEM.

    Raises ``ValueError`` with a reason of one line, which names no content of the files.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert_file, key_file or None, password=_no_password)
    except ssl.SSLError as exc:
        raise ValueError(f"no certificate with its key in PEM: {exc.reason or 'not readable'}") from exc
    except OSError as exc:
        raise ValueError(exc.strerror or "not readable") from exc
    return context


def _no_password() -> str:
    """Keep OpenSSL from asking the terminal."""
    raise ValueError("the key is encrypted; give it without a password")
