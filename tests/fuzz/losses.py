"""Cases of the losses of the registry: one draw, one oracle, and many calls that must agree with it and each other."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

import fastloss as fl
from fastloss._parameters import ANY
from tests.fuzz import bounds, draws, oracle, refusals
from tests.fuzz.bounds import DOUBLE, SINGLE, WIDE, Bounded
from tests.fuzz.draws import BFLOAT16, chance, pick
from tests.fuzz.layouts import Given, Taken, given
from tests.fuzz.refusals import Failure

REDUCTIONS = ("mean", "batch_mean", "sum", "none")
MOODS = ("plain", "plain", "plain", "integers", "extreme", "infinite")
EXACT_IN_SINGLE = {np.dtype(t) for t in ("?", "i1", "i2", "u1", "u2", "f2", "f4")} | {BFLOAT16}
PAIRS = 130  # classes at most where every pair of them counts
FORMS = 6  # of each input, and of outputs of a shape
CURVED = 8  # classes at most of which the curvature has an oracle


def rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Results in a type, rounded once."""
    with np.errstate(all="ignore"):
        if dtype != BFLOAT16:
            return values.astype(dtype)
        # By way of float32, rounded to odd, as two roundings to nearest are not one.
        near = values.astype(np.float32)
        inexact = (near != values) & np.isfinite(near)
        down = np.where(np.abs(near) > np.abs(values), np.nextafter(near, np.float32(0)), near)
        odd = (down.view(np.uint32) | inexact.astype(np.uint32)).view(np.float32)
        return np.where(inexact, odd, near).astype(dtype)


