"""The constant to start boosting from: that of the least mean loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

import fastloss as fl
from fastloss import Loss
from fastloss._core.counting import counted
from fastloss._core.evaluation import Array
from fastloss._core.operands import as_array, operand
from fastloss.integrations._boosting import refuse_untrainable
from fastloss.linear import solvers

Doubles: TypeAlias = NDArray[np.float64]
Quantiles: TypeAlias = Callable[[Doubles, Doubles | None, float], float]

LEAST_SHARE = 1e-15  # of a class, as LightGBM has it: what its logit is finite by


def start(
    owner: str, loss: Loss, y_true: ArrayLike, sample_weight: ArrayLike | None, quantile: Quantiles
) -> float | Doubles:
    """The constant prediction of the least mean loss, with a library's own quantiles.

    It has a closed form, or is searched for in passes over blocks of the targets.
    """
    refuse_untrainable(owner, loss)
    name = type(loss).__name__
    y = _viewed(name, "y_true", y_true)
    weight = None if sample_weight is None else _viewed(name, "sample_weight", sample_weight)
    if y.ndim != 1 or not y.size:
        raise ValueError(f"{name}: y_true has shape {y.shape}, must have one axis, and elements")
    if weight is not None and weight.shape != y.shape:
        raise ValueError(f"{name}: sample_weight has shape {weight.shape}, must have y_true's {y.shape}")
    if weight is not None and not weight.sum(dtype=np.float64) > 0:
        raise ValueError(f"{name}: sample_weight sums to {weight.sum():g}, must be positive")
    _check(loss, y, weight)
    with np.errstate(all="ignore"):  # a result that is not finite is refused below
        found = _closed(loss, y, weight, quantile)
        if found is None:
            found = _of_rows(loss, y, weight) if loss.signature.rowwise else _searched(loss, y, weight)
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: the best constant for y_true is {found}, must be finite to start from")
    domain = loss.domains()[1]
    if isinstance(found, float) and found not in domain:
        raise ValueError(f"{name}: the best constant for y_true is {found}, must be {domain}")
    return found


def _viewed(name: str, what: str, given: ArrayLike) -> Array:
    array = as_array(name, what, given)
    operand(name, what, array)  # refuses what is no number
    finite = np.isfinite(array)
    if not finite.all():
        at = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"{name}: {what}{list(at)} is {array[at]}, must be finite")
    return array


def _check(loss: Loss, y: Array, weight: Array | None) -> None:
    """Refuse targets and weights outside of their domains, by a pass that reads no predictions."""
    low, high, _ = loss.domains()[1].closed(np.float64)
    number = _classes(loss, y) if loss.signature.rowwise else loss.signature.columns
    shape = y.shape if number is None else (*y.shape, number)
    loss._evaluation(loss, y, np.broadcast_to(np.clip(0.0, low, high), shape), weight).divisor("sum")


def _classes(loss: Loss, y: Array) -> int:
    class_weight = loss.parameters().get("class_weight")
    return math.ceil(max(0, y.max(initial=0))) + 1 if class_weight is None else len(class_weight)


# Closed forms ---------------------------------------------------------------------------------------


def _closed(loss: Loss, y: Array, weight: Array | None, quantile: Quantiles) -> float | Doubles | None:
    def quantile_at(level: float, size: Array | None = None) -> float:
        doubles = None if weight is None else np.asarray(weight, np.float64)
        if size is not None:
            doubles = (1.0 if doubles is None else doubles) / size
        return quantile(np.asarray(y, np.float64), doubles, level)

    match loss:
        case fl.SquaredError() | fl.BinaryCrossEntropy() | fl.BrierScore() | fl.Tweedie(link="identity"):
            return _mean(y, weight)
        case fl.PoissonDeviance() | fl.GammaDeviance() | fl.TweedieDeviance():
            return _mean(y, weight)
        case fl.PoissonNLL(log_input=False):
            return max(_mean(y, weight) - loss.eps, 0.0)
        case fl.PoissonNLL() | fl.GammaNLL() | fl.Tweedie():
            return float(np.log(_mean(y, weight)))
        case fl.BinaryCrossEntropyWithLogits():
            smooth = (1 - loss.label_smoothing) * _mean(y, weight) + loss.label_smoothing / 2
            return _logit(loss.pos_weight * smooth, 1 - smooth)
        case fl.SoftMargin():
            positive = _mean(y > 0, weight)
            return _logit(positive, 1 - positive)
        case fl.AbsoluteError():
            return quantile_at(0.5)
        case fl.Quantile():
            # Where prediction and target are equal the libraries take the slope above: start there.
            return float(np.nextafter(np.float32(quantile_at(loss.alpha)), np.float32(np.inf)))
        case fl.MultiQuantile():
            return np.array([quantile_at(level) for level in loss.quantiles])
        case fl.AbsolutePercentageError():
            return quantile_at(0.5, np.maximum(np.abs(np.asarray(y, np.float64)), loss.epsilon))
        case fl.GaussianNLL():
            mean = _mean(y, weight)
            return np.array([mean, max(_mean(np.square(np.subtract(y, mean, dtype=np.float64)), weight), loss.eps)])
        case fl.GaussianNLLLogSigma():
            mean = _mean(y, weight)
            return np.array([mean, 0.5 * np.log(_mean(np.square(np.subtract(y, mean, dtype=np.float64)), weight))])
        case fl.LaplaceNLL():  # in no library, whose quantiles with weights may be a target off
            median = float(_searched(fl.AbsoluteError(), y, weight))
            return np.array([median, np.log(_mean(np.abs(np.subtract(y, median, dtype=np.float64)), weight))])
        case fl.DistributionFocalLoss():
            return _log_shares(_shares(loss, y, weight))
        case fl.CrossEntropy() if loss == fl.CrossEntropy(hessian=loss.hessian):
            return _log_shares(_shares(loss, y, weight))
    return None


def _mean(y: Array, weight: Array | None) -> float:
    return float(np.average(np.asarray(y, np.float64), weights=None if weight is None else np.asarray(weight, float)))


def _logit(positive: float, negative: float) -> float:
    least = LEAST_SHARE * (positive + negative)
    return math.log(max(positive, least) / max(negative, least))


def _shares(loss: Loss, y: Array, weight: Array | None) -> Doubles:
    """The share of each class; a label between two counts for both."""
    kept = counted(y.shape, labels=y, ignored=loss.parameters().get("ignore_index"))
    if not kept.all():
        y, weight = y[kept], None if weight is None else weight[kept]
    labels = y.astype(np.intp)
    columns = _classes(loss, y)
    part = y - labels
    if not part.any():
        counts = np.bincount(labels, weight, columns)
    else:
        each = np.ones(y.size) if weight is None else weight
        counts = np.bincount(labels, each * (1 - part), columns)
        counts += np.bincount(np.minimum(labels + 1, columns - 1), each * part, columns)
    if not counts.sum() > 0:
        raise ValueError(f"{type(loss).__name__}: y_true holds ignored labels alone, must hold a class to start from")
    shares: Doubles = counts / counts.sum()
    return shares


def _log_shares(shares: Doubles) -> Doubles:
    return np.asarray(np.log(np.maximum(shares, LEAST_SHARE)))


# Rows of classes ------------------------------------------------------------------------------------


def _of_rows(loss: Loss, y: Array, weight: Array | None) -> Doubles:
    """What L-BFGS finds from equal scores or from the logarithms of the classes' shares, whichever is better."""
    shares = _shares(loss, y, weight)
    labels, square = np.arange(shares.size), (shares.size, shares.size)

    def mean(scores: Doubles) -> tuple[float, Doubles]:
        x = np.broadcast_to(scores, square)
        value, grad = loss.value_and_grad(labels, x, sample_weight=shares, reduction="sum")
        return value, grad.sum(axis=0)

    centered = _log_shares(shares)
    centered -= centered.mean()
    found = [solvers.scipy(mean, lambda _, v: v, scores, "lbfgs", 1e-9, 100).w for scores in (0 * shares, centered)]
    best = min(found, key=lambda scores: mean(scores)[0])
    present = shares > 0
    farther = best + present * (best - best[present].mean())
    if mean(farther)[0] < (1 - 1e-12) * mean(best)[0]:
        raise _no_minimum(loss, "differ")
    return best


