"""Self-supervised losses of two views of a batch that compare features: what one says another must not say again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastloss._core.evaluation import Floats, Operand
from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE
from fastloss._core.signature import Argument, Signature
from fastloss.vectors.batches import BatchEvaluation, BatchLoss, Comparison, Doubles, Rows

VIEWS = Signature(
    (),
    (
        Argument("left", (("sample", "feature"),), description="A view of each sample."),
        Argument("right", (("sample", "feature"),), description="Another one, in the row of the same index."),
    ),
    additive=False,
)


class ViewGrads(NamedTuple):
    """The gradient in each array."""

    left: Floats
    right: Floats


class FeatureEvaluation(BatchEvaluation):
    """Features compared with features: the rows of transposed views."""

    __slots__ = ()

    def _arrange(self) -> None:
        super()._arrange()
        if len(self._x) < 2:
            name = self._loss.signature.predictions[0].name
            raise ValueError(f"{self._spec.owner}: {name} has {len(self._x)} rows, must have at least 2")

    def _views(self) -> list[Rows]:
        return [self._rows(argument.name, unit=False) for argument in self._loss.signature.predictions]

    def _features(self, left: Rows, right: Rows, constants: dict[str, float], scale: float, factor: float) -> Comparison:
        own = np.arange(len(left))
        kernel = self._spec.kernel
        return Comparison(
            kernel, kernel.constants(constants), left, right, row_codes=own, column_codes=own, own=own, paired=True,
            scale=scale, factor=factor, threads=self._num_threads,
        )  # fmt: skip


class BarlowEvaluation(FeatureEvaluation):
    """The correlation of the features of two views."""

    __slots__ = ()

    _loss: BarlowTwins

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Doubles:
        loss, views = self._loss, self._views()
        count = len(views[0])
        standard, deviations = [], []
        for view in views:
            centred = view.values - view.values.mean(axis=0, dtype=np.float64).astype(view.dtype)
            deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred, dtype=np.float64) / count + loss.eps)
            centred /= np.where(deviation > 0, deviation, 1).astype(view.dtype)
            standard.append(view.made_of(np.ascontiguousarray(centred.T)))
            deviations.append(deviation)
        constants = {"on": 1.0, "off": loss.lambd}
        comparison = self._features(*standard, constants, 1 / count, factor * float(weights))
        ones = np.ones(len(standard[0]))
        if not grads:
            return comparison.losses(ones)[0].sum()
        found, _, *gradients = comparison.losses_and_gradients(ones)
        for view, unit, deviation, gradient, result in zip(
            views, standard, deviations, gradients, grads, strict=True
        ):
            of_mean = gradient.mean(axis=1, keepdims=True)
            along = np.einsum("ij,ij->i", gradient, unit.values, dtype=np.float64) / count
            gradient -= of_mean
            gradient -= unit.values * along[:, np.newaxis].astype(view.dtype)
            gradient *= np.where(deviation > 0, 1 / deviation, 0)[:, np.newaxis].astype(view.dtype)
            view.finish(np.ascontiguousarray(gradient.T), result)
        return found.sum()


@loss("barlow_twins_loss")
class BarlowTwins(BatchLoss):
    r"""Barlow Twins: the correlation of the features of two views is to be the identity.

    With the features :math:`z` of each view less their mean, divided by their standard deviation
    :math:`\sqrt{v + \varepsilon}`, and :math:`C_{kl} = \frac1n \sum_i z^A_{ik} z^B_{il}`,

    .. math::

        \ell = \sum_k (1 - C_{kk})^2 + \lambda \sum_k \sum_{l \ne k} C_{kl}^2
        \qquad \frac{\partial \ell}{\partial C_{kk}} = -2 (1 - C_{kk})
        \qquad \frac{\partial \ell}{\partial C_{kl}} = 2 \lambda C_{kl}

    and the gradient in a view goes through its means and deviations.

    Parameters
    ----------
    lambd : float, default=0.0051
        The weight :math:`\lambda` of what is off the diagonal; not negative.
    eps : float, default=1e-05
        What is added to the variance, :math:`\varepsilon`; not negative. The variance is that of the n samples, as the
        authors' batch normalisation has it.

    See Also
    --------
    VICReg : Each view for itself.

    Notes
    -----
    Shapes: `left` and `right` are (n, features), n at least 2. The loss is one number for the batch, whatever the
    reduction, and a weight is one too.

    Domain: both views are any real numbers. A feature without variance has correlation 0 and with ``eps=0`` gradient 0.

    Numerics: means and variances are summed in float64. Products of matrices are NumPy's, whose BLAS may round otherwise
    for another number of its threads; no number of threads here changes a bit. At most 64 MB of correlations are held at
    a time.

    References
    ----------
    .. [1] J. Zbontar, L. Jing, I. Misra, Y. LeCun, S. Deny, "Barlow Twins: Self-supervised learning via redundancy
       reduction", ICML 2021, arXiv:2103.03230.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.barlow_twins([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]), 4)
    2.2538
    """

    signature = VIEWS
    gradients = ViewGrads
    kernel = "squares_from_identity"
    axes = 0
    unit = False
    _evaluation = BarlowEvaluation
    variants = ({"lambd": 0.5, "eps": 0.01},)
    lambd: float = number(NON_NEGATIVE, default=0.0051)
    eps: float = number(NON_NEGATIVE, default=1e-5)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"on": 1.0, "off": self.lambd}


class VICRegEvaluation(FeatureEvaluation):
    """The covariance of the features of each view, their deviations, and the distance of the views."""

    __slots__ = ()

    _loss: VICReg

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Doubles:
        loss, views = self._loss, self._views()
        factor *= float(weights)
        count, features = views[0].values.shape
        apart = views[0].values - views[1].values
        value = loss.invariance_lambda * float(np.einsum("ij,ij->", apart, apart, dtype=np.float64)) / apart.size
        for view, sign, result in zip(views, (1, -1), grads or (None, None), strict=True):
            centred = view.values - view.values.mean(axis=0, dtype=np.float64).astype(view.dtype)
            variance = np.einsum("ij,ij->j", centred, centred, dtype=np.float64) / (count - 1)
            deviation = np.sqrt(variance + loss.eps)
            short = 1 - deviation
            value += loss.variance_mu * float(np.maximum(short, 0).sum()) / (2 * features)
            rows = view.made_of(np.ascontiguousarray(centred.T))
            constants = {"on": 0.0, "off": loss.covariance_v / features}
            comparison = self._features(rows, rows, constants, 1 / (count - 1), factor)
            ones = np.ones(features)
            if result is None:
                value += float(comparison.losses(ones)[0].sum())
                continue
            found, _, *both = comparison.losses_and_gradients(ones)
            value += float(found.sum())
            gradient = np.add(*both, out=both[0]).T
            of_deviation = np.where((short > 0) & (deviation > 0), -loss.variance_mu / (2 * features), 0)
            along = factor * of_deviation / np.where(deviation > 0, deviation, 1) / (count - 1)
            gradient = gradient - gradient.mean(axis=0, dtype=np.float64).astype(view.dtype)
            gradient += centred * along.astype(view.dtype)
            gradient += apart * view.dtype(sign * 2 * factor * loss.invariance_lambda / apart.size)
            view.finish(np.ascontiguousarray(gradient), result)
        return np.asarray(value)


@loss("vicreg", "vicreg_loss")
class VICReg(BatchLoss):
    r"""Variance-invariance-covariance regularization of two views.

    With the variances :math:`v_k` and covariances :math:`C_{kl}` of the features of a view, over n - 1,

    .. math::

        \ell = \lambda \frac{1}{n d} \sum_{ik} (a_{ik} - b_{ik})^2
        + \sum_{z \in \{a, b\}} \Big( \frac{\mu}{2 d} \sum_k \max \big( 0, 1 - \sqrt{v_k + \varepsilon} \big)
        + \frac{\nu}{d} \sum_k \sum_{l \ne k} C_{kl}^2 \Big)

    with the derivatives :math:`2 \nu C_{kl} / d` in the covariances off the diagonal and
    :math:`-\mu / (4 d \sqrt{v_k + \varepsilon})` in a variance that is too small.

    Parameters
    ----------
    invariance_lambda : float, default=25.0
        The weight :math:`\lambda` of the distance of the views; not negative.
    variance_mu : float, default=25.0
        The weight :math:`\mu` of deviations below 1; not negative.
    covariance_v : float, default=1.0
        The weight :math:`\nu` of covariances; not negative.
    eps : float, default=0.0001
        What is added to a variance, :math:`\varepsilon`; not negative.

    See Also
    --------
    BarlowTwins : The correlation of one view with the other.

    Notes
    -----
    Shapes: `left` and `right` are (n, features), n at least 2. The loss is one number for the batch, whatever the
    reduction, and a weight is one too.

    Domain: both views are any real numbers. The derivative is 0 where a deviation is exactly 1, and with ``eps=0`` in a
    feature without variance.

    Numerics: as for `BarlowTwins`.

    References
    ----------
    .. [1] A. Bardes, J. Ponce, Y. LeCun, "VICReg: Variance-invariance-covariance regularization for self-supervised
       learning", ICLR 2022, arXiv:2105.04906.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.vic_reg([[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]], [[0.0, 1.0], [1.0, 1.0], [2.0, 0.0]]), 4)
    13.8627
    """

    signature = VIEWS
    gradients = ViewGrads
    kernel = "squares_from_identity"
    axes = 0
    unit = False
    _evaluation = VICRegEvaluation
    variants = ({"invariance_lambda": 2.0, "variance_mu": 3.0, "covariance_v": 4.0, "eps": 0.01},)
    invariance_lambda: float = number(NON_NEGATIVE, default=25.0)
    variance_mu: float = number(NON_NEGATIVE, default=25.0)
    covariance_v: float = number(NON_NEGATIVE, default=1.0)
    eps: float = number(NON_NEGATIVE, default=1e-4)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return self.kernel, {"on": 0.0, "off": self.covariance_v}
