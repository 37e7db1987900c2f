"""Losses of the softmax of logits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.evaluation import Floats, NanPolicy
from fastloss._core.loss import HessianApproximation, choice, integer, loss, number, weights
from fastloss._core.parameters import NON_NEGATIVE, POSITIVE, Domain
from fastloss._core.runtime import GRAD, VALUE
from fastloss._core.signature import NUMBER, of_rows
from fastloss.rowwise.rows import RowEvaluation, RowLoss

SMOOTHING = Domain(low=0, high=1)


class Rows(NamedTuple):
    """What one pass over logits tells of each row; `grad` is None unless it is asked for."""

    value: Floats
    lse: Floats
    argmax: NDArray[np.int64]
    correct: NDArray[np.bool_]
    grad: Floats | None


@loss("softmax_cross_entropy", "softmax_cross_entropy_with_integer_labels")
class CrossEntropy(RowLoss):
    r"""Cross-entropy of the softmax of logits.

    With the logits :math:`z = x / T`, or :math:`z = s \tanh(x / s) / T` under a softcap, their log-sum-exp
    :math:`\Lambda = \log \sum_k e^{z_k}`, the probabilities :math:`p_k = e^{z_k - \Lambda}`, and the smoothed target
    of each class :math:`t_k = (1 - \epsilon) y_k + \epsilon / C`, where :math:`y` is a distribution or 1 at the label,

    .. math::

        \ell = \sum_k c_k t_k (\Lambda - z_k) + \zeta \Lambda^2
        \qquad \frac{\partial \ell}{\partial z_k} = (S + 2 \zeta \Lambda) p_k - c_k t_k
        \qquad \frac{\partial^2 \ell}{\partial z_k^2} = S p_k (1 - p_k)
            + 2 \zeta (p_k^2 + \Lambda p_k (1 - p_k))

    with the class weights :math:`c` and :math:`S = \sum_k c_k t_k`; the chain rule takes them to :math:`x`.

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none. (Rows of distributions are left out by `mask`.)
    label_smoothing : float, default=0.0
        The share :math:`\epsilon` of the target that is spread evenly, in [0, 1].
    temperature : float, default=1.0
        Divides the logits; positive.
    softcap : float, default=0.0
        Bounds the logits smoothly to (-s, s); 0 does not.
    z_loss : float, default=0.0
        The weight :math:`\zeta` of the squared log-sum-exp; not negative.
    hessian : {"exact", "upper_bound", "lightgbm"}
        The curvature in :math:`z`: as above; twice that, the bound of XGBoost; or C / (C - 1) times that, as LightGBM
        has it.

    See Also
    --------
    BinaryCrossEntropyWithLogits : The same of one logit for each target.
    token_logprobs : Scores of the tokens of a language model.
    linear_cross_entropy : Cross-entropy of a linear layer whose logits are never held.
    ShardState : Cross-entropy of rows whose classes are in several places.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape without the class axis and holds labels from 0 to C - 1, of any integer type
    or integral floats; or it has `y_pred`'s shape and holds the targets of each class, not negative, which need not
    sum to 1. `y_pred` is any real number.

    A mean divides by the sum of the sample weights times the class weight of each row: that of its label, or the mean
    under its targets, :math:`\sum_k c_k y_k / \sum_k y_k` (1 where they are all 0), so that equal class weights are as
    good as none. With labels this is PyTorch's mean; with targets of each class PyTorch divides by the number of rows,
    as ``reduction="batch_mean"`` does.

    Edge cases: a logit of -inf has probability 0; its loss is infinite if it is the target's. A row of -inf alone,
    and one where a logit other than the label's is +inf, is NaN. A class of target 0 contributes 0 whatever its logit.
    A label that is no class raises IndexError, and its row is named.

    Numerics: with a label the loss is a function of the log-odds of all other classes against it, so that a confident
    right answer keeps its relative accuracy, in value and gradient, where ``log(softmax)`` gives 0 from a margin of
    17 (float32) or 37 (float64) on. Sums run in float64; exponentials of float32 logits in float32.
    A row of two classes is a function of the difference of its logits, with what that lost to rounding.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits = np.array([[2.0, 0.0, 0.0], [0.0, 100.0, 0.0]])
    >>> fl.CrossEntropy()([0, 1], logits, reduction="none")
    array([2.39544766e-01, 7.44015195e-44])
    """

    labelled = "cross_entropy"
    dense = "dense_cross_entropy"
    scores = "logits"
    variants = (
        {"label_smoothing": 0.1},
        {"temperature": 2.0, "z_loss": 0.01},
        {"softcap": 3.0, "hessian": "upper_bound"},
        {"label_smoothing": 0.2, "temperature": 0.5, "softcap": 5.0, "z_loss": 0.1, "hessian": "lightgbm"},
    )
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)
    label_smoothing: float = number(SMOOTHING, default=0.0)
    temperature: float = number(POSITIVE, default=1.0)
    softcap: float = number(NON_NEGATIVE, default=0.0)
    z_loss: float = number(NON_NEGATIVE, default=0.0)
    hessian: str = choice("exact", "upper_bound", "lightgbm", default="exact")

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "constant" if self.softcap else "floored" if self.z_loss else "own"

    def _kernels(self) -> tuple[str | None, str | None]:
        return "smoothed_cross_entropy" if self.label_smoothing else "cross_entropy", "dense_cross_entropy"

    def _constants(self, classes: int) -> dict[str, float]:
        curve = {"exact": 1.0, "upper_bound": 2.0, "lightgbm": classes / max(1, classes - 1)}[self.hessian]
        return {"kept": 1 - self.label_smoothing, "z_loss": self.z_loss, "curve": curve}

    def rows(
        self,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        mask: ArrayLike | None = None,
        nan_policy: NanPolicy = "propagate",
        grad: bool = False,
        grad_out: Floats | None = None,
        num_threads: int | None = None,
    ) -> Rows:
        """Compute the loss of each row and what else the same pass over the logits tells.

        Parameters
        ----------
        y_true, y_pred, sample_weight, mask, nan_policy, num_threads
            As for calling the loss.
        grad : bool, default=False
            Also compute the gradient, as ``value_and_grad(reduction="none")`` does.
        grad_out : ndarray, optional
            Where to write the gradient, which is then computed; may be `y_pred` itself.

        Returns
        -------
        value : ndarray
            The weighted losses, as of ``reduction="none"``; this and the following are of one number for each row.
        lse : ndarray
            The log-sum-exp of the logits as the loss takes them, under its temperature and softcap; of the type of
            `value`. -inf for a row of -inf alone, inf for one with an infinite logit. As `argmax`, it is there for
            every row, whether the row counts or not.
        argmax : ndarray of int64
            The class of the largest logit, the first of several. NaN is passed over.
        correct : ndarray of bool
            Whether `argmax` is the label, or the first class of the largest target; False for an ignored label.
        grad : ndarray or None
            The gradient.

        Examples
        --------
        >>> import fastloss as fl
        >>> rows = fl.CrossEntropy().rows([0, 1, -100], [[3.0, 1.0], [0.5, 0.0], [0.0, 9.0]])
        >>> rows.argmax, rows.correct
        (array([0, 0, 1]), array([ True, False, False]))
        >>> rows.lse.round(3)
        array([3.127, 0.974, 9.   ])
        """
        evaluation = RowEvaluation(self, y_true, y_pred, sample_weight, mask, nan_policy, num_threads)
        (lse,) = evaluation.ask("lse", dtype=evaluation.dtype)
        (argmax,) = evaluation.ask("argmax")
        operation = VALUE | GRAD if grad or grad_out is not None else VALUE
        value, gradient, _ = evaluation.reduced(operation, "none", grad_out=grad_out)
        return Rows(value, lse, argmax.astype(np.int64), argmax == evaluation.labels(), gradient)


@loss("focal_cross_entropy")
class SoftmaxFocal(RowLoss):
    r"""Focal loss of the softmax of logits: cross-entropy that turns from what is already right.

    With the probability :math:`q = p_y` of the label,

    .. math::

        \ell = -c_y (1 - q)^\gamma \log q
        \qquad \frac{\partial \ell}{\partial x_k} = c_y (1 - q)^\gamma
            \left(1 - \gamma \frac{q \log q}{1 - q}\right) (p_k - \delta_{k y})

    Parameters
    ----------
    gamma : float, default=2.0
        The exponent :math:`\gamma`; not negative. 0 is cross-entropy.
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class, the paper's :math:`\alpha`; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CrossEntropy : With `gamma` 0.
    SigmoidFocal : The same of one logit for each target.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; any real number in
    `y_pred`. A mean divides by the sum of the weights of rows times those of their labels' classes.

    Numerics: a function of the log-odds of all other classes against the label, in float64: :math:`1 - q` keeps its
    relative accuracy however near :math:`q` is to 1, and no power of 0 is ever divided by 0, whatever `gamma`.

    References
    ----------
    .. [1] T.-Y. Lin et al., "Focal loss for dense object detection", ICCV 2017, arXiv:1708.02002.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.SoftmaxFocal()([0, 0], [[2.0, 0.0, 0.0], [20.0, 0.0, 0.0]], reduction="none")
    array([1.08693309e-02, 7.00520854e-26])
    """

    labelled = "softmax_focal"
    scores = "logits"
    variants = ({"gamma": 0.0}, {"gamma": 0.5}, {"gamma": 3.5})
    gamma: float = number(NON_NEGATIVE, default=2.0)
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "constant" if self.gamma else "own"

    def _constants(self, classes: int) -> dict[str, float]:
        return {"gamma": self.gamma}


@loss("poly1")
class Poly1CrossEntropy(RowLoss):
    r"""Poly-1 cross-entropy: cross-entropy whose first polynomial coefficient is free.

    With the probability :math:`q = p_y` of the label,

    .. math::

        \ell = c_y \left(-\log q + \epsilon (1 - q)\right)
        \qquad \frac{\partial \ell}{\partial x_k} = c_y (1 + \epsilon q) (p_k - \delta_{k y})

    Parameters
    ----------
    epsilon : float, default=1.0
        What is added to the coefficient 1 of :math:`1 - q`; at least -1.
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CrossEntropy : With `epsilon` 0.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; any real number in
    `y_pred`. A mean divides by the sum of the weights of rows times those of their labels' classes.

    Numerics: :math:`1 - q` keeps its relative accuracy however near :math:`q` is to 1.

    References
    ----------
    .. [1] Z. Leng et al., "PolyLoss: a polynomial expansion perspective of classification loss functions", ICLR 2022,
       arXiv:2204.12511.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.poly1([0], [[2.0, 0.0, 0.0]]), 6)
    0.452559
    """

    labelled = "poly1"
    scores = "logits"
    variants = ({"epsilon": -1.0}, {"epsilon": 2.5})
    epsilon: float = number(Domain(low=-1), default=1.0)
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "constant" if self.epsilon > 1 else "own"

    def _constants(self, classes: int) -> dict[str, float]:
        return {"epsilon": self.epsilon}


@loss("gce")
class GeneralizedCrossEntropy(RowLoss):
    r"""Generalised cross-entropy: between cross-entropy (q near 0) and the absolute error (1), for noisy labels.

    .. math::

        \ell = c_y \frac{1 - p_y^q}{q}
        \qquad \frac{\partial \ell}{\partial x_k} = c_y p_y^q (p_k - \delta_{k y})

    Parameters
    ----------
    q : float, default=0.7
        The exponent, in (0, 1].
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CrossEntropy : The limit of `q` to 0.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; any real number in
    `y_pred`. A mean divides by the sum of the weights of rows times those of their labels' classes.

    Numerics: the value is :math:`-\operatorname{expm1}(q \log p_y) / q`, which keeps its relative accuracy where the
    label's probability is near 1 and where `q` is near 0.

    References
    ----------
    .. [1] Z. Zhang, M. R. Sabuncu, "Generalized cross entropy loss for training deep neural networks with noisy
       labels", NeurIPS 2018, arXiv:1805.07836.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.gce([0], [[2.0, 0.0, 0.0]]), 6)
    0.220538
    """

    labelled = "generalized_cross_entropy"
    scores = "logits"
    hessian_approximation = "constant"
    variants = ({"q": 0.05}, {"q": 1.0})
    q: float = number(Domain(low=0, high=1, low_open=True), default=0.7)
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    def _constants(self, classes: int) -> dict[str, float]:
        return {"q": self.q}


@loss("cosface", "am_softmax")
class CosFace(RowLoss):
    r"""CosFace, or additive-margin softmax: cross-entropy of scaled cosines, less a margin at the label.

    With the cosines :math:`x`, the logits :math:`z_k = s (x_k - m \delta_{k y})` and their softmax :math:`p`,

    .. math::

        \ell = c_y \left(\log \sum_k e^{z_k} - z_y\right)
        \qquad \frac{\partial \ell}{\partial x_k} = c_y s (p_k - \delta_{k y})

    Parameters
    ----------
    margin : float, default=0.35
        What is subtracted from the label's cosine, :math:`m`; not negative.
    scale : float, default=64.0
        The factor :math:`s` of the cosines; positive.
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    ArcFace : The margin in the angle.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; in `y_pred` the cosines of
    an embedding with the centre of each class. They are not checked to lie in [-1, 1], as rounding takes them out.
    A mean divides by the sum of the weights of rows times those of their labels' classes.

    Numerics: those of cross-entropy; the margin is subtracted in float64.

    References
    ----------
    .. [1] H. Wang et al., "CosFace: large margin cosine loss for deep face recognition", CVPR 2018, arXiv:1801.09414.
    .. [2] F. Wang et al., "Additive margin softmax for face verification", IEEE Signal Processing Letters 25 (2018),
       arXiv:1801.05599.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.CosFace(scale=10.0)([0], [[0.7, 0.2, -0.1]]), 6)
    0.210455
    """

    labelled = "cos_face"
    scores = "cosines"
    variants = ({"margin": 0.0, "scale": 1.0}, {"scale": 30.0})
    margin: float = number(NON_NEGATIVE, default=0.35)
    scale: float = number(POSITIVE, default=64.0)
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    def _constants(self, classes: int) -> dict[str, float]:
        return {"margin": self.margin}


@loss("arcface")
class ArcFace(RowLoss):
    r"""ArcFace, or additive angular margin: cross-entropy of scaled cosines, with a margin in the label's angle.

    With the cosines :math:`x = \cos \theta`, the logits :math:`z_k = s x_k` but :math:`z_y = s \varphi(x_y)`, and their
    softmax :math:`p`,

    .. math::

        \varphi(\cos \theta) = \begin{cases} \cos(\theta + m) & \theta + m < \pi \\ \cos \theta - m \sin m &
            \text{else} \end{cases}
        \qquad \ell = c_y \left(\log \sum_k e^{z_k} - z_y\right)

    .. math::

        \frac{\partial \ell}{\partial x_k} = c_y s p_k \quad (k \ne y)
        \qquad \frac{\partial \ell}{\partial x_y} = c_y s (p_y - 1) \varphi'
        \qquad \varphi' = \frac{\sin(\theta + m)}{\sin \theta} \text{ or } 1

    Parameters
    ----------
    margin : float, default=0.5
        The margin :math:`m` in radians, in [0, pi/2].
    scale : float, default=64.0
        The factor :math:`s` of the cosines; positive.
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CosFace : The margin in the cosine.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; in `y_pred` the cosines of
    an embedding with the centre of each class. Those that rounding takes out of [-1, 1] have the sine 0.
    A mean divides by the sum of the weights of rows times those of their labels' classes.

    Where the angle and the margin come to pi or more, the cosine would rise again; as InsightFace (without its "easy
    margin") and PyTorch Metric Learning have it, the label's cosine less :math:`m \sin m` stands for it, which jumps
    there by :math:`1 - \cos m - m \sin m`, downwards.

    Numerics: those of cross-entropy; the angle's margin is added in float64, without a trigonometric function.
    The derivative :math:`\varphi'` grows without bound towards a cosine of 1; beyond a cosine of
    :math:`1 - 2^{-24}` it keeps the sine of that, and is finite.

    References
    ----------
    .. [1] J. Deng et al., "ArcFace: additive angular margin loss for deep face recognition", CVPR 2019,
       arXiv:1801.07698.

    Examples
    --------
    >>> import fastloss as fl
    >>> round(fl.ArcFace(scale=10.0)([0], [[0.7, 0.2, -0.1]]), 6)
    0.413001
    """

    labelled = "arc_face"
    scores = "cosines"
    hessian_approximation = "constant"
    variants = ({"margin": 0.0, "scale": 1.0}, {"margin": 1.2, "scale": 30.0})
    margin: float = number(Domain(low=0, high=math.pi / 2), default=0.5)
    scale: float = number(POSITIVE, default=64.0)
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    def _constants(self, classes: int) -> dict[str, float]:
        sine = math.sin(self.margin)
        return {"cos_margin": math.cos(self.margin), "sin_margin": sine, "lowered": self.margin * sine}


@loss("dfl")
class DistributionFocalLoss(RowLoss):
    r"""Distribution focal loss: cross-entropy with the two bins that a real number lies between.

    For the number :math:`y` between the bins :math:`l = \lfloor y \rfloor` and :math:`l + 1`, and the softmax
    :math:`p` of the logits of all bins,

    .. math::

        \ell = -(l + 1 - y) \log p_l - (y - l) \log p_{l + 1}
        \qquad \frac{\partial \ell}{\partial x_k} = p_k - t_k
        \qquad \frac{\partial^2 \ell}{\partial x_k^2} = p_k (1 - p_k)

    with the shares :math:`t_k = \max(0, 1 - |y - k|)`.

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the bins lie; any layout is read in place.

    See Also
    --------
    CrossEntropy : With a target of each class.

    Notes
    -----
    Domain: numbers from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; any real number in
    `y_pred`. No row is ignored by its label: `mask` leaves rows out.

    Numerics: those of cross-entropy with a target for each class; the shares are computed in float64.

    References
    ----------
    .. [1] X. Li et al., "Generalized focal loss: learning qualified and distributed bounding boxes for dense object
       detection", NeurIPS 2020, arXiv:2006.04388.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.DistributionFocalLoss().value_and_grad([0.75], [[0.0, 0.0, 0.0]])
    (1.0986122886681098, array([[ 0.08333333, -0.41666667,  0.33333333]]))
    """

    labelled = "distribution_focal"
    scores = "logits"
    between = True


@loss()
class SoftmaxEntropy(RowLoss):
    r"""Entropy of the softmax of logits: how uncertain a prediction is, without any target.

    With the logits :math:`z = x / T`, or :math:`z = s \tanh(x / s) / T` under a softcap, and their softmax :math:`p`,

    .. math::

        \ell = H = -\sum_k p_k \log p_k
        \qquad \frac{\partial \ell}{\partial z_k} = -p_k (\log p_k + H)
        \qquad \frac{\partial^2 \ell}{\partial z_k^2} = -p_k \left((1 - 2 p_k)(\log p_k + H) + 1 - p_k\right)

    and the chain rule takes them to :math:`x`. Less of it makes predictions certain, as semi-supervised learning [1]_
    and adaptation at test time [2]_ want it; more of it is the bonus of exploration and the penalty of confidence [3]_.

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.
    temperature : float, default=1.0
        Divides the logits; positive.
    softcap : float, default=0.0
        Bounds the logits smoothly to (-s, s); 0 does not.

    See Also
    --------
    token_logprobs : This entropy beside the scores of tokens, without a gradient.
    CrossEntropy : With a target.
    fastloss.penalties.Entropy : Of probabilities.

    Notes
    -----
    Domain: any real number in `y_pred`. `y_true` is None, and every row counts; or it has `y_pred`'s shape without the
    class axis and holds labels from 0 to C - 1, of which it only matters which are ignored: those of padding.

    As there is nothing to learn from labels, it is no objective of gradient boosting; as that of a `LinearObjective`,
    which takes labels, it is one term of a semi-supervised model.

    Edge cases: a logit of -inf has probability 0, and contributes 0 to value and gradient. A row of -inf alone, or with
    +inf or NaN, is NaN. The entropy of one class is 0, that of C equal logits :math:`\log C`, both with the gradient 0.

    Numerics: with the logits less their largest and :math:`m = \sum_k p_k z_k \le 0`, the value is
    :math:`\log \sum_k e^{z_k} - m`, of which neither term is negative, and :math:`\log p_k + H` is :math:`z_k - m`. The
    sum is one more than what the other classes add to it: a nearly certain row keeps its relative accuracy, in value
    and gradient. Sums run in float64; exponentials of float32 logits in float32.

    References
    ----------
    .. [1] Y. Grandvalet, Y. Bengio, "Semi-supervised learning by entropy minimization", NIPS 2004.
    .. [2] D. Wang et al., "Tent: fully test-time adaptation by entropy minimization", ICLR 2021, arXiv:2006.10726.
    .. [3] G. Pereyra et al., "Regularizing neural networks by penalizing confident output distributions", 2017,
       arXiv:1701.06548.

    Examples
    --------
    >>> import numpy as np
    >>> import fastloss as fl
    >>> logits = np.array([[0.0, 0.0], [3.0, 0.0], [100.0, 0.0]])
    >>> fl.SoftmaxEntropy()(None, logits, reduction="none")
    array([6.93147181e-01, 1.90864971e-01, 3.75727674e-42])
    >>> round(fl.softmax_entropy([0, 1, -100], logits), 6)
    0.442006
    """

    labelled = "softmax_entropy"
    scores = "logits"
    signature = of_rows(NUMBER, optional=True)
    hessian_approximation = "constant"
    variants = ({"temperature": 2.0}, {"temperature": 0.5, "softcap": 5.0})
    ignore_index: int | None = integer(default=-100, optional=True)
    temperature: float = number(POSITIVE, default=1.0)
    softcap: float = number(NON_NEGATIVE, default=0.0)


@loss("nll_loss")
class NegativeLogLikelihood(RowLoss):
    r"""Negative log-likelihood of labels, from the logarithms of their probabilities.

    .. math:: \ell = -c_y x_y \qquad \frac{\partial \ell}{\partial x_k} = -c_y \delta_{k y}

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CrossEntropy : From logits, which is faster and more accurate than a log-softmax before this.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; logarithms of probabilities
    in `y_pred`, which are not checked. A mean divides by the sum of the weights of rows times those of their labels'
    classes, as PyTorch's does. The second derivative is 0.

    Numerics: exact up to the rounding of the result. Only the labels' scores are read: one that is NaN makes its row
    NaN, any other may be anything.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.nll_loss([1, 0], [[-0.5, -1.5], [-0.25, -2.0]], reduction="none")
    array([1.5 , 0.25])
    """

    labelled = "negative_log_likelihood"
    scores = "log_probabilities"
    hessian_approximation = "constant"
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)


@loss("brier_multi")
class MulticlassBrier(RowLoss):
    r"""Brier score of classes: the squared distance of the softmax of logits from the target.

    With the probabilities :math:`p_k = e^{x_k} / \sum_j e^{x_j}` and targets :math:`t_k`, which are 1 at the label,

    .. math::

        \ell = \sum_k (p_k - t_k)^2
        \qquad \frac{\partial \ell}{\partial x_k} = 2 p_k (p_k - t_k - B)
        \qquad B = \sum_j p_j (p_j - t_j)

    .. math::

        \frac{\partial^2 \ell}{\partial x_k^2} = 2 p_k \left((1 - p_k) (p_k - t_k - B)
            + p_k (1 - 3 p_k + t_k + B + {\textstyle\sum_j} p_j^2)\right)

    Parameters
    ----------
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none. (Rows of distributions are left out by `mask`.)

    See Also
    --------
    BrierWithLogits : Of one probability for each target.
    CrossEntropy : The logarithmic score.

    Notes
    -----
    Domain: `y_true` has `y_pred`'s shape without the class axis and holds labels from 0 to C - 1; or it has `y_pred`'s
    shape and holds the targets of each class, not negative. `y_pred` is any real number. The loss of two classes is
    twice the Brier score of one of them.

    Edge cases: logits that are all -inf, or of which one is inf, give NaN.

    Numerics: a confident right answer keeps its relative accuracy, in value and gradient.

    References
    ----------
    .. [1] G. W. Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 78 (1950).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MulticlassBrier()([0, 0], [[2.0, 2.0], [40.0, 0.0]], reduction="none")
    array([5.00000000e-01, 3.60970278e-35])
    """

    labelled = "multiclass_brier_of_labels"
    dense = "multiclass_brier"
    scores = "logits"
    hessian_approximation = "constant"
    ignore_index: int | None = integer(default=-100, optional=True)
