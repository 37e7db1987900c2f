"""The loss of a variational autoencoder."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastloss._core.counting import counted, moments
from fastloss._core.evaluation import ABSENT, NAN_POLICIES, Array, Evaluation, Operand, Specification
from fastloss._core.loss import Loss, choice, loss, number
from fastloss._core.multi_input import MultiInputEvaluation, MultiInputLoss
from fastloss._core.operands import readable
from fastloss._core.parameters import NON_NEGATIVE
from fastloss._core.runtime import APART, GRAD, MOMENTS, VALUE
from fastloss._core.signature import Argument, Shape, Signature
from fastloss.elementwise.binary import BinaryCrossEntropy, BinaryCrossEntropyWithLogits
from fastloss.elementwise.residual import AbsoluteError, SquaredError

RECONSTRUCTIONS: dict[str, Loss] = {
    loss.function_name: loss
    for loss in (BinaryCrossEntropyWithLogits(), BinaryCrossEntropy(), SquaredError(), AbsoluteError())
}


def expm1_minus(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """:math:`e^x - 1 - x` with its relative accuracy near 0, where the three terms cancel."""
    near = np.abs(x) < 0.5
    small = np.where(near, x, 0.0)
    series = np.zeros_like(x)
    for n in range(15, 2, -1):  # x^2 / 2 (1 + x / 3 (1 + x / 4 (...)))
        series = small / n * (1 + series)
    return np.where(near, 0.5 * np.square(small) * (1 + series), np.expm1(x) - x)


def _flat(array: Array) -> tuple[int, int]:
    """The shape of an array with one axis of samples and one of their numbers, of which there may be none."""
    return array.shape[0], math.prod(array.shape[1:])


class VAEGrads(NamedTuple):
    """The gradient in each array that has one."""

    y_pred: Any
    mean: Any
    log_variance: Any


class VAEEvaluation(MultiInputEvaluation):
    """A call of the loss: its reconstruction by a kernel, and the divergence of the much smaller codes by NumPy."""

    __slots__ = ()

    _loss: VAE

    def _arrange(self) -> None:
        y, x, mean, log_variance = (one.array for one in self._arrays.values())
        self._x, self._x_code = x, self._arrays["y_pred"].code
        for name, array, shape in (
            ("y_pred", x, x.shape if x.ndim else ("samples", ...)),
            ("y_true", y, x.shape),
            ("mean", mean, (*x.shape[:1], *mean.shape[1:])),
            ("log_variance", log_variance, mean.shape),
        ):
            if array.shape != shape:
                raise ValueError(f"{self._spec.owner}: {name} has shape {array.shape}, must be {shape}")
        self._shape = self._loss._shape_of_losses(x.shape)
        self._settle()

    def _reconstruction(self, weight: Array | None, mask: Array | None) -> Evaluation:
        policy = next(name for name, code in NAN_POLICIES.items() if code == self._nan_policy)
        y, x = (self._arrays[name].public for name in ("y_true", "y_pred"))
        inner = RECONSTRUCTIONS[self._loss.reconstruction]
        evaluation = Evaluation(inner, y, x, weight, mask, policy, self._num_threads)
        evaluation._spec = replace(evaluation._spec, owner=self._spec.owner)
        return evaluation

    def _weights(self, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Of all samples, 0 for those that do not count."""
        given = self._weight.array
        if given is None:
            return kept.astype(np.float64)
        given = readable(given, self._weight.code).astype(np.float64)
        wrong = kept & ~(np.isfinite(given) & (given >= 0))
        if wrong.any():
            k = int(np.argmax(wrong))
            raise ValueError(f"{self._spec.owner}: sample_weight[{k}] is {given[k]}, must be finite and not negative")
        return np.where(kept, given, 0.0)

    def _codes(self, name: str) -> Array:
        """An array of one axis for samples and one for the numbers of their codes."""
        array = readable(self._arrays[name].array, self._arrays[name].code)
        codes: Array = array.reshape(_flat(array)).astype(np.float64)
        return codes

    def _run(
        self, operation: int, scale: float, value: Operand = ABSENT, grads: tuple[Operand, ...] = (),
        hess: Operand = ABSENT, check: bool = True,
    ) -> tuple[float, ...]:  # fmt: skip
        kept = counted(self._shape, mask=self._kept.array)
        weight = self._weights(kept)
        sums = float(weight.sum()), float(kept.sum())
        weighted = self._reconstruction(self._weight.array, self._kept.array)
        if check or not operation:
            weighted.divisor("sum")
        if not operation:
            return 0.0, *sums
        total = 0.0
        means, log_variances = self._codes("mean"), self._codes("log_variance")
        with np.errstate(all="ignore"):
            divergence = 0.5 * (np.square(means) + expm1_minus(log_variances)).sum(axis=1)
            if operation & MOMENTS or value is not ABSENT:
                apart = self._reconstruction(None, weight > 0).reduced(VALUE, "none")[0]
                losses = apart.reshape(_flat(apart)).sum(axis=1, dtype=np.float64) + self._loss.beta * divergence
                losses = np.where(weight > 0, losses, 0.0)
                total = float(weight @ losses)
            elif operation & VALUE:
                of_codes = np.where(weight > 0, weight * divergence, 0.0).sum()
                total = weighted.reduced(VALUE, "sum")[0] + self._loss.beta * float(of_codes)
            if operation & APART:
                value.array[...] = losses
                if self._apart.array is not None:
                    self._apart.array[...] = np.where(kept, weight, -np.inf)
            elif value is not ABSENT:
                value.array[...] = weight * losses
            if operation & GRAD:
                weighted.reduced(GRAD, "sum", grad_out=grads[0].public, factor=scale, scratch=True)
                factor = (scale * self._loss.beta * weight)[:, np.newaxis]
                for grad, slope in zip(grads[1:], (means, 0.5 * np.expm1(log_variances)), strict=True):
                    found = np.where(factor != 0, factor * slope, 0.0)
                    np.copyto(grad.public, found.reshape(grad.array.shape), casting="unsafe")
        return (total, *sums, *moments(weight, losses)) if operation & MOMENTS else (total, *sums)


