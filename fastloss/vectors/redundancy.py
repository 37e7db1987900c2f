"""Self-supervised losses of two views of a batch that compare features: what one says another must not say again."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastloss._core.evaluation import Floats, Operand
from fastloss._core.loss import loss, number
from fastloss._core.parameters import NON_NEGATIVE
from fastloss._core.signature import Argument, Signature
from fastloss.elementwise.residual import SquaredError
from fastloss.vectors.batches import (
    BatchEvaluation,
    BatchLoss,
    Comparison,
    Doubles,
    Rows,
    between_products,
    compiled,
)  # fmt: skip

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
    """Features compared with features: the columns of the views."""

    __slots__ = ()

    def _arrange(self) -> None:
        super()._arrange()
        if len(self._x) < 2:
            name = self._loss.signature.predictions[0].name
            raise ValueError(f"{self._spec.owner}: {name} has {len(self._x)} rows, must have at least 2")

    def _centred(self, name: str, eps: float, degrees: int, *, divided: bool) -> tuple[Rows, Doubles]:
        """A view less the means of its features, and their deviations, by which they may be divided."""
        view = self._rows(name, unit=False, own=True)
        deviations = np.empty(view.values.shape[1])
        compiled.centred_features(
            view.values, deviations, eps=eps, degrees=degrees, divided=divided, single=view.single,
            num_threads=view.threads,
        )  # fmt: skip
        return view, deviations

    def _features(self, left: Rows, right: Rows, degrees: int, factor: float) -> Comparison:
        own = np.arange(left.values.shape[1])
        rows = left.made_of(left.values.T)
        columns = rows if left is right else right.made_of(right.values.T)
        return self._comparison(
            rows, columns, row_codes=own, column_codes=own, own=own, paired=True, scale=1 / degrees, factor=factor
        )


class BarlowEvaluation(FeatureEvaluation):
    """The correlation of the features of two views."""

    __slots__ = ()

    _loss: BarlowTwins

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Any:
        count = len(self._x)
        views, deviations = zip(
            *(self._centred(name, self._loss.eps, count, divided=True) for name in ("left", "right")), strict=True
        )
        comparison = self._features(views[0], views[1], count, factor * float(weights))
        ones = np.ones(views[0].values.shape[1])
        if not grads:
            return comparison.losses(ones)[0].sum()
        found, _, *gradients = comparison.losses_and_gradients(ones)
        for view, deviation, transposed, result in zip(views, deviations, gradients, grads, strict=True):
            gradient = np.ascontiguousarray(transposed.T)
            compiled.features_gradient(
                gradient, view.values, deviation, None, None, weight=0.0, degrees=count, single=view.single,
                num_threads=view.threads,
            )  # fmt: skip
            view.finish(gradient, result)
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

    Numerics: means and variances are summed in float64. Products of matrices are NumPy's, whose BLAS may round
    otherwise for another number of its threads; no number of threads here changes a bit. At most 16 MB of correlations
    are held at a time.

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

    def _compute(self, weights: Doubles, factor: float, grads: tuple[Operand, ...]) -> Any:
        loss = self._loss
        factor *= float(weights)
        left, right = (self._rows(name, unit=False).values for name in ("left", "right"))
        count, features = left.shape
        threads = between_products(self._num_threads, left.size)
        together, apart = SquaredError().value_and_grad(right, left, num_threads=threads)
        value = loss.invariance_lambda * together
        for name, sign, result in zip(("left", "right"), (1, -1), grads or (None, None), strict=True):
            view, deviations = self._centred(name, loss.eps, count - 1, divided=False)
            short = 1 - deviations
            value += loss.variance_mu * float(np.maximum(short, 0).sum()) / (2 * features)
            comparison = self._features(view, view, count - 1, factor)
            of_each = np.full(features, 1 / features)
            if result is None:
                value += float(comparison.losses(of_each)[0].mean())
                continue
            found, _, of_rows, of_columns = comparison.losses_and_gradients(of_each)
            value += float(found.mean())
            of_rows += of_columns
            gradient = np.ascontiguousarray(of_rows.T)
            slopes = np.where((short > 0) & (deviations > 0), -loss.variance_mu / (2 * features), 0)
            factors = factor * slopes / np.where(deviations > 0, deviations, 1) / (count - 1)
            compiled.features_gradient(
                gradient, view.values, None, factors, apart, weight=sign * factor * loss.invariance_lambda,
                degrees=count, single=view.single, num_threads=view.threads,
            )  # fmt: skip
            view.finish(gradient, result)
        return value


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
    13.8654
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
