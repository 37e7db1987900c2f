"""What the families declare is what their calls take and return."""

import numpy as np
import pytest

from fastloss._core.signature import NUMBER, ROW, Argument, Signature
from tests.inputs import draw, draw_rows
from tests.support import DRAWN, generator

N = 6


def forms(loss):
    """Targets, predictions and the core dimensions of both, for each shape that targets may have."""
    signature = loss.signature
    rng = generator("signature", loss)
    (targets,), (predictions,) = signature.targets, signature.predictions
    (prediction,) = predictions.shapes
    for target in targets.shapes:
        if signature.rowwise:
            classes = len(loss.parameters().get("class_weight") or range(5))
            y, x = draw_rows(loss, N, classes, np.float64, rng, dense=target == ROW)
            lengths = {"class": classes}
            y, x = (np.moveaxis(array, -1, loss.axis) if array.ndim > 1 else array for array in (y, x))
        else:
            y, x = draw(loss, N, np.float64, rng)
            lengths = {}
        yield y, x, *(tuple(lengths.get(axis, axis) for axis in shape) for shape in (target, prediction))


@pytest.mark.parametrize("loss", DRAWN, ids=repr)
def test_a_call_takes_and_returns_what_is_declared(loss):
    for y, x, target, prediction in forms(loss):
        assert sorted(y.shape) == sorted((N, *target))
        assert sorted(x.shape) == sorted((N, *prediction))
        assert loss.grad(y, x).shape == x.shape
        if loss.signature.additive:
            assert loss(y, x, reduction="none").shape == (N, *loss.signature.losses)
        else:
            with pytest.raises(ValueError, match="one of the whole sample"):
                loss(y, x, reduction="none")


@pytest.mark.parametrize("loss", DRAWN, ids=repr)
def test_what_is_not_declared_is_refused(loss):
    for y, x, _, _ in forms(loss):
        for wrong in (y[:-1], y[..., np.newaxis], x[..., np.newaxis]):
            with pytest.raises(ValueError, match="has shape"):
                loss(wrong, x)
        if loss.signature.unsupervised:
            assert loss(None, x) == loss(np.zeros(N, int), x)
        else:
            with pytest.raises((TypeError, ValueError), match="y_true"):
                loss(None, x)


@pytest.mark.parametrize("loss", DRAWN, ids=repr)
def test_a_signature_belongs_to_one_family(loss):
    signature = loss.signature
    assert [signature.single, signature.columns is not None, signature.rowwise].count(True) == 1
    assert signature.pair == (signature.columns is not None and signature.losses == NUMBER)
    assert signature.rowwise == (signature.labels or signature.dense)
    assert signature.names == ("y_true", "y_pred")


def test_several_arrays_may_have_a_derivative():
    row = (("feature",),)
    triplet = Signature((), tuple(Argument(name, row) for name in ("anchor", "positive", "negative")))
    assert triplet.names == ("anchor", "positive", "negative")
    assert triplet.unsupervised
    assert (triplet.single, triplet.rowwise, triplet.columns) == (False, False, None)
