"""Losses of preferences, with which language models are aligned."""

from __future__ import annotations

from fastloss._core.loss import Loss, loss, number
from fastloss._core.parameters import POSITIVE, SIGN, UNIT, Domain


@loss("dpo_loss", name="dpo")
class DPO(Loss):
    r"""Direct preference optimization.

    With :math:`\Delta` how much more the policy favors the first answer over the second than the reference model does,
    a difference of logarithms of ratios of probabilities, and the smoothed target
    :math:`t = (1 - \epsilon) y + \epsilon (1 - y)`,

    .. math::

        \ell = t \operatorname{sp}(-\beta \Delta) + (1 - t) \operatorname{sp}(\beta \Delta)
        \qquad \ell' = \beta (\sigma(\beta \Delta) - t)
        \qquad \ell'' = \beta^2 \sigma(\beta \Delta) \, \sigma(-\beta \Delta)

    Parameters
    ----------
    beta : float, default=0.1
        How strongly the policy is tied to the reference model; positive.
    label_smoothing : float, default=0.0
        The probability :math:`\epsilon` that a preference is recorded the wrong way round; in [0, 0.5).

    See Also
    --------
    IPO, KTO : Other losses of the same quantity.

    Notes
    -----
    Domain: `y_true` is 1 where the first answer is preferred, 0 where the second is, or the probability of the first;
    `y_pred` is :math:`\Delta`, any real number.

    Numerics: as for the binary cross-entropy; the rounding error of :math:`\beta \Delta` is put right.

    References
    ----------
    .. [1] R. Rafailov et al., "Direct preference optimization: your language model is secretly a reward model", NeurIPS
       2023, arXiv:2305.18290.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.DPO(beta=0.1)([1, 1], [0.0, 10.0], reduction="none")
    array([0.69314718, 0.31326169])
    """

    kernel = "dpo"
    scores = "log_ratios"
    target = UNIT
    variants = ({"beta": 0.3, "label_smoothing": 0.1}, {"beta": 2.5})
    beta: float = number(POSITIVE, default=0.1)
    label_smoothing: float = number(Domain(low=0, high=0.5, high_open=True), default=0.0)


@loss("ipo_loss", name="ipo")
class IPO(Loss):
    r"""Identity preference optimization.

    With :math:`\Delta` as for `DPO` and :math:`s = 1` where the first answer is preferred, else -1,

    .. math::

        \ell = \left(s \Delta - \frac{1}{2 \beta}\right)^2
        \qquad \ell' = 2 s \left(s \Delta - \frac{1}{2 \beta}\right) \qquad \ell'' = 2

    Parameters
    ----------
    beta : float, default=0.1
        How strongly the policy is tied to the reference model; positive.

    See Also
    --------
    DPO, KTO : Other losses of the same quantity.

    Notes
    -----
    Domain: `y_true` is 1 where the first answer is preferred and 0 or -1 where the second is; `y_pred` is
    :math:`\Delta`, any real number.

    Numerics: the difference is taken with :math:`1 / (2 \beta)` to twice the precision.

    References
    ----------
    .. [1] M. G. Azar et al., "A general theoretical paradigm to understand learning from human preferences", AISTATS
       2024, arXiv:2310.12036.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.IPO(beta=0.1)([1, 0], [4.0, 4.0], reduction="none")
    array([ 1., 81.])
    """

    kernel = "ipo"
    scores = "log_ratios"
    target = SIGN
    variants = ({"beta": 0.3},)
    beta: float = number(POSITIVE, default=0.1)

    def _kernel(self) -> tuple[str, dict[str, float]]:
        goal = 0.5 / self.beta
        # What rounding took from it, of integers, whose quotient is rounded once.
        (beta, beta_by), (near, near_by) = self.beta.as_integer_ratio(), goal.as_integer_ratio()
        return self.kernel, {"goal": goal, "goal_lo": (beta_by * near_by - 2 * beta * near) / (2 * beta * near_by)}


@loss("kto_loss", name="kto")
class KTO(Loss):
    r"""Kahneman-Tversky optimization.

    With :math:`\Delta` how much more the policy favors an answer than the reference model does, less its reference
    point, and :math:`s = 1` for a desirable answer, else -1,

    .. math::

        \ell = 1 - \sigma(\beta s \Delta) \qquad
        \ell' = -\beta s p (1 - p) \qquad
        \ell'' = \beta^2 p (1 - p) \tanh(\beta s \Delta / 2), \quad p = \sigma(\beta s \Delta)

    Parameters
    ----------
    beta : float, default=0.1
        How strongly the policy is tied to the reference model; positive.

    See Also
    --------
    DPO, IPO : Losses of pairs of answers.

    Notes
    -----
    Domain: `y_true` is 1 for a desirable answer and 0 or -1 for an undesirable one; `y_pred` is :math:`\Delta`, any
    real number. The weights of desirable and undesirable answers are `sample_weight`.

    Numerics: computed as :math:`\sigma(-\beta s \Delta)`; the rounding error of :math:`\beta \Delta` is put right.

    References
    ----------
    .. [1] K. Ethayarajh et al., "KTO: Model alignment as prospect theoretic optimization", ICML 2024, arXiv:2402.01306.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.KTO(beta=0.1)([1, 0], [10.0, 10.0], reduction="none")
    array([0.26894142, 0.73105858])
    """

    kernel = "kto"
    scores = "log_ratios"
    target = SIGN
    hessian_approximation = "constant"
    variants = ({"beta": 2.5},)
    beta: float = number(POSITIVE, default=0.1)
