"""Penalties against mpmath, at their kinks and at the ends of the range, and the structural risk."""

import copy
import math
import pickle

import numpy as np
import pytest
from mpmath import diff, exp, log, mp, mpf, sqrt

import fastloss as fl
from fastloss.penalties import L1, L2, VAEKL, ElasticNet, Entropy, GaussianKL, GroupLasso, structural_risk
from fastloss.testing import check_grad

GROUPS = (0, 2, 0, 1, 2, 2)


def group_norms(theta):
    return [sqrt(sum(t**2 for t, g in zip(theta, GROUPS, strict=True) if g == group)) for group in range(3)]


def kl(*arrays):
    terms = zip(*arrays, strict=True)
    return sum((b - a + exp(a - b) + (u - v) ** 2 / exp(b) - 1) / 2 for u, a, v, b in terms)


# Each penalty with its textbook formula.
PENALTIES = {
    L1(0.3): lambda t: 0.3 * sum(map(abs, t)),
    L2(0.3): lambda t: 0.15 * sum(x**2 for x in t),
    ElasticNet(0.3, l1_ratio=0.2): lambda t: sum(mpf(0.3) * 0.2 * abs(x) + mpf(0.3) * 0.8 / 2 * x**2 for x in t),
    GroupLasso(0.3, GROUPS): lambda t: 0.3 * sum(group_norms(t)),
    GroupLasso(0.3): lambda t: 0.3 * sum(map(abs, t)),
    Entropy(0.3): lambda p: -0.3 * sum(x * log(x) for x in p),
    Entropy(-2.0): lambda p: 2 * sum(x * log(x) for x in p),
    VAEKL(0.3): lambda mu, logvar: 0.3 * kl(mu, logvar, [0] * len(mu), [0] * len(mu)),
    GaussianKL(0.3): lambda *arrays: 0.3 * kl(*arrays),
}


@pytest.fixture(params=PENALTIES.items(), ids=lambda item: repr(item[0]))
def penalty(request):
    return request.param


def draw(penalty, dtype, spread=1.0):
    rng = np.random.default_rng(3)
    arrays = [spread * rng.normal(size=6) for _ in penalty.arrays]
    return [np.abs(a).astype(dtype) if isinstance(penalty, Entropy) else a.astype(dtype) for a in arrays]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("spread", [1.0, 1e-5, 20.0])
def test_value_and_gradient_are_exact(penalty, dtype, spread):
    penalty, formula = penalty
    arrays = draw(penalty, dtype, spread)
    with mp.workdps(60):
        exact = [[mpf(float(x)) for x in array] for array in arrays]
        wanted = float(formula(*exact))
        value, grads = penalty.value_and_grad(*arrays)
        assert value == pytest.approx(wanted, rel=1e-13)
        assert penalty(*arrays) == value
        grads = grads if isinstance(grads, tuple) else (grads,)
        for which, (array, grad) in enumerate(zip(arrays, grads, strict=True)):
            assert (grad.dtype, grad.shape) == (array.dtype, array.shape)
            for i in range(len(array)):
                slope = float(diff(lambda x, w=which, i=i: formula(*replaced(exact, w, i, x)), exact[which][i]))
                # e^d - 1 + q^2 of the divergence is a sum of both signs
                assert grad[i] == pytest.approx(slope, rel=1e-6 if dtype == np.float32 else 1e-11, abs=1e-15)


def replaced(arrays, which, i, x):
    copies = [list(array) for array in arrays]
    copies[which][i] = x
    return copies


def test_gradient_by_differences(penalty):
    penalty, _ = penalty
    if len(penalty.arrays) == 1:
        check_grad(penalty, *draw(penalty, np.float64))


@pytest.mark.parametrize("penalty", [L1(), ElasticNet(), GroupLasso(), GroupLasso(groups=[0, 0])], ids=repr)
def test_zero_is_a_minimum_with_gradient_zero(penalty):
    value, grad = penalty.value_and_grad(np.zeros(2))
    assert value == 0
    assert not grad.any()


