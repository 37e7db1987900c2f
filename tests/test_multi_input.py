"""Losses of several arrays: how these are given, what must fit, and how their gradients are returned."""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

import numpy as np
import pytest

from fastloss._core.evaluation import ABSENT, Specification
from fastloss._core.functions import call_signature
from fastloss._core.multi_input import MultiInputEvaluation, MultiInputLoss
from fastloss._core.parameters import ANY
from fastloss._core.runtime import GRAD, VALUE
from fastloss._core.signature import Argument, Signature

ROW = (("feature",),)


class Grads(NamedTuple):
    anchor: Any
    positive: Any
    negative: Any


class OfDotProducts(MultiInputEvaluation):
    """The dot products of the anchors with what is positive less what is negative, by NumPy."""

    __slots__ = ()

    def _run(self, operation, scale, value=ABSENT, grads=(), hess=ABSENT, check=True):
        a, p, n = (self._arrays[name].array for name in ("anchor", "positive", "negative"))
        losses = (a * (p - n)).sum(axis=-1)
        weight = np.ones(self._shape) if self._weight.array is None else self._weight.array
        if operation & VALUE and value.array is not None:
            value.array[...] = weight * losses
        if operation & GRAD:
            for grad, derivative in zip(grads, (p - n, a, -a), strict=True):
                grad.array[...] = scale * weight[..., None] * derivative
        return float((weight * losses).sum()), float(weight.sum()), float(weight.size), 0.0, 0.0, 0.0


class DotProducts(MultiInputLoss):
    signature = Signature((), tuple(Argument(name, ROW) for name in Grads._fields))
    scores = "values"
    gradients = Grads
    _evaluation = OfDotProducts

    def _specified(self):
        return Specification.of("DotProducts", "squared_error", {"factor": 1.0}, (ANY, ANY, ANY))


class _Made(DotProducts):
    function_name, aliases = "made", ()


LOSS = _Made()


def arrays(shape=(5, 3), dtype=np.float32):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for _ in range(3)]


def test_arrays_come_by_position_or_by_name():
    a, p, n = arrays()
    wanted = LOSS(a, p, n)
    assert wanted == LOSS(a, p, negative=n) == LOSS(a, negative=n, positive=p) == LOSS(anchor=a, positive=p, negative=n)
    with pytest.raises(TypeError, match="_Made: positive is given twice, must be given by position or by name"):
        LOSS(a, p, positive=p, negative=n)
    with pytest.raises(TypeError, match="_Made: negative is missing, must be given with anchor, positive, negative"):
        LOSS(a, p)
    with pytest.raises(TypeError, match="_Made: 4 arrays are given by position, must be at most 3: anchor"):
        LOSS(a, p, n, n)
    with pytest.raises(TypeError, match=r"_Made: unknown parameter 'negatives'.*negative"):
        LOSS(a, p, negatives=n)


def test_every_array_has_a_gradient_of_its_shape_and_type():
    a, p, n = arrays()
    given = a, p.astype(np.float64), n.astype(np.float16)
    value, grads = LOSS.value_and_grad(*given, reduction="sum")
    assert isinstance(grads, Grads)
    assert [(grad.dtype, grad.shape) for grad in grads] == [(array.dtype, array.shape) for array in given]
    np.testing.assert_allclose(grads.anchor, p - n, rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(grads.positive, a)
    for mine, other in zip(grads, LOSS.grad(*given, reduction="sum"), strict=True):
        np.testing.assert_array_equal(mine, other)
    assert value == LOSS(*given, reduction="sum")


def test_outputs_are_given_for_some_or_all():
    given = arrays()
    room = np.empty((5, 3))
    grads = LOSS.grad(*given, grad_out=(None, room, None))
    assert grads.positive is room
    for mine, other in zip(grads, LOSS.grad(*given), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-6)
    for wrong in (room, (room, room)):
        with pytest.raises(
            TypeError, match=r"grad_out is .*, must be a tuple of an array or None for each of anchor, p"
        ):
            LOSS.grad(*given, grad_out=wrong)
    with pytest.raises(ValueError, match=r"grad_out\.negative has shape \(5, 2\), must be \(5, 3\)"):
        LOSS.grad(*given, grad_out=(None, None, np.empty((5, 2))))
    with pytest.raises(ValueError, match=r"grad_out\.positive overlaps grad_out\.anchor"):
        LOSS.grad(*given, grad_out=(room, room, None))


def test_shapes_must_fit():
    a, p, n = arrays()
    with pytest.raises(
        ValueError, match=r"positive has shape \(5, 2\), must be \(5, 3\), as anchor has shape \(5, 3\)"
    ):
        LOSS(a, p[:, :2], n)
    with pytest.raises(ValueError, match=r"negative has shape \(4, 3\), must be \(5, 3\)"):
        LOSS(a, p, n[:4])
    with pytest.raises(ValueError, match=r"anchor has shape \(\), must have at least 1 axes"):
        LOSS(1.0, p, n)


def test_weights_and_parts_are_of_the_losses():
    given = arrays((4, 5, 3))
    assert LOSS(*given, reduction="none").shape == (4, 5)
    weight = np.arange(4.0)
    assert LOSS(*given, sample_weight=weight) == LOSS(*given, sample_weight=np.tile(weight[:, None], 5))
    with pytest.raises(ValueError, match=r"sample_weight has shape \(5,\), must have .*\(4, 5\)"):
        LOSS(*given, sample_weight=np.ones(5))
    evaluation = LOSS._evaluated(given, {}, None, None, "propagate", None)
    assert evaluation.part((slice(1, 3),)).shape == (2, 5)


def test_there_is_no_diagonal_hessian():
    with pytest.raises(ValueError, match="there is no grad_and_hess, the Hessian is not diagonal"):
        LOSS.grad_and_hess(*arrays())


def test_the_function_names_the_arrays():
    names = list(inspect.signature(LOSS.__call__).parameters)
    assert names[0] == "arrays"
    assert list(call_signature(_Made).parameters)[:3] == ["anchor", "positive", "negative"]
