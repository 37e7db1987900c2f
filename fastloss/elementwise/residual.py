"""Regression losses of the residual, the prediction minus the target."""

from __future__ import annotations

from fastloss._base import Loss, loss, number
from fastloss._parameters import POSITIVE


@loss("mse", "mse_loss", "l2_loss", "mean_squared_error")
class SquaredError(Loss):
    """Squared error."""

    kernel = "SQUARED_ERROR"
    variants = ({"half": True},)
    half: bool = False

    def _kernel(self) -> tuple[str, tuple[float, ...]]:
        return self.kernel, (0.5 if self.half else 1.0,)


@loss("mae", "l1_loss", "mean_absolute_error")
class AbsoluteError(Loss):
    """Absolute error."""

    kernel = "ABSOLUTE_ERROR"


@loss("huber_loss")
class Huber(Loss):
    r"""Huber loss: quadratic near zero, linear beyond `delta`.

    With the residual :math:`r = \hat y - y`,

    .. math::

        \ell = \begin{cases} r^2 / 2 & |r| \le \delta \\ \delta (|r| - \delta / 2) & |r| > \delta \end{cases}
        \qquad \ell' = \min(\max(r, -\delta), \delta)
        \qquad \ell'' = [\,|r| \le \delta\,]

    Parameters
    ----------
    delta : float, default=1.0
        Where the loss turns linear; positive, in the units of `y_true`.

    See Also
    --------
    PseudoHuber : The same limits with all derivatives continuous.
    SmoothL1 : The same loss divided by `delta`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. The curvature at :math:`|r| = \delta` is 1.

    Numerics: both branches are :math:`m (|r| - m / 2)` with :math:`m = \min(|r|, \delta)`, so that nothing
    overflows before the loss itself does.

    References
    ----------
    .. [1] P. J. Huber, "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964),
       doi:10.1214/aoms/1177703732.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Huber(delta=1.0)([0.0, 0.0], [0.5, 3.0], reduction="none")
    array([0.125, 2.5  ])
    """

    kernel = "HUBER"
    variants = ({"delta": 0.3},)
    delta: float = number(1.0, POSITIVE)
