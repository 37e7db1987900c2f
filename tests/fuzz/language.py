"""Cases of what is built on cross-entropy: scores of tokens and sequences, shards of a vocabulary, linear layers."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import numpy as np

import fastloss as fl
from tests.fuzz import draws, oracle
from tests.fuzz.bounds import DOUBLE, SINGLE, Bounded
from tests.fuzz.draws import chance, pick
from tests.fuzz.layouts import given
from tests.fuzz.refusals import Failure

FORMS = 8  # calls with other types and layouts of one draw


def _agree(name, found, wanted, error, stored, precision) -> None:
    off = oracle.disagreement(found, wanted, error, np.dtype(stored), precision)
    if off is not None:
        raise Failure(f"{name} is {np.asarray(found)[off]!r}, must be {wanted[off]!r} within {error[off]!r}")


def _same(name, found, wanted) -> None:
    if not np.array_equal(found, wanted):
        raise Failure(f"{name} is {found!r}, must be {wanted!r}")


class _Case:
    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.calls: Counter = Counter()
        self.forms: Counter = Counter()
        self.mood = pick(rng, ("plain", "plain", "ties", "wide", "masked"))
        self.narrow = pick(rng, draws.FLOATS)
        self._draw()

    def _logits(self, shape) -> np.ndarray:
        x = 3 * self.rng.standard_normal(shape)
        if self.mood == "ties":
            x = np.rint(x / 3)
        elif self.mood == "wide":
            x = x * 2.0 ** self.rng.integers(-6, 9)
        elif self.mood == "masked":
            masked = self.rng.random(shape) < pick(self.rng, (0.3, 0.9))
            x = np.where(masked, pick(self.rng, (-1e4, -1e30, -math.inf)), x)
        return draws.representable(x, self.narrow)

    def _count(self) -> None:
        self.calls[type(self).__name__] += 1


class Tokens(_Case):
    """`token_logprobs` and `sequence_logprobs`."""

    def _draw(self) -> None:
        rng = self.rng
        self.classes = int(pick(rng, (1, 2, 3, 5, 9, 40, 64, 159, 160, 161, 300)))
        self.shape = tuple(int(n) for n in rng.integers(1, 6, int(rng.integers(1, 3))))
        self.x = self._logits((*self.shape, self.classes))
        self.y = rng.integers(0, self.classes, self.shape)
        self.options = {
            "temperature": float(pick(rng, (1.0, 1.0, 0.5, 2.0, 0.7))), "softcap": float(pick(rng, (0.0, 0.0, 5.0))),
            "ignore_index": pick(rng, (-100, None, 0, 2**40)),
        }  # fmt: skip
        if self.options["ignore_index"] is not None and chance(rng, 0.5):
            self.y[rng.random(self.shape) < 0.2] = self.options["ignore_index"]

    def run(self) -> None:
        rng, options = self.rng, self.options
        ignored = np.zeros(self.shape, bool) if options["ignore_index"] is None else self.y == options["ignore_index"]
        label = np.where(ignored, 0, self.y)
        known: dict = {}
        right = (self.x.argmax(axis=-1) == self.y) & ~ignored
        types, y_types = draws.float_types(self.x), draws.integer_types(self.y.astype(np.float64))
        with np.errstate(all="ignore"):
            for _ in range(FORMS):
                self._count()
                x, y = given(rng, self.x, pick(rng, types)), given(rng, self.y, pick(rng, y_types))
                scores = fl.token_logprobs(x.array, y.array, num_threads=pick(rng, (None, 1, 2, 3)), **options)
                single = x.array.dtype.newbyteorder("=") != draws.DOUBLE
                precision = SINGLE if single else DOUBLE
                if precision not in known:
                    known[precision] = self._expected(precision, label)
                logprob, entropy = known[precision]
                stored = np.float32 if single else np.float64
                for name, part in (("logprob", logprob), ("entropy", entropy)):
                    wanted = np.where(ignored, 0, part.value)
                    error = np.where(ignored, 0, np.where(np.isnan(wanted), math.inf, part.error))
                    _agree(f"token_logprobs.{name}", getattr(scores, name), wanted, error, stored, precision)
                _same("token_logprobs.greedy", scores.greedy, right)
                if not (x.untouched() and y.untouched()):
                    raise Failure("token_logprobs changed an input")
            self._sequences(x.array, y.array, scores, ignored)

    def _expected(self, precision, label):
        """Log-probability and entropy of each token."""
        softmax = fl.SoftmaxEntropy(temperature=self.options["temperature"], softcap=self.options["softcap"])
        with precision:
            z, _ = oracle.capped(softmax, Bounded.exact(self.x))
            lse = oracle.log_sum_exp(z)
            logprob = np.take_along_axis(z, label[..., np.newaxis], axis=-1)[..., 0] - lse
            log_p = z - lse[..., np.newaxis]
            p = np.exp(log_p)
            entropy = -np.where(p > 0, p * log_p, 0.0).sum(axis=-1)
        entropy.value = np.where(np.isnan(lse.value), lse.value, entropy.value)
        return logprob, entropy

    def _sequences(self, x, y, scores, ignored) -> None:
        self._count()
        tokens = int(np.prod(self.shape))
        offsets = np.sort(self.rng.integers(0, tokens + 1, int(self.rng.integers(1, 6))))
        ragged = chance(self.rng, 0.5)
        found = fl.sequence_logprobs(x, y, offsets if ragged else None, **self.options)
        ends = offsets if ragged else np.arange(0, tokens + 1, self.shape[-1])
        pieces = [slice(a, b) for a, b in itertools.pairwise(ends)]
        logprob, counted = scores.logprob.ravel().astype(np.float64), ~ignored.ravel()
        wanted = np.array([logprob[piece].sum() for piece in pieces])
        size = np.array([np.abs(logprob[piece]).sum() for piece in pieces])
        slack = 1e-13 * np.nan_to_num(size).max(initial=0)
        if not np.allclose(found.logprob.ravel(), wanted, rtol=0, atol=slack, equal_nan=True):
            raise Failure(f"sequence_logprobs.logprob is {found.logprob!r}, must be {wanted!r}")
        _same("sequence_logprobs.tokens", found.tokens.ravel(), [counted[piece].sum() for piece in pieces])
        greedy = scores.greedy.ravel() | ~counted
        _same("sequence_logprobs.greedy", found.greedy.ravel(), [greedy[piece].all() for piece in pieces])


class Segments(_Case):
    """`segment_sum`."""

    def _draw(self) -> None:
        self.values = self._logits((int(self.rng.integers(0, 40)),))

    def run(self) -> None:
        rng, values = self.rng, self.values
        types = draws.float_types(values) + draws.integer_types(values)
        for _ in range(FORMS):
            self._count()
            offsets = np.sort(rng.integers(0, len(values) + 1, int(rng.integers(1, 9))))
            one = given(rng, values, pick(rng, types))
            kind = pick(rng, [np.dtype(t) for t in ("i1", "u1", "i4", "i8", "u8")])
            found = fl.segment_sum(one.array, given(rng, offsets, kind).array)
            with np.errstate(invalid="ignore"):
                wanted = np.array([values[a:b].sum() for a, b in itertools.pairwise(offsets)])
                finite = values[np.isfinite(values)]
                near = np.abs(found - wanted) <= 1e-13 * np.abs(finite).sum()
            if not (near | (found == wanted) | (np.isnan(found) & np.isnan(wanted))).all():
                raise Failure(f"segment_sum is {found!r}, must be {wanted!r}")


class Shards(_Case):
    """`ShardState`: the loss and the gradient of whole rows from any shards in any order."""

    def _draw(self) -> None:
        rng = self.rng
        self.n, self.classes = int(rng.integers(1, 9)), int(pick(rng, (2, 3, 7, 40, 200)))
        self.loss = fl.CrossEntropy(
            temperature=float(pick(rng, (1.0, 0.5, 2.0))), softcap=float(pick(rng, (0.0, 0.0, 4.0))),
            z_loss=float(pick(rng, (0.0, 0.0, 0.25))), ignore_index=pick(rng, (-100, None, 1)),
            axis=pick(rng, (0, 1, -1)),
        )  # fmt: skip
        self.x = self._logits((self.n, self.classes))
        self.y = rng.integers(0, self.classes, self.n)
        if self.loss.ignore_index is not None and chance(rng, 0.5):
            self.y[rng.random(self.n) < 0.2] = self.loss.ignore_index
        cuts = np.unique(rng.integers(1, self.classes, int(rng.integers(0, 4))))
        self.parts = [slice(int(a), int(b)) for a, b in zip([0, *cuts], [*cuts, self.classes], strict=True)]

    def run(self) -> None:
        rng, loss, rows_first = self.rng, self.loss, self.loss.axis in (1, -1)
        x = self.x if rows_first else self.x.T
        dtype = pick(rng, [t for t in draws.float_types(self.x) if t in (draws.SINGLE, draws.DOUBLE)])
        y_types = [t for t in draws.integer_types(self.y.astype(np.float64)) if t.kind != "b"]
        pieces = [given(rng, x[:, part] if rows_first else x[part], dtype).array for part in self.parts]
        order = rng.permutation(len(pieces))
        states = []
        for k in order:
            self._count()
            labels = given(rng, self.y, pick(rng, y_types)).array
            states.append(fl.ShardState.of(loss, labels, pieces[k], first_class=self.parts[k].start))
        whole = fl.ShardState.merge(states)
        weight = draws.weights(rng, (self.n,)) if chance(rng, 0.5) else None
        precision = SINGLE if dtype == draws.SINGLE else DOUBLE
        counted = np.ones(self.n, bool) if loss.ignore_index is None else self.y != loss.ignore_index
        weight_of = np.where(counted, 1.0 if weight is None else weight, 0.0)
        with np.errstate(all="ignore"):
            expected = oracle.of_rows(loss, np.where(counted, self.y, 0), self.x, precision)
            for reduction in ("none", "sum", "mean", "batch_mean"):
                divisor = {"mean": weight_of.sum(), "batch_mean": counted.sum()}.get(reduction, 1)
                used = weight_of != 0
                value = np.where(used, weight_of * expected.value.value, 0)
                error = np.where(used, weight_of * expected.value.error, 0)
                error = np.where(np.isnan(value), math.inf, error)
                self._count()
                found = whole.value(sample_weight=weight, reduction=reduction)
                if reduction == "none":
                    _agree("ShardState.value", found, value, error, np.float64, precision)
                elif divisor and np.isfinite(value).all():
                    total = np.asarray(value.sum() / divisor), np.asarray(error.sum() / divisor)
                    _agree(f"ShardState.value of {reduction}", np.asarray(found), *total, np.float64, precision)
                factor = (weight_of / divisor if divisor else np.zeros(self.n))[:, np.newaxis]
                grad = np.where(factor != 0, factor * expected.grad.value, 0)
                slack = np.where(factor != 0, factor * expected.grad.error + precision.least, 0)
                slack = np.where(np.isnan(grad), math.inf, slack)
                for part, piece in zip(self.parts, pieces, strict=True):
                    self._count()
                    found = whole.grad(piece, first_class=part.start, sample_weight=weight, reduction=reduction)
                    found = found if rows_first else found.T
                    _agree(f"ShardState.grad of {reduction}", found, grad[:, part], slack[:, part], dtype, precision)
            if not np.isinf(self.x).any():
                with precision:
                    z, _ = oracle.capped(loss, Bounded.exact(self.x))
                    lse = oracle.log_sum_exp(z)
                _agree(
                    "ShardState.lse", whole.lse[counted], lse.value[counted], lse.error[counted], np.float64, precision
                )


class Layers(_Case):
    """`linear_cross_entropy` and its gradients."""

    def _draw(self) -> None:
        rng = self.rng
        self.mood = "plain"
        self.n, self.features, self.classes = (
            int(v) for v in (rng.integers(1, 9), rng.integers(1, 6), rng.integers(1, 12))
        )
        self.dtype = pick(rng, (draws.SINGLE, draws.DOUBLE))
        self.options = {
            "label_smoothing": pick(rng, (0.0, 0.25)), "temperature": pick(rng, (1.0, 2.0)),
            "softcap": pick(rng, (0.0, 4.0)), "z_loss": pick(rng, (0.0, 0.125)),
            "ignore_index": pick(rng, (-100, None)),
        }  # fmt: skip
        if chance(rng, 0.3):
            self.options["class_weight"] = tuple(rng.choice([0.5, 1.0, 2.0], self.classes).tolist())
        self.hidden, self.weight, self.bias = (
            rng.integers(-8, 9, shape) / 8
            for shape in ((self.n, self.features), (self.classes, self.features), (self.classes,))
        )
        self.y = rng.integers(0, self.classes, self.n)
        if self.options["ignore_index"] is not None:
            self.y[rng.random(self.n) < 0.1] = -100

    def _native(self, values: np.ndarray) -> np.ndarray:
        """In any layout; the products are NumPy's, of the byte order of the machine."""
        array = given(self.rng, values, self.dtype).array
        return array if array.dtype.isnative else array.astype(self.dtype)

    def run(self) -> None:
        rng = self.rng
        loss = fl.CrossEntropy(**self.options)
        # Sums of a few eighths are exact in either type, in any order: the logits are those of the layer.
        logits = self.hidden @ self.weight.T
        with_bias = chance(rng, 0.5)
        logits = logits + self.bias if with_bias else logits
        counted = np.ones(self.n, bool) if loss.ignore_index is None else self.y != loss.ignore_index
        sample_weight = draws.weights(rng, (self.n,)) if chance(rng, 0.5) else None
        mask = rng.random(self.n) < 0.8 if chance(rng, 0.5) else None
        counted &= True if mask is None else mask
        factor = np.where(counted, 1.0 if sample_weight is None else sample_weight, 0.0)
        label = np.where(self.y >= 0, self.y, 0)
        units = np.ones(self.n) if loss.class_weight is None else np.array(loss.class_weight)[label]
        precision = SINGLE if self.dtype == draws.SINGLE else DOUBLE
        expected = oracle.of_rows(loss, label, logits, precision)
        for _ in range(FORMS):
            reduction = pick(rng, ("mean", "batch_mean", "sum", "none"))
            divisor = {"mean": (factor * units).sum(), "batch_mean": counted.sum()}.get(reduction, 1)
            arrays = [self._native(array) for array in (self.hidden, self.weight)]
            arrays.append(given(rng, self.y, np.dtype("i8")).array)
            arrays.append(self._native(self.bias) if with_bias else None)
            options = self.options | {
                "sample_weight": sample_weight, "mask": mask, "reduction": reduction,
                "chunk_bytes": int(pick(rng, (1, 100, 1000, 1 << 26))), "num_threads": pick(rng, (None, 1, 2)),
            }  # fmt: skip
            self.calls[type(self).__name__] += 2
            plain = fl.linear_cross_entropy(*arrays, **options)
            value, grads = fl.linear_cross_entropy_value_and_grad(*arrays, **options)
            if not np.allclose(plain, value, rtol=1e-6 if precision is SINGLE else 1e-13, equal_nan=True):
                raise Failure(f"linear_cross_entropy is {plain!r}, with gradients {value!r}")
            if not divisor:
                continue
            losses, slack = factor * expected.value.value, factor * expected.value.error
            wide = np.dtype(np.float64)
            if reduction == "none":
                _agree("linear_cross_entropy", value, losses, slack, self.dtype, precision)
            else:
                total = (np.asarray(part.sum() / divisor) for part in (losses, slack))
                _agree(f"linear_cross_entropy of {reduction}", np.asarray(value), *total, wide, precision)
            scale = (factor / divisor)[:, np.newaxis]
            grad = expected.grad.value * scale
            error = (expected.grad.error + precision.eps * np.abs(expected.grad.value)) * scale
            for name, found, left, right in (
                ("hidden", grads.hidden, grad, self.weight), ("weight", grads.weight, grad.T, self.hidden),
                ("bias", grads.bias, grad.T, np.ones((self.n, 1))),
            ):  # fmt: skip
                if found is None:
                    continue
                spread = (error if name == "hidden" else error.T) @ np.abs(right)
                spread = spread + 8 * precision.eps * (np.abs(left) @ np.abs(right))
                wanted = left @ right
                _agree(f"{name} gradient", found.reshape(wanted.shape), wanted, spread, self.dtype, precision)
