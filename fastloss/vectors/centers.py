"""Losses of vectors and the centres of their classes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.counting import moments
from fastloss._core.evaluation import ABSENT, Operand
from fastloss._core.loss import loss, number
from fastloss._core.multi_input import Gradients
from fastloss._core.operands import FLOATS, readable
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE
from fastloss._core.runtime import APART, FLOAT32, FLOAT64, GRAD, MOMENTS, VALUE, enter_mode, leave_mode
from fastloss._core.signature import NUMBER, Argument, Signature
from fastloss._core.threads import threads_for
from fastloss.rowwise.softmax import CosFace
from fastloss.vectors.batches import between_products, compiled
from fastloss.vectors.vectors import FEATURES, Measure, VectorEvaluation, VectorLoss

COSINES = 1 << 20  # that are there at a time

CENTERED = Signature(
    (Argument("y_true", (NUMBER,), description="The class of each vector, an index of `centers`."),),
    (
        Argument("embeddings", FEATURES, description="Vectors along the last axis."),
        Argument("centers", (("class", "feature"),), shared=True, description="The centre of each class, in rows."),
    ),
)


class CenterGrads(NamedTuple):
    """The gradients in the vectors and in the centres of their classes."""

    embeddings: NDArray[Any]
    centers: NDArray[Any]


class CenterEvaluation(VectorEvaluation):
    """The arrays of one call of a loss of vectors and centres."""

    __slots__ = ("_island", "_looked_up")

    _loss: CenterLoss

    def _arrange(self) -> None:
        super()._arrange()
        center = self._arrays["centers"]
        if not center.array.shape[0]:
            raise ValueError(f"{self.owner}: centers has shape {center.array.shape}, must have at least one class")
        self._domains = (None,)  # labels are always checked
        self._looked_up = self.contiguous(center)
        self._island = self._loss._between(readable(center.array, center.code))
        self._spec = replace(self._spec, constants=(self._spec.constants[0], self._island[0]))

    def _rows(self) -> list[Operand]:
        return [self._arrays["embeddings"], self._looked_up]

    def _walked(self, array: Any) -> Any:
        return array if array is self._looked_up.array else super()._walked(array)

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        if not operation & GRAD:
            return super()._run(operation, scale, value, (), hess, check)
        embeddings, center = grads
        factors = np.empty_like(self._like(), dtype=np.float64, subok=False)
        self._coefficients = Operand("coefficients", factors, factors, FLOAT64)
        if np.may_share_memory(embeddings.array, self._x):  # the vectors are needed once more before they are gone
            super()._run(GRAD, scale, ABSENT, (ABSENT,), hess, check)
            total = self.class_sums(factors)
            sums = super()._run(operation, scale, value, (embeddings,), hess, check)
        else:
            sums = super()._run(operation, scale, value, (embeddings,), hess, check)
            total = self.class_sums(factors)
        self._coefficients = ABSENT
        slope = self._island[1]
        if slope is not None:
            mode = enter_mode()
            total += (scale * sums[1]) * slope
            leave_mode(mode)
        center.public[...] = total
        return sums

    def class_sums(self, factors: NDArray[np.float64]) -> NDArray[np.float64]:
        """For each class the sum of its centre's differences from its vectors, each times a factor."""
        sums = np.zeros(self._looked_up.array.shape)
        rows = self._rows()
        compiled.class_sums(
            self._spec.kernel,
            rows=tuple(self._walked(row.array) for row in rows),
            row_dtypes=tuple(row.code for row in rows),
            numbers=(self._walked(self._targets().array), None, None, None, None, self._walked(factors)),
            number_dtypes=(self._targets().code, 0, 0, 0, 0, FLOAT64),
            sums=sums,
            single=self._single,
            num_threads=threads_for(self._num_threads, self._x.size),
        )
        return sums

    def moved(self, rate: float) -> NDArray[Any]:
        """New centres, each this much nearer to the mean of its class."""
        self._run(0, 1.0)  # labels and mask
        factors = np.ones_like(self._like(), dtype=np.float64, subok=False)
        if self._kept.array is not None:
            factors[...] = self._kept.array
        labels = readable(self._targets().array, self._targets().code)[factors != 0]
        center = self._arrays["centers"]
        count = np.bincount(labels.astype(np.int64), minlength=len(center.array))[:, np.newaxis]
        mode = enter_mode()
        wide = readable(center.array, center.code).astype(np.float64)
        moved = wide - rate * self.class_sums(factors) / (1.0 + count)
        leave_mode(mode)
        result = self._result("centers", None, center.array, self._type_of_derivative(center.code))
        result.public[...] = moved
        public: NDArray[Any] = result.public
        return public

    def _refuse(self, where: str, target: Any) -> None:
        if target != target:
            super()._refuse(where, target)
        error = IndexError if target == np.floor(target) else ValueError
        classes = self._looked_up.array.shape[0]
        raise error(f"{self.owner}: y_true{where} is {target}, must be a class from 0 to {classes - 1}")


