"""A loss as text and back: what a compiled graph has of it, also in another process.

The text is an expression of the public names, of which only that much is understood.
"""

from __future__ import annotations

import ast
import math
from functools import lru_cache
from typing import Any

from fastloss import Chained
from fastloss._core.loss import Loss, WeightedSum, registry
from fastloss.integrations.torch._linear import _LinearLayer
from fastloss.language.linear_cross_entropy import _CrossEntropy


def text_of(loss: Loss) -> str:
    """The text of a loss."""
    if isinstance(loss, WeightedSum):
        return " + ".join([f"{_constant(weight)!r} * {text_of(term)}" for weight, term in loss.terms])
    return described(type(loss).__name__, loss.parameters())


def described(name: str, parameters: dict[str, Any]) -> str:
    """The text of a loss of a class of this name, whose parameters are checked when it is read."""
    each = [f"{key}={_value(value)}" for key, value in parameters.items()]
    return f"{name}({', '.join(each)})"


def _value(value: Any) -> str:
    if isinstance(value, Loss):
        return text_of(value)
    if isinstance(value, (tuple, list)):
        return repr([_constant(one) for one in value])
    return repr(_constant(value))


def _constant(value: Any) -> Any:
    """A number that may be a symbol of `torch.compile`, as the constant that it is now."""
    if isinstance(value, float):
        return float.fromhex(value.hex())
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value


@lru_cache(maxsize=1024)
def loss_of(text: str) -> Loss:
    """The loss that a text describes."""
    loss = _read(ast.parse(text, mode="eval").body)
    assert isinstance(loss, Loss)
    return loss


def _read(node: ast.expr) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords):
            return _classes()[name](**{str(keyword.arg): _read(keyword.value) for keyword in keywords})
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _read(left) + _read(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _read(left) * _read(right)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_read(operand)
        case ast.Name(id="inf"):
            return math.inf
    return ast.literal_eval(node)


def _classes() -> dict[str, Any]:
    return {cls.__name__: cls for cls in (*registry.values(), Chained, _LinearLayer, _CrossEntropy)}
