"""What a case of a loss consists of: the loss, its arrays and options, and which elements count."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

import fastloss as fl
from fastloss._core.parameters import ANY
from tests.fuzz import draws
from tests.fuzz.draws import BFLOAT16, chance, pick

MOODS = ("plain", "plain", "integers", "wide", "extreme", "infinite")
EXACT_IN_SINGLE = {np.dtype(t) for t in ("?", "i1", "i2", "u1", "u2", "f2", "f4")} | {BFLOAT16}
PAIRS = 130  # classes at most where every pair of them counts


class Drawn:
    """A case, drawn from a generator.

    Attributes
    ----------
    y, x, weight, mask : ndarray
        What is given, in float64, as numbers that all of `y_types`, `x_types` and `weight_types` hold.
    clean_y, clean_x : ndarray
        The same before targets went missing and junk came into elements that do not count.
    shape : tuple of int
        Of the elements, each of which has a loss: of `y_pred`, for rows without its class axis.
    missing, ignored, broken, counted : ndarray of bool
        Elements whose target is NaN; whose label is the ignored one; of which a prediction is NaN; that count.
    weight_of : ndarray
        The weight of each element, 0 for one that does not count.
    """

    def __init__(self, rng: np.random.Generator, cls: type | None = None) -> None:
        self.rng = rng
        self.loss = draws.a_loss(rng, cls)
        self.mood = pick(rng, MOODS)
        self.narrow = pick(rng, (*draws.FLOATS, draws.SINGLE, draws.DOUBLE))
        self.nan_policy = pick(rng, ("propagate", "propagate", "omit", "raise"))
        if self.loss.signature.rowwise:
            self._draw_rows()
        else:
            self._draw_elements()
        self.clean_y, self.clean_x = self.y.copy(), self.x.copy()
        self._draw_weights()
        self._lose_targets()
        self._draw_junk()
        if self.mood == "infinite":
            self._draw_infinities()
        self.x_types = draws.float_types(self.x)
        self.y_types = draws.float_types(self.y) + ([] if np.isnan(self.y).any() else draws.integer_types(self.y))
        if self.weight is not None:
            self.weight_types = draws.float_types(self.weight) + draws.integer_types(self.weight)
        optional = (
            self.loss.signature.rowwise and self.loss.signature.unsupervised and not (self.ignored | self.missing).any()
        )
        self.unlabelled = optional and chance(rng, 0.5)

    # Elements

    def _draw_elements(self) -> None:
        rng, loss, narrow, mood = self.rng, self.loss, self.narrow, self.mood
        self.axis, self.dense = None, False
        self.columns = loss.signature.losses
        shape = draws.shape_of_elements(rng)
        if not loss.signature.additive:  # of several outputs it is refused
            shape = (math.prod(shape),)
        target, prediction, second = loss.domains()
        y = draws.within(rng, target, shape, narrow, mood)
        x = draws.within(rng, prediction, shape + self.columns, narrow, mood)
        if target == prediction == ANY and chance(rng, 0.7):  # near the target
            around = y.reshape(y.shape + (1,) * len(self.columns))
            near = draws.representable(around + x * np.exp2(rng.integers(-9, 2, x.shape)), narrow)
            x = np.where(np.isfinite(near), near, x)
        if loss.signature.pair:
            x = np.stack([x, draws.within(rng, second, shape, narrow, mood)], axis=-1)
        self.y, self.x, self.shape = y, x, shape + self.columns

    # Rows

    def _draw_rows(self) -> None:
        rng, loss = self.rng, self.loss
        self.columns = ()
        self.dense = loss.signature.dense and (not loss.signature.labels or chance(rng, 0.5))
        self.shape, classes = draws.shape_of_rows(rng, PAIRS if isinstance(loss, fl.MultilabelMargin) else None)
        self.n, self.classes = math.prod(self.shape), classes
        axes = len(self.shape) + 1
        changes = {"axis": int(rng.integers(-axes, axes)) if chance(rng, 0.5) else -1}
        if "class_weight" in loss.parameters() and chance(rng, 0.4):
            changes["class_weight"] = tuple(rng.choice([0.0, 0.25, 0.5, 1.0, 2.0], classes).tolist())
        if "ignore_index" in loss.parameters():
            changes["ignore_index"] = pick(rng, (-100, -100, None, int(rng.integers(classes)), -1, 2**40))
        self.loss = replace(loss, **changes)
        self.axis = changes["axis"] % axes
        x = self._scores((self.n, classes))
        if self.dense:
            y = self._targets((self.n, classes))
        elif loss.between:
            y = draws.representable(rng.random(self.n) * (classes - 1), self.narrow)
            y = np.clip(np.where(rng.random(self.n) < 0.3, np.rint(y), y), 0, classes - 1)
        else:
            y = rng.integers(0, classes, self.n).astype(np.float64)
        self.y, self.x = self.outward(y), self.outward(x)

    def _scores(self, shape: tuple[int, int]) -> np.ndarray:
        rng, kind = self.rng, self.loss.scores
        x = 3 * rng.standard_normal(shape)
        of_row = (shape[0], 1)
        if self.mood == "integers":
            x = np.rint(x / 2)
        elif self.mood == "wide":
            x = x * np.exp2(rng.uniform(-12, 12, of_row))
        elif self.mood == "extreme":  # what other programs mask by; scores of any size
            x = np.where(rng.random(shape) < pick(rng, (0.3, 0.9)), pick(rng, (-1e4, -1e9, -1e30, 1e9)), x)
            x = x * np.where(rng.random(of_row) < 0.3, np.exp2(rng.uniform(-120, 110, of_row)), 1)
        if kind == "cosines":
            x = np.clip(x, -1, 1) if self.mood == "integers" else np.tanh(x / 3)
        elif kind != "logits":
            x = draws.log_softmax(x)
            x = np.exp(x) if kind == "probabilities" else x
        x = draws.representable(x, self.narrow)
        return np.where(np.isfinite(x), x, -1.0)

    def _targets(self, shape: tuple[int, int]) -> np.ndarray:
        rng, loss = self.rng, self.loss
        y = 2 * rng.standard_normal(shape)
        if loss.targets == "labels":
            y = (y > 1).astype(np.float64)
        elif loss.targets == "reals":
            y = np.rint(y) if chance(rng, 0.3) else y
        else:
            y = draws.log_softmax(y)
            if loss.targets == "probabilities":
                y = np.where(rng.random(shape) < 0.2, 0, np.exp(y))
                if chance(rng, 0.2):
                    y = np.eye(shape[1])[rng.integers(0, shape[1], shape[0])]
                if isinstance(loss, fl.ReverseKL) or loss.parameters().get("beta") == 1:
                    y = np.maximum(y, 0.01)  # it is infinite for a target of 0
        return draws.representable(y, self.narrow)

    def outward(self, flat: np.ndarray) -> np.ndarray:
        """From rows, with the classes last if there are any, to the caller's axes."""
        spread = flat.reshape(self.shape + flat.shape[1:])
        return np.ascontiguousarray(np.moveaxis(spread, -1, self.axis)) if flat.ndim > 1 else spread

    def inward(self, array: np.ndarray) -> np.ndarray:
        """The reverse."""
        if array.ndim == len(self.shape):
            return array.reshape(self.n)
        return np.moveaxis(array, self.axis, -1).reshape(self.n, self.classes)

    # Options, and what does not count

    def _draw_weights(self) -> None:
        rng = self.rng
        self.weight = self.mask = None
        shapes = [self.shape, self.shape[:1]] if self.shape else [self.shape]
        if chance(rng, 0.5):
            self.weight = draws.weights(rng, pick(rng, shapes))
        if chance(rng, 0.4):
            self.mask = rng.random(pick(rng, shapes)) < 0.7

    def _lose_targets(self) -> None:
        rng, y = self.rng, self.y
        self.missing = np.zeros(self.shape, bool)
        if y.size and not self.columns and self.nan_policy != "raise" and chance(rng, 0.25):
            hit = rng.random(y.shape) < 0.15
            y[hit] = math.nan
            self.missing = hit.any(axis=self.axis) if self.dense else hit
        self.ignored = np.zeros(self.shape, bool)
        ignored = None if self.dense else self.loss.parameters().get("ignore_index")
        if ignored is not None:
            if chance(rng, 0.5):
                y[(rng.random(y.shape) < 0.2) & ~self.missing] = ignored
            self.ignored = y == ignored
        self.counted = ~self.ignored if self.mask is None else self.spread(self.mask) & ~self.ignored
        if self.nan_policy == "omit":
            self.counted &= ~self.missing
        self.weight_of = np.where(self.counted, 1.0 if self.weight is None else self.spread(self.weight), 0.0)

    def _draw_junk(self) -> None:
        """Anything may be in elements that do not count."""
        idle = self.weight_of == 0
        self.broken = np.zeros(self.shape, bool)
        if self.columns or not self.loss.signature.additive or not chance(self.rng, 0.5):
            return
        self.x[self.per_prediction(idle)] = pick(self.rng, (math.nan, math.inf, 3.0))
        if not (self.ignored | self.missing).any():
            self.y[self.per_prediction(idle) if self.dense else idle] = pick(self.rng, (77.0, -7.0, 0.5))

    def _draw_infinities(self) -> None:
        """Infinite predictions, and NaN, in elements that count."""
        rng, loss = self.rng, self.loss
        bounded = not loss.signature.rowwise and any(domain != ANY for domain in loss.domains()[1:])
        if bounded or chance(rng, 0.3):
            return
        active = self.per_prediction(self.weight_of != 0)
        highest = -math.inf if loss.signature.rowwise and loss.scores == "log_probabilities" else math.inf
        hit = active & (rng.random(self.x.shape) < 0.15)
        self.x[hit] = self.clean_x[hit] = rng.choice([highest, -math.inf], self.x.shape)[hit]
        if chance(rng, 0.3):
            hit = active & (rng.random(self.x.shape) < 0.1)
            self.x[hit] = math.nan
            self.broken = self._broken(hit)

    def _broken(self, nan: np.ndarray) -> np.ndarray:
        """The elements that NaN among the predictions make NaN."""
        loss = self.loss
        if not loss.signature.rowwise:
            return nan.any(axis=-1) if loss.signature.pair else nan
        if isinstance(loss, fl.NegativeLogLikelihood):  # reads the label's score alone
            label = np.expand_dims(self.clean_y.astype(np.intp), self.axis)
            return np.take_along_axis(nan, label, self.axis).squeeze(self.axis)
        if isinstance(loss, fl.MultilabelSoftMargin) and loss.class_weight:  # a class of weight 0 does not count
            return (np.moveaxis(nan, self.axis, -1) & (np.array(loss.class_weight) != 0)).any(axis=-1)
        return nan.any(axis=self.axis)

    # What follows

    def spread(self, array: np.ndarray) -> np.ndarray:
        """Weights or a mask for every element."""
        return np.broadcast_to(array.reshape(array.shape + (1,) * (len(self.shape) - array.ndim)), self.shape)

    def per_prediction(self, array: np.ndarray) -> np.ndarray:
        """Something of the elements' shape for each entry of y_pred."""
        if self.loss.signature.rowwise:
            return np.broadcast_to(np.expand_dims(array, self.axis), self.x.shape)
        return np.broadcast_to(array[..., np.newaxis], self.x.shape) if self.loss.signature.pair else array

    def in_single(self, y_type: np.dtype, x_type: np.dtype) -> bool:
        """Whether a call is computed in float32."""
        if self.loss.signature.rowwise:
            exact = not self.dense or y_type in EXACT_IN_SINGLE
        else:
            exact = y_type in EXACT_IN_SINGLE or (y_type.kind in "bui" and self.loss.domains()[0].bounded)
        return exact and x_type != draws.DOUBLE

    def units(self) -> np.ndarray:
        """The weight of each element in a mean besides its sample weight."""
        weights = self.loss.parameters().get("class_weight")
        if weights is None or isinstance(self.loss, fl.MultilabelSoftMargin):
            return np.ones(self.shape)
        if self.dense:  # the mean under the targets; of none, and of a missing one, 1
            y = np.moveaxis(self.y, self.axis, -1)
            mean = (y * np.array(weights)).sum(axis=-1) / y.sum(axis=-1)
            return np.where(np.isnan(mean), 1.0, mean)
        known = (self.y >= 0) & (self.y < self.classes)
        return np.where(known, np.array(weights)[np.where(known, self.y, 0).astype(np.intp)], 1.0)

    def divisor(self, reduction: str) -> float:
        if reduction == "mean":
            return float(np.where(self.weight_of != 0, self.weight_of * self.units(), 0).sum())
        return float(self.counted.sum()) if reduction == "batch_mean" else 1.0

    def divisor_error(self, reduction: str) -> float:
        """... relative to it: sums over the classes of targets times their weights."""
        summed = self.loss.signature.rowwise and self.dense and self.loss.parameters().get("class_weight")
        return self.classes * 2.0**-52 if summed and reduction == "mean" else 0.0

    def options(self) -> dict:
        given = {"nan_policy": self.nan_policy, "sample_weight": self.weight, "mask": self.mask}
        return {name: value for name, value in given.items() if value is not None}

    def point(self, at: tuple[int, ...]) -> str:
        """The element or the row of an index, for a report."""
        if not at and self.x.size != 1:
            return ""
        if not self.loss.signature.rowwise:
            return f"y_true {self.y[at[: self.y.ndim]]!r}, y_pred {self.x[at[: len(self.shape)]]!r}"
        row = at if len(at) == len(self.shape) else at[: self.axis] + at[self.axis + 1 :]
        y = np.moveaxis(self.y, self.axis, -1)[row] if self.dense else self.y[row]
        return (
            f"y_true {y!r}, y_pred {np.moveaxis(self.x, self.axis, -1)[row]!r}" if self.classes < 12 else f"row {row}"
        )
