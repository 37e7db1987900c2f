"""Divergences between the distribution of a row and a target distribution."""

from __future__ import annotations

from dataclasses import field
from typing import Literal

from fastloss._core.loss import HessianApproximation, choice, loss, number
from fastloss._core.parameters import ANY, NON_NEGATIVE, POSITIVE, UNIT, Domain
from fastloss.rowwise.rows import RowLoss

SCORES = choice("logits", "log_probabilities", default="logits", kw_only=True)


class _Divergence(RowLoss):
    """Scores are logits or logarithms of probabilities; targets are probabilities or their logarithms."""

    scores: Literal["logits", "log_probabilities"] = SCORES  # type: ignore[misc]
    log_target: bool = field(default=False, kw_only=True)

    @property
    def targets(self) -> Literal["probabilities", "log_probabilities"]:  # type: ignore[override]
        return "log_probabilities" if self.log_target else "probabilities"

    @property
    def target(self) -> Domain:  # type: ignore[override]
        return ANY if self.log_target else NON_NEGATIVE

    def _named(self, kernel: str) -> tuple[None, str]:
        return None, kernel + ("_log_target" if self.log_target else "")

    def _constants(self, classes: int) -> dict[str, float]:
        return {"logits": float(self.scores == "logits")}


@loss()
class ForwardKL(_Divergence):
    r"""Kullback-Leibler divergence from the softmax of logits to a target distribution.

    With the log-probabilities :math:`\log p_k = x_k - \log \sum_j e^{x_j}` and :math:`S = \sum_k t_k`,

    .. math::

        \ell = \sum_k t_k (\log t_k - \log p_k) \qquad \frac{\partial \ell}{\partial x_k} = S p_k - t_k
        \qquad \frac{\partial^2 \ell}{\partial x_k^2} = S p_k (1 - p_k)

    or, where `y_pred` holds log-probabilities, :math:`\log p_k = x_k`, the derivatives :math:`-t_k` and 0.

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    scores : {"logits", "log_probabilities"}, default="logits"
        What `y_pred` holds: logits, or the logarithms of probabilities, as PyTorch's ``kl_div`` has it. The value is
        the same for log-probabilities that are normalised; the gradient is not.
    log_target : bool, default=False
        Whether `y_true` holds the logarithms of the targets.

    See Also
    --------
    CrossEntropy : The same but for the entropy of the targets, which no gradient sees.
    ReverseKL : With the distributions in the other order.
    Distillation : Of a teacher's logits, at a temperature.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds targets of each class, not negative, which need not sum to 1, or
    their logarithms; `y_pred` is any real number.

    A mean is over rows, as PyTorch's ``"batchmean"``; PyTorch's ``"mean"`` divides by the number of classes too.

    Edge cases: a class of target 0 contributes 0 whatever its score; one of probability 0 and a positive target makes
    the loss infinite. Logits that are all -inf, or of which one is inf, give NaN.

    Numerics: near a perfect prediction terms of both signs cancel. The error is a few units in the last place of the
    sum of the absolute terms :math:`t_k |\log t_k|` and :math:`t_k |\log p_k|`.

    References
    ----------
    .. [1] S. Kullback, R. A. Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22 (1951),
       doi:10.1214/aoms/1177729694.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ForwardKL()([[0.5, 0.5, 0.0]], [[1.0, 1.0, 1.0]])
    0.405465...
    """

    variants = (
        {"scores": "log_probabilities"},
        {"log_target": True},
        {"scores": "log_probabilities", "log_target": True},
    )

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "own" if self.scores == "logits" else "constant"

    def _kernels(self) -> tuple[None, str]:
        return self._named("forward_kl" if self.scores == "logits" else "forward_kl_of_logs")

    def _constants(self, classes: int) -> dict[str, float]:
        return {}