# One prediction for each target ---------------------------------------------------------------------

BLOCK = 1 << 18  # targets of one call
PLACES = 1000  # targets that are tried
FAR = 46  # steps, of which the last is 2^1023 times the first
PRECISION = 1e-9  # of a constant, in steps
ROUNDING = 4 * float(np.finfo(np.float64).eps)
NEGLIGIBLE = 1e-15  # of the slope: where this much is left, it fades on the way to a minimum that is infinitely far
LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True)
class MeanLoss:
    """The sum of the losses of a constant, and its slope."""

    loss: Loss
    y: Array
    weight: Array | None

    def __call__(self, constant: float) -> tuple[float, float]:
        total = slope = 0.0
        for begin in range(0, self.y.size, BLOCK):
            y = self.y[begin : begin + BLOCK]
            weight = None if self.weight is None else self.weight[begin : begin + BLOCK]
            # Of two scores that are compared only the difference counts.
            direction = np.array([0.5, -0.5]) if self.loss.signature.pair else np.ones(())
            x = np.broadcast_to(constant * direction, y.shape + direction.shape)
            value, grad = self.loss.value_and_grad(y, x, sample_weight=weight, reduction="sum")
            total += value
            slope += float((grad.sum(axis=0) * direction).sum())
        return total, slope

    def slope(self, constant: float) -> float:
        # Brent's method takes a NaN for an error, and divides by differences.
        return float(np.clip(self(constant)[1], -1e300, 1e300))


