"""What users of other libraries write by hand or call there, and the integrations that take its place."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.bandwidth import aligned_like, read_and_write
from benchmarks.workload import Call, LeftOut
from fastloss import BinaryCrossEntropyWithLogits
from fastloss._core.threads import available
from fastloss.integrations import lightgbm, xgboost
from fastloss.integrations.sklearn import per_example_log_loss
from tests.inputs import Array


def logistic(y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """The custom objective of the tutorials."""
    p = 1 / (1 + np.exp(-y_pred))
    return p - y_true, p * (1 - p)


def logistic_in_float32(y_true: Array, y_pred: Array) -> tuple[Array, Array]:
    """The same of LightGBM's float64 scores, with the conversion that LightGBM does to what it is given."""
    grad, hess = logistic(y_true, y_pred)
    return grad.astype(np.float32), hess.astype(np.float32)


def xgboost_objective(n: int) -> dict[str, Call]:
    """One boosting round's objective as XGBoost calls it: float32 labels and scores; and two reads and a write."""
    y, x = _labels_and_logits(n)
    ours = xgboost.sklearn_objective(BinaryCrossEntropyWithLogits())
    calls = _agreeing({"fastloss": partial(ours, y, x), "numpy": partial(logistic, y, x)})
    return calls | {"memory": partial(read_and_write, y, x, aligned_like(x), available()[0])}


def lightgbm_objective(n: int) -> dict[str, Call]:
    """One boosting round's objective as LightGBM calls it: float32 labels and float64 scores."""
    y, x = _labels_and_logits(n)
    ours, scores = lightgbm.sklearn_objective(BinaryCrossEntropyWithLogits()), x.astype(np.float64)
    return _agreeing({"fastloss": partial(ours, y, scores), "numpy": partial(logistic_in_float32, y, scores)})


def log_loss(n: int, classes: int) -> dict[str, Call]:
    """The logarithmic loss of float64 probabilities: of each example, and scikit-learn's mean."""
    try:
        from sklearn.metrics import log_loss
    except ImportError as error:
        raise LeftOut("scikit-learn is not installed") from error
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, classes, n), rng.random((n, classes))
    p /= p.sum(axis=1, keepdims=True)
    if not np.isclose(per_example_log_loss(y, p).mean(), log_loss(y, p), rtol=1e-12):
        raise LeftOut("the results differ")
    return {"fastloss": partial(per_example_log_loss, y, p), "sklearn": partial(log_loss, y, p)}


def _labels_and_logits(n: int) -> tuple[Array, Array]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, n).astype(np.float32), 2 * rng.standard_normal(n, np.float32)


def _agreeing(calls: dict[str, Call]) -> dict[str, Call]:
    for ours, theirs in zip(calls["fastloss"](), calls["numpy"](), strict=True):
        if not np.allclose(ours, theirs, rtol=1e-5, atol=1e-6):
            raise LeftOut("the results differ")
    return calls