@loss()
class ReverseKL(_Divergence):
    r"""Kullback-Leibler divergence from a target distribution to the softmax of logits.

    With the log-probabilities :math:`\log p_k = x_k - \log \sum_j e^{x_j}` and :math:`a_k = \log p_k - \log t_k`,

    .. math::

        \ell = \sum_k p_k a_k \qquad g_k = \frac{\partial \ell}{\partial x_k} = p_k (a_k - \ell)
        \qquad \frac{\partial^2 \ell}{\partial x_k^2} = g_k (1 - 2 p_k) + p_k (1 - p_k)

    or, where `y_pred` holds log-probabilities, :math:`\log p_k = x_k`, the derivatives :math:`p_k (a_k + 1)` and
    :math:`p_k (a_k + 2)`. It seeks a mode of the target, where the forward divergence covers all of them.

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    scores : {"logits", "log_probabilities"}, default="logits"
        What `y_pred` holds: logits, or the logarithms of probabilities.
    log_target : bool, default=False
        Whether `y_true` holds the logarithms of the targets.

    See Also
    --------
    ForwardKL : With the distributions in the other order.
    JensenShannon : Between the two.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds targets of each class, not negative, which need not sum to 1, or
    their logarithms; `y_pred` is any real number.

    Edge cases: a class of probability 0 contributes 0 whatever its target; one of target 0 and a probability that does
    not underflow makes the loss infinite. Logits that are all -inf, or of which one is inf, give NaN.

    Numerics: near a perfect prediction terms of both signs cancel. The error is a few units in the last place of the
    sum of the absolute terms :math:`p_k |\log p_k|` and :math:`p_k |\log t_k|`.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.ReverseKL()([[0.5, 0.25, 0.25]], [[1.0, 1.0, 1.0]])
    0.056633...
    """

    hessian_approximation = "constant"
    variants = (
        {"scores": "log_probabilities"},
        {"log_target": True},
        {"scores": "log_probabilities", "log_target": True},
    )

    def _kernels(self) -> tuple[None, str]:
        return self._named("reverse_kl")


@loss()
class JensenShannon(_Divergence):
    r"""Generalized Jensen-Shannon divergence between the softmax of logits and a target distribution.

    With the probabilities :math:`p_k = e^{x_k} / \sum_j e^{x_j}`, the mixture :math:`m = \beta t + (1 - \beta) p`, and
    :math:`g_k = (1 - \beta) \log (p_k / m_k)`,

    .. math::

        \ell = \sum_k \beta t_k \log \frac{t_k}{m_k} + (1 - \beta) p_k \log \frac{p_k}{m_k}
        \qquad \frac{\partial \ell}{\partial x_k} = p_k \Bigl( g_k - \sum_j p_j g_j \Bigr)

    or, where `y_pred` holds log-probabilities, :math:`p_k = e^{x_k}`, the derivative :math:`p_k g_k`.

    Parameters
    ----------
    beta : float, default=0.5
        The weight :math:`\beta` of the target, in [0, 1]. The loss is `ForwardKL` for 0 and `ReverseKL` for 1, by
        convention: the formula itself is 0 there, and tends to :math:`\beta` and :math:`1 - \beta` times them.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    scores : {"logits", "log_probabilities"}, default="logits"
        What `y_pred` holds: logits, or the logarithms of probabilities.
    log_target : bool, default=False
        Whether `y_true` holds the logarithms of the targets.

    See Also
    --------
    ForwardKL, ReverseKL : The ends.
    TotalVariation : Another distance that is bounded.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds targets of each class, not negative, which sum to 1, or their
    logarithms; `y_pred` is any real number.

    The loss is at most :math:`-\beta \log \beta - (1 - \beta) \log (1 - \beta)`, where no class has both probability
    and target. There is no curvature: it is not positive, nor is it simple.

    Edge cases: a class where both target and probability are 0 contributes 0. Logits that are all -inf, or of which
    one is inf, give NaN.

    Numerics: terms of both signs cancel where the distributions are close. Each is a logarithm of a ratio that is
    taken of the difference, so that the error is a few units in the last place of the sum of the absolute terms above.

    References
    ----------
    .. [1] J. Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37
       (1991), doi:10.1109/18.61115.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.JensenShannon()([[0.5, 0.5, 0.0]], [[1.0, 1.0, 1.0]])
    0.132304...
    """

    curvature = False
    hessian_approximation = "constant"
    variants = (
        {"beta": 0.1, "log_target": True},
        {"beta": 0.7, "scores": "log_probabilities"},
        {"scores": "log_probabilities", "log_target": True},
        {"beta": 0.0},
        {"beta": 1.0, "scores": "log_probabilities", "log_target": True},
    )
    beta: float = number(UNIT, default=0.5)

    def _end(self) -> _Divergence | None:
        """The loss of another name that this one is."""
        ends = {0.0: ForwardKL, 1.0: ReverseKL}
        if self.beta not in ends:
            return None
        return ends[self.beta](axis=self.axis, scores=self.scores, log_target=self.log_target)

    def _kernels(self) -> tuple[str | None, str | None]:
        end = self._end()
        return end._kernels() if end else self._named("jensen_shannon")

    def _constants(self, classes: int) -> dict[str, float]:
        end = self._end()
        return end._constants(classes) if end else {"beta": self.beta, "logits": float(self.scores == "logits")}


