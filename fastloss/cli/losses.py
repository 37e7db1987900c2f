"""Losses and their parameters as the command line names them, all from the registry."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from typing import Any

import fastloss
from fastloss import Loss
from fastloss._core.loss import registry as imported
from fastloss._core.parameters import ANY
from fastloss.cli.ending import Refused


def names(registry: dict[str, type[Loss]] | None = None) -> dict[str, type[Loss]]:
    """The losses, by default all, by function name, alias and class name."""
    given: dict[str, type[Loss]] = fastloss.registry if registry is None else registry
    return {known: cls for cls in given.values() for known in (*cls.aliases, cls.__name__)} | given


def find(name: str, option: str) -> type[Loss]:
    """The loss of any of its names."""
    known = names(imported)  # most losses that one asks for, at a third of the time of importing all
    if name not in known:
        known = names()
    if name in known:
        return known[name]
    close = dict.fromkeys(known[near].function_name for near in get_close_matches(name, known))
    hint = did_you_mean(close) or "`fastloss losses` lists them"
    raise Refused(f"{option}: there is no loss {name!r}; {hint}")


def did_you_mean(close: Collection[str]) -> str:
    """A question about the names that are near to one that there is not; empty where none is."""
    return f"did you mean {' or '.join(close)}?" if close else ""


def describe(cls: type[Loss]) -> dict[str, Any]:
    """A loss as values fit for JSON."""
    return {
        "name": cls.function_name,
        "class": cls.__name__,
        "aliases": list(cls.aliases),
        "parameters": [_describe_parameter(parameter) for parameter in parameters(cls)],
        "summary": documentation(cls).partition("\n")[0],
    }


def documentation(cls: type[Loss]) -> str:
    return inspect.getdoc(cls) or ""


def parameters(cls: type[Loss]) -> Sequence[Field[Any]]:
    return fields(cls)  # type: ignore[arg-type]


def _describe_parameter(parameter: Field[Any]) -> dict[str, Any]:
    default = None if parameter.default is MISSING else parameter.default
    return {"name": parameter.name, "option": option(parameter), "default": default, "domain": _domain(parameter)}


def _domain(parameter: Field[Any]) -> str:
    metadata = parameter.metadata
    if "options" in metadata:
        return "one of " + ", ".join(metadata["options"])
    if "integer" in metadata:
        return "an integer"
    if "domain" in metadata:
        domain = "any number" if metadata["domain"] == ANY else str(metadata["domain"])
        return f"{domain}, or several with commas between them" if "several" in metadata else domain
    return f"{'on' if parameter.default else 'off'} unless given; --no-{option(parameter)[2:]} turns it off"


# The options of a loss ----------------------------------------------------------------------------


def option(parameter: Field[Any]) -> str:
    return "--" + parameter.name.replace("_", "-")


def build(cls: type[Loss], arguments: Sequence[str], others: Sequence[str] = ()) -> tuple[Loss, list[str]]:
    """The loss with the parameters that stand among the arguments, and the arguments that are not options.

    A mistyped option may be meant for one of the command's `others`.
    """
    given, rest = _parse(cls, arguments, others)
    try:
        return cls(**given), rest
    except (TypeError, ValueError) as error:
        raise Refused(str(error)) from error


def _parse(cls: type[Loss], arguments: Sequence[str], others: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    known = {option(parameter): parameter for parameter in parameters(cls)}
    given: dict[str, Any] = {}
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if not argument.startswith("-") or argument == "-":
            rest.append(argument)
            continue
        name, separator, text = argument.partition("=")
        parameter, switch = _matching(cls, known, name.replace("_", "-"), others)
        if isinstance(parameter.default, bool):
            if separator:
                raise Refused(f"{cls.__name__}: {name} takes no value, must be given as {name} or --no-{name[2:]}")
            given[parameter.name] = switch
            continue
        value = text if separator else next(remaining, None)
        if value is None:
            raise Refused(f"{cls.__name__}: {name} has no value, must be {_domain(parameter)}")
        given[parameter.name] = _convert(cls, parameter, value)
    return given, rest


def _matching(
    cls: type[Loss], known: dict[str, Field[Any]], name: str, others: Sequence[str]
) -> tuple[Field[Any], bool]:
    """The parameter that an option sets, and what it sets a switch to."""
    if name in known:
        return known[name], True
    positive = "--" + name.removeprefix("--no-")
    if positive in known and isinstance(known[positive].default, bool):
        return known[positive], False
    close = [f"--{near}" for near in get_close_matches(name.strip("-"), [o.strip("-") for o in (*known, *others)], n=1)]
    takes = "the parameters of this loss are " + ", ".join(known) if known else "this loss has no parameters"
    raise Refused(f"{cls.__name__}: there is no option {name}; {did_you_mean(close) or takes}")


def _convert(cls: type[Loss], parameter: Field[Any], text: str) -> Any:
    if "options" in parameter.metadata:
        return text
    try:
        if "integer" in parameter.metadata:
            must = "an integer"
            return int(text)
        if "several" in parameter.metadata:
            must = "numbers with commas between them"
            return tuple(float(part) for part in text.split(","))
        must = "a number"
        return float(text)
    except ValueError:
        raise Refused(f"{cls.__name__}: {parameter.name} is {text!r}, must be {must}") from None
