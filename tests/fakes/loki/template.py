"""The templates of ``line_format``: text, ``{{ .label }}``, ``{{ __line__ }}`` and a few functions."""

import codecs
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.fakes.loki.logql import QueryError

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`|[|()]|[^\s|()]+')


def render(template: str, line: str, ts: int, labels: Mapping[str, str]) -> str:
    """Fill a template in; an absent label is empty. Raises ``QueryError`` for what is not known here."""
    if "{{" not in template:
        return template
    return _ACTION.sub(lambda found: str(_Expression(found[1], line, ts, labels).value()), template)


class _Expression:
    """One action: terms with arguments, joined by pipes; the piped value is the last argument."""

    def __init__(self, text: str, line: str, ts: int, labels: Mapping[str, str]) -> None:
        self._words = _WORD.findall(text)
        self._line, self._ts, self._labels = line, ts, labels

    def value(self) -> Any:
        made = self._term([])
        while self._words and self._words[0] == "|":
            self._words.pop(0)
            made = self._term([made])
        return made

    def _term(self, piped: list[Any]) -> Any:
        first = self._words.pop(0)
        if first not in _FUNCTIONS:
            return self._operand(first)
        arguments = []
        while self._words and self._words[0] not in ("|", ")"):
            arguments.append(self._operand(self._words.pop(0)))
        return _FUNCTIONS[first](*arguments, *piped)

    def _operand(self, word: str) -> Any:
        if word == "(":
            made = self.value()
            self._words.pop(0)
            return made
        if word == "__line__":
            return self._line
        if word == "__timestamp__":
            return self._ts
        if word.startswith("."):
            return self._labels.get(word[1:], "")
        if word[0] in '"`':
            return word[1:-1]
        try:
            return int(word)
        except ValueError as exc:
            raise QueryError(f'template: line: function "{word}" not defined') from exc


def _trunc(count: int, text: Any) -> str:
    """Cut in bytes, as sprig does; the answer's JSON has a replacement for each byte of half a character."""
    data = str(text).encode()
    cut = data[:count] if count >= 0 else data[count:]
    return cut.decode("utf-8", "one_replacement_a_byte")


def _one_replacement_a_byte(exc: UnicodeError) -> tuple[str, int]:
    assert isinstance(exc, UnicodeDecodeError)
    return "\ufffd" * (exc.end - exc.start), exc.end


codecs.register_error("one_replacement_a_byte", _one_replacement_a_byte)


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "trunc": _trunc,
    "substr": lambda start, end, text: str(text)[start:end],
    "len": lambda text: len(str(text).encode()),
    "lower": lambda text: str(text).lower(),
    "upper": lambda text: str(text).upper(),
    "replace": lambda old, new, text: str(text).replace(old, new),
    "regexReplaceAll": lambda pattern, text, new: re.sub(pattern, new, str(text)),
    "default": lambda other, value: value or other,
    "printf": lambda form, *values: form.replace("%s", "{}").replace("%d", "{}").format(*values),
}
