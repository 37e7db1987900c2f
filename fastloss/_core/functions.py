"""A loss as a function."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any

from fastloss._core.loss import Loss
from fastloss._core.multi_input import MultiInputLoss
from fastloss._core.parameters import check_names
from fastloss._core.signature import Argument

OPTIONS = [p for p in inspect.signature(Loss.__call__).parameters.values() if p.name != "self"]


@lru_cache(maxsize=1024, typed=True)
def _cached(cls: type[Loss], **parameters: Any) -> Loss:
    return cls(**parameters)


def made(cls: type[Loss], parameters: dict[str, Any]) -> Loss:
    try:
        hash(tuple(parameters.values()))
    except TypeError:  # a list of numbers
        return cls(**parameters)
    return _cached(cls, **parameters)  # type: ignore[arg-type]  # a class is hashable, whatever its instances


@cache
def function_of(cls: type[Loss]) -> Callable[..., Any]:
    """The function of a loss: its parameters and the options of a call, everything after the arrays by keyword."""
    default = cls()
    names = list(call_signature(cls).parameters)

    def of_other_arrays(*arrays: Any, **options: Any) -> Any:
        parameters = {name: options.pop(name) for name in cls._fields if name in options}
        check_names(cls.function_name, options, names)
        return (made(cls, parameters) if parameters else default)(*arrays, **options)

    def of_targets_and_predictions(
        y_true: Any,
        y_pred: Any,
        *,
        sample_weight: Any = None,
        mask: Any = None,
        reduction: Any = "mean",
        nan_policy: Any = "propagate",
        out: Any = None,
        num_threads: Any = None,
        **parameters: Any,
    ) -> Any:
        if parameters:
            check_names(cls.function_name, parameters, names[2:])
        loss = made(cls, parameters) if parameters else default
        return loss(
            y_true,
            y_pred,
            sample_weight=sample_weight,
            mask=mask,
            reduction=reduction,
            nan_policy=nan_policy,
            out=out,
            num_threads=num_threads,
        )

    function: Callable[..., Any] = of_other_arrays if issubclass(cls, MultiInputLoss) else of_targets_and_predictions
    function.__name__ = function.__qualname__ = cls.function_name
    function.__module__ = "fastloss"
    function.__signature__ = call_signature(cls)  # type: ignore[attr-defined]
    function.__doc__ = documentation(cls, inspect.getdoc(cls.__call__) or "") if Loss.__doc__ else None
    return function


def call_signature(cls: type[Loss]) -> inspect.Signature:
    """The signature of a loss's function of arrays."""
    own = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for f in fields(cls)  # type: ignore[arg-type]
    ]
    positional = [_parameter(argument) for argument in cls().signature.arguments if not argument.keyword]
    by_name = [_parameter(argument) for argument in cls().signature.arguments if argument.keyword]
    return inspect.Signature([*positional, *by_name, *own, *OPTIONS[2:]], return_annotation="Any")


def signature_of_tensors(cls: type[Loss]) -> inspect.Signature:
    """The signature of a loss's function of tensors, which numbers among its parameters may be too."""
    found = []
    for name, parameter in call_signature(cls).parameters.items():
        if name in cls._fields:
            number = "domain" in cls._fields[name].metadata
            found.append(parameter.replace(annotation=f"{parameter.annotation}{' | Tensor' * number}"))
        elif name not in ("out", "num_threads"):
            found.append(parameter.replace(annotation=str(parameter.annotation).replace("ArrayLike", "Tensor")))
    return inspect.Signature(found, return_annotation="Tensor")


def _parameter(argument: Argument) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY if argument.keyword else inspect.Parameter.POSITIONAL_OR_KEYWORD
    annotation = "ArrayLike | None" if argument.optional or argument.keyword else "ArrayLike"
    default = None if argument.keyword else inspect.Parameter.empty
    return inspect.Parameter(argument.name, kind, default=default, annotation=annotation)


def sections(docstring: str) -> dict[str, str]:
    """The sections of a numpydoc docstring by title; what stands before the first is under ""."""
    parts = re.split(r"^([A-Z][A-Za-z ]+)\n-{3,}\n", docstring, flags=re.MULTILINE)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def joined(found: dict[str, str]) -> str:
    """The docstring of these sections."""
    order = ["Parameters", "Returns", "See Also", "Notes", "References", "Examples"]
    titled = (f"{title}\n{'-' * len(title)}\n{found[title].rstrip()}" for title in order if title in found)
    return "\n\n".join([found[""].rstrip(), *titled]) + "\n"


def documentation(cls: type[Loss], of_call: str, array: str = "array_like") -> str:
    """The class's docstring with the arrays and options of a call, which another describes, among its parameters."""
    own, call = sections(inspect.getdoc(cls) or ""), sections(of_call)
    arrays, options = re.split(r"^(?=sample_weight)", call["Parameters"], maxsplit=1, flags=re.MULTILINE)
    options = re.split(r"^(?=\*\*named)", options, maxsplit=1, flags=re.MULTILINE)[0]
    described = [argument for argument in cls().signature.arguments if argument.description]
    if described:
        arrays = "".join(
            f"{argument.name} : {array}{', optional' if argument.keyword else ''}\n    {argument.description}\n"
            for argument in described
        )
    own["Parameters"] = arrays + own.get("Parameters", "").rstrip("\n") + "\n" * ("Parameters" in own) + options
    own["Returns"] = call["Returns"]
    return joined(own)
