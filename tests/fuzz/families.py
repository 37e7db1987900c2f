"""Cases of losses of vectors, boxes, regions and sequences, and of losses that are made of others."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np

import fastloss as fl
from fastloss import Loss
from fastloss._core.multi_input import MultiInputLoss
from fastloss._core.parameters import ANY
from fastloss.vectors.batches import BatchLoss
from tests.fuzz import draws
from tests.fuzz.draws import chance, pick
from tests.fuzz.layouts import Given, Taken, given
from tests.fuzz.losses import same_bits
from tests.fuzz.refusals import Failure
from tests.inputs import draw_arrays, family
from tests.reference import twin
from tests.support import DRAWN, EVERY

OTHERS = [loss for loss in EVERY if loss not in DRAWN]
CLASSES = list(dict.fromkeys(map(type, OTHERS)))
SIGMOIDS = [loss for loss in DRAWN if not loss.signature.rowwise and loss.scores == "probabilities"]
SIZES = (3, 20, 60, 200, 1000, 1000, 4000, 30_000)  # predicted numbers, roughly
CALLS = 40  # of a case of 1000 numbers
REDUCTIONS = ("mean", "batch_mean", "sum", "none")
STRUCTURE = {  # parameters that say what arrays a loss takes
    "axis", "blank", "class_weight", "format", "groups", "ignore_index", "log_target", "mode", "power", "quantiles",
    "reconstruction",
}  # fmt: skip
MOODS = ("plain", "plain", "wide", "equal", "broken")


def arrays_of(results: Any) -> list[Any]:
    """The gradients of a call as a list, of which one of a parameter is a number."""
    return list(results) if isinstance(results, tuple) else [results]


class Family:
    """One loss and its arrays; every call of them must agree with the plainest one, and that with the twin."""

    def __init__(self, rng: np.random.Generator, cls: type | None = None) -> None:
        self.rng = rng
        self.calls: Counter = Counter()
        self.forms: Counter = Counter()
        self.mood = pick(rng, MOODS)
        self.loss = self._a_loss(cls)
        self.size = int(pick(rng, SIZES))
        self.dtype = pick(rng, (*draws.FLOATS, draws.SINGLE, draws.DOUBLE))
        drawn = draw_arrays(self._drawn_by(), self.size, self.dtype, rng)
        self.whole = [array.dtype.kind in "iub" for array in drawn]
        named = [argument for argument in self.loss.signature.arguments if not argument.keyword]
        self.places = [argument in self.loss.signature.predictions for argument in named]
        self.shared = [argument.shared for argument in named]
        self.arrays = [self._changed(a, is_x) for a, is_x in zip(drawn, self.places, strict=True)]
        self.nan_policy = pick(rng, ("propagate", "omit", "raise"))
        self.shape = self._evaluation().shape
        self._draw_weights()

    def _a_loss(self, cls: type | None) -> Loss:
        cls = cls or pick(self.rng, CLASSES)
        return pick(self.rng, [loss for loss in OTHERS if type(loss) is cls])

    def _drawn_by(self) -> Loss:
        """The loss whose arrays are those of this one."""
        return self.loss

    def _changed(self, array: np.ndarray, is_prediction: bool) -> np.ndarray:
        """The array in the mood of the case; targets in any type that holds them."""
        rng = self.rng
        if not is_prediction:
            types = draws.float_types(array) + [t for t in draws.integer_types(array.astype(float)) if t.kind != "b"]
            return array.astype(pick(rng, types)) if array.dtype.kind in "iub" else array
        if self.mood == "equal" and array.ndim > 1 and len(array):
            array = array[rng.integers(0, max(1, len(array) // 3), len(array))]
        elif self.mood == "wide" and self._unbounded():
            sizes = np.exp2(rng.integers(-9, 6, (len(array),) + (1,) * (array.ndim - 1)))
            array = (array.astype(np.float64) * sizes).astype(array.dtype)
        return array

    def _unbounded(self) -> bool:
        """Whether predictions may have any size."""
        source = self._drawn_by()
        if isinstance(source, fl.VAE):
            source = fl.registry[source.reconstruction]()
        plain = isinstance(source, MultiInputLoss) or source.domains()[1] == ANY
        return plain and source.scores not in ("probabilities", "log_probabilities")

    def _draw_weights(self) -> None:
        """Weights and a mask; what has no weight may hold anything, where it is a part of the arrays."""
        rng = self.rng
        shapes = [self.shape, self.shape[:1]] if self.shape else [self.shape]
        source: Any = self._drawn_by()
        self.sorted = family(source) == "regions" and source.sorted
        weighted = []  # shapes of weights of errors that are sorted
        if family(source) == "regions":
            x = self.arrays[-1].shape
            elements = x if source.mode == "binary" else x[: source.axis] + x[source.axis + 1 :]
            shapes = [x[:1], elements]
            weighted = [x[:1]] if "image" in source.groups else []
        self.weights = shapes[0]
        self.options: dict[str, Any] = {"nan_policy": self.nan_policy}
        if chance(rng, 0.5) and (weighted or not self.sorted):
            self.options["sample_weight"] = draws.weights(rng, pick(rng, weighted if self.sorted else shapes))
        if chance(rng, 0.4):
            self.options["mask"] = rng.random(pick(rng, shapes)) < 0.7
        if self.mood != "broken" or isinstance(self.loss, BatchLoss) or not self.shape:
            return
        idle = np.zeros(self.arrays[-1].shape[:1], bool)
        for name, array in self.options.items():
            if name != "nan_policy" and array.ndim == 1 and len(array) == len(idle):
                idle |= array == 0
        if family(source) == "alignment":
            return  # the batch may be the second axis
        for k, (is_x, shared) in enumerate(zip(self.places, self.shared, strict=True)):
            if is_x and not shared and idle.any():
                self.arrays[k] = self.arrays[k].copy()
                self.arrays[k][idle] = pick(rng, (math.nan, math.inf, -3.0))

    def _evaluation(self) -> Any:
        if isinstance(self.loss, MultiInputLoss):
            return self.loss._evaluation(self.loss, self.loss._bound(self.arrays, {}))
        return self.loss._evaluation(self.loss, *self.arrays)

    # Calls

    def call(self, verb: str, arrays: list[np.ndarray], **options: Any) -> Any:
        self.calls[type(self.loss).__name__] += 1
        if verb == "function":
            return getattr(fl, self.loss.function_name)(*arrays, **options, **self.loss.parameters())
        return getattr(self.loss, verb)(*arrays, **options)

    def run(self) -> None:
        self.known = {
            reduction: self.call("value_and_grad", self.arrays, reduction=reduction, num_threads=1, **self.options)
            for reduction in (("mean",) if family(self._drawn_by()) == "aggregate" else REDUCTIONS)
        }
        self._judge()
        self._check_sums()
        for _ in range(max(4, min(CALLS, CALLS * 1000 // self.size))):
            self._random_call()
        self._must_refuse()

    def _must_refuse(self) -> None:
        """A call that is bad in one way, whose outputs must stay as they were."""
        rng, k = self.rng, int(self.rng.integers(len(self.arrays)))
        arrays, options = list(self.arrays), dict(self.options)
        places = [k for k, is_x in enumerate(self.places) if is_x]
        outputs = [Taken(rng, self.arrays[k].shape, self.arrays[k].dtype) for k in places]
        why = pick(rng, ("reduction", "weights", "weight", "text", "output"))
        if why == "reduction":
            options["reduction"] = "median"
        elif why == "weights":
            options["sample_weight"] = np.ones((7, 11, 13))
        elif why == "weight":
            options["sample_weight"] = np.full(self.weights or self.shape, pick(rng, (-1.0, math.inf, math.nan)))
            options.pop("mask", None)
            if not options["sample_weight"].size or self.sorted or self.nan_policy == "omit":
                return
        elif why == "text":
            arrays[k] = np.full(arrays[k].shape, "text")
        else:
            outputs[0] = Taken(rng, (3, *self.arrays[places[0]].shape), self.dtype)
        given_out = [output.array for output in outputs]
        options["grad_out"] = given_out[0] if len(places) == 1 else tuple(given_out)
        try:
            self.call("grad", arrays, **options)
        except (ValueError, TypeError) as error:
            terms = [type(loss).__name__ for _, loss in getattr(self.loss, "terms", ())]
            owners = [self.loss._spec.owner, type(self.loss).__name__, *terms]
            if not str(error).startswith(tuple(f"{owner}: " for owner in owners)):
                raise Failure(f"{why}: {error} does not name its loss") from error
        else:
            raise Failure(f"a bad call is not refused: {why}")
        if not all(output.untouched() for output in outputs):
            raise Failure(f"{why}: an output was written though the call was refused")

    def _judge(self) -> None:
        """Compare plain results with the twin's, in float64, of what is drawn as users have it."""
        if self.mood != "plain" or self.size > 1000:
            return
        wide = [a.astype(np.intp if whole else np.float64) for a, whole in zip(self.arrays, self.whole, strict=True)]
        value, grads = self.call("value_and_grad", wide, reduction=list(self.known)[-1])
        with np.errstate(all="ignore"):
            wanted = self._expected(wide)
        for name, mine, other in zip(("value", *["gradient"] * 9), [value, *arrays_of(grads)], wanted, strict=False):
            other = np.asarray(other, np.float64)
            if other.size and np.isfinite(other).all():
                off = np.abs(mine - other).max()
                if not off <= 1e-8 * max(np.abs(other).max(), 1e-3):
                    raise Failure(f"the {name} is {off!r} from the twin's")

    def _expected(self, wide: list[np.ndarray]) -> list[Any]:
        return [twin(self.loss)(*wide), *arrays_of(twin(self.loss, "_grad")(*wide))]

    def _check_sums(self) -> None:
        """Of weighted losses that are numbers, the reductions follow."""
        if "none" not in self.known or not self.loss.signature.additive:
            return
        losses = np.asarray(self.known["none"][0], np.float64)
        total = self.known["sum"][0]
        if np.isfinite(losses).all() and not abs(total - losses.sum()) <= 1e-6 * np.abs(losses).sum() + 1e-30:
            raise Failure(f"the sum is {total!r}, of losses that add up to {losses.sum()!r}")

    def _random_call(self) -> None:
        rng = self.rng
        forms = [given(rng, array, array.dtype) for array in self.arrays]
        self.forms.update(forms[-1].words)
        arrays = [form.array for form in forms]
        options = dict(self.options) | {"num_threads": pick(rng, (None, 1, 2, 3))}
        for name in ("sample_weight", "mask"):
            if name in options:
                options[name] = given(rng, options[name], options[name].dtype).array
        reduction = pick(rng, list(self.known))
        verb = pick(rng, ("__call__", "function", "grad", "value_and_grad"))
        if verb == "function" and type(self.loss) not in fl.registry.values():
            verb = "__call__"
        outputs: list[Taken | Given | None] = []
        if verb in ("grad", "value_and_grad") and chance(rng, 0.5):
            outputs = self._outputs(forms, options)
        found = self.call(verb, arrays, reduction=reduction, **options)
        value = found[0] if verb == "value_and_grad" else None if verb == "grad" else found
        wanted, wanted_grads = self.known[reduction]
        exact = all(_in_order(array) for array in arrays)
        if value is not None:
            self._check(f"{verb}, {reduction}", value, wanted, exact)
        if verb in ("grad", "value_and_grad"):
            grads = arrays_of(found[1] if verb == "value_and_grad" else found)
            for k, (mine, other) in enumerate(zip(grads, arrays_of(wanted_grads), strict=True)):
                output = outputs[k] if k < len(outputs) else None
                if output is not None:
                    if mine is not output.array:
                        raise Failure(f"{verb} returns another array than grad_out")
                    mine = output.read()
                if exact or not self.sorted:  # errors that are the same are taken as they lie in memory
                    self._check(f"{verb}, {reduction}, gradient {k}", mine, other, exact)
        for name, form in zip(self.loss.signature.names, forms, strict=False):
            if not form.untouched():
                raise Failure(f"a call changed {name}")

    def _outputs(self, forms: list[Given], options: dict[str, Any]) -> list[Taken | Given | None]:
        """Where gradients go: some to arrays of their own, some over what they are of."""
        rng, places = self.rng, [k for k, is_x in enumerate(self.places) if is_x]
        found: list[Taken | Given | None] = []
        for k in places:
            over = forms[k].writeable and chance(rng, 0.3)
            found.append(forms[k] if over else Taken(rng, self.arrays[k].shape, self.arrays[k].dtype))
            if chance(rng, 0.3) and len(places) > 1:
                found[-1] = None
        given_out = [None if output is None else output.array for output in found]
        options["grad_out"] = given_out[0] if len(places) == 1 else tuple(given_out)
        return found

    def _check(self, name: str, found: Any, wanted: Any, exact: bool) -> None:
        """To the bit, or where a sum is of another order as near as that brings it."""
        mine, other = np.asarray(found), np.asarray(wanted)
        if (mine.dtype, mine.shape) != (other.dtype, other.shape):
            raise Failure(f"{name} is {mine.dtype} of {mine.shape}, must be {other.dtype} of {other.shape}")
        if same_bits(mine, other):
            return
        mine, other = mine.astype(np.float64), other.astype(np.float64)
        finite = np.isfinite(other)
        slack = 1e-13 if self.dtype == draws.DOUBLE else 1e-5 if self.dtype == draws.SINGLE else 1e-2
        off = np.abs(mine - other)[finite]
        if exact or (off > slack * np.abs(other[finite]).max(initial=1e-2)).any():
            raise Failure(f"{name} differs by up to {off.max(initial=0)!r} from that of a plain call")


