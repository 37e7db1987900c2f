"""What the tests of the losses of the residual share: results at residuals, and promises that many of them make."""

from __future__ import annotations

import numpy as np
import pytest

FLOATS = [np.float32, np.float64]


def value(loss, r, dtype=np.float64):
    """The losses at residuals whose targets are 0."""
    r = np.atleast_1d(np.asarray(r, dtype))
    return loss(np.zeros_like(r), r, reduction="none")


def derivatives(loss, r, dtype=np.float64):
    """The first and second derivatives at residuals whose targets are 0."""
    r = np.atleast_1d(np.asarray(r, dtype))
    return loss.grad_and_hess(np.zeros_like(r), r, reduction="none")


def assert_derivatives(loss, r, dtype, grad, hess):
    found = derivatives(loss, r, dtype)
    assert (found[0].item(), found[1].item()) == (grad, hess)


def assert_even(loss):
    """Residuals of either sign cost the same, to the bit."""
    r = np.exp2(np.random.default_rng(3).uniform(-60, 60, 999))
    assert np.array_equal(value(loss, r), value(loss, -r))
    (grad, hess), (mirrored, same) = derivatives(loss, r), derivatives(loss, -r)
    assert np.array_equal(grad, -mirrored)
    assert np.array_equal(hess, same)


def values_at_ties(loss, dtype):
    y = np.array([0.0, -0.0, 3.5, -1e30], dtype)
    return loss(y, y[[1, 0, 2, 3]], reduction="none")


def assert_a_tie_costs_nothing(loss, dtype):
    values = values_at_ties(loss, dtype)
    assert np.array_equal(values, np.zeros(4))
    assert not np.signbit(values).any()


def assert_limit(loss, limit, slope):
    assert value(loss, np.inf).item() == limit
    assert derivatives(loss, np.inf)[0].item() == slope


def assert_multiple(loss, other, factor):
    """The loss is `factor` times the other one."""
    r = np.random.default_rng(5).normal(scale=4, size=500)
    r = r[(np.abs(r) > 1e-3)]
    np.testing.assert_allclose(value(loss, r), factor * value(other, r), rtol=1e-9, atol=1e-12)
    for one, another in zip(derivatives(loss, r), derivatives(other, r), strict=True):
        np.testing.assert_allclose(one, factor * another, rtol=1e-9, atol=1e-9)


def assert_as_torch_has_it(loss, function, parameters):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(11)
    y, x = rng.normal(size=(2, 200))
    x[:5] = y[:5]
    given = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, function)(given, torch.tensor(y), **parameters)
    expected.backward()
    found, grad = loss.value_and_grad(y, x)
    assert found == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(grad, given.grad.numpy(), rtol=1e-12, atol=1e-18)
