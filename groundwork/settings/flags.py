"""The command-line flags of a settings class, so that no option is spelled twice.

``@settings_flags(ProxySettings)`` gives a typer command one text option per key, plus ``--config``. The
command itself takes one argument, ``Flags``; a yes-or-no key may stand without a value.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from groundwork.settings.conversion import shape
from groundwork.settings.settings import Key, keys_of

_METAVARS = {bool: "[true|false]", tuple: "A,B,...", dict: "NAME=VALUE,..."}
_YES_NO = ("true", "false", "1", "0")


@dataclass(frozen=True)
class Flags:
    """What the command line said: the file it named, and texts by dotted key."""

    config: str | None
    values: dict[str, str]


class SettingsCommand(TyperCommand):
    """A command whose yes-or-no flags may stand alone (``--loki-enabled``) or take ``true``/``false``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write the silent ``true`` of a lone yes-or-no flag out, then parse as usual."""
        lone = frozenset(getattr(self.callback, "yes_no_flags", ()))
        takes_words = any(each.param_type_name == "argument" for each in self.params)
        return super().parse_args(ctx, _spell_out(args, lone, takes_words=takes_words))


def _spell_out(args: list[str], lone: frozenset[str], *, takes_words: bool) -> list[str]:
    """Write ``=true`` after each lone flag; the next word is its value, unless the command takes words."""
    spelled = []
    for word, following in zip(args, [*args[1:], "-"], strict=False):
        valued = following.lower() in _YES_NO or not (takes_words or following.startswith("-"))
        spelled.append(word if valued or word not in lone else f"{word}=true")
    return spelled


def settings_flags(schema: type[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate ``command(flags: Flags, ...)`` so that typer sees one option per key of ``schema``.

    Further parameters of the command stay options of their own.
    """
    keys = [each for each in keys_of(schema) if each.flag]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def run(**given: Any) -> None:
            values = {each.name: given.pop(_parameter(each)) for each in keys}
            config = given.pop("config")
            command(Flags(config, {name: text for name, text in values.items() if text is not None}), **given)

        _, *own = inspect.signature(command, eval_str=True).parameters.values()
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        parameters += [_config_option(), *map(_option, keys)]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.yes_no_flags = [each.flag for each in keys if each.kind is bool]  # type: ignore[attr-defined]
        run.__name__ = command.__name__
        run.__doc__ = command.__doc__
        return run

    return decorate


def _parameter(each: Key) -> str:
    return each.name.replace(".", "_")


def _config_option() -> inspect.Parameter:
    text = "The configuration file; else ~/.config/llm-proxy/config.toml, if it is there."
    return _keyword("config", typer.Option("--config", metavar="FILE", help=text))


def _option(each: Key) -> inspect.Parameter:
    text = f"{each.help} Environment: {each.variable}."
    option = typer.Option(each.flag, metavar=_METAVARS.get(shape(each.kind), "VALUE"), help=text)
    return _keyword(_parameter(each), option)


def _keyword(name: str, option: Any) -> inspect.Parameter:
    kind = Annotated[str | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