def same_bits(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Every bit but the payload of a NaN."""
    if found.tobytes() == wanted.tobytes():
        return True
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    equal = (found == wanted) & (np.signbit(found) == np.signbit(wanted))
    return bool((equal | (np.isnan(found) & np.isnan(wanted))).all())


class Case:
    """One loss, its arrays and options, drawn from a generator."""

    def __init__(self, rng: np.random.Generator, cls=None) -> None:
        self.rng = rng
        self.calls: Counter = Counter()  # by loss
        self.forms: Counter = Counter()  # by the type and the layout of y_pred
        self.loss = draws.a_loss(rng, cls)
        self.mood = pick(rng, MOODS)
        self.narrow = pick(rng, (*draws.FLOATS, draws.SINGLE, draws.DOUBLE))
        self.nan_policy = pick(rng, ("propagate", "propagate", "omit", "raise"))
        self._draw_rows() if self.loss.rowwise else self._draw_elements()
        self._draw_weights()
        self._spoil()
        self._types()
        self._oracles: dict = {}
        self._known: dict = {}
        self._inputs: dict = defaultdict(list)
        self._outputs: dict = defaultdict(list)

    # Drawing

    def _draw_elements(self) -> None:
        rng, loss = self.rng, self.loss
        self.axis, self.dense = None, False
        shape = draws.shape_of_elements(rng)
        target, prediction, second = loss.domains()
        y = draws.within(rng, target, shape, self.narrow, self.mood)
        columns = () if "quantiles" not in loss.parameters() else (len(loss.quantiles),)
        x = draws.within(rng, prediction, shape + columns, self.narrow, self.mood)
        if target == prediction == ANY and chance(rng, 0.7):
            with np.errstate(all="ignore"):
                near = draws.representable(
                    y.reshape(y.shape + (1,) * len(columns)) + x * np.exp2(rng.integers(-9, 2, x.shape)), self.narrow
                )
            x = np.where(np.isfinite(near), near, x)
        if loss.pair:
            z = draws.within(rng, second, shape, self.narrow, self.mood)
            x = np.stack([x, z], axis=-1)
        self.y, self.x, self.shape = y, x, (x.shape if columns else shape)

    def _draw_rows(self) -> None:
        rng, loss = self.rng, self.loss
        labelled, dense = loss._kernels()
        self.dense = dense is not None and (labelled is None or chance(rng, 0.5))
        kind = rng.random()
        classes = int(rng.integers(1, 8) if kind < 0.7 else rng.integers(8, 40) if kind < 0.9 else pick(rng, draws.ROW_EDGES))
        if isinstance(loss, fl.MultilabelMargin):
            classes = min(classes, PAIRS)
        few = 12 if classes < 40 else 3
        kind = rng.random()
        shape = (int(rng.integers(1, few)),)
        if kind < 0.3:
            shape = tuple(int(n) for n in rng.integers(1, 4, int(rng.integers(0, 4))))
        elif kind < 0.33:
            shape = pick(rng, [(0,), (2, 0), (1,)])
        elif kind < 0.38 and classes < 8:
            shape = (int(pick(rng, (63, 64, 65, 129))),)
        n = draws.math.prod(shape)
        self.n, self.classes = n, classes
        x = self._scores((n, classes))
        self.at_end = shape
        axis = int(rng.integers(-len(shape) - 1, len(shape) + 1)) if chance(rng, 0.5) else -1
        changes = {"axis": axis}
        parameters = loss.parameters()
        if "class_weight" in parameters and chance(rng, 0.4):
            changes["class_weight"] = tuple(rng.choice([0.0, 0.25, 0.5, 1.0, 2.0], classes).tolist())
        if "ignore_index" in parameters:
            changes["ignore_index"] = pick(rng, (-100, -100, None, int(rng.integers(classes)), -1, 2**40))
        self.loss = loss = replace(loss, **changes)
        self.axis = axis % (len(shape) + 1)
        self.shape = shape
        if self.dense:
            y = self._targets((n, classes))
        elif loss.between:
            y = draws.representable(rng.random(n) * (classes - 1), self.narrow)
            y = np.clip(np.where(rng.random(n) < 0.3, np.rint(y), y), 0, classes - 1)
        else:
            y = rng.integers(0, classes, n).astype(np.float64)
        self.y = self._outward(y, (n, classes) if self.dense else (n,))
        self.x = self._outward(x, (n, classes))

    def _scores(self, shape) -> np.ndarray:
        rng, loss = self.rng, self.loss
        x = 3 * rng.standard_normal(shape)
        if self.mood == "integers":
            x = np.rint(x / 2)
        elif self.mood == "extreme":
            x = x * np.exp2(rng.uniform(-12, 20, (shape[0], 1)))
            x = np.where(rng.random(shape) < 0.1, -1e9, x)
        if loss.scores == "cosines":
            x = np.tanh(x / 3) if self.mood != "integers" else np.clip(x, -1, 1)
        elif loss.scores != "logits":
            shifted = x - x.max(axis=1, keepdims=True)
            x = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
            x = np.exp(x) if loss.scores == "probabilities" else x
        x = draws.representable(x, self.narrow)
        return np.where(np.isfinite(x), x, -1.0)

    def _targets(self, shape) -> np.ndarray:
        rng, loss = self.rng, self.loss
        y = 2 * rng.standard_normal(shape)
        if loss.targets == "labels":
            y = (y > 1).astype(np.float64)
        elif loss.targets == "reals":
            y = np.rint(y) if chance(rng, 0.3) else y
        else:
            y = y - y.max(axis=1, keepdims=True)
            y = y - np.log(np.exp(y).sum(axis=1, keepdims=True))
            if loss.targets == "probabilities":
                y = np.where(rng.random(shape) < 0.2, 0, np.exp(y))
                if chance(rng, 0.2):
                    y = np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
                if isinstance(loss, fl.ReverseKL) or loss.parameters().get("beta") == 1:
                    y = np.maximum(y, 0.01)
        return draws.representable(y, self.narrow)

    def _outward(self, flat: np.ndarray, shape) -> np.ndarray:
        """From rows (and classes last) to the caller's axes."""
        spread = flat.reshape(self.shape + shape[1:])
        return np.ascontiguousarray(np.moveaxis(spread, -1, self.axis)) if len(shape) > 1 else spread

    def _flat(self, array: np.ndarray, per_class: bool) -> np.ndarray:
        """The reverse."""
        return np.moveaxis(array, self.axis, -1).reshape(self.n, self.classes) if per_class else array.reshape(self.n)

    def _draw_weights(self) -> None:
        rng = self.rng
        self.weight = self.mask = None
        shapes = [self.shape, self.shape[:1]] if self.shape else [self.shape]
        if chance(rng, 0.5):
            self.weight = draws.weights(rng, pick(rng, shapes))
        if chance(rng, 0.4):
            self.mask = rng.random(pick(rng, shapes)) < 0.7

    def spread(self, array):
        """Weights or a mask for every element."""
        return np.broadcast_to(array.reshape(array.shape + (1,) * (len(self.shape) - array.ndim)), self.shape)

    def per_prediction(self, array: np.ndarray) -> np.ndarray:
        """Something of the elements' shape for each entry of y_pred."""
        if self.loss.rowwise:
            return np.broadcast_to(np.expand_dims(array, self.axis), self.x.shape)
        return np.broadcast_to(array[..., np.newaxis], self.x.shape) if self.loss.pair else array

    def _spoil(self) -> None:
        """Missing and ignored targets; whatever is in elements that do not count; infinities and NaN."""
        rng, loss = self.rng, self.loss
        self.clean_y, self.clean_x = self.y.copy(), self.x.copy()
        y, x = self.y, self.x
        counted = np.ones(self.shape, bool) if self.mask is None else self.spread(self.mask).copy()
        weight = np.ones(self.shape) if self.weight is None else self.spread(self.weight)
        per_target = self.per_prediction if self.dense else lambda a: a
        if "quantiles" in loss.parameters():
            per_target = None
        self.missing = np.zeros(self.shape, bool)
        if y.size and per_target and self.nan_policy != "raise" and chance(rng, 0.25):
            hit = rng.random(y.shape) < 0.15
            y[hit] = math.nan
            self.missing = hit if not self.dense else hit.any(axis=self.axis)
        self.ignored = np.zeros(self.shape, bool)
        if not self.dense and loss.parameters().get("ignore_index") is not None:
            if chance(rng, 0.5):
                y[(rng.random(y.shape) < 0.2) & ~self.missing] = loss.ignore_index
            self.ignored = y == loss.ignore_index
        self.counted = counted & ~self.ignored
        if self.nan_policy == "omit":
            self.counted &= ~self.missing
        self.weight_of = np.where(self.counted, weight, 0.0)
        idle = self.weight_of == 0
        if chance(rng, 0.5) and per_target and not loss.aggregate:
            x[self.per_prediction(idle)] = pick(rng, (math.nan, math.inf, 3.0))
            if not self.ignored.any() and not self.missing.any():
                y[per_target(idle)] = pick(rng, (77.0, -7.0, 0.5))
        self.broken = np.zeros(self.shape, bool)  # a NaN among the predictions
        bounded = any(d != ANY for d in loss.domains()[1:]) and not loss.rowwise
        if self.mood == "infinite" and x.size and not bounded and chance(rng, 0.7):
            hit = (rng.random(x.shape) < 0.15) & ~self.per_prediction(idle)
            logs = loss.rowwise and loss.scores == "log_probabilities"
            values = rng.choice([-math.inf if logs else math.inf, -math.inf], x.shape)
            x[hit] = self.clean_x[hit] = values[hit]
            if chance(rng, 0.3):
                hit = (rng.random(x.shape) < 0.1) & ~self.per_prediction(idle)
                if isinstance(loss, fl.MultilabelSoftMargin) and loss.class_weight:  # a class of weight 0 does not count
                    hit &= np.moveaxis(np.broadcast_to(np.array(loss.class_weight) > 0, np.moveaxis(hit, self.axis, -1).shape), -1, self.axis)
                x[hit] = math.nan
                axis = self.axis if loss.rowwise else -1
                self.broken = hit.any(axis=axis) if hit.shape != self.shape else hit

    def _types(self) -> None:
        self.x_types = draws.float_types(self.x)
        self.y_types = draws.float_types(self.y)
        if not np.isnan(self.y).any():
            self.y_types += draws.integer_types(self.y)
        self.unlabelled = (
            self.loss.rowwise
            and self.loss.unsupervised
            and not (self.ignored | self.missing).any()
            and chance(self.rng, 0.5)
        )
        if self.weight is not None:
            self.weight_types = draws.float_types(self.weight) + draws.integer_types(self.weight)

    def in_single(self, y_type: np.dtype, x_type: np.dtype) -> bool:
        """Whether a call is computed in float32."""
        exact = y_type in EXACT_IN_SINGLE
        if self.loss.rowwise:
            exact |= not self.dense
        else:
            exact |= y_type.kind in "bui" and self.loss.domains()[0].bounded
        return x_type != draws.DOUBLE and exact

    # What the results must be

    def _expected(self, precision):
        """Value, gradient and curvature of each element, each with its bound; what a NaN makes of them."""
        if precision in self._oracles:
            return self._oracles[precision]
        loss, y, x = self.loss, self.clean_y, self.clean_x
        curved = not loss.aggregate and (not loss.rowwise or (self.classes <= CURVED and loss.curvature))
        with np.errstate(all="ignore"):
            if loss.aggregate:
                keep = self.weight_of.ravel() != 0
                flat = y.ravel()[keep], x.ravel()[keep], self.weight_of.ravel()[keep]
                found = oracle.of_sample(loss, *flat, precision) if keep.any() else None
            elif loss.rowwise:
                y = self._flat(y, self.dense)
                y = y if self.dense or loss.between else y.astype(np.intp)
                made = oracle.of_rows(loss, y, self._flat(x, True), precision, hess=curved)
                found = oracle.Expected(*map(self._whole, (made.value, made.grad, made.hess)))
            else:
                found = oracle.of_elements(loss, y, x, precision, hess=curved)
        self._oracles[precision] = found
        return found

    def _whole(self, part: Bounded | None) -> Bounded | None:
        """Results of rows in the caller's axes."""
        if part is None:
            return None
        shape = (self.n, self.classes)[: part.ndim]
        return Bounded(*(self._outward(np.broadcast_to(a, shape), shape) for a in (part.value, part.error)))

    def units(self) -> np.ndarray:
        """The weight of each row in a mean besides its sample weight."""
        weights = self.loss.parameters().get("class_weight")
        if weights is None or isinstance(self.loss, fl.MultilabelSoftMargin):
            return np.ones(self.shape)
        if self.dense:
            return (np.moveaxis(self.y, self.axis, -1) * np.array(weights)).sum(axis=-1)
        if self.missing.any():
            return np.full(self.shape, math.nan)  # a missing label has no class
        known = (self.y >= 0) & (self.y < self.classes)
        return np.array(weights)[np.where(known, self.y, 0).astype(np.intp)]

    def divisor(self, reduction: str) -> float:
        if reduction == "mean":
            return float(np.where(self.weight_of != 0, self.weight_of * self.units(), 0).sum())
        return float(self.counted.sum()) if reduction == "batch_mean" else 1.0

    def judge(self, what: str, found, reduction: str, precision, stored: np.dtype) -> None:
        """Compare one result with the oracle."""
        expected = self._expected(precision)
        if self.loss.aggregate:
            return self._judge_sample(what, found, expected, precision)
        part = getattr(expected, what)
        if part is None:
            return None
        if what != "value" and isinstance(self.loss, fl.MulticlassZeroOne):  # 0 even of NaN, by definition
            if np.any(found):
                raise Failure(f"{what} of {reduction} is {found!r}, must be 0")
            return None
        weight = self.weight_of if what == "value" else self.per_prediction(self.weight_of)
        nan = (self.missing | self.broken) & (self.weight_of != 0)
        nan = nan if what == "value" else self.per_prediction(nan)
        with np.errstate(all="ignore"):
            divisor = self.divisor(reduction)
            factor = weight / divisor if what != "value" and divisor else weight * (what == "value" or divisor != 0)
            if what != "value" and math.isnan(divisor):
                return None
            wanted = np.where(factor != 0, factor * part.value, 0)
            error = np.where(factor != 0, factor * (part.error + precision.eps * np.abs(part.value)) + precision.least, 0)
            wanted = np.where(nan, math.nan, wanted)
            error = np.where(nan, 0, error)
            import os
            if "N" not in os.environ.get("FZ",""): error = np.where(nan&(what!="value"), math.inf, error)
            overflow = np.abs(part.value) + oracle.FACTOR * part.error >= precision.max * (1 - 4 * precision.eps)
            # What naive arithmetic makes of infinities is not what the losses say.
            error = np.where(np.isnan(wanted) & ~nan, math.inf, error)
            if what == "value" and reduction != "none":
                if (overflow & (weight != 0)).any() or not np.isfinite(error).all():
                    return None
                total = wanted.sum()
                spread = error.sum() + 1e-15 * np.abs(wanted).sum()
                if np.abs(wanted).sum() > bounds.DOUBLE.max:  # before the division
                    return None
                wanted, error = (total / divisor, spread / divisor) if divisor else (WIDE(math.nan), WIDE(0))
            else:
                error = np.where(overflow & np.isinf(found) & (factor != 0) & ~nan, math.inf, error)
        off = oracle.disagreement(found, wanted, error, stored, precision)
        if off is not None:
            at = tuple(int(i) for i in np.argwhere(off)[0])
            raise Failure(
                f"{what} of {reduction} in {precision.dtype}: {np.asarray(found)[at]!r} at {list(at)}, must be"
                f" {np.broadcast_to(wanted, np.shape(found))[at]!r} within {oracle.FACTOR} x"
                f" {np.broadcast_to(error, np.shape(found))[at]!r}; {self._point(at, what)}"
            )

    def _judge_sample(self, what, found, expected, precision) -> None:
        if expected is None or what == "hess":
            return
        nan = ((self.missing | self.broken) & (self.weight_of != 0)).any()
        part = expected[0] if what == "value" else expected[1]
        if nan:
            wanted, error = np.full(np.shape(found), math.nan), 0
            if what == "grad":
                return
        elif what == "value":
            wanted, error = part.value, part.error
        else:
            wanted, error = np.zeros(self.shape, WIDE), np.zeros(self.shape, WIDE)
            keep = self.weight_of != 0
            wanted[keep], error[keep] = part.value, part.error
        largest = np.abs(self.clean_x).max(initial=0) + np.abs(self.clean_y).max(initial=0)
        if largest**2 >= float(precision.max):  # squares overflow, as documented
            return
        # A mean of squares that is 0, and one that underflows, have no root's gradient or ratio.
        error = np.where(np.isnan(wanted) & ~nan, math.inf, error)
        off = oracle.disagreement(found, wanted, error, np.dtype(np.float64) if what == "value" else precision.dtype, precision)
        if off is not None:
            raise Failure(f"{what} of the sample in {precision.dtype}: {found!r}, must be {wanted!r} within {error!r}")

    def _point(self, at, what) -> str:
        if not at and self.shape:
            return ""
        if not self.loss.rowwise:
            at_y = at[: self.y.ndim]
            return f"y_true {self.y[at_y]!r}, y_pred {self.x[at_y]!r}"
        row = at if what == "value" else at[: self.axis] + at[self.axis + 1 :]
        x = np.moveaxis(self.x, self.axis, -1)[row]
        y = np.moveaxis(self.y, self.axis, -1)[row] if self.dense else self.y[row]
        return f"y_true {y!r}, y_pred {x!r}" if x.size < 12 else f"{x.size} classes"

    # Calls

    def options(self) -> dict:
        found = {"nan_policy": self.nan_policy}
        if self.weight is not None:
            found["sample_weight"] = self.weight
        if self.mask is not None:
            found["mask"] = self.mask
        return found

    def class_major(self, x: np.ndarray) -> bool:
        """Whether the rowwise driver walks the class axis first."""
        rows = np.moveaxis(x, self.axis, -1)[..., 0]
        lanes = [abs(s) for s, n in zip(rows.strides, rows.shape, strict=True) if n > 1]
        return bool(self.classes > 1 and lanes and abs(x.strides[self.axis]) > min(lanes))

    def _plain(self, single: bool, major: bool):
        """The arrays in their plainest form."""
        y_type = next(t for t in reversed(self.y_types) if any(self.in_single(t, u) == single for u in self.x_types))
        x_type = next(t for t in reversed(self.x_types) if self.in_single(y_type, t) == single)
        with np.errstate(all="ignore"):
            y, x = self.y.astype(y_type), self.x.astype(x_type)
        if self.loss.rowwise:
            x = np.ascontiguousarray(np.moveaxis(x, self.axis, 0 if major else -1))
            x = np.moveaxis(x, 0 if major else -1, self.axis)
        return None if self.unlabelled else y, x

    def known(self, what: str, reduction: str, single: bool, major: bool):
        """A result in full precision of a plain call, which agrees with the oracle."""
        key = what, reduction, single, major
        if key not in self._known:
            loss, (y, x), options = self.loss, self._plain(single, major), self.options() | {"num_threads": 1}
            precision = SINGLE if single else DOUBLE
            if what == "value" and reduction != "none":
                found = self.call(loss, "__call__", y, x, reduction=reduction, **options)
                self.judge(what, found, reduction, precision, np.dtype(np.float64))
            else:
                full = np.full(self.shape if what == "value" else self.x.shape, 5.0)
                if what == "value":
                    self.call(loss, "__call__", y, x, reduction=reduction, out=full, **options)
                elif what == "grad":
                    self.call(loss, "grad", y, x, reduction=reduction, grad_out=full, **options)
                else:
                    self.call(loss, "grad_and_hess", y, x, reduction=reduction, hess_out=full, **options)
                found = full
                self.judge(what, found, reduction, precision, precision.dtype)
            self._known[key] = found
        return self._known[key]

    def call(self, loss, verb: str, y, x, **options):
        self.calls[type(loss).__name__] += 1
        return getattr(loss, verb)(y, x, **options)

    def check(self, name: str, found, what: str, reduction: str, single: bool, major: bool, stored: np.dtype) -> None:
        key = what, reduction, single, major, stored
        if key not in self._known:
            self._known[key] = rounded(self.known(*key[:4]), stored)
        wanted = self._known[key]
        if found.dtype != stored:
            raise Failure(f"{name}: {what} of {reduction} has dtype {found.dtype}, must be {stored}")
        if same_bits(found, wanted):
            return
        where = np.argwhere(~((found == wanted) | (np.isnan(found) & np.isnan(wanted))))
        at = tuple(int(i) for i in where[0]) if len(where) else ()
        raise Failure(
            f"{name}: {what} of {reduction} in {stored} is {found[at]!r} at {list(at)}, but {wanted[at]!r} in a plain call;"
            f" {self._point(at, what)}"
        )

    def check_reduced(self, name: str, found: float, reduction: str, single: bool, major: bool, in_order: bool) -> None:
        wanted = self.known("value", reduction, single, major)
        if not isinstance(found, float):
            raise Failure(f"{name}: {found!r} is no float")
        if found == wanted or (math.isnan(found) and math.isnan(wanted)):
            return
        if not in_order and not self.loss.aggregate and math.isfinite(wanted):
            with np.errstate(all="ignore"):
                terms = np.abs(self.known("value", "none", single, major)).sum() / max(self.divisor(reduction), 1e-300)
            if abs(found - wanted) <= 1e-14 * terms:
                return
        if self.loss.aggregate and not in_order and abs(found - wanted) <= 1e-10 * abs(wanted):
            return
        raise Failure(f"{name}: {reduction} is {found!r}, but {wanted!r} in a plain call")

    def run(self) -> None:
        """Random calls until they have paid for the oracle."""
        for _ in range(int(self.rng.integers(60, 200))):
            self._random_call()
        if chance(self.rng, 0.03):
            self._large()
        refusals.run(self)
        for name, inputs in self._inputs.items():
            if not all(one.untouched() for one in inputs):
                raise Failure(f"a call changed {name}")

    def _input(self, name: str, values: np.ndarray, types: list[np.dtype]) -> Given:
        """One of a few forms of an input."""
        pool = self._inputs[name]
        if len(pool) < FORMS:
            pool.append(given(self.rng, values, pick(self.rng, types)))
            return pool[-1]
        return pick(self.rng, pool)

    def _output(self, shape: tuple[int, ...]) -> Taken:
        pool = self._outputs[shape]
        if len(pool) < FORMS:
            pool.append(Taken(self.rng, shape, pick(self.rng, draws.FLOATS)))
            return pool[-1]
        return pick(self.rng, pool)

    def _random_call(self) -> None:
        rng, loss = self.rng, self.loss
        y, x = self._input("y_true", self.y, self.y_types), self._input("y_pred", self.x, self.x_types)
        self.forms.update(x.words)
        single = self.in_single(y.array.dtype.newbyteorder("="), x.array.dtype.newbyteorder("="))
        options = {"nan_policy": self.nan_policy, "num_threads": pick(rng, (None, 1, 2, 3))}
        if self.weight is not None:
            options["sample_weight"] = self._input("sample_weight", self.weight, self.weight_types).array
        if self.mask is not None:
            options["mask"] = self._input("mask", self.mask, [np.dtype(bool)]).array
        aggregate = loss.aggregate
        reduction = "mean" if aggregate else pick(rng, REDUCTIONS)
        major = loss.rowwise and self.class_major(x.array)
        in_order = _in_order(x.array)
        verbs = ["__call__", "grad", "value_and_grad", "grad_and_hess", "state", "states", "rows", "function"]
        if aggregate:
            verbs = ["__call__", "grad", "value_and_grad", "function"]
        elif loss.rowwise and not loss.curvature:
            verbs.remove("grad_and_hess")
        import os
        if "G" not in os.environ.get("FZ",""): verbs.remove("states") if "states" in verbs else None
        if not isinstance(loss, fl.CrossEntropy):
            verbs.remove("rows") if "rows" in verbs else None
        verb = pick(rng, verbs)
        target = None if self.unlabelled else y.array
        if verb in ("state", "states", "rows"):
            getattr(self, f"_call_{verb}")(target, x.array, options, single, major, in_order)
        else:
            self._call(verb, target, x, options, reduction, single, major, in_order)

    def _call(self, verb, y, x: Given, options, reduction, single, major, in_order) -> None:
        rng, loss, array = self.rng, self.loss, x.array
        narrow = array.dtype.newbyteorder("=") != draws.DOUBLE
        value_type = draws.SINGLE if narrow else draws.DOUBLE
        grad_type = array.dtype.newbyteorder("=")
        wants = {
            "__call__": ("value",), "function": ("value",), "grad": ("grad",), "value_and_grad": ("value", "grad"),
            "grad_and_hess": ("grad", "hess"),
        }[verb]  # fmt: skip
        outputs, in_place = {}, False
        for what in wants:
            name = {"value": "out", "grad": "grad_out", "hess": "hess_out"}[what]
            if (what == "value" and reduction != "none") or not chance(rng, 0.4):
                continue
            if what == "grad" and chance(rng, 0.4) and array.flags.writeable and not _overlaps(array):
                in_place, options["grad_out"] = True, array
                continue
            output = self._output(self.shape if what == "value" else self.x.shape)
            if output not in outputs.values():
                outputs[what] = output
                options[name] = output.array
        if verb == "function":
            self.calls[type(loss).__name__] += 1
            options |= loss.parameters()
            found = getattr(fl, loss.function_name)(y, array, reduction=reduction, **options)
        else:
            found = self.call(loss, verb, y, array, reduction=reduction, **options)
        found = found if len(wants) == 2 else (found,)
        for what, result in zip(wants, found, strict=True):
            if what == "value" and reduction != "none":
                self.check_reduced(verb, result, reduction, single, major, in_order)
                continue
            stored = value_type if what == "value" else grad_type
            if what in outputs:
                if result is not outputs[what].array:
                    raise Failure(f"{verb} returns another array than the one given for {what}")
                result = outputs[what].read()
                stored = result.dtype
            elif what == "grad" and in_place:
                if result is not array:
                    raise Failure(f"{verb} returns another array than y_pred")
                result = np.array(result.astype(result.dtype.newbyteorder("=")))
                x.restore()
            summed = loss.aggregate or (self.dense and reduction == "mean" and loss.parameters().get("class_weight"))
            if summed and not in_order:  # the sums that every derivative depends on are rounded otherwise
                wanted, slack = self.known(what, reduction, single, major), 1e-9 if single else 1e-13
                precision = SINGLE if single else DOUBLE
                off = oracle.disagreement(result, wanted, slack * np.abs(wanted), stored, precision)
                if off is not None:
                    raise Failure(f"{verb}: {what} is {result[off]!r}, but {wanted[off]!r} in a plain call")
                continue
            self.check(verb, result, what, reduction, single, major, stored)

    def _large(self) -> None:
        """The same elements many times over, so that there are chunks for several threads."""
        rng, loss = self.rng, self.loss
        if loss.aggregate or not self.shape or not self.x.size:
            return
        copies = int(rng.integers(2, 20_000)) // self.x.size + 2
        along = int(self.axis == 0)  # the first axis of y_pred that is not of the classes
        y_type, x_type = pick(rng, self.y_types), pick(rng, self.x_types)
        single = self.in_single(y_type, x_type)
        with np.errstate(all="ignore"):
            x = np.concatenate([self.x.astype(x_type)] * copies, axis=along)
            y = np.concatenate([self.y.astype(y_type)] * copies, axis=along if self.dense else 0)
        x = given(rng, x, x_type).array
        y = None if self.unlabelled else y
        options = {name: np.concatenate([array] * copies) for name, array in self.options().items() if name != "nan_policy"}
        options["nan_policy"] = self.nan_policy
        major = loss.rowwise and self.class_major(x)
        first = self.call(loss, "state", y, x, num_threads=1, **options)
        for threads in (2, 3, None):
            state = self.call(loss, "state", y, x, num_threads=threads, **options)
            if not same_bits(np.array(dataclasses.astuple(state)), np.array(dataclasses.astuple(first))):
                raise Failure(f"the state of {copies} copies is {state} with {threads} threads, {first} with one")
            out, grad_out = np.empty((self.shape[0] * copies, *self.shape[1:])), np.empty(x.shape)
            self.call(
                loss, "value_and_grad", y, x, reduction="none", out=out, grad_out=grad_out, num_threads=threads, **options
            )
            for what, found, axis in (("value", out, 0), ("grad", grad_out, along)):
                wanted = np.concatenate([self.known(what, "none", single, major)] * copies, axis=axis)
                if not same_bits(found, wanted):
                    raise Failure(f"{what} of {copies} copies with {threads} threads is not that of one copy")

    def _call_state(self, y, x, options, single, major, in_order) -> None:
        state = self.call(self.loss, "state", y, x, **options)
        self.check_reduced("state.mean", state.mean, "mean", single, major, in_order)
        self._check_state("state", state, np.ones(self.shape, bool), single, major)

    def _check_state(self, name, state, chosen, single, major) -> None:
        """The fields by plain NumPy from the losses of the elements."""
        if ((self.missing | self.broken) & self.counted).any():
            return
        with np.errstate(all="ignore"):
            units = self.units()
            used = (self.weight_of != 0) & chosen
            each = self.known("value", "none", single, major)
            whole = np.where(used, self.weight_of * units, 0)
            used = whole != 0
            total = each[chosen].sum()
            losses = np.where(used, each / whole, 0)
            square = (whole**2).sum()
            center = (whole**2 * losses).sum() / square if square else 0.0
            spread = (whole**2 * np.where(used, losses - center, 0) ** 2).sum()
            # `each` is rounded to the working precision, and its square is what counts.
            eps = float(SINGLE.eps if single else DOUBLE.eps) * 8
            scale = np.abs(losses).max(initial=0)
            wanted = {
                "count": ((self.counted & chosen).sum(), 0), "weight": (whole.sum(), 1e-14 * whole.sum()),
                "total": (total, eps * np.abs(each).sum()), "square": (square, 1e-13 * square),
                "center": (center, eps * scale), "spread": (spread, 4 * eps * square * scale**2),
            }  # fmt: skip
        for field, (value, tolerance) in wanted.items():
            found = getattr(state, field)
            if math.isfinite(value) and math.isfinite(tolerance) and not abs(found - value) <= tolerance + 1e-300:
                raise Failure(f"{name}.{field} is {found!r}, must be {value!r}")

    def _call_states(self, y, x, options, single, major, in_order) -> None:
        if not self.shape or self.mood == "infinite":
            return
        groups = self.rng.integers(0, 3, self.shape[0])
        given_groups = groups if chance(self.rng, 0.5) else np.array(["a", "b", "c"])[groups]
        found = self.call(self.loss, "states", y, x, groups=given_groups, **options)
        if len(found) != len(np.unique(groups)):
            raise Failure(f"states has the groups {list(found)}, must have {np.unique(given_groups)}")
        for label, state in found.items():
            self._check_state(f"states[{label}]", state, self.spread(given_groups == label), single, major)

    def _call_rows(self, y, x, options, single, major, in_order) -> None:
        want_grad = chance(self.rng, 0.5)
        rows = self.call(self.loss, "rows", y, x, grad=want_grad, **options)
        narrow = x.dtype.newbyteorder("=") != draws.DOUBLE
        value_type = draws.SINGLE if narrow else draws.DOUBLE
        self.check("rows", rows.value, "value", "none", single, major, value_type)
        if want_grad:
            self.check("rows", rows.grad, "grad", "none", single, major, x.dtype.newbyteorder("="))
        elif rows.grad is not None:
            raise Failure("rows returns a gradient that was not asked for")
        scores = np.moveaxis(self.x, self.axis, -1)
        if np.isnan(scores).any():
            return
        if not np.array_equal(rows.argmax, scores.argmax(axis=-1)):
            raise Failure(f"rows.argmax is {rows.argmax!r}, must be {scores.argmax(axis=-1)!r}; {scores!r}")
        labels = np.moveaxis(self.y, self.axis, -1).argmax(axis=-1) if self.dense else self.y
        if not np.isnan(self.y).any() and not np.array_equal(rows.correct, rows.argmax == labels):
            raise Failure(f"rows.correct is {rows.correct!r}, must be {rows.argmax == labels!r}")
        precision = SINGLE if single else DOUBLE
        with precision, np.errstate(all="ignore"):
            z, _ = oracle.capped(self.loss, Bounded.exact(scores))
            lse = oracle.log_sum_exp(z)
            one_sided = np.isinf(scores).any(axis=-1)
            limit = one_sided & np.isnan(lse.value)
        wanted = np.where(limit, scores.max(axis=-1), lse.value)
        off = oracle.disagreement(rows.lse, wanted, np.where(limit, 0, lse.error), value_type, precision)
        if off is not None:
            raise Failure(f"rows.lse is {rows.lse[off]!r}, must be {wanted[off]!r}; {scores[off]!r}")


def _in_order(x: np.ndarray) -> bool:
    """Whether the elements lie in memory in the order of the axes."""
    strides = [abs(s) for s, n in zip(x.strides, x.shape, strict=True) if n > 1]
    return strides == sorted(strides, reverse=True) and all(s >= 0 for s in x.strides)


def _overlaps(x: np.ndarray) -> bool:
    return any(s == 0 and n > 1 for s, n in zip(x.strides, x.shape, strict=True))
