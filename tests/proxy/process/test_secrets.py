"""Secrets planted wherever a call can carry one, and looked for wherever the proxy writes."""

import random
import string
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from proxy.content.redact.names import SECRET_NAMES, SECRET_WORDS
from tests.fakes.provider import Order
from tests.process import eventually
from tests.proxy.served import Served, ask, new_key

PREFIXES = (
    "sk-ant-api03-",
    "sk-ant-oat01-",
    "sk-proj-",
    "sk-or-v1-",
    "sk-",
    "gsk_",
    "AIza",
    "xai-",
    "hf_",
    "ghp_",
)
BODY = b'{"model":"m","messages":[]}'
ALPHABET = string.ascii_letters + string.digits


class Planter:
    """Makes secrets and remembers what must not be found of them."""

    def __init__(self) -> None:
        self._random = random.Random(7)  # noqa: S311 - the same ones each time
        self.pieces: set[str] = set()

    def __call__(self, prefix: str = "") -> str:
        rest = "".join(self._random.choices(ALPHABET, k=40))
        self.pieces |= {rest[at : at + 8] for at in range(33)}
        return prefix + rest

    def jwt(self) -> str:
        return ".".join([self("eyJ"), self("eyJ"), self()])

    def found_in(self, text: str) -> list[str]:
        return [each for each in self.pieces if each in text]


@pytest.fixture
def plant() -> Planter:
    return Planter()


def named(plant: Planter) -> Iterator[tuple[str, str]]:
    """Headers that are secret by their names, with every spelling of a credential."""
    skipped = {"cookie", "set-cookie", "set-cookie2"}
    for name in sorted(SECRET_NAMES | {f"x-{word}-of-mine" for word in SECRET_WORDS} | {"X-Custom_Token"}):
        if name == "proxy-authorization":
            yield name, f"Basic {plant()}"
            continue
        yield name, plant()
        yield (
            name.title(),
            f"a={plant()}; b={plant()}" if name in skipped else f"Bearer {plant('sk-ant-api03-')}",
        )


def looking(plant: Planter) -> Iterator[tuple[str, str]]:
    """Headers of any name with what looks like a credential."""
    for number, prefix in enumerate(PREFIXES):
        yield f"X-Note-{number}", plant(prefix)
        yield f"X-Note-{number}", f'{{"note": "{plant(prefix)}", "and": "{plant(prefix)}"}}'
    yield "X-Note", f"jwt {plant.jwt()}"
    yield "User-Agent", f"agent/1 ({plant('sk-')})"
    yield "Referer", f"https://h/?key={plant('AIza')}"
    yield "session_id", plant("sk-ant-api03-")
    yield "x-claude-code-agent-id", plant("sk-proj-")


def query(plant: Planter) -> str:
    names = (
        "key",
        "api_key",
        "apikey",
        "access_token",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
        "sig",
        "%6bey",
    )
    secret = [f"{name}={plant(prefix)}" for name in names for prefix in ("", "sk-", "AIza")]
    return "&".join([*secret, f"note={plant('sk-ant-api03-')}", plant("gsk_")])


Case = tuple[str, Order]
ELSEWHERE = "127.0.0.1:1"
CASES: dict[str, Callable[[str, str], Case]] = {
    "a good call": lambda host, _: (f"/anthropic/{host}/v1/messages", Order()),
    "a refusal of the provider": lambda host, _: (f"/anthropic/{host}/v1/messages", Order(status=401)),
    "an answer that breaks off": lambda host, _: (f"/anthropic/{host}/v1/messages", Order(fault="reset")),
    "no answer": lambda host, _: (f"/anthropic/{host}/v1/messages", Order(fault="cut", after=-1)),
    "an upstream that is away": lambda *_: (f"/anthropic/{ELSEWHERE}/v1/messages", Order()),
    "a secret in the path": lambda host, secret: (f"/openai/{host}/{secret}/v1/responses", Order()),
    "a host that is not allowed": lambda _, secret: (f"/anthropic/{secret}.example/v1/messages", Order()),
    "an unknown provider": lambda host, secret: (f"/{secret}/{host}/v1/messages", Order()),
    "no path at all": lambda _, secret: (f"/{secret}", Order()),
}


@pytest.mark.parametrize("case", CASES)
def test_no_secret_is_written_anywhere(served: Served, plant: Planter, case: str) -> None:
    def paths() -> list[Path]:
        return list(served.log_dir.rglob("*"))

    sizes = {each: each.stat().st_size for each in paths() if each.is_file()}
    target, order = CASES[case](served.upstream, plant("sk-proj-"))
    told = (*looking(plant), ("Set-Cookie", plant()), ("X-Auth-Token", plant()), ("Api-Key", plant()))
    served.provider.order(msgspec.structs.replace(order, headers=told))
    headers = [*named(plant), *looking(plant), ("X-Trace", mark := new_key())]
    answer = ask(served.port, f"{target}?{query(plant)}", headers, BODY)
    if target.startswith((f"/anthropic/{served.upstream}", f"/anthropic/{ELSEWHERE}", "/openai/")):
        eventually(lambda: mark in str([each["headers"] for each in served.records() if "headers" in each]))
        eventually(lambda: served.health()["queue_bytes"] == 0)

    files = [each.read_bytes()[sizes.get(each, 0) :].decode() for each in paths() if each.is_file()]
    names = [str(each) for each in paths()]
    assert plant.found_in("\n".join([*files, *names, served.process.stderr])) == []
    if b"llm-proxy: " in answer.body:
        assert plant.found_in(answer.body.decode()) == []
