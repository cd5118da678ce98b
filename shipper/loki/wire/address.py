"""Where else to ask a Loki that is pushed to at an address."""

from urllib.parse import urlsplit

_PUSH_PATHS = ("/loki/api/v1/push", "/api/prom/push", "/push")
_QUERY_PATHS = ("/loki/api/v1/query_range", "/loki/api/v1/query_range", "/query_range")


def query_url(push_url: str) -> str:
    """Return where to ask for what is pushed to an address; empty where that cannot be told."""
    parts = urlsplit(push_url)
    path = parts.path.rstrip("/")
    for push, query in zip(_PUSH_PATHS, _QUERY_PATHS, strict=True):
        if path.endswith(push):
            return parts._replace(path=path.removesuffix(push) + query, fragment="").geturl()
    return ""


def beside(push_url: str, path: str) -> str:
    """Return the address of a ``path`` of the same Loki, or of its host where no prefix is known."""
    parts = urlsplit(push_url)
    prefix = next((each for each in _PUSH_PATHS if parts.path.rstrip("/").endswith(each)), "")
    root = parts.path.rstrip("/").removesuffix(prefix) if prefix else ""
    return parts._replace(path=f"{root}{path}", query="", fragment="").geturl()
