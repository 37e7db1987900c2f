"""Compares the results of a case with the oracle."""

from __future__ import annotations

import math

import numpy as np

import fastloss as fl
from tests.fuzz import bounds, oracle
from tests.fuzz.bounds import WIDE, Bounded, Precision
from tests.fuzz.cases import Drawn
from tests.fuzz.refusals import Failure

CURVED = 8  # classes at most of which the curvature has an oracle
LARGEST_ROOT = 1e153  # residuals whose squares are finite, with room for their sums


def expected(case: Drawn, precision: Precision):
    """What the oracle says of the elements, before weights; for a loss of the whole sample its value and gradient."""
    loss, y, x = case.loss, case.clean_y, case.clean_x
    with np.errstate(all="ignore"):
        if not loss.signature.additive:
            keep = case.weight_of != 0
            return oracle.of_sample(loss, y[keep], x[keep], case.weight_of[keep], precision) if keep.any() else None
        if not loss.signature.rowwise:
            return oracle.of_elements(loss, y, x, precision)
        curved = case.classes <= CURVED and loss.curvature
        y = case.inward(y) if case.dense or loss.between else case.inward(y).astype(np.intp)
        found = oracle.of_rows(loss, y, case.inward(x), precision, curved=curved)
        return oracle.Expected(*(_outward(case, part) for part in (found.value, found.grad, found.hess)))


def _outward(case: Drawn, part: Bounded | None) -> Bounded | None:
    if part is None:
        return None
    shape = (case.n, case.classes)[: part.ndim]
    return Bounded(*(case.outward(np.broadcast_to(a, shape)) for a in (part.value, part.error)))


def judge(case: Drawn, known, what: str, found, reduction: str, precision: Precision, stored: np.dtype) -> None:
    """Compare one result, stored in a type, with what is `known` from the oracle."""
    if not case.loss.signature.additive:
        judgement = _of_sample(case, known, what, found)
    elif what != "value" and isinstance(case.loss, (fl.ZeroOne, fl.MulticlassZeroOne)):
        judgement = (WIDE(0), np.where(np.isnan(found), math.inf, 0))  # perhaps even of a NaN
    elif getattr(known, what) is None:
        return
    elif what == "value" and reduction != "none":
        judgement = _of_sum(case, known.value, reduction, precision)
    else:
        judgement = _of_each(case, getattr(known, what), what, found, reduction, precision)
    if judgement is None:
        return
    wanted, error = judgement
    with np.errstate(all="ignore"):
        off = oracle.disagreement(found, wanted, error, stored, precision)
    if off is not None:
        at = tuple(int(i) for i in np.argwhere(off)[0])
        wanted, error = (np.broadcast_to(a, np.shape(found))[at] for a in judgement)
        raise Failure(
            f"{what} of {reduction} in {precision.dtype} is {np.asarray(found)[at]!r} at {list(at)}, must be"
            f" {wanted!r} within {oracle.FACTOR} x {error!r}; {case.point(at)}"
        )


def _nan(case: Drawn) -> np.ndarray:
    return (case.missing | case.broken) & (case.weight_of != 0)


def _weighted(part: Bounded, factor: np.ndarray, nan: np.ndarray, precision: Precision):
    """Results times their factors, of which 0 selects; unless a NaN was given, one of the oracle's says nothing."""
    wanted = np.where(factor != 0, factor * part.value, 0)
    error = np.where(factor != 0, factor * (part.error + precision.eps * np.abs(part.value)) + precision.least, 0)
    error = np.where(nan, 0, np.where(np.isnan(wanted), math.inf, error))
    return np.where(nan, math.nan, wanted), error


def _too_large(part: Bounded, precision: Precision) -> np.ndarray:
    """Where the working precision may overflow before weights make less of it."""
    return np.abs(part.value) + oracle.FACTOR * part.error >= precision.max * (1 - 4 * precision.eps)


def _of_each(case: Drawn, part: Bounded, what: str, found, reduction: str, precision: Precision):
    factor, nan, counts = case.weight_of, _nan(case), case.weight_of != 0
    if what != "value":
        divisor = case.divisor(reduction)
        factor = case.per_prediction(factor / divisor if divisor else np.zeros(case.shape))
        nan, counts = case.per_prediction(nan), case.per_prediction(counts)
    with np.errstate(all="ignore"):
        wanted, error = _weighted(part, factor, nan, precision)
        # Of a row that has no number even a mean of nothing is none.
        error = np.where(counts & ~nan & ~np.isfinite(part.value + part.error), math.inf, error)
        if what == "hess" and not case.loss.signature.rowwise:  # one that is constant may be so of a NaN as well
            error = np.where(nan, math.inf, error)
        early = _too_large(part, precision) & np.isinf(found) & (factor != 0) & ~nan
        if what != "value":
            error = error + np.where(nan, 0, case.divisor_error(reduction) * np.abs(wanted))
    return wanted, np.where(early, math.inf, error)


def _of_sum(case: Drawn, part: Bounded, reduction: str, precision: Precision):
    divisor = case.divisor(reduction)
    if not divisor:
        return WIDE(math.nan), WIDE(0)
    with np.errstate(all="ignore"):
        wanted, error = _weighted(part, case.weight_of, _nan(case), precision)
        size = np.abs(wanted).sum()
        if not np.isfinite(error).all() or (_too_large(part, precision) & (case.weight_of != 0)).any():
            return None
        if size > bounds.DOUBLE.max:  # before the division
            return None
        return wanted.sum() / divisor, (error.sum() + (1e-15 + case.divisor_error(reduction)) * size) / divisor


def _of_sample(case: Drawn, known, what: str, found):
    largest = np.abs(case.clean_x).max(initial=0) + np.abs(case.clean_y).max(initial=0)
    if known is None or largest > LARGEST_ROOT:
        return None
    if _nan(case).any():
        return (WIDE(math.nan), WIDE(0)) if what == "value" else None
    wanted, error = known[0].value, known[0].error
    if what == "grad":
        keep = case.weight_of != 0
        wanted, error = np.zeros(case.shape, WIDE), np.zeros(case.shape, WIDE)
        wanted[keep], error[keep] = known[1].value, known[1].error
    # No root at 0 has a slope, and no variance of 0 a reciprocal.
    return wanted, np.where(np.isnan(wanted), math.inf, error)