def _searched(loss: Loss, y: Array, weight: Array | None) -> float | Doubles:
    """The least of the minima beside some of the targets, by Brent's method on the slope."""
    low, high, _ = loss.domains()[1].closed(np.float64)
    some = slice(None, None, -(-y.size // PLACES))
    sample = MeanLoss(loss, y[some], None if weight is None else weight[some])
    scores = np.geomspace(2.0**-4, 2.0**5, 10) if loss.domains()[0].bounded else np.empty(0)
    places = np.unique(np.clip(np.concatenate([sample.y.astype(np.float64), -scores, [0.0], scores]), low, high))
    values = np.nan_to_num([sample(place)[0] for place in places.tolist()], nan=np.inf, posinf=np.inf, neginf=-np.inf)
    least = np.flatnonzero(values == values.min())
    at = int(least[least.size // 2])
    apart = 1 if some.step == 1 else math.isqrt(places.size)  # places: as far as the sample may mislead
    around = places[[max(0, at - apart), min(at + apart, places.size - 1)]] - places[at]
    step = float(np.min(np.abs(around[around != 0]), initial=np.inf)) if around.any() else 1.0
    found = Search(MeanLoss(loss, y, weight), step, low, high).minimum(float(places[at]))
    return np.array([found / 2, -found / 2]) if loss.signature.pair else found


@dataclass(frozen=True)
class Search:
    """The search for a minimum of a mean loss from a constant that is not far from it."""

    mean: MeanLoss
    step: float  # the first one, of the scale of what is around
    low: float
    high: float

    def minimum(self, here: float) -> float:
        value, slope = self.mean(here)
        if slope == 0 or math.isnan(slope):
            return self.middle(here) if slope == 0 else slope
        upward = slope < 0
        first = here, value
        for there in self.outward(here, upward):
            value_there, slope_there = self.mean(there)
            turned = slope_there == 0 or (slope_there > 0) == upward
            if turned or value_there > value:
                break
            if abs(slope_there) <= NEGLIGIBLE * abs(slope):
                raise _no_minimum(self.mean.loss, "rise" if upward else "fall")
            here, value = there, value_there
        else:
            if here in (self.low, self.high):
                return here
            raise _no_minimum(self.mean.loss, "rise" if upward else "fall")
        while not turned and abs(there - here) > PRECISION * self.step + ROUNDING * abs(here):  # a hill lies between
            middle = 0.5 * (here + there)
            value_middle, slope_middle = self.mean(middle)
            turned = slope_middle == 0 or (slope_middle > 0) == upward
            if turned or value_middle > value:
                there = middle
            else:
                here, value = middle, value_middle
        found = self.root(self.mean.slope, here, there) if turned else here
        value, slope = self.mean(found)
        if first[1] < value:
            return first[0]  # a kink, which a search comes only near to
        return found if slope else self.middle(found)

    def outward(self, here: float, upward: bool) -> Iterator[float]:
        """Places on one side, in steps that grow faster and faster, to the end of the domain."""
        low, high = max(self.low, -LARGEST), min(self.high, LARGEST)
        for k in range(FAR):
            step = self.step * 2.0 ** min(k * (k + 1) // 2, 1023)
            there = float(np.clip(here + step if upward else here - step, low, high))
            if there == here:
                return
            yield there
            here = there

    def root(self, function: Callable[[float], float], a: float, b: float) -> float:
        import scipy.optimize

        brentq: Any = scipy.optimize.brentq
        return float(brentq(function, a, b, xtol=PRECISION * self.step, rtol=ROUNDING, maxiter=4000))

    def middle(self, inside: float) -> float:
        """The middle of the interval of constants that are as good; where it is infinite, its end."""
        nudge = 1e-3 * self.step
        below, above = np.clip([inside - nudge, inside + nudge], self.low, self.high).tolist()
        if self.mean(below)[1] < 0 < self.mean(above)[1]:
            return inside
        ends = [end for end in (self.end(inside, False), self.end(inside, True)) if end is not None]
        return sum(ends) / len(ends) if ends else inside

    def end(self, inside: float, upward: bool) -> float | None:
        def outside(constant: float) -> bool:
            slope = self.mean(constant)[1]
            return slope > 0 if upward else slope < 0

        for there in self.outward(inside, upward):
            if outside(there):
                return self.root(lambda constant: 1.0 if outside(constant) else -1.0, inside, there)
        return None


def _no_minimum(loss: Loss, way: str) -> ValueError:
    return ValueError(
        f"{type(loss).__name__}: the mean loss for y_true has no minimum, it sinks the more predictions {way}; start"
        " from 0"
    )