def _in_order(array: np.ndarray) -> bool:
    strides = [abs(s) for s, n in zip(array.strides, array.shape, strict=True) if n > 1]
    return strides == sorted(strides, reverse=True) and min(array.strides, default=0) >= 0


class Sum(Family):
    """A weighted sum of losses of the same arrays."""

    def _a_loss(self, cls: type | None) -> Loss:
        cls = cls or pick(self.rng, list(dict.fromkeys(map(type, EVERY))))
        first, second = (pick(self.rng, [loss for loss in EVERY if type(loss) is cls]) for _ in range(2))
        self.term = first
        if _structure(first) != _structure(second):
            return 2.0 * first
        return first + float(pick(self.rng, (0.5, -2.0, 1.0, 0.3))) * second

    def _drawn_by(self) -> Loss:
        return self.term

    def _check_sums(self) -> None:
        """Terms of both signs cancel."""

    def _expected(self, wide: list[np.ndarray]) -> list[Any]:
        reduction = list(self.known)[-1]
        parts = [(w, *loss.value_and_grad(*wide, reduction=reduction)) for w, loss in self.loss.terms]
        value = sum(w * part for w, part, _ in parts)
        grads = [[w * np.asarray(grad) for grad in arrays_of(part)] for w, _, part in parts]
        return [value, *(sum(column) for column in zip(*grads, strict=True))]


def _structure(loss: Loss) -> dict[str, Any]:
    """What says which arrays a loss takes and what has one, by name."""
    found = {name: loss.parameters()[name] for name in STRUCTURE & set(loss.parameters())}
    return found | {"scores": loss.scores, "axes": getattr(loss, "axes", None)}


class Chain(Family):
    """A loss of sigmoids."""

    def _a_loss(self, cls: type | None) -> Loss:
        self.term = pick(self.rng, SIGMOIDS)
        return fl.Chained(self.term, "sigmoid")

    def _drawn_by(self) -> Loss:
        return self.term

    def _expected(self, wide: list[np.ndarray]) -> list[Any]:
        y, z = wide
        p = 1 / (1 + np.exp(-z))
        value, grad = self.term.value_and_grad(y, p, reduction="none")
        return [value, grad * p * (1 - p)]
