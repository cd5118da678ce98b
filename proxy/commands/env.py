"""What a shell sets so that its clients call the proxy, and what else a client needs."""

import re
import shlex
from collections.abc import Sequence

_ANTHROPIC = "/anthropic/api.anthropic.com"
# OpenAI's SDKs append /chat/completions to a base that ends in /v1.
_OPENAI = "/openai/api.openai.com/v1"


def base_url(host: str, port: int, *, tls: bool = False) -> str:
    """Return where clients on this machine find a proxy that listens there; a wildcard is loopback too."""
    name = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
    scheme = "https" if tls else "http"
    return f"{scheme}://[{name}]:{port}" if ":" in name else f"{scheme}://{name}:{port}"


def exports_of(base: str, token: str, shell: str) -> Sequence[str]:
    """Return one command a variable, in the words of ``sh`` or ``fish``; ``token`` may be empty."""
    values = {"ANTHROPIC_BASE_URL": base + _ANTHROPIC, "OPENAI_BASE_URL": base + _OPENAI}
    if token:
        # Claude Code and Anthropic's SDKs send what stands here with each call.
        values["ANTHROPIC_CUSTOM_HEADERS"] = f"X-LLM-Proxy-Token: {token}"
    form = "set -gx {} {}" if shell == "fish" else "export {}={}"
    quote = _quote_for_fish if shell == "fish" else shlex.quote
    return [form.format(name, quote(value)) for name, value in values.items()]


def notes_of(base: str, token: str) -> Sequence[str]:
    """Return what no variable can say, a line each, for a person."""
    told = [
        "Claude Code and the SDKs of Anthropic and OpenAI read these variables.",
        f'Codex reads none: its ~/.codex/config.toml takes openai_base_url = "{base}{_OPENAI}"',
    ]
    if token:
        told.append("OpenAI's clients read no variable for headers: give them X-LLM-Proxy-Token yourself.")
    return told


def _quote_for_fish(text: str) -> str:
    escaped = re.sub(r"([\\'])", r"\\\1", text)
    return f"'{escaped}'"
