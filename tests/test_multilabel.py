"""Losses of a label for each class: class weights, limits, and what other libraries say."""

import numpy as np
import pytest

import fastloss as fl
from tests.reference import twin
from tests.support import generator

INF = np.inf


def drawn(classes, n=50):
    rng = generator("multilabel", classes)
    return rng.random((n, classes)) < 0.3, 3 * rng.standard_normal((n, classes)), rng.random(classes)


@pytest.mark.parametrize("classes", [7, 300, 1100])
def test_class_weights_are_no_part_of_the_mean(classes):
    y, x, c = drawn(classes)
    loss = fl.MultilabelSoftMargin(class_weight=c)
    value, grad = loss.value_and_grad(y, x, reduction="none")
    np.testing.assert_allclose(value, twin(loss)(y, x), rtol=1e-13)
    np.testing.assert_allclose(grad, twin(loss, "_grad")(y, x), rtol=1e-11, atol=1e-18)
    assert loss(y, x) == pytest.approx(value.mean(), rel=1e-14)


def test_soft_margin_is_the_mean_of_binary_cross_entropy():
    y, x, _ = drawn(9)
    assert fl.MultilabelSoftMargin()(y, x) == pytest.approx(fl.BinaryCrossEntropyWithLogits()(y, x), rel=1e-14)


def test_infinite_logits():
    loss = fl.MultilabelSoftMargin()
    value, grad = loss.value_and_grad([[1, 0], [0, 1], [0, 1]], [[INF, -INF], [INF, 0], [0, -INF]], reduction="none")
    assert value.tolist() == [0, INF, INF]
    assert grad.tolist() == [[0, 0], [0.5, -0.25], [0.25, -0.5]]
    assert fl.MultilabelSoftMargin(class_weight=[1, 0])([[1, 1]], [[INF, -INF]]) == 0


def test_pairs():
    loss = fl.MultilabelMargin()
    assert loss([[1, 1], [0, 0]], [[3.0, -2.0], [1.0, 5.0]]) == 0
    assert loss.grad([[1, 0]], [[1.0, 0.0]]).tolist() == [[0, 0]]
    assert np.isnan(loss([[1, 0]], [[np.nan, 0.0]]))
    assert np.isnan(loss([[1, 0]], [[0.0, np.nan]]))
    for classes in (64, 1100, 2500):
        y, x, _ = drawn(classes, 3)
        value, grad = loss.value_and_grad(y, x, reduction="none")
        np.testing.assert_allclose(value, twin(loss)(y, x), rtol=1e-12)
        np.testing.assert_allclose(grad, twin(loss, "_grad")(y, x), rtol=1e-14)
        assert (loss.grad(y, x, reduction="none", grad_out=x) == grad).all()


# Other libraries ----------------------------------------------------------------------------------


def test_torch():
    torch = pytest.importorskip("torch")
    y, x, c = drawn(9)
    scores = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.multilabel_soft_margin_loss(
        scores, torch.tensor(y.astype(float)), weight=torch.tensor(c)
    )
    expected.backward()
    value, grad = fl.MultilabelSoftMargin(class_weight=c).value_and_grad(y, x)
    assert value == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(grad, scores.grad.numpy(), rtol=1e-11, atol=1e-18)


def test_torch_takes_indices_of_the_true_classes():
    torch = pytest.importorskip("torch")
    y, x, _ = drawn(9)
    indices = np.full(y.shape, -1)
    for row, true in zip(indices, y, strict=True):
        row[: true.sum()] = np.flatnonzero(true)
    scores = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.multilabel_margin_loss(scores, torch.tensor(indices))
    expected.backward()
    value, grad = fl.MultilabelMargin().value_and_grad(y, x)
    assert value == pytest.approx(expected.item(), rel=1e-13)
    np.testing.assert_allclose(grad, scores.grad.numpy(), rtol=1e-12, atol=1e-16)


def test_a_class_of_weight_nothing_has_no_slope_even_at_a_nan():
    loss = fl.MultilabelSoftMargin(class_weight=(1.0, 0.0))
    grad, hess = loss.grad_and_hess([[0.0, 1.0]], [[1.0, np.nan]], reduction="none")
    assert (grad[0, 1], hess[0, 1]) == (0, 0)
    assert grad[0, 0] > 0


@pytest.mark.parametrize("y", [[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
def test_a_row_with_a_nan_is_nan_even_where_there_is_no_pair(y):
    value, grad = fl.MultilabelMargin().value_and_grad([y], [[np.nan, 0.5]], reduction="none")
    assert np.isnan(value[0])
    assert np.isnan(grad[0]).all()
