"""Losses and their parameters as the command line names them, all from the registry."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from difflib import get_close_matches
from typing import Any

from fastloss._base import Loss, registry
from fastloss._parameters import ANY
from fastloss.cli.errors import Refused


def find(name: str) -> type[Loss]:
    """The loss of a function name, an alias or a class name."""
    names = {known: cls for cls in registry.values() for known in (*cls.aliases, cls.__name__)} | registry
    if name in names:
        return names[name]
    close = dict.fromkeys(names[known].function_name for known in get_close_matches(name, names))
    hint = f"did you mean {' or '.join(close)}?" if close else "`fastloss losses` lists them"
    raise Refused(f"--loss: there is no loss {name!r}; {hint}")


def describe(cls: type[Loss]) -> dict[str, Any]:
    """A loss as values fit for JSON."""
    return {
        "name": cls.function_name,
        "class": cls.__name__,
        "aliases": list(cls.aliases),
        "parameters": [_describe_parameter(parameter) for parameter in parameters(cls)],
        "summary": (inspect.getdoc(cls) or "").partition("\n")[0],
    }


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
        return "any number" if metadata["domain"] == ANY else str(metadata["domain"])
    return "true or false"


# The options of a loss ----------------------------------------------------------------------------


def option(parameter: Field[Any]) -> str:
    return "--" + parameter.name.replace("_", "-")


def build(cls: type[Loss], arguments: Sequence[str]) -> tuple[Loss, list[str]]:
    """The loss with the parameters that stand among the arguments, and the arguments that are not options."""
    given, rest = _parse(cls, arguments)
    try:
        return cls(**given), rest
    except (TypeError, ValueError) as error:
        raise Refused(str(error)) from error


def _parse(cls: type[Loss], arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    known = {option(parameter): parameter for parameter in parameters(cls)}
    given: dict[str, Any] = {}
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        if not argument.startswith("--"):
            rest.append(argument)
            continue
        name, separator, text = argument.partition("=")
        parameter, switch = _matching(cls, known, name.replace("_", "-"))
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


def _matching(cls: type[Loss], known: dict[str, Field[Any]], name: str) -> tuple[Field[Any], bool]:
    """The parameter that an option sets, and what it sets a switch to."""
    if name in known:
        return known[name], True
    positive = "--" + name.removeprefix("--no-")
    if positive in known and isinstance(known[positive].default, bool):
        return known[positive], False
    takes = "the parameters of this loss are " + ", ".join(known) if known else "this loss has no parameters"
    raise Refused(f"{cls.__name__}: there is no option {name}; {takes}")


def _convert(cls: type[Loss], parameter: Field[Any], text: str) -> Any:
    if "options" in parameter.metadata:
        return text
    several = "several" in parameter.metadata
    try:
        if "integer" in parameter.metadata:
            return int(text)
        return tuple(float(part) for part in text.split(",")) if several else float(text)
    except ValueError:
        must = "numbers with commas between them" if several else "a number"
        raise Refused(f"{cls.__name__}: {parameter.name} is {text!r}, must be {must}") from None
