"""What every loss does besides mathematics: its declaration, the registry, the public verbs."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import Field, FrozenInstanceError, dataclass, field, fields, is_dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, NoReturn, TypeAlias, TypeVar, dataclass_transform, overload

import numpy as np
from numpy.typing import ArrayLike

from fastloss._core.evaluation import Evaluation, Floats, NanPolicy, Reduction, Specification
from fastloss._core.parameters import ANY, Domain, check_names, checked
from fastloss._core.parameters import choice as choice
from fastloss._core.parameters import integer as integer
from fastloss._core.parameters import number as number
from fastloss._core.parameters import numbers as numbers
from fastloss._core.parameters import weights as weights
from fastloss._core.runtime import GRAD, HESS, VALUE
from fastloss._core.signature import ELEMENTWISE, Shape, Signature
from fastloss._core.sums import SumEvaluation, common, composed
from fastloss.state import GroupStates, LossState

_L = TypeVar("_L", bound="Loss")
HessianApproximation: TypeAlias = Literal["own", "floored", "constant", "none"]
Scores: TypeAlias = Literal[
    "values", "logits", "scores", "probabilities", "log_probabilities", "means", "log_means", "log_amounts", "cosines",
    "distances", "log_ratios", "quantiles", "pairs_of_scores", "means_and_variances", "means_and_log_deviations",
    "locations_and_log_scales", "embeddings", "boxes", "rotated_boxes",
]  # fmt: skip
registry: dict[str, type[Loss]] = {}

# What the predictions of a loss are; the documentation of every loss begins with it.
PREDICTIONS: dict[Scores, str] = {
    "values": "a value in the units of the target",
    "logits": "a logit",
    "scores": "a score",
    "probabilities": "a probability",
    "log_probabilities": "the logarithm of a probability",
    "means": "the mean",
    "log_means": "the logarithm of the mean",
    "log_amounts": "the logarithm of an amount",
    "cosines": "a cosine",
    "distances": "a distance",
    "log_ratios": "a difference of log-ratios of probabilities",
    "quantiles": "one value for each quantile",
    "pairs_of_scores": "two scores",
    "means_and_variances": "a mean and a variance",
    "means_and_log_deviations": "a mean and the logarithm of a standard deviation",
    "locations_and_log_scales": "a location and the logarithm of a scale",
    "boxes": "a box, four numbers",
    "rotated_boxes": "a rotated box, five numbers",
    "embeddings": "an embedding, a row of features",
}
RAW: tuple[Scores, ...] = ("logits", "scores")  # any real number, without a scale of its own


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def loss(*aliases: str, name: str | None = None) -> Callable[[type[_L]], type[_L]]:
    """Enter a loss in the registry under its names.

    The function is named as the class in snake case unless `name` says otherwise; `aliases` are the further names
    that people type by habit.
    """

    def declare(cls: type[_L]) -> type[_L]:
        cls.function_name = name or _snake(cls.__name__)
        cls.aliases = aliases
        if Loss.__doc__ and cls.__doc__:  # python -OO drops the first, and a dataclass makes the second
            cls.__doc__ = _Docstring(cls.__doc__)  # type: ignore[assignment]
        registry[cls.function_name] = cls
        return cls

    return declare


def prediction(cls: type[Loss]) -> str:
    """What one prediction of a loss is, in words; of a loss of rows, for each class."""
    losses = [cls(**parameters) for parameters in ({}, *cls.variants)]
    words = ", or ".join(PREDICTIONS[scores] for scores in dict.fromkeys(loss.scores for loss in losses))
    return words + (" for each class" if losses[0].signature.rowwise else "")


def with_common(documentation: str, common: dict[str, str]) -> str:
    """A docstring with what is common in place of its names in braces, each on a line of its own."""
    for name, text in common.items():
        found = documentation.find(f"{{{name}}}\n")
        if found >= 0:
            indent = documentation[documentation.rfind("\n", 0, found) + 1 : found]
            lines = text.strip("\n").replace("\n", "\n" + indent)
            documentation = documentation.replace(f"{{{name}}}\n", lines + "\n")
    return documentation


class _Docstring:
    """The docstring of a loss, with what a prediction is after the summary; it is put in when someone reads it."""

    def __init__(self, written: str) -> None:
        self._written = written

    def __get__(self, made: Loss | None, cls: type[Loss]) -> str:
        summary, _, rest = self._written.partition("\n\n")
        indent = rest[: -len(rest.lstrip())]
        return f"{summary}\n\n{indent}A prediction is {prediction(cls)}.\n\n{rest}"


class _ParameterSignature:
    """What `inspect` and `help` show of a class: its parameters. Of an object they show how it is called."""

    def __get__(self, made: Loss | None, cls: type[Loss]) -> inspect.Signature | None:
        if made is not None or not is_dataclass(cls) or cls.__init__ is not Loss.__init__:
            return None
        either, by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        given = sorted(fields(cls), key=lambda f: bool(f.kw_only))
        return inspect.Signature(
            [
                inspect.Parameter(f.name, by_name if f.kw_only else either, default=f.default, annotation=f.type)
                for f in given
            ],
            return_annotation=None,
        )


# Losses -------------------------------------------------------------------------------------------


@dataclass_transform(frozen_default=True, field_specifiers=(field, number, numbers, choice, integer, weights))
class Loss:
    """A loss function: a value for each target and prediction, its derivatives, and their reductions.

    Concrete losses declare their parameters as fields, the domains of their arrays, and the kernel that holds
    their formula. All of them are frozen, hashable and picklable, and are called alike.

    Attributes
    ----------
    signature : Signature
        What a call takes and returns: the arrays and what of each belongs to one target, and whether the loss of a
        sample is a mean of losses.
    scores : str
        What `y_pred` holds: "values" in the units of the targets, "logits", "scores", "probabilities", "log_means", and
        so on; the documentation of each loss begins with it.
    hessian_approximation : {"own", "floored", "constant", "none"}
        What a Newton step, as gradient boosting takes it, divides the gradient by: the loss's own curvature, which
        is then never negative, and 0 beside a gradient only by underflow or for a target at the end of its domain;
        the same with a floor, where it is negative in places and without bound in others; a constant, where it is 0
        or negative in places; or nothing, since the gradient is 0 everywhere.
    reweighted : bool
        Whether the slope over the residual, the weight of iteratively reweighted least squares, is bounded and falls
        as the residual grows, so that a parabola of that curvature majorizes the loss: it touches it at the residual
        and lies nowhere below.
    """

    function_name: ClassVar[str]
    aliases: ClassVar[tuple[str, ...]]
    kernel: ClassVar[str]
    signature: ClassVar[Signature] = ELEMENTWISE
    scores: ClassVar[Scores]
    target: ClassVar[Domain] = ANY
    prediction: ClassVar[Domain] = ANY
    second_prediction: ClassVar[Domain] = ANY
    variants: ClassVar[tuple[dict[str, Any], ...]] = ({},)
    hessian_approximation: ClassVar[HessianApproximation] = "own"
    reweighted: ClassVar[bool] = False
    common: ClassVar[dict[str, str]] = {}  # what docstrings of a family share, by the names in braces that stand for it
    _evaluation: ClassVar[type[Evaluation]] = Evaluation  # what checks its arrays and reduces its results
    _sum_type: ClassVar[Callable[..., Loss]]  # what a sum of losses that take the same arrays is
    _spec: Specification

    # Losses are dataclasses, whose methods are written here once: made for each of them by `exec`, as `dataclass` does,
    # they would take half of the time of the import.

    _fields: ClassVar[dict[str, Field[Any]]] = {}
    __match_args__: ClassVar[tuple[str, ...]]  # those that may be given by position
    __signature__ = _ParameterSignature()

    def __init_subclass__(cls) -> None:
        made: Any = dataclass(init=False, repr=False, eq=False)(cls)
        cls._fields = {f.name: f for f in fields(made)}
        if cls.common and cls.__doc__:
            cls.__doc__ = with_common(cls.__doc__, cls.common)

    def __init__(self, *values: Any, **parameters: Any) -> None:
        cls = type(self)
        owner = cls.__name__
        if not hasattr(cls, "function_name"):
            raise TypeError(
                f"{owner}: it has no formula, must be one of fastloss.registry's classes, such as fastloss.Huber()"
            )
        known, by_position = cls._fields, cls.__match_args__
        arrays = [value for value in values if hasattr(value, "__len__") and not isinstance(value, str)]
        if len(arrays) > 1 or parameters.keys() & _CALL:
            raise TypeError(
                f"{owner}: arrays or options of a call are given, must be the loss's parameters; make the loss and call"
                f" it, as {owner}()(y_true, y_pred), or call the function, {cls.function_name}(y_true, y_pred)"
            )
        check_names(owner, parameters, list(known))
        if len(values) > len(by_position):
            names = ", ".join(by_position) or "none"
            raise TypeError(f"{owner}: {len(values)} parameters are given by position, must be at most {names}")
        given = dict(zip(by_position, values, strict=False))
        for name in given.keys() & parameters:
            raise TypeError(f"{owner}: {name} is given twice, must be given by position or by name")
        given |= parameters
        for name, parameter in known.items():
            value = checked(owner, name, given.get(name, parameter.default), parameter.metadata)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_spec", self._specified())

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.parameters().items())
        return f"{type(self).__qualname__}({shown})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Loss) or type(other) is not type(self):
            return NotImplemented
        return self.parameters() == other.parameters()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((type(self), *self.parameters().values()))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise FrozenInstanceError(f"{type(self).__name__}: {name} cannot be set, make another loss")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"{type(self).__name__}: {name} cannot be deleted, make another loss")

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.parameters())

    def parameters(self) -> dict[str, Any]:
        """The parameters by name.

        Returns
        -------
        dict
            With which the class makes an equal loss.
        """
        return {name: getattr(self, name) for name in self._fields}

    def domains(self) -> tuple[Domain, Domain, Domain]:
        """The domains of `y_true`, `y_pred`, and of the second prediction where there are two.

        Returns
        -------
        tuple of Domain
            What the elements must lie in, given the parameters.
        """
        return self._target_domain(), self._prediction_domain(), self.second_prediction

    # Sums, which are losses again

    def _terms(self) -> tuple[tuple[float, Loss], ...]:
        return ((1.0, self),)

    def __mul__(self, factor: Any) -> Loss:
        if isinstance(factor, bool) or not isinstance(factor, (int, float, np.integer, np.floating)):
            return NotImplemented
        number = float(factor)
        if not 0 < abs(number) < math.inf:
            raise ValueError(f"{type(self).__name__}: it is multiplied by {number}, must be finite and not 0")
        return self._sum_type(*((number * weight, loss) for weight, loss in self._terms()))

    __rmul__ = __mul__

    def __add__(self, other: Any) -> Loss:
        return self._sum_type(*self._terms(), *other._terms()) if isinstance(other, Loss) else NotImplemented

    def __sub__(self, other: Any) -> Loss:
        return self + -1.0 * other if isinstance(other, Loss) else NotImplemented

    def __neg__(self) -> Loss:
        return -1.0 * self

    def __radd__(self, other: Any) -> Loss:
        return self if isinstance(other, (int, float)) and other == 0 else NotImplemented  # the start of sum()

    # What a loss may say of itself beyond its declaration

    def _specified(self) -> Specification:
        return Specification.of(type(self).__name__, *self._kernel(), self.domains())

    def _kernel(self) -> tuple[str, dict[str, float]]:
        """The kernel's name and the constants of its formula by name, up to four; by default the parameters."""
        return self.kernel, {name: float(value) for name, value in self.parameters().items()}

    def _target_domain(self) -> Domain:
        return self.target

    def _prediction_domain(self) -> Domain:
        return self.prediction

    # A call, whatever the arrays

    def _called(self, arrays: Sequence[Any], *options: Any) -> Any:
        """A call of arrays in the order of the signature; the options are those of an evaluation."""
        return self._evaluation(self, *arrays, *options)

    def _outlined(self, arrays: Sequence[Any], *options: Any) -> Any:
        """A call that is checked and never run, of arrays that stand for others of their shapes and types."""
        return self._called(arrays, *options)

    def _core_axes(self, core: Shape, ndim: int) -> tuple[int, ...]:
        """Of an array of so many axes those that belong to one element, by its core dimensions."""
        return tuple(range(max(0, ndim - len(core)), ndim))

    def __dask_tokenize__(self) -> tuple[str, str]:
        return type(self).__module__, repr(self)

    def _axes_of_losses(self, ndim: int) -> tuple[int | None, ...]:
        """The axis of the first prediction, of so many, that each axis of the losses is; None where it has length 1."""
        core = self._core_axes(self.signature.predictions[0].shapes[0], ndim)
        without = core[len(self.signature.losses) :]
        return tuple(axis for axis in range(ndim) if axis not in without)

    def _shape_of_losses(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the losses, given that of the first prediction."""
        return tuple(1 if axis is None else shape[axis] for axis in self._axes_of_losses(len(shape)))

    @property
    def _separate(self) -> bool:
        """Whether a number of a prediction is in the loss of its own index alone."""
        return self.signature.additive and not any(argument.shared for argument in self.signature.predictions)

    # The public verbs

    @overload
    def __call__(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Literal["mean", "batch_mean", "sum"] = ...,
        nan_policy: NanPolicy = "propagate",
        out: None = None,
        num_threads: int | None = None,
    ) -> float: ...

    @overload
    def __call__(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Literal["none"],
        nan_policy: NanPolicy = "propagate",
        out: Floats | None = None,
        num_threads: int | None = None,
    ) -> Floats: ...

    def __call__(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        out: Floats | None = None,
        num_threads: int | None = None,
    ) -> Any:
        """Compute the loss.

        Parameters
        ----------
        y_true : array_like
            Targets, in the domain that the loss states. Any array that NumPy views without a copy, of any real
            type, layout and byte order. None only where the loss says so.
        y_pred : array_like
            Predictions, of exactly the shape that belongs to `y_true`; nothing is broadcast.
        sample_weight : array_like, optional
            Finite and not negative, of `y_pred`'s shape or one for each index of its first axis. An element of
            weight 0 contributes exactly 0, even where its loss is infinite or NaN.
        mask : array_like of bool, optional
            True where an element counts, of `y_pred`'s shape or one for each index of its first axis.
        reduction : {"mean", "batch_mean", "sum", "none"}
            The sum of weighted losses over the sum of weights; over the number of elements that are neither
            masked nor omitted; the sum; or an array of weighted losses.
        nan_policy : {"propagate", "omit", "raise"}
            What a NaN in `y_true` does: make the result NaN, leave the element out of sums and counts, or raise.
            One that is not left out counts as any other in the divisor of a mean.
        out : ndarray, optional
            Where to write the losses of ``reduction="none"``; any floating-point type. An error leaves it as it was,
            a call that Ctrl-C ends may leave it partly written.
        num_threads : int, optional
            Threads to use. By default as many as OpenMP's settings, the processor affinity and the control
            group's quota allow and the work feeds. The result has the same bits for every number.

        Returns
        -------
        float or ndarray
            The reduced loss; for "none" an array, float32 for predictions of 32 bits or fewer, else float64.

        Notes
        -----
        Sums are in float64, also of losses that are too large for float32. A residual, or a difference of logits,
        that overflows its own type counts as infinite. A row of classes that is NaN has NaN derivatives throughout.
        """
        evaluation = self._evaluation(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads)
        return evaluation.reduced(VALUE, reduction, out)[0]

    def grad(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        grad_out: Floats | None = None,
        num_threads: int | None = None,
    ) -> Floats:
        """Compute the gradient of exactly the reduced loss in `y_pred`.

        Parameters
        ----------
        y_true, y_pred, sample_weight, mask, nan_policy, num_threads
            As for calling the loss.
        reduction : {"mean", "batch_mean", "sum", "none"}
            The reduction whose gradient is wanted; that of "sum" and "none" is the derivative of each weighted loss.
        grad_out : ndarray, optional
            Where to write the gradient; any floating-point type. May be `y_pred` itself.

        Returns
        -------
        ndarray
            Of `y_pred`'s shape and, unless `grad_out` is given, its type.
        """
        evaluation = self._evaluation(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads)
        grad: Floats = evaluation.reduced(GRAD, reduction, grad_out=grad_out)[1]
        return grad

    def value_and_grad(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        out: Floats | None = None,
        grad_out: Floats | None = None,
        num_threads: int | None = None,
    ) -> tuple[Any, Floats]:
        """Compute the loss and its gradient in one pass.

        Parameters
        ----------
        y_true, y_pred, sample_weight, mask, reduction, nan_policy, out, num_threads
            As for calling the loss.
        grad_out : ndarray, optional
            As for the gradient.

        Returns
        -------
        value : float or ndarray
            What calling the loss returns, to the bit.
        grad : ndarray
            What `grad` returns, to the bit.
        """
        evaluation = self._evaluation(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads)
        return evaluation.reduced(VALUE | GRAD, reduction, out, grad_out)[:2]

    def grad_and_hess(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        reduction: Reduction = "mean",
        nan_policy: NanPolicy = "propagate",
        grad_out: Floats | None = None,
        hess_out: Floats | None = None,
        num_threads: int | None = None,
    ) -> tuple[Floats, Floats]:
        """Compute the gradient and the diagonal of the Hessian in one pass.

        Parameters
        ----------
        y_true, y_pred, sample_weight, mask, reduction, nan_policy, grad_out, num_threads
            As for the gradient.
        hess_out : ndarray, optional
            Where to write the diagonal; any floating-point type.

        Returns
        -------
        grad : ndarray
            Of `y_pred`'s shape and type.
        hess : ndarray
            Likewise. At a kink the second derivative is the one stated with the loss.
        """
        evaluation = self._evaluation(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads)
        return evaluation.reduced(GRAD | HESS, reduction, grad_out=grad_out, hess_out=hess_out)[1:]

    def state(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: NanPolicy = "propagate",
        num_threads: int | None = None,
    ) -> LossState:
        """Compute the mergeable state of these elements: sums, counts and the spread of their losses.

        Parameters
        ----------
        y_true, y_pred, sample_weight, mask, nan_policy, num_threads
            As for calling the loss.

        Returns
        -------
        LossState
            Its `mean` is what calling the loss returns, but for the rounding of the sum there.
        """
        return self._evaluation(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads).state()

    def states(
        self,
        y_true: ArrayLike | None,
        y_pred: ArrayLike,
        *,
        groups: Any,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: NanPolicy = "propagate",
        num_threads: int | None = None,
    ) -> GroupStates:
        """Compute the mergeable state of each group of elements.

        Parameters
        ----------
        y_true, y_pred, sample_weight, mask, nan_policy, num_threads
            As for calling the loss.
        groups : array_like, Series, Index or table of pandas, Polars or Arrow, or dict of columns
            The group of each index of `y_pred`'s first axis: numbers, strings, dates or other hashable labels; tuples
            of them for several columns of a table, dict or structured array. Missing labels (NaN, NaT, None, null) are
            one group, NaN.

        Returns
        -------
        GroupStates
            A mapping from each label, in sorted order, to the LossState of its elements, which is what `state` returns
            for them alone, to one unit in the last place; and their means, standard errors and sums as arrays. A group
            whose elements are all masked or omitted is there, with a count of 0. Every number of threads gives the same
            bits.

        Notes
        -----
        Losses are computed a chunk at a time and added up while they are cached, with no more memory than some eight
        megabytes and 128 bytes for each group, twice that with weights, a mask or omitted targets. Integers that lie
        close together, however many, are groups at once; other labels are looked up first, by the library that holds
        them.

        Examples
        --------
        >>> import fastloss as fl
        >>> by_site = fl.AbsoluteError().states([0.0, 0.0, 0.0], [1.0, 2.0, 4.0], groups=["b", "a", "b"])
        >>> {site: state.mean for site, state in by_site.items()}
        {'a': 2.0, 'b': 2.5}
        """
        from fastloss._core.groups import states  # a call of many milliseconds: the import of the package is spared

        return states(self._evaluation(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads), groups)


class WeightedSum(Loss):
    r"""A weighted sum of losses of the same arrays, which ``+``, ``-`` and ``*`` make of them.

    .. math::

        \ell = \sum_k c_k \ell_k
        \qquad \frac{\partial \ell}{\partial \hat y} = \sum_k c_k \frac{\partial \ell_k}{\partial \hat y}

    It is called as its losses are. A mean is the weighted sum of their means, each of which has its own divisor, such
    as that of its class weights.

    Parameters
    ----------
    *terms : tuple of float and Loss
        Factors, finite and not 0, and the losses that they multiply.

    Notes
    -----
    Sums of elementwise losses are computed in one pass, with the formulas of all of them for a block of elements while
    it is in the first-level cache; sums of others a piece of the arrays at a time, which stays in the second-level
    cache. Negative factors are allowed, as for a penalty of confidence: ``CrossEntropy() - 0.1 * SoftmaxEntropy()``.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss = fl.SquaredError() + 0.5 * fl.AbsoluteError()
    >>> loss
    SquaredError(half=False) + 0.5 * AbsoluteError()
    >>> loss.value_and_grad([0.0, 0.0], [1.0, -2.0])
    (3.25, array([ 1.25, -2.25]))
    """

    terms: ClassVar[tuple[tuple[float, Loss], ...]]

    def __init__(self, *terms: tuple[float, Loss]) -> None:
        first = terms[0][1]
        for _, loss in terms:
            if loss.signature.names != first.signature.names:
                raise TypeError(
                    f"{type(loss).__name__}: it takes {', '.join(loss.signature.names)}, must take"
                    f" {', '.join(first.signature.names)} to be added to {first!r}"
                )
        object.__setattr__(self, "terms", tuple((float(weight), loss) for weight, loss in terms))
        object.__setattr__(self, "_spec", self._specified())

    def _terms(self) -> tuple[tuple[float, Loss], ...]:
        return self.terms

    def _of_elements(self) -> bool:
        """Whether one kernel computes all of the losses."""
        losses = [loss for _, loss in self.terms]
        return all(
            loss._evaluation is Evaluation and loss.signature == losses[0].signature and loss._spec.by_column is None
            for loss in losses
        )

    def _core_axes(self, core: Shape, ndim: int) -> tuple[int, ...]:
        return self.terms[0][1]._core_axes(core, ndim)

    def _specified(self) -> Specification:
        if self._of_elements():
            return composed(repr(self), self.terms, self.domains())
        return replace(self.terms[0][1]._spec, owner=repr(self))

    def domains(self) -> tuple[Domain, Domain, Domain]:
        y, x, z = map(common, zip(*(loss.domains() for _, loss in self.terms), strict=True))
        return y, x, z

    def parameters(self) -> dict[str, Any]:
        return {"terms": self.terms}

    def __repr__(self) -> str:
        return " + ".join(repr(loss) if weight == 1 else f"{weight!r} * {loss!r}" for weight, loss in self.terms)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.terms

    @property
    def _separate(self) -> bool:
        return all(loss._separate for _, loss in self.terms)

    @cached_property
    def signature(self) -> Signature:  # type: ignore[override]
        return self.terms[0][1].signature

    @property
    def scores(self) -> Scores:  # type: ignore[override]
        return self.terms[0][1].scores

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        own = all(weight > 0 and loss.hessian_approximation == "own" for weight, loss in self.terms)
        return "own" if own else "floored"

    @property
    def reweighted(self) -> bool:  # type: ignore[override]
        return all(weight > 0 and loss.reweighted for weight, loss in self.terms)

    @cached_property
    def _evaluation(self) -> Any:  # type: ignore[override]
        return Evaluation if self._of_elements() else SumEvaluation


Loss._sum_type = WeightedSum

_CALL = inspect.signature(Loss.__call__).parameters.keys()


def require_loss(owner: str, given: Any) -> None:
    """Refuse what is no loss object, such as a function or a class."""
    if not isinstance(given, Loss):
        raise TypeError(f"{owner}: loss is {given!r}, must be a loss object such as fastloss.Huber()")


def _rebuild(cls: type[_L], parameters: dict[str, Any]) -> _L:
    return cls(**parameters)
