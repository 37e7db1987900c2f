"""The calls of a case of a loss: plain ones that the oracle judges, and many others that must agree with them."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np

import fastloss as fl
from tests.fuzz import draws, judging, oracle, refusals
from tests.fuzz.bounds import DOUBLE, SINGLE, Bounded, Precision
from tests.fuzz.cases import Drawn
from tests.fuzz.draws import BFLOAT16, chance, pick
from tests.fuzz.layouts import Given, Taken, given
from tests.fuzz.refusals import Failure

REDUCTIONS = ("mean", "batch_mean", "sum", "none")
RESULTS = {
    "__call__": ("value",), "function": ("value",), "grad": ("grad",), "value_and_grad": ("value", "grad"),
    "grad_and_hess": ("grad", "hess"),
}  # fmt: skip
OUTPUTS = {"value": "out", "grad": "grad_out", "hess": "hess_out"}
FORMS = 6  # of each input, and of outputs of a shape


class Way(NamedTuple):
    """What the bits of a result depend on."""

    single: bool  # computed in float32
    class_major: bool  # the rowwise driver goes through the class axis first
    in_order: bool  # the elements lie in memory in the order of the axes, which is that of summation

    @property
    def precision(self) -> Precision:
        return SINGLE if self.single else DOUBLE


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


class Case(Drawn):
    """A case and its calls."""

    def __init__(self, rng: np.random.Generator, cls: type | None = None) -> None:
        self.calls: Counter = Counter()  # by loss
        self.forms: Counter = Counter()  # by the type and the layout of y_pred
        super().__init__(rng, cls)
        self._oracles: dict = {}
        self._known: dict = {}
        self._inputs: dict = defaultdict(list)
        self._outputs: dict = defaultdict(list)

    def run(self) -> None:
        """Random calls until they have paid for the oracle."""
        for _ in range(int(self.rng.integers(60, 200))):
            self._random_call()
        if chance(self.rng, 0.03):
            self._call_of_copies()
        refusals.run(self)
        for name, inputs in self._inputs.items():
            if not all(one.untouched() for one in inputs):
                raise Failure(f"a call changed {name}")

    def call(self, loss, verb: str, y, x, **options):
        self.calls[type(loss).__name__] += 1
        if verb == "function":
            return getattr(fl, loss.function_name)(y, x, **options, **loss.parameters())
        return getattr(loss, verb)(y, x, **options)

    # Plain calls

    def known(self, what: str, reduction: str, way: Way):
        """A result in full precision of a plain call, which agrees with the oracle."""
        key = what, reduction, way.single, way.class_major
        if key not in self._known:
            y, x = self._plain(way)
            options = self.options() | {"num_threads": 1, "reduction": reduction}
            stored = way.precision.dtype
            if what == "value" and reduction != "none":
                found, stored = self.call(self.loss, "__call__", y, x, **options), draws.DOUBLE
            else:
                found = np.full(self.shape if what == "value" else self.x.shape, 5.0)
                verb = {"value": "__call__", "grad": "grad", "hess": "grad_and_hess"}[what]
                self.call(self.loss, verb, y, x, **options, **{OUTPUTS[what]: found})
            judging.judge(self, self._oracle(way.precision), what, found, reduction, way.precision, stored)
            self._known[key] = found
        return self._known[key]

    def _oracle(self, precision: Precision):
        if precision not in self._oracles:
            self._oracles[precision] = judging.expected(self, precision)
        return self._oracles[precision]

    def _plain(self, way: Way):
        """The arrays in their plainest form."""
        pairs = [(t, u) for t in self.y_types for u in self.x_types if self.in_single(t, u) == way.single]
        y_type, x_type = pairs[-1]
        with np.errstate(all="ignore"):
            y, x = self.y.astype(y_type), self.x.astype(x_type)
        if self.loss.signature.rowwise:
            last = 0 if way.class_major else -1
            x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, self.axis, last)), last, self.axis)
        return None if self.unlabelled else y, x

    def _way(self, y_type: np.dtype, x: np.ndarray) -> Way:
        strides = [abs(s) for s, n in zip(x.strides, x.shape, strict=True) if n > 1]
        in_order = strides == sorted(strides, reverse=True)
        major = False
        if self.loss.signature.rowwise and self.classes > 1:
            rows = np.moveaxis(x, self.axis, -1)[..., 0]
            lanes = [abs(s) for s, n in zip(rows.strides, rows.shape, strict=True) if n > 1]
            major = bool(lanes) and abs(x.strides[self.axis]) > min(lanes)
        return Way(self.in_single(y_type, x.dtype.newbyteorder("=")), major, in_order)

    # Comparisons

    def _check(self, name: str, found: np.ndarray, what: str, reduction: str, way: Way, stored: np.dtype) -> None:
        """An array of results must have the bits of the plain call, rounded to its type."""
        if found.dtype != stored:
            raise Failure(f"{name}: {what} of {reduction} has dtype {found.dtype}, must be {stored}")
        wanted = self.known(what, reduction, way)
        summed = not self.loss.signature.additive or (
            self.dense and reduction == "mean" and self.loss.parameters().get("class_weight")
        )
        if summed and not way.in_order:  # what every derivative depends on is a sum of another order
            slack = (1e-9 if way.single else 1e-13) * np.abs(wanted)
            same = oracle.disagreement(found, wanted, slack, stored, way.precision) is None
        else:
            key = what, reduction, way.single, way.class_major, stored
            if key not in self._known:
                self._known[key] = rounded(wanted, stored)
            wanted = self._known[key]
            same = same_bits(found, wanted)
        if not same:
            where = np.argwhere(~((found == wanted) | (np.isnan(found) & np.isnan(wanted))))
            at = tuple(int(i) for i in where[0]) if len(where) else ()
            raise Failure(
                f"{name}: {what} of {reduction} in {stored} is {found[at]!r} at {list(at)}, but {wanted[at]!r} in a"
                f" plain call; {self.point(at)}"
            )

    def _check_reduced(self, name: str, found: float, reduction: str, way: Way, *, of_state: bool = False) -> None:
        """A number must have the bits of the plain call, or be as near as another way of summation brings it."""
        in_order = way.in_order and not of_state
        wanted = self.known("value", reduction, way)
        if not isinstance(found, float):
            raise Failure(f"{name}: {found!r} is no float")
        if found == wanted or (math.isnan(found) and math.isnan(wanted)):
            return
        slack = 0.0
        if not in_order and not self.loss.signature.additive:
            slack = 1e-10 * abs(wanted)
        elif not in_order and not math.isfinite(wanted):  # what overflows on the way depends on the order
            return
        elif not in_order:
            with np.errstate(all="ignore"):
                slack = 1e-14 * np.abs(self.known("value", "none", way)).sum() / self.divisor(reduction)
        if not abs(found - wanted) <= slack:
            raise Failure(f"{name}: {reduction} is {found!r}, but {wanted!r} in a plain call")

    @property
    def least(self) -> float:
        """What a loss of 0 may be: IPO's constant 1 / (2 beta) is no number of float32."""
        return 1e-13 if isinstance(self.loss, fl.IPO) else 1e-44  # less than float32 holds

    def _check_state(self, name: str, state, chosen: np.ndarray, way: Way) -> None:
        """The fields by plain NumPy from the losses of the elements."""
        if ((self.missing | self.broken) & self.counted).any():
            return
        each = self.known("value", "none", way)
        with np.errstate(all="ignore"):
            factor = np.where(chosen & self.counted, self.weight_of, 0)
            weight = np.where(factor != 0, factor * self.units(), 0)
            each = np.where(factor != 0, each, 0)  # already times the factor
            # `each` is rounded to the working precision, and added up one by one in float64.
            eps = 4 * float(way.precision.eps) + each.size * 2.0**-52 + self.divisor_error("mean")
            if np.abs(each).max(initial=0) > 1e150:  # its square is no number
                return
            summed = 1e-14 + self.divisor_error("mean")
            least = self.least
            if way.single and not np.isfinite(each).all():  # what lies beside such a loss is computed in float64, too
                error = self._oracle(way.precision).value.error
                least = least + oracle.FACTOR * float(np.where(factor != 0, error, 0).max(initial=0))
            size = np.abs(each)
            error = eps * size + least * np.maximum(factor, weight)
            wanted = {
                "count": ((self.counted & chosen).sum(), 0), "weight": (weight.sum(), summed * weight.sum()),
                "total": (each.sum(), error.sum() + least * each.size),
                "square": ((weight**2).sum(), 1e-13 * (weight**2).sum()),
                "first": ((weight * each).sum(), (weight * error).sum() + summed * (weight * size).sum()),
                "second": ((each**2).sum(), (error * (4 * size + error)).sum()),
            }  # fmt: skip
        for field, (value, slack) in wanted.items():
            found = getattr(state, field)
            if math.isfinite(value) and math.isfinite(slack) and not abs(found - value) <= slack + 1e-300:
                raise Failure(f"{name}.{field} is {found!r}, must be {value!r}")

    # Random calls

    def _input(self, name: str, values: np.ndarray, types: list[np.dtype]) -> Given:
        """One of a few forms of an input."""
        pool = self._inputs[name]
        if len(pool) == FORMS:
            return pick(self.rng, pool)
        pool.append(given(self.rng, values, pick(self.rng, types)))
        return pool[-1]

    def _output(self, shape: tuple[int, ...]) -> Taken:
        pool = self._outputs[shape]
        if len(pool) == FORMS:
            return pick(self.rng, pool)
        pool.append(Taken(self.rng, shape, pick(self.rng, draws.FLOATS)))
        return pool[-1]

    def _verbs(self) -> list[str]:
        verbs = list(RESULTS)
        if not self.loss.signature.additive or (self.loss.signature.rowwise and not self.loss.curvature):
            verbs.remove("grad_and_hess")
        if self.loss.signature.additive:
            verbs += ["state", "states"] if self.shape and self.y.ndim else ["state"]
        return [*verbs, "rows"] if isinstance(self.loss, fl.CrossEntropy) else verbs

    def _random_call(self) -> None:
        rng = self.rng
        y, x = self._input("y_true", self.y, self.y_types), self._input("y_pred", self.x, self.x_types)
        self.forms.update(x.words)
        options = {"nan_policy": self.nan_policy, "num_threads": pick(rng, (None, 1, 2, 3))}
        if self.weight is not None:
            options["sample_weight"] = self._input("sample_weight", self.weight, self.weight_types).array
        if self.mask is not None:
            options["mask"] = self._input("mask", self.mask, [np.dtype(bool)]).array
        way = self._way(y.array.dtype.newbyteorder("="), x.array)
        target, verb = None if self.unlabelled else y.array, pick(rng, self._verbs())
        if verb in RESULTS:
            self._call(verb, target, x, options, way)
        else:
            getattr(self, f"_call_{verb}")(target, x.array, options, way)

    def _call(self, verb: str, y, x: Given, options: dict, way: Way) -> None:
        rng, array = self.rng, x.array
        reduction = pick(rng, REDUCTIONS) if self.loss.signature.additive else "mean"
        own = array.dtype.newbyteorder("=")
        outputs: dict = {}
        for what in RESULTS[verb]:
            if (what == "value" and reduction != "none") or chance(rng, 0.6):
                continue
            if what == "grad" and x.writeable and chance(rng, 0.4):
                output = x  # in place
            else:
                output = self._output(self.shape if what == "value" else self.x.shape)
            if output not in outputs.values():
                outputs[what], options[OUTPUTS[what]] = output, output.array
        found = self.call(self.loss, verb, y, array, reduction=reduction, **options)
        for what, result in zip(RESULTS[verb], found if len(RESULTS[verb]) == 2 else (found,), strict=True):
            if what == "value" and reduction != "none":
                self._check_reduced(verb, result, reduction, way)
                continue
            stored = own if what != "value" else draws.DOUBLE if own == draws.DOUBLE else draws.SINGLE
            if what in outputs:
                if result is not outputs[what].array:
                    raise Failure(f"{verb} returns another array than {OUTPUTS[what]}")
                result = outputs[what].read()
                stored = result.dtype
            self._check(verb, result, what, reduction, way, stored)

    def _call_state(self, y, x, options: dict, way: Way) -> None:
        state = self.call(self.loss, "state", y, x, **options)
        self._check_reduced("state.mean", state.mean, "mean", way, of_state=True)
        self._check_state("state", state, np.ones(self.shape, bool), way)

    def _call_states(self, y, x, options: dict, way: Way) -> None:
        groups = self.rng.integers(0, 3, self.shape[0])
        labels = groups if chance(self.rng, 0.5) else np.array(["a", "b", "c"])[groups]
        found = self.call(self.loss, "states", y, x, groups=labels, **options)
        if list(found) != np.unique(labels).tolist():
            raise Failure(f"states has the groups {list(found)}, must have {np.unique(labels).tolist()}")
        for label, state in found.items():
            self._check_state(f"states[{label}]", state, self.spread(labels == label), way)

    def _call_rows(self, y, x, options: dict, way: Way) -> None:
        wants_grad = chance(self.rng, 0.5)
        rows = self.call(self.loss, "rows", y, x, grad=wants_grad, **options)
        own = x.dtype.newbyteorder("=")
        stored = draws.DOUBLE if own == draws.DOUBLE else draws.SINGLE
        self._check("rows", rows.value, "value", "none", way, stored)
        if wants_grad:
            self._check("rows", rows.grad, "grad", "none", way, own)
        elif rows.grad is not None:
            raise Failure("rows returns a gradient that was not asked for")
        scores = np.moveaxis(self.x, self.axis, -1)
        if np.isnan(scores).any():
            return
        highest = scores.argmax(axis=-1)
        if not np.array_equal(rows.argmax, highest):
            raise Failure(f"rows.argmax is {rows.argmax!r}, must be {highest!r}; {scores!r}")
        labels = np.moveaxis(self.y, self.axis, -1).argmax(axis=-1) if self.dense else self.y
        if not np.isnan(self.y).any() and not np.array_equal(rows.correct, highest == labels):
            raise Failure(f"rows.correct is {rows.correct!r}, must be {highest == labels!r}")
        with way.precision, np.errstate(all="ignore"):
            lse = oracle.log_sum_exp(oracle.capped(self.loss, Bounded.exact(scores))[0])
            # Of a row of -inf alone it is -inf, and of one with inf inf.
            limit = np.isinf(scores).any(axis=-1) & np.isnan(lse.value)
            error = lse.error + way.precision.eps * np.abs(lse.value)
            wanted, error = np.where(limit, scores.max(axis=-1), lse.value), np.where(limit, 0, error)
            off = oracle.disagreement(rows.lse, wanted, error, stored, way.precision)
        if off is not None:
            raise Failure(f"rows.lse is {rows.lse[off]!r}, must be {wanted[off]!r}; {scores[off]!r}")

    def _call_of_copies(self) -> None:
        """The same elements many times over, so that there are chunks for several threads."""
        if not self.loss.signature.additive or not self.y.ndim or not self.shape or not self.x.size:
            return
        rng = self.rng
        copies = int(rng.integers(2, 20_000)) // self.x.size + 2
        along = int(self.axis == 0)  # the first axis of y_pred that is not of the classes
        y_type, x_type = pick(rng, self.y_types), pick(rng, self.x_types)
        with np.errstate(all="ignore"):
            y, x = self.y.astype(y_type), self.x.astype(x_type)
        x = given(rng, np.concatenate([x] * copies, axis=along), x_type).array
        y = None if self.unlabelled else np.concatenate([y] * copies, axis=along if self.dense else 0)
        options = self.options()
        options |= {
            name: np.concatenate([options[name]] * copies) for name in {"sample_weight", "mask"} & options.keys()
        }
        way = self._way(y_type, x)
        if way.class_major and self.n == 1:  # which no plain call of one row is
            return
        states = {}
        for threads in (1, 2, 3, None):
            options["num_threads"] = threads
            states[threads] = dataclasses.astuple(self.call(self.loss, "state", y, x, **options))
            if not same_bits(np.array(states[threads]), np.array(states[1])):
                raise Failure(f"the state of {copies} copies is {states}, by the number of threads")
            out, grad_out = np.empty((self.shape[0] * copies, *self.shape[1:])), np.empty(x.shape)
            results = {"reduction": "none", "out": out, "grad_out": grad_out}
            self.call(self.loss, "value_and_grad", y, x, **results, **options)
            for what, found, axis in (("value", out, 0), ("grad", grad_out, along)):
                if not same_bits(found, np.concatenate([self.known(what, "none", way)] * copies, axis=axis)):
                    raise Failure(f"{what} of {copies} copies with {threads} threads is not that of one")
