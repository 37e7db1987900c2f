"""The public checks of derivatives accept what is right and report what is wrong."""

import numpy as np
import pytest

import fastloss as fl
from fastloss._core.evaluation import Evaluation
from fastloss.testing import check_grad, check_hess
from tests.inputs import draw
from tests.support import DEFAULTS, additive, generator, reductions

DEFAULTS = [loss for loss in DEFAULTS if not loss.signature.rowwise]


def points(loss, n):
    """Targets and predictions of which none is a kink: a difference over one is neither slope."""
    y, x = draw(loss, n, np.float64, generator(loss, "check"))
    return y, np.where(np.abs(x - np.reshape(y, y.shape + (1,) * (x.ndim - 1))) < 1e-3, x + 0.01, x)


@pytest.mark.parametrize("loss", DEFAULTS, ids=repr)
def test_every_gradient_passes(loss):
    y, x = points(loss, 40)
    for reduction in reductions(loss):
        assert check_grad(loss, y, x, reduction=reduction) <= 1


@pytest.mark.parametrize("loss", additive(DEFAULTS), ids=repr)
def test_every_curvature_passes(loss):
    y, x = points(loss, 40)
    assert check_hess(loss, y, x, reduction="sum") <= 1


def test_rows_of_classes_pass():
    rng = np.random.default_rng(5)
    labels, logits = rng.integers(0, 7, 30), rng.normal(size=(30, 7))
    for loss in (fl.CrossEntropy(), fl.CrossEntropy(label_smoothing=0.1, temperature=2.0, class_weight=range(1, 8))):
        check_grad(loss, labels, logits)
        check_hess(loss, labels, logits, reduction="sum")
        check_grad(loss, labels, logits, max_elements=10)
    with pytest.raises(AssertionError, match=r"CrossEntropy.*210 of 210 derivatives are wrong"):
        check_hess(fl.CrossEntropy(hessian="upper_bound"), labels, logits)


def test_weights_and_masks_are_passed_on():
    rng = np.random.default_rng(1)
    y, x, w = rng.random((3, 30))
    check_grad(fl.BinaryCrossEntropyWithLogits(), y, x, sample_weight=w, mask=w > 0.3)
    check_hess(fl.BinaryCrossEntropyWithLogits(), y, x, sample_weight=w, mask=w > 0.3)


def test_large_arrays_are_probed(monkeypatch):
    y, x = np.random.default_rng(2).normal(size=(2, 100, 60))
    calls = []
    reduced = Evaluation.reduced
    monkeypatch.setattr(Evaluation, "reduced", lambda *given, **outputs: calls.append(1) or reduced(*given, **outputs))
    check_grad(fl.LogCosh(), y, x)
    check_hess(fl.LogCosh(), y, x, max_elements=5)
    assert len(calls) < 40

    def wrong(x):
        value, grad = fl.LogCosh().value_and_grad(y, x)
        return value, 1.01 * grad

    with pytest.raises(AssertionError, match="wrong: 8 of 8 derivatives are wrong, the worst at direction"):
        check_grad(wrong, x)


class Quadratic:
    """A x^2 / 2, with one mistake in each derivative."""

    def __init__(self, wrong):
        self.wrong = wrong
        self.scale = np.arange(1.0, 7.0).reshape(2, 3)

    def value_and_grad(self, x):
        grad = self.scale * x
        grad[1, 2] += self.wrong
        return 0.5 * np.sum(self.scale * x * x), grad

    def grad_and_hess(self, x):
        hess = self.scale.copy()
        hess[0, 1] += self.wrong
        return self.scale * x, hess


def test_any_object_can_be_checked():
    x = np.random.default_rng(3).normal(size=(2, 3))
    assert check_grad(Quadratic(0.0), x) < 1
    assert check_hess(Quadratic(0.0), x) < 1
    with pytest.raises(AssertionError) as caught:
        check_grad(Quadratic(1e-3), np.ones((2, 3)))
    assert "Quadratic: 1 of 6 derivatives are wrong, the worst at [1, 2]: analytic 6.001, numeric" in str(caught.value)
    with pytest.raises(AssertionError, match=r"Quadratic: 1 of 6 .* at \[0, 1\]: analytic 2.001, numeric .*tolerance"):
        check_hess(Quadratic(1e-3), x)


def test_nan_and_wrong_shapes_are_errors():
    with pytest.raises(AssertionError, match="1 of 1 derivatives"):
        check_grad(lambda x: (0.0, np.array([np.nan])), [1.0])
    with pytest.raises(AssertionError, match=r"the gradient has shape \(2,\), must have the argument's \(1,\)"):
        check_grad(lambda x: (0.0, np.zeros(2)), [1.0])
    with pytest.raises(AssertionError, match=r"the Hessian has shape \(2,\)"):
        check_hess(lambda x: (x, np.zeros(2)), [1.0])


def test_steps_stay_in_the_domain():
    p = np.array([1e-12, 1 - 1e-9, 0.5])
    assert check_grad(fl.BinaryCrossEntropy(), [1.0, 0.0, 0.3], p, reduction="sum", rtol=0.1) <= 1
    with pytest.raises(ValueError, match=r"y_pred\[1\] is on the end of the domain"):
        check_grad(fl.BinaryCrossEntropy(), [1, 0], [0.5, 0.0])


def test_integers_and_single_precision_are_checked_in_double():
    check_grad(fl.SquaredError(), [1, 2], np.array([3, 5]))
    check_grad(fl.SquaredError(), np.float32([1, 2]), np.float32([3, 5]))
    assert check_grad(fl.SquaredError(), 1.0, 3.0) < 1


def test_parameterised_losses_pass_too():
    for loss in additive([fl.Huber(delta=0.5), fl.Tweedie(power=1.2, link="identity"), fl.MultiQuantile((0.2, 0.9))]):
        y, x = points(loss, 20)
        check_grad(loss, y, x)