@loss()
class GeneralizedKL(RowLoss):
    r"""Generalized Kullback-Leibler divergence of logarithms of amounts, which need not sum to 1.

    .. math::

        \ell = \sum_k t_k (\log t_k - x_k) + e^{x_k} - t_k \qquad \frac{\partial \ell}{\partial x_k} = e^{x_k} - t_k
        \qquad \frac{\partial^2 \ell}{\partial x_k^2} = e^{x_k}

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.

    See Also
    --------
    ForwardKL : Of distributions.
    PoissonNLL : The same of each element, but for what depends on the target alone.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds amounts that are not negative; `y_pred` is any real number, the
    logarithm of the predicted amount.

    Edge cases: a class of target 0 contributes :math:`e^{x_k}` alone.

    Numerics: near a perfect prediction terms of both signs cancel. The error is a few units in the last place of the
    sum of the absolute terms :math:`t_k |\log t_k|`, :math:`t_k |x_k|`, :math:`e^{x_k}` and :math:`t_k`.

    References
    ----------
    .. [1] I. Csiszar, "Why least squares and maximum entropy?", Annals of Statistics 19 (1991),
       doi:10.1214/aos/1176348385.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GeneralizedKL()([[1.0, 0.0]], [[0.0, -1.0]])
    0.367879...
    """

    dense = "generalized_kl"
    scores = "log_amounts"


@loss("tvd", "total_variation_distance")
class TotalVariation(RowLoss):
    r"""Total variation distance of probabilities: half the sum of absolute differences.

    .. math::

        \ell = \frac{1}{2} \sum_k |p_k - t_k|
        \qquad \frac{\partial \ell}{\partial p_k} = \frac{1}{2} \operatorname{sign}(p_k - t_k)
        \qquad \frac{\partial^2 \ell}{\partial p_k^2} = 0

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.

    See Also
    --------
    JensenShannon : A smooth distance that is bounded.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds the targets of each class, not negative; `y_pred` holds the
    probabilities of the classes, no logits. At :math:`p_k = t_k` the derivative is 0.

    Numerics: no term is negative, so that nothing cancels.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.TotalVariation()([[0.5, 0.5, 0.0]], [[0.25, 0.5, 0.25]])
    0.25
    """

    dense = "total_variation"
    scores = "probabilities"
    hessian_approximation = "constant"


@loss("distillation_loss")
class Distillation(RowLoss):
    r"""Knowledge distillation: the divergence from a student's softmax to a teacher's, both at a temperature.

    With the softmax :math:`p` of the student's logits :math:`x / T` and :math:`t` of the teacher's :math:`y / T`,

    .. math::

        \ell = T^2 \sum_k t_k (\log t_k - \log p_k) \qquad \frac{\partial \ell}{\partial x_k} = T (p_k - t_k)
        \qquad \frac{\partial^2 \ell}{\partial x_k^2} = p_k (1 - p_k)

    The factor :math:`T^2` keeps the gradient's magnitude as the temperature changes.

    Parameters
    ----------
    temperature : float, default=2.0
        The temperature :math:`T`; positive.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.

    See Also
    --------
    ForwardKL : Of a teacher's probabilities.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape and holds the teacher's logits, not probabilities; both are any real number.

    Edge cases: a class whose teacher's probability is 0 contributes 0. Logits that are all -inf, or of which one is
    inf, give NaN.

    Numerics: near a perfect prediction terms of both signs cancel. The error is a few units in the last place of the
    sum of the absolute terms :math:`T^2 t_k |\log t_k|` and :math:`T^2 t_k |\log p_k|`.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", arXiv:1503.02531 (2015).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Distillation(temperature=1.0)([[2.0, 0.0]], [[0.0, 0.0]])
    0.327813...
    """

    dense = "distillation"
    scores = "logits"
    target = ANY
    targets = "reals"
    variants = ({"temperature": 1.0}, {"temperature": 5.0})
    temperature: float = number(POSITIVE, default=2.0)

    def _constants(self, classes: int) -> dict[str, float]:
        return {"inverse": 1 / self.temperature, "square": self.temperature**2}