class CenterLoss(VectorLoss):
    """A loss of vectors and the centres of their classes."""

    _evaluation = CenterEvaluation
    kernel = "center"
    signature = CENTERED
    gradients: ClassVar[Gradients] = CenterGrads

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"factor": 0.5, "offset": 0.0}

    def _measured(self) -> tuple[Measure, float, float]:
        return "squared_euclidean", 0.0, 2.0

    def _between(self, center: NDArray[Any]) -> tuple[float, NDArray[np.float64] | None]:
        """What the centres alone have of a loss, and its gradient if there is one."""
        return 0.0, None

    def updated_centers(
        self,
        y_true: ArrayLike,
        embeddings: ArrayLike,
        centers: ArrayLike,
        *,
        rate: float = 0.5,
        mask: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> NDArray[Any]:
        r"""Move each centre towards the mean of its class in a batch.

        This is the rule of the article of the center loss, which takes the place of a gradient step for the centres:

        .. math::

            c_j \leftarrow c_j - \alpha \frac{\sum_{y_i = j} (c_j - x_i)}{1 + |\{i : y_i = j\}|}

        Parameters
        ----------
        y_true, embeddings, centers, mask, num_threads
            As for calling the loss.
        rate : float, default=0.5
            The rate :math:`\alpha`, from 0 to 1.

        Returns
        -------
        ndarray
            New centres, of the type of `centers`; those of classes that the batch does not have stay as they are.
        """
        owner = type(self).__name__
        if not 0 <= rate <= 1:
            raise ValueError(f"{owner}: rate is {rate!r}, must be in [0, 1]")
        loss = Center()
        return CenterEvaluation(loss, [y_true, embeddings, centers], None, mask, "raise", num_threads).moved(
            float(rate)
        )


@loss("center_loss")
class Center(CenterLoss):
    r"""Center loss: half the squared distance of a vector and the centre of its class.

    With the class :math:`y_i` of vector :math:`x_i` and the centres :math:`c`,

    .. math::

        \ell_i = \frac{1}{2} \|x_i - c_{y_i}\|^2 \qquad \frac{\partial \ell_i}{\partial x_i} = x_i - c_{y_i} \qquad
        \frac{\partial}{\partial c_j} \sum_i \ell_i = \sum_{y_i = j} (c_j - x_i)

    See Also
    --------
    Island : With centres that are driven apart.

    Notes
    -----
    Domain: `y_true` holds classes from 0 to the number of centres less 1, of any integer type or integral floats. The
    article's rule for the centres, which takes the place of their gradient, is the method `updated_centers`.

    Numerics: sums are in float64; the gradient in the centres adds up the vectors in their order, whatever the number
    of threads.

    References
    ----------
    .. [1] Y. Wen, K. Zhang, Z. Li, Y. Qiao, "A discriminative feature learning approach for deep face recognition",
       ECCV (2016), doi:10.1007/978-3-319-46478-7_31.

    Examples
    --------
    >>> import fastloss as fl
    >>> loss, center = fl.Center(), [[0.0, 0.0], [2.0, 2.0]]
    >>> value, grad = loss.value_and_grad([1, 1], [[3.0, 2.0], [2.0, 4.0]], center, reduction="sum")
    >>> value, grad.centers
    (2.5, array([[ 0.,  0.],
           [-1., -2.]]))
    >>> loss.updated_centers([1, 1], [[3.0, 2.0], [2.0, 4.0]], center, rate=0.75)
    array([[0.  , 0.  ],
           [2.25, 2.5 ]])
    """


@loss("island_loss")
class Island(CenterLoss):
    r"""Island loss: the center loss, with centres that are to point in opposite directions.

    .. math::

        \ell_i = \frac{1}{2} \|x_i - c_{y_i}\|^2 + \lambda \sum_j \sum_{k \ne j} (\cos(c_j, c_k) + 1)

    The gradient in the vectors is that of `Center`; in a centre it has besides, with the unit vectors
    :math:`\hat c = c / \|c\|` and :math:`s_j = \sum_{k \ne j} \hat c_k`, the derivative of the second term,

    .. math::

        \frac{2 \lambda}{\|c_j\|} \left( s_j - \hat c_j \, (\hat c_j \cdot s_j) \right)

    Parameters
    ----------
    island_weight : float, default=10.0
        The weight :math:`\lambda` of the second term; not negative.

    See Also
    --------
    Center : The first term alone, with a method for the article's rule for the centres.

    Notes
    -----
    Domain: as of `Center`. A centre of zeros has a cosine of 0 with any other, and no gradient of the second term. That
    term is part of the loss of each vector: a mean has it once, a sum as often as there are vectors.

    Numerics: as of `Center`. The double sum is :math:`\|\sum_j \hat c_j\|^2 - \sum_j \|\hat c_j\|^2` plus the number of
    pairs, in time and memory proportional to the centres, with an error of a few roundings to that number.

    References
    ----------
    .. [1] J. Cai, Z. Meng, A. S. Khan, Z. Li, J. O'Reilly, Y. Tong, "Island loss for learning discriminative features
       in facial expression recognition", FG (2018), arXiv:1710.03144.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Island(island_weight=0.5)([0], [[3.0, 2.0]], [[1.0, 2.0], [-2.0, 1.0]])
    3.0
    """

    variants = ({"island_weight": 0.5},)
    island_weight: float = number(NON_NEGATIVE, default=10.0)

    def _between(self, center: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
        value, slope = island(center)
        return self.island_weight * value, self.island_weight * slope


class MarginGrads(NamedTuple):
    """The gradients in the vectors, the directions of the classifier, and the centres of the classes."""

    embeddings: NDArray[Any]
    weight: NDArray[Any]
    centers: NDArray[Any]


class MarginEvaluation(CenterEvaluation):
    """One call of a loss of vectors and centres, and of the vectors' angles to the directions of classes."""

    __slots__ = ()

    _loss: AMSoftmaxIsland

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        if not operation:
            return super()._run(operation, scale, check=check)
        asked = self._apart
        shape, count = self._shape, math.prod(self._shape)
        losses, weights = np.empty(count), np.ones(count)
        self._apart = Operand(array=weights.reshape(shape), code=FLOAT64)
        super()._run(VALUE | APART, 1.0, Operand(array=losses.reshape(shape), code=FLOAT64), (), hess, check)
        self._apart = asked
        counted, weight = weights > -np.inf, np.where(weights > 0, weights, 0.0)
        dtype = FLOATS[FLOAT32 if self._single else FLOAT64]
        slopes = None
        if operation & GRAD:
            # The vectors may be written over, but not before they are read for the last time.
            slopes = np.empty((count, self._x.shape[-1]), dtype)
            room = slopes.reshape(self._x.shape)
            own = Operand("", room, room, FLOAT32 if self._single else FLOAT64)
            super()._run(GRAD, scale, ABSENT, (own, grads[2]), check=False)
        mode = enter_mode()
        with np.errstate(all="ignore"):
            of_weight = self._add_angles(losses, weight, scale, slopes, dtype)
        if slopes is not None:
            grads[0].public[...] = slopes.reshape(self._x.shape)
            grads[1].public[...] = of_weight
        weighted = np.where(weight > 0, losses, 0.0) * weight
        sums = (float(weighted.sum()), float(weight.sum()), float(np.count_nonzero(counted)))
        leave_mode(mode)
        if operation & APART:
            value.array[...] = losses.reshape(shape)
            if asked.array is not None:
                asked.array[...] = np.where(counted, weight, -np.inf).reshape(shape)
        elif value.array is not None:
            value.public[...] = weighted.reshape(shape)
        return (*sums, *moments(weight, losses)) if operation & MOMENTS else sums

    def _add_angles(
        self, losses: NDArray[Any], weight: NDArray[Any], scale: float, slopes: NDArray[Any] | None, dtype: Any
    ) -> NDArray[np.float64]:
        """Add the losses of the angles, and their slopes in the vectors; the gradient in the directions."""
        count, loss = len(losses), self._loss._of_angles
        targets, given = self._targets(), self._arrays["weight"]
        labels = readable(targets.array, targets.code).reshape(count)
        x = self._x.reshape(count, self._x.shape[-1])
        directions, lengths = directed(readable(given.array, given.code), dtype)
        total = np.zeros(directions.shape)
        step = max(1, min(count, COSINES // len(directions)))
        room, norms = np.empty((2, step, x.shape[-1]), dtype), np.empty(step)
        common = {"single": self._single, "num_threads": between_products(self._num_threads, room[0].size)}
        for first in range(0, count, step):
            part = slice(first, min(first + step, count))
            counts = weight[part] > 0
            (unit, along), norm = room[:, : len(counts)], norms[: len(counts)]
            compiled.unit_rows(x[part], self._x_code, unit, norm, **common)
            if not counts.all():
                unit[~counts], norm[~counts] = 0, 0  # whatever they are
            cosines = unit @ directions.T
            values, slope = loss.value_and_grad(
                labels[part], cosines, mask=counts, reduction="none", grad_out=cosines,
                num_threads=self._num_threads,
            )  # fmt: skip
            if slopes is not None:
                slope *= (scale * weight[part, np.newaxis]).astype(dtype)
                np.matmul(slope, directions, out=along)
                total += slope.T @ unit
                compiled.gradient_rows(None, self._x_code, along, unit, norm, None, **common)
                slopes[part] += along
            losses[part] += values
        return across(total, directions.astype(np.float64), lengths.astype(np.float64))


@loss("am_softmax_island_loss", name="am_softmax_island")
class AMSoftmaxIsland(CenterLoss):
    r"""Cosine-distance loss of facial expressions: the additive-margin softmax and the island loss.

    With the cosines :math:`x_{ik}` of vector :math:`i` and the directions :math:`w_k` of a classifier,

    .. math::

        \ell_i = \ell_{\text{CosFace}}(y_i, x_i) + \lambda_C \, \ell_{\text{Island}}(y_i, v_i, c) \qquad
        x_{ik} = \frac{v_i \cdot w_k}{\|v_i\| \, \|w_k\|} \qquad
        \frac{\partial x_{ik}}{\partial v_i}
        = \frac{1}{\|v_i\|} \left( \frac{w_k}{\|w_k\|} - x_{ik} \frac{v_i}{\|v_i\|} \right)

    Parameters
    ----------
    margin : float, default=0.35
        What is subtracted from the label's cosine; not negative.
    scale : float, default=10.0
        The factor of the cosines; positive.
    center_weight : float, default=0.01
        The weight :math:`\lambda_C` of the island loss; not negative.
    island_weight : float, default=10.0
        The weight of the cosines of centres within it, as of `Island`; not negative.

    See Also
    --------
    CosFace, Island : Its parts.

    Notes
    -----
    Domain: as of `Island`; `weight` has a direction for each class. A vector of zeros has a cosine of 0 with any other,
    and no gradient of it.

    Numerics: as of `CosFace` and `Island`. The cosines are products by BLAS, in float32 unless arrays are float64, of
    some vectors at a time.

    References
    ----------
    .. [1] H. Wu et al., "Facial expression recognition based on a loss of cosine distance", Laser & Optoelectronics
       Progress 56 (2019), doi:10.3788/LOP56.241502.

    Examples
    --------
    >>> import fastloss as fl
    >>> directions = centers = [[1.0, 0.0], [-1.0, 0.0]]
    >>> round(fl.AMSoftmaxIsland()([0, 1], [[1.0, 0.0], [-1.0, 1.0]], directions, centers), 6)
    0.002512
    """

    _evaluation = MarginEvaluation
    signature = Signature(
        CENTERED.targets,
        (
            CENTERED.predictions[0],
            Argument("weight", (("class", "feature"),), shared=True, description="A direction of each class, in rows."),
            CENTERED.predictions[1],
        ),
    )
    gradients: ClassVar[Gradients] = MarginGrads
    variants = (
        {"margin": 0.0, "scale": 3.0},
        {"center_weight": 0.5},
        {"island_weight": 0.25},
    )
    margin: float = number(NON_NEGATIVE, default=0.35)
    scale: float = number(POSITIVE, default=10.0)
    center_weight: float = number(NON_NEGATIVE, default=0.01)
    island_weight: float = number(NON_NEGATIVE, default=10.0)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"factor": 0.5 * self.center_weight, "offset": 0.0}

    @cached_property
    def _of_angles(self) -> CosFace:
        return CosFace(margin=self.margin, scale=self.scale, ignore_index=None)

    def _between(self, center: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
        value, slope = island(center)
        factor = self.center_weight * self.island_weight
        return factor * value, slope * factor


def directed(rows: NDArray[Any], dtype: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Unit vectors of the rows, zeros of zeros, and their norms, whose squares may overflow or vanish."""
    wide = rows.astype(dtype, order="C")
    largest = np.abs(wide).max(axis=1, initial=0, keepdims=True)
    np.divide(wide, largest, out=wide, where=largest != 0)
    norm = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    return np.divide(wide, norm, out=wide, where=norm != 0), largest * norm


def across(slope: NDArray[Any], unit: NDArray[Any], norm: NDArray[Any]) -> NDArray[Any]:
    """The gradient in vectors of that in their directions: what of it is across them, over their norms."""
    rest = slope - unit * (unit * slope).sum(axis=1, keepdims=True)
    found: NDArray[Any] = np.divide(rest, norm, out=np.zeros_like(rest), where=norm != 0)
    return found


def island(center: NDArray[Any]) -> tuple[float, NDArray[np.float64]]:
    """The sum of the cosines of all ordered pairs of centres, each plus 1, and its gradient."""
    mode = enter_mode()
    with np.errstate(all="ignore"):
        unit, norm = directed(center, np.float64)
        total = unit.sum(axis=0)
        value = float((total * total).sum() - (unit * unit).sum()) + len(center) * (len(center) - 1.0)
        slope = across(2 * (total - unit), unit, norm)
    leave_mode(mode)
    return max(value, 0.0) if value == value else value, slope
