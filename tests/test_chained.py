"""Losses of a sigmoid and of a softmax: the chain rule, and where there is none."""

import pickle

import numpy as np
import pytest

import fastloss as fl
from fastloss.testing import check_grad, check_hess
from tests.support import generator

RNG = np.random.default_rng(0)
SIGMOIDS = [fl.SquaredError(half=True), fl.BinaryCrossEntropy(), fl.BrierScore(), fl.Huber(0.1), fl.AbsoluteError()]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@pytest.mark.parametrize("loss", SIGMOIDS, ids=repr)
def test_of_a_sigmoid(loss, wide):
    rng = generator(loss)
    y, z = (rng.random((40, 30)) < 0.5).astype(wide), (2 * rng.standard_normal((40, 30))).astype(wide)
    chained = fl.Chained(loss, "sigmoid")
    p = sigmoid(z.astype(np.float64))
    grad, hess = loss.grad_and_hess(y.astype(np.float64), p, reduction="sum")
    rtol = 2e-5 if wide == np.float32 else 1e-12
    value, found = chained.value_and_grad(y, z, reduction="sum")
    np.testing.assert_allclose(value, loss(y.astype(np.float64), p, reduction="sum"), rtol=rtol)
    np.testing.assert_allclose(found, grad * p * (1 - p), rtol=rtol, atol=1e-7 if wide == np.float32 else 1e-16)
    curved = chained.grad_and_hess(y, z, reduction="sum")[1]
    wanted = hess * (p * (1 - p)) ** 2 + grad * p * (1 - p) * (1 - 2 * p)
    np.testing.assert_allclose(curved, wanted, rtol=1e-4 if wide == np.float32 else 1e-10, atol=3e-5)


def test_a_quadratic_cost_learns_slowly_where_the_sigmoid_is_flat():
    cost, entropy = fl.Chained(fl.SquaredError(half=True), "sigmoid"), fl.Chained(fl.BinaryCrossEntropy(), "sigmoid")
    far = [8.0]
    assert abs(cost.grad([0.0], far)[0]) < 4e-4
    np.testing.assert_allclose(entropy.grad([0.0], far), fl.BinaryCrossEntropyWithLogits().grad([0.0], far), rtol=1e-10)


def test_where_the_sigmoid_is_flat_in_its_type_the_derivative_is_0():
    grad, hess = fl.Chained(fl.BinaryCrossEntropy(), "sigmoid").grad_and_hess([0.0, 1.0], [1e4, -1e4])
    assert not grad.any()
    assert not hess.any()


def test_derivatives_are_differences():
    y, z = (RNG.random(20) < 0.5).astype(float), RNG.standard_normal(20)
    for loss in (fl.Chained(fl.SquaredError(), "sigmoid"), fl.Chained(fl.LogCosh(), "sigmoid")):
        check_grad(loss, y, z)
        check_hess(loss, y, z)
    dense = softmax(RNG.standard_normal((6, 5)))
    for loss in (fl.SquaredError(), fl.TotalVariation()):
        check_grad(fl.Chained(loss, "softmax"), dense, RNG.standard_normal((6, 5)))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_of_a_softmax(reduction, dtype):
    y, z = softmax(RNG.standard_normal((50, 7))), RNG.standard_normal((50, 7)).astype(dtype)
    chained, p = fl.Chained(fl.SquaredError(), "softmax"), softmax(z.astype(np.float64))
    weight = RNG.random(50)
    value, grad = chained.value_and_grad(y, z, reduction=reduction, sample_weight=weight)
    wanted, slope = fl.SquaredError().value_and_grad(y, p, reduction=reduction, sample_weight=weight)
    np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-9)
    assert grad.dtype == dtype
    wanted = p * (slope - (slope * p).sum(axis=-1, keepdims=True))
    narrow = dtype.itemsize == 2
    np.testing.assert_allclose(grad.astype(float), wanted, rtol=1e-2 if narrow else 1e-3, atol=1e-3 if narrow else 1e-7)
    room = z.copy()
    assert chained.grad(y, room, reduction=reduction, sample_weight=weight, grad_out=room) is room
    np.testing.assert_array_equal(room, grad)


