"""Penalties of parameters, and the structural risk: what a model is trained on besides its loss.

Everything is computed in float64 and returned in the type of the parameters. A penalty is a frozen, hashable object:
calling it gives the value, `grad` the gradient, `value_and_grad` both; where a penalty is not differentiable the
gradient is the subgradient that its class states.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastloss._core.evaluation import Floats
from fastloss._core.loss import Loss, number
from fastloss._core.operands import as_array
from fastloss._core.parameters import ANY, NON_NEGATIVE, UNIT, Domain, checked
from fastloss.composition.vae import expm1_minus

Doubles: TypeAlias = NDArray[np.float64]

__all__ = ["L1", "L2", "VAEKL", "ElasticNet", "Entropy", "GaussianKL", "GroupLasso", "Penalty", "structural_risk"]


class Penalty:
    """A function of parameters that is added to a loss.

    Concrete penalties declare their own parameters as fields, the names and domains of the arrays that they are
    functions of, and their formula. All of them are frozen, hashable and picklable, and are called alike.
    """

    arrays: ClassVar[tuple[str, ...]] = ("theta",)
    domain: ClassVar[Domain] = ANY

    def __post_init__(self) -> None:
        for parameter in fields(self):  # type: ignore[arg-type]
            if parameter.metadata:
                value = checked(type(self).__name__, parameter.name, getattr(self, parameter.name), parameter.metadata)
                object.__setattr__(self, parameter.name, value)

    def __call__(self, *parameters: ArrayLike) -> float:
        """Compute the penalty.

        Parameters
        ----------
        *parameters : array_like
            The arrays that it is a function of, all of one shape.

        Returns
        -------
        float
            The penalty, summed over all elements.
        """
        return self.value_and_grad(*parameters)[0]

    def grad(self, *parameters: ArrayLike) -> Any:
        """Compute the gradient.

        Parameters
        ----------
        *parameters : array_like
            As for calling the penalty.

        Returns
        -------
        ndarray or tuple of ndarray
            The gradient in each array, of its shape and type; float64 for integers.
        """
        return self.value_and_grad(*parameters)[1]

    def value_and_grad(self, *parameters: ArrayLike) -> tuple[float, Any]:
        """Compute the penalty and its gradient.

        Parameters
        ----------
        *parameters : array_like
            As for calling the penalty.

        Returns
        -------
        value : float
            What calling the penalty returns.
        grad : ndarray or tuple of ndarray
            What `grad` returns.
        """
        given = self._checked(parameters)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            value, grads = self._value_and_grads(*(array.astype(np.float64) for array in given))
            typed = tuple(
                grad.astype(np.float64 if array.dtype.kind in "biu" else array.dtype)
                for array, grad in zip(given, grads, strict=True)
            )
        return float(value), typed if len(typed) > 1 else typed[0]

    def proximal(self, theta: ArrayLike, step: float) -> Doubles:
        r"""Compute the proximal step, with which solvers of penalties that have kinks go on.

        .. math:: \operatorname*{arg\,min}_u \; R(u) + \frac1{2 s} \lVert u - \theta \rVert^2

        Parameters
        ----------
        theta : array_like
            The parameters.
        step : float
            The length of the step :math:`s`, not negative.

        Returns
        -------
        ndarray
            Of the shape of `theta`, float64.

        Raises
        ------
        TypeError
            Where the penalty has no proximal step in closed form.

        Examples
        --------
        >>> from fastloss.penalties import L1
        >>> L1(0.5).proximal([1.0, -2.0, 0.25], 1.0)
        array([ 0.5, -1.5,  0. ])
        """
        owner = type(self).__name__
        if type(self)._proximal is Penalty._proximal:
            raise TypeError(f"{owner}: there is no proximal step, it has no closed form")
        (given,) = self._checked((theta,))
        length = checked(owner, "step", step, {"domain": NON_NEGATIVE})
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return self._proximal(given.astype(np.float64), length)

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        """The sum over all elements and the gradient in each array."""
        raise NotImplementedError

    def _proximal(self, theta: Doubles, step: float) -> Doubles:
        raise NotImplementedError

    def _checked(self, parameters: tuple[ArrayLike, ...]) -> list[NDArray[Any]]:
        owner = type(self).__name__
        if len(parameters) != len(self.arrays):
            names = ", ".join(self.arrays)
            raise TypeError(f"{owner}: {len(parameters)} arrays are given, must be {len(self.arrays)}: {names}")
        given = [as_array(owner, name, array) for name, array in zip(self.arrays, parameters, strict=True)]
        for name, array in zip(self.arrays, given, strict=True):
            if array.dtype.kind not in "biuf" and array.dtype.name != "bfloat16":
                raise TypeError(f"{owner}: {name} has dtype {array.dtype}, must be a real number type")
            if array.shape != given[0].shape:
                first = self.arrays[0]
                raise ValueError(f"{owner}: {name} has shape {array.shape}, must have {first}'s {given[0].shape}")
            if self.domain is not ANY and (outside := array < self.domain.low).any():
                index = tuple(int(i) for i in np.argwhere(outside)[0])
                raise ValueError(f"{owner}: {name}{list(index)} is {array[index]}, must be {self.domain}")
        return given


# Of the parameters of a model -----------------------------------------------------------------------


@dataclass(frozen=True)
class L1(Penalty):
    r"""L1 penalty, the lasso's: drives parameters to exactly 0.

    .. math::

        R = \lambda \sum_i |\theta_i|
        \qquad \frac{\partial R}{\partial \theta_i} = \lambda \operatorname{sign} \theta_i

    Parameters
    ----------
    strength : float, default=1.0
        The factor :math:`\lambda`; not negative.

    See Also
    --------
    L2 : Shrinks parameters without making them 0.
    ElasticNet : Both.

    Notes
    -----
    The gradient at :math:`\theta_i = 0`, where the derivative jumps from :math:`-\lambda` to :math:`\lambda`, is 0, the
    subgradient of the least norm.

    References
    ----------
    .. [1] R. Tibshirani, "Regression shrinkage and selection via the lasso", Journal of the Royal Statistical Society B
       58 (1996), doi:10.1111/j.2517-6161.1996.tb02080.x.

    Examples
    --------
    >>> from fastloss.penalties import L1
    >>> L1(0.5).value_and_grad([1.0, -2.0, 0.0])
    (1.5, array([ 0.5, -0.5,  0. ]))
    """

    strength: float = number(NON_NEGATIVE, default=1.0)

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        (theta,) = parameters
        return self.strength * np.abs(theta).sum(), (self.strength * np.sign(theta),)

    def _proximal(self, theta: Doubles, step: float) -> Doubles:
        nearer: Doubles = np.sign(theta) * np.maximum(np.abs(theta) - step * self.strength, 0.0)
        return nearer


@dataclass(frozen=True)
class L2(Penalty):
    r"""L2 penalty, weight decay or ridge: half the squared norm.

    .. math:: R = \frac\lambda2 \sum_i \theta_i^2 \qquad \frac{\partial R}{\partial \theta_i} = \lambda \theta_i

    Parameters
    ----------
    strength : float, default=1.0
        The factor :math:`\lambda`; not negative. Where the penalty is meant without the half, it is twice as large.

    See Also
    --------
    L1 : Makes parameters 0.
    ElasticNet : Both.

    References
    ----------
    .. [1] A. E. Hoerl, R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems", Technometrics
       12 (1970), doi:10.1080/00401706.1970.10488634.

    Examples
    --------
    >>> from fastloss.penalties import L2
    >>> L2(0.5).value_and_grad([1.0, -2.0])
    (1.25, array([ 0.5, -1. ]))
    """

    strength: float = number(NON_NEGATIVE, default=1.0)

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        (theta,) = parameters
        return 0.5 * self.strength * np.square(theta).sum(), (self.strength * theta,)

    def _proximal(self, theta: Doubles, step: float) -> Doubles:
        return theta / (1 + step * self.strength)


@dataclass(frozen=True)
class ElasticNet(Penalty):
    r"""Elastic net: a mixture of the L1 and L2 penalties.

    .. math::

        R = \lambda \sum_i \left(\rho |\theta_i| + \frac{1 - \rho}{2} \theta_i^2\right)
        \qquad \frac{\partial R}{\partial \theta_i}
        = \lambda (\rho \operatorname{sign} \theta_i + (1 - \rho) \theta_i)

    Parameters
    ----------
    strength : float, default=1.0
        The factor :math:`\lambda`; not negative.
    l1_ratio : float, default=0.5
        The share :math:`\rho` of the L1 penalty, in [0, 1].

    See Also
    --------
    L1, L2 : Its parts.

    Notes
    -----
    These are the conventions of scikit-learn's ``ElasticNet``. The gradient at :math:`\theta_i = 0` is 0.

    References
    ----------
    .. [1] H. Zou, T. Hastie, "Regularization and variable selection via the elastic net", Journal of the Royal
       Statistical Society B 67 (2005), doi:10.1111/j.1467-9868.2005.00503.x.

    Examples
    --------
    >>> from fastloss.penalties import ElasticNet
    >>> ElasticNet(l1_ratio=0.25).value_and_grad([4.0, -2.0])
    (9.0, array([ 3.25, -1.75]))
    """

    strength: float = number(NON_NEGATIVE, default=1.0)
    l1_ratio: float = number(UNIT, default=0.5)

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        lasso, (slope,) = self.l1._value_and_grads(*parameters)
        ridge, (shrinkage,) = self.l2._value_and_grads(*parameters)
        return lasso + ridge, (slope + shrinkage,)

    def _proximal(self, theta: Doubles, step: float) -> Doubles:
        return self.l2._proximal(self.l1._proximal(theta, step), step)

    @property
    def l1(self) -> L1:
        """The part that is an L1 penalty."""
        return L1(self.strength * self.l1_ratio)

    @property
    def l2(self) -> L2:
        """The part that is an L2 penalty."""
        return L2(self.strength * (1 - self.l1_ratio))


@dataclass(frozen=True)
class GroupLasso(Penalty):
    r"""Group lasso: the norms of groups of parameters, so that whole groups become 0.

    .. math::

        R = \lambda \sum_g \|\theta_g\|_2
        \qquad \frac{\partial R}{\partial \theta_g} = \lambda \frac{\theta_g}{\|\theta_g\|_2}

    Parameters
    ----------
    strength : float, default=1.0
        The factor :math:`\lambda`; not negative.
    groups : sequence of int, optional
        The group of each index of the first axis; numbers from 0 on, in any order. By default each index is a group of
        its own: the rows of a matrix of coefficients, one row for each feature.

    See Also
    --------
    L1 : The case of groups of one.

    Notes
    -----
    The gradient of a group that is 0, where the norm has a kink, is 0, the subgradient of the least norm. Norms
    are of parameters relative to their largest, so that no square over- or underflows.

    References
    ----------
    .. [1] M. Yuan, Y. Lin, "Model selection and estimation in regression with grouped variables", Journal of the Royal
       Statistical Society B 68 (2006), doi:10.1111/j.1467-9868.2005.00532.x. The square roots of the sizes of groups
       that it weighs them with are left out here.

    Examples
    --------
    >>> from fastloss.penalties import GroupLasso
    >>> GroupLasso(groups=[0, 0, 1]).value_and_grad([3.0, 4.0, -2.0])
    (7.0, array([ 0.6,  0.8, -1. ]))
    """

    strength: float = number(NON_NEGATIVE, default=1.0)
    groups: Sequence[int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.groups is None:
            return
        groups = np.asarray(self.groups)
        if groups.ndim != 1 or groups.dtype.kind not in "iu" or (groups < 0).any():
            raise ValueError(f"GroupLasso: groups is {self.groups!r}, must be a sequence of integers from 0 on")
        object.__setattr__(self, "groups", tuple(groups.tolist()))

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        (theta,) = parameters
        groups, scale, norms, relative = self._measured(theta)
        unit = relative / np.where(norms == 0, 1.0, norms)[groups, np.newaxis]
        return self.strength * (scale * norms).sum(), ((self.strength * unit).reshape(theta.shape),)

    def _proximal(self, theta: Doubles, step: float) -> Doubles:
        groups, scale, norms, _ = self._measured(theta)
        with np.errstate(divide="ignore"):
            kept = np.where(norms > 0, np.maximum(1 - step * self.strength / scale / norms, 0.0), 0.0)
        return theta * kept[groups].reshape(-1, *(1 for _ in theta.shape[1:]))

    def _measured(self, theta: Doubles) -> tuple[NDArray[np.intp], Doubles, Doubles, Doubles]:
        """The group of each row, the scale of each group, its norm relative to that, and the rows relative to it."""
        length = theta.shape[0] if theta.ndim else 1
        if self.groups is not None and len(self.groups) != length:
            raise ValueError(
                f"GroupLasso: theta has {length} rows, must have one for each of {len(self.groups)} groups"
            )
        groups = np.arange(length) if self.groups is None else np.array(self.groups, np.intp)
        rows = theta.reshape(length, -1)
        largest = np.zeros(groups.max(initial=-1) + 1)
        np.fmax.at(largest, groups, np.fmax.reduce(np.abs(rows), axis=1, initial=0.0))  # NaN stays in the squares
        scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
        relative = rows / scale[groups, np.newaxis]
        norms = np.sqrt(np.bincount(groups, np.square(relative).sum(axis=1), minlength=len(largest)))
        return groups, scale, norms, relative


# Of distributions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entropy(Penalty):
    r"""Entropy of probabilities; with a negative strength the penalty of confidence.

    .. math::

        R = -\lambda \sum_i p_i \log p_i \qquad \frac{\partial R}{\partial p_i} = -\lambda (1 + \log p_i)

    Parameters
    ----------
    strength : float, default=1.0
        The factor :math:`\lambda`. A positive one drives distributions to be certain, a negative one to be uniform.

    Notes
    -----
    The probabilities are not negative; nothing asks that they sum to 1. A probability of 0 adds 0, and its gradient
    is infinite with the sign of :math:`\lambda`.

    References
    ----------
    .. [1] Y. Grandvalet, Y. Bengio, "Semi-supervised learning by entropy minimization", NIPS 2004.
    .. [2] G. Pereyra et al., "Regularizing neural networks by penalizing confident output distributions", 2017,
       arXiv:1701.06548.

    Examples
    --------
    >>> from fastloss.penalties import Entropy
    >>> round(Entropy()([0.5, 0.5, 0.0]), 6)
    0.693147
    """

    domain = NON_NEGATIVE
    arrays = ("probabilities",)
    strength: float = number(default=1.0)

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        (p,) = parameters
        if self.strength == 0:
            return 0.0, (np.zeros_like(p),)
        with np.errstate(divide="ignore"):
            logarithm = np.log(p)
        value = -self.strength * (p * np.where(p == 0, 0.0, logarithm)).sum()
        return value, (-self.strength * (1 + logarithm),)


@dataclass(frozen=True)
class VAEKL(Penalty):
    r"""Kullback-Leibler divergence of a diagonal Gaussian from the standard one: a variational autoencoder's penalty.

    .. math::

        R = -\frac\lambda2 \sum_i \left(1 + l_i - \mu_i^2 - e^{l_i}\right)
        \qquad \frac{\partial R}{\partial \mu_i} = \lambda \mu_i
        \qquad \frac{\partial R}{\partial l_i} = \frac\lambda2 \left(e^{l_i} - 1\right)

    Parameters
    ----------
    strength : float, default=1.0
        The factor :math:`\lambda`, the beta of a beta-VAE; not negative.

    See Also
    --------
    GaussianKL : From any diagonal Gaussian.

    Notes
    -----
    Called with the means :math:`\mu` and the logarithms of the variances :math:`l`, of one shape. Where variances are
    near 1 a series takes the place of :math:`e^l - 1 - l`, which would cancel.

    References
    ----------
    .. [1] D. P. Kingma, M. Welling, "Auto-encoding variational Bayes", ICLR 2014, arXiv:1312.6114.

    Examples
    --------
    >>> from fastloss.penalties import VAEKL
    >>> VAEKL().value_and_grad([1.0, 0.0], [0.0, 0.0])
    (0.5, (array([1., 0.]), array([0., 0.])))
    """

    arrays = ("mu", "logvar")
    strength: float = number(NON_NEGATIVE, default=1.0)

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        mu, logvar = parameters
        value = 0.5 * self.strength * (np.square(mu) + expm1_minus(logvar)).sum()
        return value, (self.strength * mu, 0.5 * self.strength * np.expm1(logvar))


@dataclass(frozen=True)
class GaussianKL(Penalty):
    r"""Kullback-Leibler divergence of one diagonal Gaussian from another.

    With :math:`d = l - m` and :math:`q = (\mu - \nu) e^{-m / 2}`,

    .. math::

        R = \lambda \operatorname{KL}\left(N(\mu, e^l) \,\|\, N(\nu, e^m)\right)
        = \frac\lambda2 \sum_i \left(e^{d_i} - 1 - d_i + q_i^2\right)

    .. math::

        \frac{\partial R}{\partial \mu} = -\frac{\partial R}{\partial \nu} = \lambda q e^{-m / 2}
        \qquad \frac{\partial R}{\partial l} = \frac\lambda2 (e^d - 1)
        \qquad \frac{\partial R}{\partial m} = -\frac\lambda2 (e^d - 1 + q^2)

    Parameters
    ----------
    strength : float, default=1.0
        The factor :math:`\lambda`; not negative.

    See Also
    --------
    VAEKL : From the standard Gaussian.

    Notes
    -----
    Called with :math:`\mu, l, \nu, m`: the mean and the logarithm of the variance of the first Gaussian and of the
    second, all of one shape. It is not symmetric. Where the variances are near each other a series takes the place of
    :math:`e^d - 1 - d`, which would cancel.

    References
    ----------
    .. [1] S. Kullback, R. A. Leibler, "On information and sufficiency", Annals of Mathematical Statistics 22 (1951),
       doi:10.1214/aoms/1177729694.

    Examples
    --------
    >>> from fastloss.penalties import GaussianKL
    >>> GaussianKL()([2.0], [0.0], [0.0], [0.0])
    2.0
    """

    arrays = ("mu", "logvar", "prior_mu", "prior_logvar")
    strength: float = number(NON_NEGATIVE, default=1.0)

    def _value_and_grads(self, *parameters: Doubles) -> tuple[Any, tuple[Doubles, ...]]:
        mu, logvar, prior_mu, prior_logvar = parameters
        half = 0.5 * self.strength
        precision = np.exp(-0.5 * prior_logvar)
        score = (mu - prior_mu) * precision
        difference = logvar - prior_logvar
        growth = np.expm1(difference)
        slope = self.strength * score * precision
        value = half * (expm1_minus(difference) + np.square(score)).sum()
        return value, (slope, half * growth, -slope, -half * (growth + np.square(score)))


# With a loss ----------------------------------------------------------------------------------------


def structural_risk(
    loss: Loss,
    penalty: Penalty,
    y_true: ArrayLike,
    y_pred: ArrayLike,
    theta: Any,
    *,
    sample_weight: ArrayLike | None = None,
) -> tuple[float, Floats, Any]:
    r"""Compute the structural risk, the empirical risk plus a penalty of the model's parameters, and its gradients.

    .. math:: \frac1W \sum_i w_i \, \ell(y_i, \hat y_i) + R(\theta)

    Parameters
    ----------
    loss : Loss
        Whose mean is the empirical risk.
    penalty : Penalty
        The penalty :math:`R`.
    y_true, y_pred : array_like
        Targets and predictions, as for the loss.
    theta : array_like or tuple of array_like
        The parameters; a tuple for a penalty of several arrays.
    sample_weight : array_like, optional
        The weights :math:`w_i`, as for the loss.

    Returns
    -------
    value : float
        The structural risk.
    grad_pred : ndarray
        Its gradient in `y_pred`. A model with the Jacobian :math:`J` of predictions in parameters has the whole
        gradient ``J.T @ grad_pred + grad_theta``.
    grad_theta : ndarray or tuple of ndarray
        The gradient of the penalty in `theta`.

    References
    ----------
    .. [1] V. Vapnik, "Principles of risk minimization for learning theory", NIPS 1991.

    Examples
    --------
    Ridge regression of two points by a line through the origin:

    >>> import numpy as np
    >>> import fastloss as fl
    >>> from fastloss.penalties import L2, structural_risk
    >>> X, y, theta = np.array([[1.0], [2.0]]), np.array([1.0, 3.0]), np.array([1.0])
    >>> value, grad_pred, grad_theta = structural_risk(fl.SquaredError(), L2(0.5), y, X @ theta, theta)
    >>> value, X.T @ grad_pred + grad_theta
    (0.75, array([-1.5]))
    """
    empirical, grad_pred = loss.value_and_grad(y_true, y_pred, sample_weight=sample_weight)
    value, grad_theta = penalty.value_and_grad(*(theta if isinstance(theta, tuple) else (theta,)))
    return empirical + value, grad_pred, grad_theta
