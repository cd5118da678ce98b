"""The clients that ``make clients`` runs: how each is called, and what it must leave on record."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Client:
    """``command`` and ``files`` are templates: ``{proxy}``, ``{provider}``, ``{socket}``, ``{py}``, ``{js}``.

    ``package`` is what npm or PyPI calls it; ``answers`` is how many answers with ``status`` it must leave.
    """

    name: str
    package: str
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    answers: int = 1
    status: int = 200


_ANTHROPIC = "{proxy}/anthropic/{provider}"
_OPENAI = "{proxy}/openai/{provider}/v1"
_KEYS = {"ANTHROPIC_API_KEY": "sk-ant-none", "OPENAI_API_KEY": "sk-none"}
_BOTH = _KEYS | {"ANTHROPIC_BASE_URL": _ANTHROPIC, "OPENAI_BASE_URL": _OPENAI, "OPENAI_API_BASE": _OPENAI}

_CODEX = """
model_provider = "recorded"
model = "gpt-5-codex"
[model_providers.recorded]
name = "recorded"
base_url = "{base}"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
supports_websockets = {websockets}
"""
_OPENCODE = (
    """{{"provider": {{"anthropic": {{"options": {{"baseURL": "{proxy}/anthropic/{provider}/v1"}}}}}}}}"""
)
_AI_SDK = """
import {{ generateText }} from "ai";
import {{ createAnthropic }} from "@ai-sdk/anthropic";
const anthropic = createAnthropic({{ baseURL: "{proxy}/anthropic/{provider}/v1", apiKey: "sk-ant-none" }});
const {{ text }} = await generateText({{ model: anthropic("claude-sonnet-5-5"), prompt: "Say hello." }});
console.log(text);
"""
_ANTHROPIC_SDK = """
import anthropic
messages = [{{"role": "user", "content": "Say hello."}}]
print(anthropic.Anthropic().messages.create(model="claude-sonnet-5-5", max_tokens=50, messages=messages))
"""
_OPENAI_SDK = """
import openai
print(openai.OpenAI().responses.create(model="gpt-5", input="Say hello.").output_text)
"""
_RESPONSES_SOCKET = """
import openai
client = openai.OpenAI(base_url="{proxy}/openai/{socket}/v1", websocket_base_url="{ws}/openai/{socket}/v1")
with client.responses.connect() as connection:
    connection.response.create(model="gpt-5", input="Say hello.")
    for event in connection:
        print(event.type)
        if event.type == "response.completed":
            break
"""
_REALTIME = """
import openai
client = openai.OpenAI(base_url="{proxy}/openai/{socket}/v1", websocket_base_url="{ws}/openai/{socket}/v1")
with client.realtime.connect(model="gpt-realtime") as connection:
    connection.response.create()
    for event in connection:
        print(event.type)
        if event.type == "response.done":
            break
"""
_LANGCHAIN = """
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
for model in (ChatAnthropic(model="claude-sonnet-5-5"), ChatOpenAI(model="gpt-5")):
    print(model.batch(["Say hello."] * 4)[0].content)
"""
_LITELLM = """
import litellm
messages = [{{"role": "user", "content": "Say hello."}}]
bases = {{"anthropic/claude-sonnet-5-5": "anthropic/{provider}", "openai/gpt-5": "openai/{provider}/v1"}}
for model, base in bases.items():
    print(litellm.completion(model=model, messages=messages, api_base="{proxy}/" + base))
"""

CLIENTS = (
    Client("Anthropic SDK", "anthropic", ("{py}", "-c", _ANTHROPIC_SDK), _BOTH),
    Client("OpenAI SDK", "openai", ("{py}", "-c", _OPENAI_SDK), _BOTH),
    Client("OpenAI SDK, responses.connect", "openai", ("{py}", "-c", _RESPONSES_SOCKET), _KEYS, status=101),
    Client("OpenAI SDK, realtime", "openai", ("{py}", "-c", _REALTIME), _KEYS, status=101),
    Client("LangChain", "langchain-openai", ("{py}", "-c", _LANGCHAIN), _BOTH, answers=8),
    Client("LiteLLM", "litellm", ("{py}", "-c", _LITELLM), _KEYS, answers=2),
    Client(
        "aider",
        "aider-chat",
        ("{bin}/aider", "--model", "anthropic/claude-sonnet-5-5", "--no-git", "--yes-always",
         "--no-check-update", "--no-analytics", "--no-show-model-warnings", "--message", "Say hello."),
        _BOTH,
    ),
    Client(
        "Claude Code",
        "@anthropic-ai/claude-code",
        ("{js}/.bin/claude", "-p", "Say hello."),
        _BOTH | {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"},
    ),
    Client(
        "Codex",
        "@openai/codex",
        ("{js}/.bin/codex", "exec", "--skip-git-repo-check", "Say hello."),
        _KEYS | {"CODEX_HOME": "{home}"},
        {"config.toml": _CODEX.format(base=_OPENAI, websockets="false")},
    ),
    Client(
        "Codex over WebSocket",
        "@openai/codex",
        ("{js}/.bin/codex", "exec", "--skip-git-repo-check", "Say hello."),
        _KEYS | {"CODEX_HOME": "{home}"},
        {"config.toml": _CODEX.format(base="{proxy}/openai/{socket}/v1", websockets="true")},
        status=101,
    ),
    Client(
        "opencode",
        "opencode-ai",
        ("{js}/.bin/opencode", "run", "--model", "anthropic/claude-sonnet-4-5", "Say hello."),
        _KEYS,
        {"opencode.json": _OPENCODE},
    ),
    Client("AI SDK", "ai", ("node", "ai.mjs"), {}, {"ai.mjs": _AI_SDK}),
)  # fmt: skip
