"""Every loss as one textbook formula of its value in SymPy, which differentiates it; mpmath evaluates both.

The functions of the modules here have the names of the package's. They take a target, its predictions and the loss's
parameters; the rowwise ones lists of targets and scores, where a label is 1 at its class and 0 elsewhere, and those of
the whole sample lists of its elements. Those of a batch, `batches`, are functions of mpmath's numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sympy
from mpmath import mp, mpf
from sympy import Abs, Add, Max, Mul, Piecewise, Pow, Symbol
from sympy.core.relational import Relational

from fastloss import Loss
from tests.exact import (
    aggregate,
    alignment,
    batches,
    boxes,
    columns,
    composition,
    elementwise,
    regions,
    rowwise,
    vectors,
)
from tests.exact.functions import AUTOMATIC, NUMBERS

FAMILIES = elementwise, columns, rowwise, aggregate, vectors, batches, boxes, regions, alignment, composition
FORMULAS = {name: f for family in FAMILIES for name, f in vars(family).items()}
ORDERS = "value", "grad", "hess"
VALUE, GRAD, HESS = range(3)
Parameters = tuple[tuple[str, Any], ...]


def parameters_of(loss: Loss) -> tuple[Parameters, list[Any]]:
    """What a formula is called with, and numbers of its symbols: of all but small integers, which change its form."""
    found, numbers = [], []
    for name, value in loss.parameters().items():
        if name in ("axis", "ignore_index", "hessian"):
            continue
        if type(value) is float and not (value.is_integer() and abs(value) <= 10):
            numbers.append(mpf(value))
            value = Symbol(name, positive=value > 0, real=True)
        found.append((name, sympy.Integer(value) if type(value) is float else value))
    return tuple(found), numbers


class Formula:
    """What SymPy makes of a loss: functions of numbers, each compiled when it is first asked for."""

    def __init__(self, name: str, predictions: Sequence[Symbol], arguments: Sequence[Any], parameters: Parameters):
        function, given = FORMULAS[name], dict(parameters)
        self._predictions = predictions
        self._symbols = [*sympy.flatten(arguments), *(value for value in given.values() if isinstance(value, Symbol))]
        self._value = sympy.sympify(function(*arguments, **given))
        rules = getattr(function, "cancelling", {})
        self._rules = [
            rule(*arguments, **given) if callable(rule) else rule for rule in (rules.get(order, 0) for order in ORDERS)
        ]

    def __call__(self, numbers: Sequence[Any], order: int = VALUE) -> list[Any]:
        """The value alone, or the derivatives of that order in each prediction."""
        return self._compiled(order)(*numbers)

    def terms(self, numbers: Sequence[Any], order: int = VALUE) -> list[Any]:
        """For each of them the sum of the absolute terms of which it is a difference that cancels, or 0."""
        return self._compiled(order, True)(*numbers)

    def pieces_meet(self, numbers: Sequence[Any]) -> bool:
        return 0 in self._pieces()(*numbers)

    def _expressions(self, order: int, terms: bool) -> list[Any]:
        derivatives = [self._value.diff(x, order) for x in self._predictions] if order else [self._value]
        rule = self._rules[order] if terms else None
        if rule == AUTOMATIC:
            return list(map(absolute_terms, derivatives))
        return derivatives if rule is None else rule if isinstance(rule, list) else [rule] * len(derivatives)

    @cache  # noqa: B019  tests need them until they end
    def _compiled(self, order: int, terms: bool = False) -> Any:
        return self._lambdify(self._expressions(order, terms))

    @cache  # noqa: B019
    def _pieces(self) -> Any:
        relations = [r for r in self._value.atoms(Relational) if r.has(*self._predictions)]
        return self._lambdify([r.lhs - r.rhs for r in relations])

    def _lambdify(self, expressions: list[Any]) -> Any:
        return sympy.lambdify(self._symbols, expressions, [NUMBERS, "mpmath"], cse=True)


def is_sum(e: Any) -> bool:
    """Whether a sum is somewhere in an expression where its rounding passes on."""
    if isinstance(e, Piecewise):
        return any(is_sum(part) for part, _ in e.args)
    inner = e.args if isinstance(e, Mul) else [e.base] if isinstance(e, Pow) and e.exp in range(1, 100) else []
    return isinstance(e, Add) or any(map(is_sum, inner))


def absolute_terms(e: Any) -> Any:
    """The sum of the absolute terms that an expression is a sum of; of a product as if its worst sum was alone."""
    if isinstance(e, Add):
        return Add(*map(absolute_terms, e.args))
    if isinstance(e, Piecewise):
        return Piecewise(*((absolute_terms(part), condition) for part, condition in e.args))
    if not is_sum(e):
        return Abs(e)
    if isinstance(e, Pow):
        return Abs(e.base) ** (e.exp - 1) * absolute_terms(e.base)
    rest = [Abs(e.func(*e.args[:k], *e.args[k + 1 :])) for k in range(len(e.args))]
    return Max(*(absolute_terms(e.args[k]) * rest[k] for k in range(len(e.args)) if is_sum(e.args[k])))


def reals(name: str, count: int, **assumptions: bool) -> list[Symbol]:
    return list(sympy.symbols(f"{name}:{count}", real=True, **assumptions))


# Of one element ---------------------------------------------------------------------------------------


@cache
def of_element(name: str, predictions: int, parameters: Parameters) -> Formula:
    y, *x = reals("v", 1 + predictions)
    return Formula(name, x, [y, *x], parameters)


class Exact:
    """The oracle of one loss: value, derivatives in each prediction, and how much of them cancels."""

    def __init__(self, loss: Loss) -> None:
        parameters, self._constants = parameters_of(loss)
        self._formula = of_element(loss.function_name, 2 if loss.signature.pair else 1, parameters)
        self._of_sign = loss.domains()[0].ternary and loss.domains()[0].low < 0

    def _numbers(self, y: Any, *predictions: Any) -> list[Any]:
        return [mpf((1 if y > 0 else -1) if self._of_sign else y), *map(mpf, predictions), *self._constants]

    @staticmethod
    def _digits(numbers: Sequence[Any]) -> int:
        """What 1 + x**2 and 1 + exp(x) need, as far as float64 tells the difference."""
        found = [*numbers, *(numbers[0] - x for x in numbers[1:])]
        exponents = [abs(mp.mag(v)) for v in found if v]
        return 60 + int(0.61 * min(max(exponents, default=0), 1080)) + int(min(max(map(abs, found)), 400))

    def _found(self, numbers: Sequence[Any], order: int, which: int, digits: int = 0) -> Any:
        """A result; 0 where more digits show that it is made of their roundings."""
        digits = digits or self._digits(numbers)
        with mp.workdps(digits):
            found = self._formula(numbers, order)[which]
        if not 0 < abs(found) < 1e-40:
            return found
        with mp.workdps(digits + 100):
            return found if abs(self._formula(numbers, order)[which]) > abs(found) * 1e-50 else mpf(0)

    def value(self, *point: Any, digits: int = 0) -> Any:
        return self._found(self._numbers(*point), VALUE, 0, digits)

    def derivatives(self, *point: Any, which: int = 0) -> tuple[Any, Any]:
        """First and second derivative in one prediction; None where there is none."""
        numbers = self._numbers(*point)
        return self._derivative(GRAD, numbers, which), self._derivative(HESS, numbers, which)

    def _derivative(self, order: int, numbers: list[Any], which: int) -> Any:
        try:
            here = self._found(numbers, order, which)
        except ZeroDivisionError:
            return None
        if not self._formula.pieces_meet(numbers):
            return here
        here, jumps, x = self._found(numbers, order, which, 800), [], numbers[1 + which]
        for exponent in (-60, -90):  # a jump stays, a slope becomes less
            with mp.workdps(800):
                step = (abs(x) or 1) * mpf(10) ** exponent
                sides = [[*numbers[: 1 + which], x + d, *numbers[2 + which :]] for d in (-step, step)]
            low, high = (self._found(side, order, which, 800) for side in sides)
            jumps.append(max(low, here, high) - min(low, here, high))
        return here if jumps[1] <= max(jumps[0] * 1e-10, abs(here) * mpf(10) ** -500) else None

    def terms(self, what: str, *point: Any, which: int = 0) -> Any:
        """The sum of the absolute terms that the value or a derivative is a difference of; 0 if nothing cancels."""
        numbers = self._numbers(*point)
        with mp.workdps(self._digits(numbers)):
            return self._formula.terms(numbers, ORDERS.index(what))[which]


# Of one row -------------------------------------------------------------------------------------------


@cache
def of_row(name: str, classes: int, labels: bool, parameters: Parameters) -> Formula:
    targets, scores = reals("t", classes, integer=True) if labels else reals("t", classes), reals("x", classes)
    return Formula(name, scores, [targets, scores], parameters)


class ExactRow:
    """The oracle of a rowwise loss: of a label or a target for each class, and a row of scores."""

    DIGITS = 250  # enough for logits that differ by a few hundred

    def __init__(self, loss: Loss) -> None:
        self._name = loss.function_name
        self._parameters, self._constants = parameters_of(loss)

    def _found(self, y: Any, x: Sequence[Any], order: int, terms: bool = False) -> list[Any]:
        labels = isinstance(y, int)
        formula = of_row(self._name, len(x), labels, self._parameters)
        targets = [int(k == y) for k in range(len(x))] if labels else y
        with mp.workdps(self.DIGITS):
            numbers = [mpf(float(v)) for v in (*targets, *x)] + self._constants
            return (formula.terms if terms else formula)(numbers, order)

    def value(self, y: Any, x: Sequence[Any]) -> Any:
        return self._found(y, x, VALUE)[0]

    def gradient(self, y: Any, x: Sequence[Any]) -> list[Any]:
        return self._found(y, x, GRAD)

    def terms(self, what: str, y: Any, x: Sequence[Any]) -> Any:
        """The sum of the absolute terms that the value is a difference of, or the largest one of the gradient."""
        return max(self._found(y, x, ORDERS.index(what), terms=True))


# Of a sample ------------------------------------------------------------------------------------------


def gradient_of_sample(loss: Loss, y: Sequence[float], x: Sequence[float], weight: Sequence[float]) -> list[Any]:
    arguments = [reals(name, len(x)) for name in "yxw"]
    formula = Formula(loss.function_name, arguments[1], arguments, ())
    with mp.workdps(60):
        return formula([mpf(float(v)) for v in (*y, *x, *weight)], GRAD)
