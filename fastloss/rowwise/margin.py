"""Losses of the margins between the score of the label and those of the other classes."""

from __future__ import annotations

from fastloss._core.loss import integer, loss, number, weights
from fastloss._core.parameters import NON_NEGATIVE
from fastloss.rowwise.rows import RowLoss


@loss("multi_margin_loss")
class MultiMargin(RowLoss):
    r"""Multi-class margin loss: the mean over classes of what each other score lacks to the margin below the label's.

    With :math:`z_k = \max(0, m + x_k - x_y)` for a class :math:`k` other than the label :math:`y`,

    .. math::

        \ell = \frac{c_y}{C} \sum_{k \ne y} z_k^p \qquad
        \frac{\partial \ell}{\partial x_k} = \frac{c_y}{C} \, p z_k^{p - 1} [\,z_k > 0\,] \qquad
        \frac{\partial \ell}{\partial x_y} = -\sum_{k \ne y} \frac{\partial \ell}{\partial x_k}

    The curvature is 0 for :math:`p = 1`; for :math:`p = 2` it is :math:`2 c_y / C` where :math:`z_k > 0`, and as many
    times that for the label.

    Parameters
    ----------
    margin : float, default=1.0
        The margin :math:`m`; not negative, in the units of `y_pred`.
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    p : {1, 2}
        The power.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    WestonWatkins : The sum over classes.
    CrammerSinger : The largest term alone.

    Notes
    -----
    Domain: `y_true` holds labels from 0 to C - 1, of any integer type or integral floats; `y_pred` is any real number.
    Where a score is exactly at the margin its derivative is 0.

    A mean divides by the sum of the sample weights times the class weight of each row; PyTorch divides by the number of
    rows, as ``reduction="batch_mean"`` does.

    Numerics: no term is negative, so that nothing cancels, and squares overflow only where their mean does.

    References
    ----------
    .. [1] J. Weston, C. Watkins, "Support vector machines for multi-class pattern recognition", ESANN (1999).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MultiMargin()([0, 1], [[2.0, 1.5, 0.0], [0.5, 0.0, -3.0]], reduction="none")
    array([0.16666667, 0.5       ])
    """

    labelled = "multi_margin"
    scores = "scores"
    hessian_approximation = "constant"
    variants = ({"margin": 0.5}, {"p": 2, "margin": 2.0})
    margin: float = number(NON_NEGATIVE, default=1.0)
    class_weight: tuple[float, ...] | None = weights(default=None)
    p: int = integer(default=1)
    ignore_index: int | None = integer(default=-100, optional=True)

    def _kernels(self) -> tuple[str | None, str | None]:
        if self.p not in (1, 2):
            raise ValueError(f"MultiMargin: p is {self.p}, must be 1 or 2")
        return "multi_margin" if self.p == 1 else "squared_multi_margin", None

    def _constants(self, classes: int) -> dict[str, float]:
        return {"margin": self.margin, "factor": 1 / classes}


@loss()
class WestonWatkins(RowLoss):
    r"""Hinge loss of Weston and Watkins: the sum of what each other score lacks to a margin of 1 below the label's.

    .. math::

        \ell = \sum_{k \ne y} \max(0, 1 + x_k - x_y) \qquad
        \frac{\partial \ell}{\partial x_k} = [\,1 + x_k > x_y\,] \qquad
        \frac{\partial \ell}{\partial x_y} = -\sum_{k \ne y} \frac{\partial \ell}{\partial x_k} \qquad
        \frac{\partial^2 \ell}{\partial x_k^2} = 0

    times the class weight of the label :math:`y`.

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    MultiMargin : The mean over classes, with another margin or squared.

    Notes
    -----
    Domain: `y_true` holds labels from 0 to C - 1, of any integer type or integral floats; `y_pred` is any real number.
    Where a score is exactly at the margin its derivative is 0.

    Numerics: no term is negative, so that nothing cancels.

    References
    ----------
    .. [1] J. Weston, C. Watkins, "Support vector machines for multi-class pattern recognition", ESANN (1999).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.WestonWatkins()([0, 1], [[2.0, 1.5, 0.0], [0.5, 0.0, -3.0]], reduction="none")
    array([0.5, 1.5])
    """

    labelled = "multi_margin"
    scores = "scores"
    hessian_approximation = "constant"
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    def _constants(self, classes: int) -> dict[str, float]:
        return {"margin": 1.0, "factor": 1.0}


