"""What losses of distributions, orders and single classes do beyond what every rowwise loss does."""

import math

import numpy as np
import pytest

import fastloss as fl
from tests.support import generator

INF = np.inf


def test_of_equal_scores_the_first_is_the_largest():
    scores = np.array([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0], [-INF, -INF, -INF], [-INF, -2.0, 5.0]])
    for classes_first in (False, True):
        x = np.asfortranarray(scores) if classes_first else scores
        for label in range(3):
            wanted = scores.argmax(axis=1) != label
            np.testing.assert_array_equal(fl.MulticlassZeroOne()([label] * 4, x, reduction="none"), wanted)


@pytest.mark.parametrize("classes", [9, 500, 3000])
def test_the_largest_score_may_be_anywhere_and_a_nan_is_seen(classes):
    rng = generator(classes)
    x = rng.integers(0, 50, (100, classes)).astype(np.float32)  # many ties
    y = x.argmax(axis=1)
    y[::3] = 0
    x[7, classes - 1] = np.nan
    wanted = (x.argmax(axis=1) != y).astype(float)
    wanted[7] = np.nan
    for lay in (np.ascontiguousarray, np.asfortranarray):
        np.testing.assert_array_equal(fl.MulticlassZeroOne()(y, lay(x), reduction="none"), wanted)


def test_balanced_accuracy_is_a_weighted_zero_one_loss():
    y, x = np.array([0, 0, 0, 1]), np.array([[1.0, 0], [1, 0], [1, 0], [1, 0]])
    assert 1 - fl.MulticlassZeroOne()(y, x) == 0.75
    assert 1 - fl.MulticlassZeroOne(class_weight=1 / np.bincount(y))(y, x) == pytest.approx(0.5)


def test_the_score_of_the_label_is_all_that_counts():
    x = np.array([[-1.0, np.nan, -INF], [0.0, -INF, -3.0]])
    value, grad = fl.NegativeLogLikelihood(class_weight=[2, 1, 1]).value_and_grad([0, 2], x, reduction="none")
    assert value.tolist() == [2, 3]
    assert grad.tolist() == [[-2, 0, 0], [0, 0, -1]]


def test_a_brier_score_far_from_and_near_to_its_target():
    value, grad = fl.MulticlassBrier().value_and_grad([0, 1], [[0.0, 60.0], [0.0, 60.0]], reduction="none")
    tiny = math.exp(-60)
    np.testing.assert_allclose(value, [2, 2 * tiny**2], rtol=1e-13)
    np.testing.assert_allclose(grad, [[-4 * tiny, 4 * tiny], [4 * tiny**2, -4 * tiny**2]], rtol=1e-13)


def test_the_brier_score_of_a_distribution_at_itself_is_nothing():
    x = generator("brier").standard_normal((20, 7))
    p = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)
    value, grad = fl.MulticlassBrier().value_and_grad(p, x, reduction="none")
    assert np.abs(value).max() < 1e-30
    assert np.abs(grad).max() < 1e-15


def test_relevances_of_any_size_and_lists_of_any_length():
    rng = generator("lists")
    y, x = rng.integers(0, 4, (12, 6)).astype(float), rng.standard_normal((12, 6))
    padded_y = np.concatenate([y, np.full((12, 3), -INF)], axis=1)
    padded_x = np.concatenate([x, np.full((12, 3), -INF)], axis=1)
    for loss in (fl.ListNet(), fl.ListMLE()):
        value, grad = loss.value_and_grad(y, x, reduction="none")
        for shift in (0, 1000.0):
            again, moved = loss.value_and_grad(padded_y + shift, padded_x, reduction="none")
            np.testing.assert_allclose(again, value, rtol=1e-13)
            np.testing.assert_allclose(moved[:, :6], grad, atol=1e-14)
            assert not moved[:, 6:].any()


@pytest.mark.parametrize("n", [1, 2, 40, 41, 700])
def test_an_order_of_many_items(n):
    rng = generator(n)
    y = rng.standard_normal((5, n))
    y[1] = rng.integers(-2, 3, n)
    y[2] = -np.abs(y[2])
    y[3] = np.where(rng.random(n) < 0.5, 0.0, -0.0)
    x = 3 * rng.standard_normal((5, n))
    order = np.argsort(-y, axis=1, kind="stable")
    z = np.take_along_axis(x, order, axis=1)
    wanted = [sum(np.log(np.exp(row[i:]).sum()) - row[i] for i in range(n)) for row in z]
    np.testing.assert_allclose(fl.ListMLE()(y, x, reduction="none"), wanted, rtol=1e-11, atol=1e-12)


def test_a_list_in_the_right_order_by_far_keeps_its_relative_accuracy():
    value, grad = fl.ListMLE().value_and_grad([[3.0, 2, 1]], [[200.0, 100, 0]])
    small = math.exp(-100)
    assert value == pytest.approx(2 * small, rel=1e-14)
    np.testing.assert_allclose(grad, [[-small, 0, small]], rtol=1e-13, atol=1e-70)
    assert fl.ListMLE()([[1.0, 2, 3]], [[2e5, 1e5, 0]]) == 3e5


def test_a_missing_relevance_makes_its_list_missing():
    y, x = [[1.0, np.nan, 0.0], [1.0, 2.0, 0.0]], [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]]
    for loss in (fl.ListMLE(), fl.ListNet()):
        assert np.isnan(loss(y, x, reduction="none")).tolist() == [True, False]
        assert loss(y, x, nan_policy="omit") == pytest.approx(loss(y[1:], x[1:]))


@pytest.mark.parametrize("shape", [(20, 5), (9, 130), (3, 6, 4, 5)])
def test_as_pytorch_has_it(shape):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = generator(shape)
    x, y = rng.standard_normal(shape), rng.integers(0, shape[1], (shape[0], *shape[2:]))
    y[0] = -100
    c = rng.random(shape[1])
    leaf = torch.tensor(x, requires_grad=True)
    wanted = torch.nn.functional.nll_loss(leaf, torch.tensor(y), torch.tensor(c))
    wanted.backward()
    value, grad = fl.NegativeLogLikelihood(axis=1, class_weight=c).value_and_grad(y, x)
    assert value == pytest.approx(wanted.item(), rel=1e-12)
    np.testing.assert_allclose(grad, leaf.grad.numpy(), rtol=1e-12, atol=1e-16)
