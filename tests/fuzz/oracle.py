"""What the results of a case must be, by the NumPy twins in long double, with bounds on the errors allowed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fastloss import (
    IPO,
    ArcFace,
    CrossEntropy,
    DistributionFocalLoss,
    JensenShannon,
    ListMLE,
    ListNet,
    MulticlassSparsemax,
)
from tests.fuzz import bounds
from tests.fuzz.bounds import WIDE, Bounded, Dual, Precision, bounded
from tests.reference import twin

FACTOR = 4  # times the bound of the obvious formula
# Formulas whose rounding is relative to the row rather than to the entry, by what is said with the loss.
OF_THE_ROW = (DistributionFocalLoss, JensenShannon, ListNet)


@dataclass
class Expected:
    """The loss of each element and its derivatives in the predictions, before weights."""

    value: Bounded
    grad: Bounded
    hess: Bounded | None


def of_elements(loss, y, x, precision: Precision) -> Expected:
    """Targets and predictions of any shape, in float64."""
    with precision:
        target, prediction = Bounded.exact(y), Bounded.exact(x)
        if isinstance(loss, IPO):  # its constant, 1 / (2 beta), is rounded wherever it stands
            prediction.error = prediction.error + precision.eps * WIDE(0.5 / loss.beta)
        value, grad = bounded(twin(loss)(target, prediction)), bounded(twin(loss, "_grad")(target, prediction))
        # What naive arithmetic makes of infinities is not what the losses say of them; and a residual that overflows
        # its type is infinite.
        apart = np.abs(prediction.value - (target.value[..., np.newaxis] if x.ndim > y.ndim else target.value))
        vague = np.isnan(value.value) | ((apart[..., 0] if loss.signature.pair else apart) > precision.max)
        value.error = np.where(vague, np.inf, value.error)
        grad.error = np.where(vague[..., np.newaxis] if loss.signature.pair else vague, np.inf, grad.error)
        # A subnormal residual in units of a parameter has lost digits.
        faint = (apart > 0) & (apart < precision.tiny)
        grad.error = grad.error + np.where(faint, WIDE(1e-6) * np.abs(grad.value), 0)
        columns = [np.ones(x.shape)]
        if loss.signature.pair:
            columns = [np.broadcast_to(unit, x.shape) for unit in np.eye(2)]
        parts = [_slope(loss, target, prediction, column) for column in columns]
        curve = np.stack([part[..., k] for k, part in enumerate(parts)], axis=-1) if loss.signature.pair else parts[0]
        curve.error = np.where(np.isinf(grad.error), np.inf, curve.error)
        return Expected(value, grad, curve)


def of_rows(loss, y, x, precision: Precision, *, curved: bool = False) -> Expected:
    """Labels of shape (n,) or targets of shape (n, classes), and scores of shape (n, classes)."""
    with precision:
        dense = y is not None and y.ndim == 2
        target = Bounded.exact(y) if dense or getattr(loss, "between", False) else y
        scores = Bounded.exact(x)
        if (
            loss.scores == "log_probabilities"
        ):  # exponentials are relative to the argument, as where they are subtracted
            scores.error = precision.eps * np.abs(scores.value)
        value = bounded(twin(loss)(target, scores))
        grad = bounded(twin(loss, "_grad")(target, scores))
        largest = np.abs(grad.value).max(axis=1, keepdims=True)
        grad.error = grad.error + (4 if isinstance(loss, OF_THE_ROW) else 0) * precision.eps * largest
        if isinstance(loss, JensenShannon):  # a probability times the logarithm of a ratio near 1
            grad.error = grad.error + 4 * precision.eps
        if isinstance(loss, ListMLE):  # one after the other
            value.error = value.error + x.shape[1] * precision.eps * np.abs(value.value)
        if isinstance(loss, MulticlassSparsemax):  # probabilities are exact to units in the last place of 1
            value.error, grad.error = value.error + 8 * precision.eps, grad.error + precision.eps / loss.temperature
        # What naive arithmetic makes of infinite scores is not what the losses say of such a row.
        vague = np.isnan(value.value) | np.isnan(grad.value).any(axis=1)
        value.error = np.where(vague, np.inf, value.error)
        if isinstance(loss, ArcFace):  # near a cosine of 1 its slope has a bound
            vague |= (np.abs(x) > 1 - 2.0**-20).any(axis=1)
        grad.error = np.where(vague[:, np.newaxis], np.inf, grad.error)
        if not curved:
            return Expected(value, grad, None)
        curve = _row_curvature(loss, target, scores)
        if isinstance(loss, CrossEntropy) and loss.hessian != "exact":
            # The factor is that of the curvature in the logits after softcap and temperature.
            classes = x.shape[1]
            factor = {"upper_bound": 2.0, "lightgbm": classes / max(1, classes - 1)}[loss.hessian]
            inside, slope = capped(loss, scores)
            plain = replace(loss, softcap=0.0, temperature=1.0)
            curve = curve + (factor - 1) * (_row_curvature(plain, target, inside) * slope * slope)
        scale = loss.parameters().get("scale", 1 / loss.parameters().get("temperature", 1.0))
        weight = np.abs(np.asarray(y)).sum(axis=1, keepdims=True) if dense else 1.0
        curve.error = np.where(vague[:, np.newaxis], np.inf, curve.error)
        curve.error = curve.error + 2 * precision.eps * max(1.0, scale) ** 2 * np.maximum(1, weight)
        return Expected(value, grad, curve)


def capped(loss, x):
    """The logits as the loss takes them, and their derivative in the scores."""
    if not loss.softcap:
        return x / loss.temperature, bounded(np.full(x.shape, 1 / loss.temperature))
    share = np.tanh(x / loss.softcap)
    return loss.softcap * share / loss.temperature, (1 - share * share) / loss.temperature


def log_sum_exp(z: Bounded) -> Bounded:
    top = z.max(axis=-1, keepdims=True)
    return top[..., 0] + np.log(np.exp(z - top).sum(axis=-1))


def _row_curvature(loss, target, scores) -> Bounded:
    parts = []
    for k in range(scores.shape[1]):
        unit = np.zeros(scores.shape)
        unit[:, k] = 1
        parts.append(_slope(loss, target, scores, unit)[:, k])
    return np.stack(parts, axis=1)


def _slope(loss, target, prediction, direction) -> Bounded:
    """The derivative of the gradient in a direction."""
    found = twin(loss, "_grad")(target, Dual(prediction, Bounded.exact(direction)))
    return found.slope if isinstance(found, Dual) else Bounded.exact(np.zeros(prediction.shape))


def of_sample(loss, y, x, weight, precision: Precision) -> tuple[Bounded, Bounded]:
    """The value and the gradient of a loss of the whole sample, of flat arrays."""
    with precision:
        arrays = [Bounded.exact(a) for a in (y, x, weight)]
        return bounded(twin(loss)(*arrays)), bounded(twin(loss, "_grad")(*arrays))


def disagreement(found, wanted, error, stored: np.dtype, precision: Precision):
    """Where results differ from what they must be by more than rounding; None if nowhere.

    `error` is the bound of the working precision; what is stored is rounded once more.
    """
    info = bounds.LIMITS[stored]
    found = np.asarray(found, np.float64).astype(WIDE)
    if not found.size:
        return None
    wanted, error = np.broadcast_to(wanted, found.shape), np.broadcast_to(error, found.shape)
    allowed = FACTOR * error + 2 * info.eps * np.abs(wanted) + info.least
    off = ~(np.abs(found - wanted) <= allowed)
    if not off.any():
        return None
    off &= ~(found == wanted)
    off &= ~(np.isnan(found) & np.isnan(wanted))
    off &= np.isfinite(error)  # where the bound says nothing
    off &= ~(np.isnan(found) & (FACTOR * error >= precision.max))  # a difference of what overflows
    # What may exceed the largest number may be infinite.
    large = np.abs(wanted) + allowed >= min(info.max, precision.max) * (1 - 4 * info.eps)
    signed = np.where(allowed >= np.abs(wanted), True, np.signbit(found) == np.signbit(wanted))
    off &= ~(large & (np.isinf(found) | (np.abs(found) >= min(info.max, precision.max) * (1 - 4 * info.eps))) & signed)
    return off if off.any() else None