def test_a_group_of_zeros_leaves_others_alone():
    value, grad = GroupLasso(groups=[0, 0, 1]).value_and_grad(np.array([0.0, 0.0, -2.0]))
    assert value == 2
    assert grad.tolist() == [0, 0, -1]


@pytest.mark.parametrize("scale", [1e300, 1e-300, 5e-324])
def test_norms_neither_overflow_nor_underflow(scale):
    theta = np.array([3.0, 4.0]) * scale
    value, grad = GroupLasso(groups=[0, 0]).value_and_grad(theta)
    assert value == pytest.approx(5 * scale, rel=1e-15)
    np.testing.assert_allclose(grad, [0.6, 0.8], rtol=1e-15)


def test_norms_of_matrices_are_of_their_rows():
    theta = np.arange(12.0).reshape(4, 3) - 5
    value, grad = GroupLasso().value_and_grad(theta)
    norms = np.linalg.norm(theta, axis=1, keepdims=True)
    assert value == pytest.approx(norms.sum())
    np.testing.assert_allclose(grad, theta / norms, rtol=1e-15)


# Proximal steps -------------------------------------------------------------------------------------

PROXIMAL = [L1(0.3), L2(0.3), ElasticNet(0.3, l1_ratio=0.2), GroupLasso(0.3, GROUPS), GroupLasso(0.3)]


@pytest.mark.parametrize("penalty", PROXIMAL, ids=repr)
@pytest.mark.parametrize("step", [0.0, 0.1, 2.0, 1e6])
def test_a_proximal_step_leads_to_the_least_sum(penalty, step):
    rng = np.random.default_rng(5)
    theta = rng.normal(size=(6, 2))
    found = penalty.proximal(theta, step)
    assert (found.dtype, found.shape) == (np.float64, theta.shape)

    def total(u):
        return step * penalty(u) + 0.5 * np.square(u - theta).sum()

    assert all(
        total(found) <= total(found + move) for move in rng.normal(size=(100, 6, 2)) * 10.0 ** rng.uniform(-8, 1)
    )
    if step == 0:
        np.testing.assert_array_equal(found, theta)
    if step == 1e6 and penalty != L2(0.3):
        assert not found.any()


def test_a_proximal_step_makes_whole_groups_zero():
    found = GroupLasso(1.0, groups=[0, 0, 1, 2]).proximal([3.0, 4.0, -0.5, 0.0], 1.0)
    np.testing.assert_allclose(found, [2.4, 3.2, 0, 0], rtol=1e-15)
    assert math.isnan(L1().proximal([math.nan], 1.0)[0])


def test_entropy_of_certainty():
    value, grad = Entropy().value_and_grad(np.array([1.0, 0.0]))
    assert value == 0
    assert grad.tolist() == [-1, math.inf]


def test_divergence_from_itself_is_zero():
    rng = np.random.default_rng(1)
    mu, logvar = rng.normal(size=(2, 9))
    value, grads = GaussianKL().value_and_grad(mu, logvar, mu, logvar)
    assert value == 0
    assert not any(grad.any() for grad in grads)
    assert VAEKL()(mu, logvar) == pytest.approx(GaussianKL()(mu, logvar, 0 * mu, 0 * mu), rel=1e-14)


def test_nan_stays():
    for penalty in (L1(), L2(), ElasticNet(), GroupLasso(), GroupLasso(groups=[0, 0])):
        value, grad = penalty.value_and_grad(np.array([math.nan, 1.0]))
        assert math.isnan(value)
        assert math.isnan(grad[0])
        assert penalty([math.inf, 1.0]) == math.inf


def test_integers_and_lists_are_numbers(penalty):
    penalty, _ = penalty
    ints = [np.ones(6, np.int32) for _ in penalty.arrays]
    assert penalty(*ints) == penalty(*([1.0] * 6 for _ in ints))
    grads = penalty.grad(*ints)
    assert all(grad.dtype == np.float64 for grad in (grads if isinstance(grads, tuple) else (grads,)))