@loss("multiclass_hinge", "multiclass_hinge_loss")
class CrammerSinger(RowLoss):
    r"""Hinge loss of Crammer and Singer: what the largest other score lacks to a margin of 1 below the label's.

    With the largest other score :math:`x_j`, :math:`j \ne y`,

    .. math::

        \ell = \max(0, 1 + x_j - x_y) \qquad \frac{\partial \ell}{\partial x_j} = [\,1 + x_j > x_y\,] \qquad
        \frac{\partial \ell}{\partial x_y} = -[\,1 + x_j > x_y\,] \qquad
        \frac{\partial^2 \ell}{\partial x_k^2} = 0

    times the class weight of the label :math:`y`.

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    MulticlassPerceptron : Without a margin.
    WestonWatkins : The sum over all other classes.

    Notes
    -----
    Domain: `y_true` holds labels from 0 to C - 1, of any integer type or integral floats; `y_pred` is any real number.
    Classes that share the largest score share its derivative evenly. Exactly at the margin all derivatives are 0.
    A row where a score other than the label's is +inf is NaN.

    With weights equal, this is scikit-learn's ``hinge_loss`` of several classes and Keras's ``CategoricalHinge``, the
    latter where its largest other score is positive.

    Numerics: one difference, exact where the scores are close.

    References
    ----------
    .. [1] K. Crammer, Y. Singer, "On the algorithmic implementation of multiclass kernel-based vector machines",
       Journal of Machine Learning Research 2 (2001).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.CrammerSinger()([0, 1], [[2.0, 1.5, 0.0], [0.5, 0.0, -3.0]], reduction="none")
    array([0.5, 1.5])
    """

    labelled = "crammer_singer"
    scores = "scores"
    hessian_approximation = "constant"
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    def _constants(self, classes: int) -> dict[str, float]:
        return {"margin": 1.0}


@loss("multiclass_perceptron_loss")
class MulticlassPerceptron(RowLoss):
    r"""Multi-class perceptron loss: what the largest score is above the label's.

    With the largest score :math:`x_j`,

    .. math::

        \ell = x_j - x_y \qquad \frac{\partial \ell}{\partial x_j} = [\,x_j > x_y\,] \qquad
        \frac{\partial \ell}{\partial x_y} = -[\,x_j > x_y\,] \qquad \frac{\partial^2 \ell}{\partial x_k^2} = 0

    times the class weight of the label :math:`y`.

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight for each class; not negative.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    CrammerSinger : With a margin.
    Perceptron : Of two classes.

    Notes
    -----
    Domain: `y_true` holds labels from 0 to C - 1, of any integer type or integral floats; `y_pred` is any real number.
    Classes that share the largest score share its derivative evenly; all derivatives are 0 where the label is one of
    them.

    Numerics: one difference, exact where the scores are close.

    References
    ----------
    .. [1] M. Collins, "Discriminative training methods for hidden Markov models: theory and experiments with
       perceptron algorithms", EMNLP (2002).

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.MulticlassPerceptron()([0, 1], [[2.0, 1.5, 0.0], [0.5, 0.0, -3.0]], reduction="none")
    array([0. , 0.5])
    """

    labelled = "crammer_singer"
    scores = "scores"
    hessian_approximation = "constant"
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)

    def _constants(self, classes: int) -> dict[str, float]:
        return {"margin": 0.0}


@loss()
class MulticlassZeroOne(RowLoss):
    r"""Zero-one loss of classes: 1 where the largest score is not the label's; its mean is 1 - accuracy.

    .. math::

        \ell = c_y \left[\operatorname{argmax}_k x_k \ne y\right]
        \qquad \frac{\partial \ell}{\partial x_k} = 0

    Parameters
    ----------
    class_weight : sequence of float, optional
        A weight :math:`c_k` for each class; not negative. With the reciprocals of the classes' frequencies a mean is
        1 - balanced accuracy.
    axis : int, default=-1
        The axis of `y_pred` along which the classes lie; any layout is read in place.
    ignore_index : int or None, default=-100
        Rows of this label do not count. None: there is none.

    See Also
    --------
    ZeroOne : Of one score for each target.
    CrossEntropy : A loss to train with.

    Notes
    -----
    Domain: labels from 0 to C - 1 in `y_true`, of `y_pred`'s shape without the class axis; any real number in
    `y_pred`: logits, probabilities or any other scores. Of equal scores the first is the largest, as for
    ``numpy.argmax``. A row with a NaN is NaN. The gradient and the second derivative are 0 everywhere.

    Numerics: scores are compared as they are, without rounding.

    Examples
    --------
    >>> import fastloss as fl
    >>> labels, scores = [0, 1, 1], [[2.0, 1.0], [0.5, 0.1], [0.0, 3.0]]
    >>> accuracy = 1 - fl.multiclass_zero_one(labels, scores)
    >>> round(accuracy, 6)
    0.666667
    """

    labelled = "multiclass_zero_one"
    scores = "scores"
    hessian_approximation = "none"
    class_weight: tuple[float, ...] | None = weights(default=None)
    ignore_index: int | None = integer(default=-100, optional=True)
