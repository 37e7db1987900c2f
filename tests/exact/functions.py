"""What the formulas are made of: functions that SymPy lacks or would differentiate into something ill-conditioned."""

from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mp
from sympy import Function, Piecewise, S


class Whole(Function):
    """Its argument; of a sum, whose cancelling is no excuse for an inaccurate result."""

    @classmethod
    def eval(cls, argument):
        return argument if argument.is_number else None

    def fdiff(self, argindex=1):
        return S.One


class softplus(Function):
    def fdiff(self, argindex=1):
        return sigmoid(self.args[0])


class sigmoid(Function):
    def fdiff(self, argindex=1):
        return bell(self.args[0])


class bell(Function):
    """The derivative of the sigmoid."""

    def fdiff(self, argindex=1):
        return self * Whole(1 - 2 * sigmoid(self.args[0]))


def _exp(z):
    if abs(z) < 1000:
        return mpmath.exp(z)
    with mp.extraprec(mp.mag(z)):  # of a large integer, mpmath would raise e to that power, step by step
        halvings = mpmath.floor(z / mp.ln2)
        rest = z - halvings * mp.ln2
    return mpmath.ldexp(mpmath.exp(rest), int(halvings))


def _sigmoid(z):
    return 1 / (1 + _exp(-z))


# How mpmath computes them, and those of which SymPy makes something else.
NUMBERS = {
    "Whole": lambda v: v,
    "exp": _exp,
    "Heaviside": lambda v, half=0.5: half if v == 0 else int(v > 0),
    "softplus": lambda z: mpmath.log1p(_exp(-abs(z))) + max(z, 0),
    "sigmoid": _sigmoid,
    "bell": lambda z: _sigmoid(z) * _sigmoid(-z),
    "expm1": mpmath.expm1,
}


def either(condition, then, otherwise):
    return Piecewise((then, condition), (otherwise, True))


def larger(a, b):
    return either(a > b, a, b)


def absolute(r):
    return either(r > 0, r, -r)


AUTOMATIC = "automatic"


def cancelling(*orders: str, **explicit: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a formula of which the value, "grad" or "hess" is a difference that cancels.

    Its error is measured in roundings of the terms of the sums that SymPy sees in it, or of what a function of the same
    arguments says: one expression, or a list of one for each prediction.
    """

    def mark(formula):
        formula.cancelling = dict.fromkeys(orders, AUTOMATIC) | explicit
        return formula

    return mark