def test_of_rows_of_labels():
    labels, z = RNG.integers(0, 4, 30), RNG.standard_normal((30, 4))
    value, grad = fl.Chained(fl.MulticlassPerceptron(), "softmax").value_and_grad(labels, z)
    p = softmax(z)
    wanted, slope = fl.MulticlassPerceptron().value_and_grad(labels, p)
    np.testing.assert_allclose(value, wanted)
    np.testing.assert_allclose(grad, p * (slope - (slope * p).sum(axis=1, keepdims=True)), atol=1e-17)


def test_a_linear_layer_of_a_sigmoid():
    features, y = RNG.standard_normal((200, 3)), (RNG.random(200) < 0.5).astype(float)
    loss = fl.Chained(fl.SquaredError(half=True), "sigmoid")
    objective = fl.LinearObjective(loss, features, y)
    w = np.array([0.3, -0.2, 0.1, 0.05])
    value, grad = objective.value_and_grad(w)
    z = features @ w[:3] + w[3]
    wanted, slope = loss.value_and_grad(y, z)
    np.testing.assert_allclose(value, wanted, rtol=1e-13)
    np.testing.assert_allclose(grad, np.append(slope @ features, slope.sum()), rtol=1e-11)


def test_what_has_no_chain_is_refused():
    with pytest.raises(TypeError, match=r"Chained: loss is GaussianNLL\(.*must be one of single elements"):
        fl.Chained(fl.GaussianNLL(), "sigmoid")
    with pytest.raises(TypeError, match=r"Chained: loss is CrossEntropy.*must be one of elements or of rows along"):
        fl.Chained(fl.CrossEntropy(axis=0), "softmax")
    with pytest.raises(ValueError, match="Chained: layer is 'relu', must be one of 'sigmoid', 'softmax'"):
        fl.Chained(fl.Huber(), "relu")
    with pytest.raises(TypeError, match="Chained: loss is 'huber', must be a loss object"):
        fl.Chained("huber", "sigmoid")
    with pytest.raises(ValueError, match="there is no grad_and_hess of a softmax"):
        fl.Chained(fl.Huber(), "softmax").grad_and_hess([[0.0, 1.0]], [[0.0, 1.0]])
    with pytest.raises(ValueError, match=r"y_true\[1\] is 2.0, must be in \[0, 1\]"):
        fl.Chained(fl.BinaryCrossEntropy(), "sigmoid")([0.0, 2.0], [0.0, 0.0])


def test_objects():
    for layer in ("sigmoid", "softmax"):
        loss = fl.Chained(fl.Huber(2.0), layer)
        assert eval(repr(loss), vars(fl)) == loss == pickle.loads(pickle.dumps(loss))
        assert hash(loss) == hash(fl.Chained(fl.Huber(2.0), layer))
        assert loss != fl.Chained(fl.Huber(1.0), layer)
    y, z = np.array([[0.0, 1.0]]), np.array([[0.3, -0.3]])
    total = fl.Chained(fl.Huber(), "sigmoid") + 2.0 * fl.BinaryCrossEntropyWithLogits()
    parts = fl.Chained(fl.Huber(), "sigmoid")(y, z) + 2 * fl.BinaryCrossEntropyWithLogits()(y, z)
    np.testing.assert_allclose(total(y, z), parts)
    state = fl.Chained(fl.Huber(), "softmax").state(y, z)
    assert state.mean == fl.Chained(fl.Huber(), "softmax")(y, z)
    group = fl.Chained(fl.Huber(), "softmax").states(y, z, groups=[1])[1]
    assert (group.count, group.mean) == (state.count, state.mean)
    assert group.standard_error == pytest.approx(state.standard_error, abs=1e-15)