def test_penalties_are_values(penalty):
    penalty, _ = penalty
    for same in (pickle.loads(pickle.dumps(penalty)), copy.deepcopy(penalty)):
        assert same == penalty
        assert hash(same) == hash(penalty)
    with pytest.raises(AttributeError):
        penalty.strength = 2.0


def test_groups_are_hashable_however_given():
    assert GroupLasso(groups=np.array([0, 1])) == GroupLasso(groups=[0, 1])
    assert hash(GroupLasso(groups=[0, 1]))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: L1(-1.0), ValueError, "L1: strength is -1, must be at least 0"),
        (lambda: ElasticNet(l1_ratio=2.0), ValueError, r"ElasticNet: l1_ratio is 2, must be in \[0, 1\]"),
        (lambda: L2()(["a"]), TypeError, "L2: theta has dtype <U1, must be a real number type"),
        (lambda: L2()([1j]), TypeError, "L2: theta has dtype complex128"),
        (lambda: L2()([1.0], [1.0]), TypeError, "L2: 2 arrays are given, must be 1: theta"),
        (lambda: VAEKL()([1.0]), TypeError, "VAEKL: 1 arrays are given, must be 2: mu, logvar"),
        (lambda: VAEKL()([1.0], [1.0, 2.0]), ValueError, r"logvar has shape \(2,\), must have mu's \(1,\)"),
        (lambda: Entropy()([0.5, -0.5]), ValueError, r"probabilities\[1\] is -0.5, must be at least 0"),
        (lambda: GroupLasso(groups=[0, -1]), ValueError, "must be a sequence of integers from 0 on"),
        (lambda: GroupLasso(groups=[0.5]), ValueError, "must be a sequence of integers from 0 on"),
        (lambda: VAEKL().proximal([1.0], 1.0), TypeError, "VAEKL: there is no proximal step"),
        (lambda: L1().proximal([1.0], -1.0), ValueError, "L1: step is -1, must be at least 0"),
        (lambda: L1().proximal([1j], 1.0), TypeError, "L1: theta has dtype complex128"),
        (lambda: GroupLasso(groups=[0, 1])([1.0]), ValueError, "theta has 1 rows, must have one for each of 2"),
    ],
)
def test_errors_name_what_is_wrong(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("weighted", [False, True])
def test_structural_risk_is_ridge_regression(weighted):
    rng = np.random.default_rng(7)
    X, y, w = rng.normal(size=(50, 3)), rng.normal(size=50), rng.random(50) if weighted else None

    class Ridge:
        def value_and_grad(self, theta):
            value, grad_pred, grad_theta = structural_risk(
                fl.SquaredError(), L2(0.2), y, X @ theta, theta, sample_weight=w
            )
            return value, X.T @ grad_pred + grad_theta

    check_grad(Ridge(), rng.normal(size=3))
    weights = np.full(50, 1 / 50) if w is None else w / w.sum()
    best = np.linalg.solve((X.T * weights) @ X + 0.1 * np.eye(3), (X.T * weights) @ y)
    value, grad = Ridge().value_and_grad(best)
    np.testing.assert_allclose(grad, 0, atol=1e-14)
    assert value == pytest.approx(weights @ (X @ best - y) ** 2 + 0.1 * best @ best)


def test_structural_risk_of_a_variational_autoencoder():
    rng = np.random.default_rng(8)
    pixels, logits = rng.integers(0, 2, 20), rng.normal(size=20)
    latent = tuple(rng.normal(size=(2, 4)))
    value, grad_pred, grad_latent = structural_risk(
        fl.BinaryCrossEntropyWithLogits(), VAEKL(0.5), pixels, logits, latent
    )
    assert value == fl.BinaryCrossEntropyWithLogits()(pixels, logits) + VAEKL(0.5)(*latent)
    assert grad_pred.shape == (20,)
    assert [grad.shape for grad in grad_latent] == [(4,), (4,)]