@loss("vae_loss")
class VAE(MultiInputLoss):
    r"""Variational autoencoder's loss: what it takes to reconstruct a sample, and how far its code is from noise.

    With the targets :math:`y`, their reconstruction :math:`\hat y`, and a code whose numbers have the means :math:`\mu`
    and the logarithms of variances :math:`l`,

    .. math::

        \ell = \sum_i \ell_0(y_i, \hat y_i) - \frac\beta2 \sum_j \left(1 + l_j - \mu_j^2 - e^{l_j}\right)

    .. math::

        \frac{\partial \ell}{\partial \hat y_i} = \ell_0'(y_i, \hat y_i)
        \qquad \frac{\partial \ell}{\partial \mu_j} = \beta \mu_j
        \qquad \frac{\partial \ell}{\partial l_j} = \frac\beta2 \left(e^{l_j} - 1\right)

    Parameters
    ----------
    reconstruction : str, default="binary_cross_entropy_with_logits"
        The loss :math:`\ell_0` of an element: that, "binary_cross_entropy" of probabilities, "squared_error" or
        "absolute_error".
    beta : float, default=1.0
        The factor :math:`\beta` of the divergence; not negative.

    See Also
    --------
    BinaryCrossEntropyWithLogits : The default reconstruction.

    Notes
    -----
    Shapes: `y_true` and `y_pred` are of one shape, whose first axis is that of the samples; so are `mean` and
    `log_variance`, with any axes after it. There is one loss for each sample, which weights and masks are of too. The
    reduction is over samples: the elements of a sample and the numbers of its code are summed, as the evidence's lower
    bound has them, where some tutorials take their means and thereby another beta.

    Domain: `y_true` and `y_pred` as the reconstruction states; `mean` and `log_variance` are any real numbers. The
    gradient in the code's sample, which the reconstruction was made of, is the caller's: it adds to these of `mean` and
    `log_variance` through the reparameterization.

    Numerics: the divergence is in float64; where a variance is near 1 a series takes the place of
    :math:`e^l - 1 - l`, which would cancel.

    References
    ----------
    .. [1] D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014, arXiv:1312.6114.
    .. [2] I. Higgins et al., "beta-VAE: learning basic visual concepts with a constrained variational framework",
       ICLR 2017.

    Examples
    --------
    >>> import fastloss as fl
    >>> value, grads = fl.VAE().value_and_grad([[1.0, 0.0]], [[0.0, 0.0]], [[1.0]], [[0.0]])
    >>> round(value, 6), grads.mean
    (1.886294, array([[1.]]))
    """

    signature = Signature(
        (Argument("y_true", (("feature",),), description="Targets: samples along the first axis."),),
        (
            Argument("y_pred", (("feature",),), description="Their reconstruction, of the shape of `y_true`."),
            Argument("mean", (("code",),), description="Means of the codes, samples along the first axis."),
            Argument("log_variance", (("code",),), description="Logarithms of their variances, of `mean`'s shape."),
        ),
    )
    scores = "values"
    variants = (
        {},
        {"reconstruction": "squared_error", "beta": 4.0},
        {"reconstruction": "absolute_error"},
        {"reconstruction": "binary_cross_entropy"},
    )
    gradients = VAEGrads
    _evaluation = VAEEvaluation
    reconstruction: str = choice(*RECONSTRUCTIONS, default="binary_cross_entropy_with_logits")
    beta: float = number(NON_NEGATIVE, default=1.0)

    def _core_axes(self, core: Shape, ndim: int) -> tuple[int, ...]:
        return tuple(range(1, ndim))

    def _specified(self) -> Specification:
        inner = RECONSTRUCTIONS[self.reconstruction]
        return replace(inner._spec, owner=type(self).__name__)
