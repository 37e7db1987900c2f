"""Redescending losses of the residual: flatter far from zero, so that the pull of an outlier fades."""

from __future__ import annotations

from fastloss._core.loss import HessianApproximation, Loss, loss, number
from fastloss._core.parameters import POSITIVE


@loss("cauchy_loss", "lorentzian")
class Cauchy(Loss):
    r"""Cauchy or Lorentzian loss: grows as a logarithm, so that the pull of outliers fades.

    With the residual :math:`r = \hat y - y` and :math:`u = (r / c)^2`,

    .. math::

        \ell = \frac{c^2}{2} \log(1 + u) \qquad \ell' = \frac{r}{1 + u} \qquad \ell'' = \frac{1 - u}{(1 + u)^2}

    Parameters
    ----------
    c : float, default=2.3849
        Scale of the residuals; positive, in the units of `y_true`. The default has 95% efficiency for normal residuals
        of unit variance.

    See Also
    --------
    StudentTNLL : The likelihood that this loss belongs to.
    Barron : With ``alpha=0`` this loss of :math:`\sqrt 2 c` divided by the square of `c`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for :math:`|r| > c`.

    Numerics: derivatives are in ratios that cannot overflow, and :math:`1 - u` counts the rounding errors of
    the residual and of its square.

    References
    ----------
    .. [1] M. J. Black and P. Anandan, "The robust estimation of multiple motions", Computer Vision and Image
       Understanding 63 (1996), doi:10.1006/cviu.1996.0006.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Cauchy(c=1.0).grad([0.0, 0.0], [1.0, 1e200], reduction="none")
    array([5.e-001, 1.e-200])
    """

    kernel = "cauchy"
    scores = "values"
    hessian_approximation = "constant"
    reweighted = True
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=2.3849)


@loss("tukey_biweight", "bisquare", "tukey_loss")
class Tukey(Loss):
    r"""Tukey's biweight: constant beyond `c`, so that outliers do not pull at all.

    With the residual :math:`r = \hat y - y` and :math:`u = \min((r / c)^2, 1)`,

    .. math::

        \ell = \frac{c^2}{6} (1 - (1 - u)^3) \qquad \ell' = r (1 - u)^2 \qquad \ell'' = (1 - u)(1 - 5 u)

    Parameters
    ----------
    c : float, default=4.685
        Where the loss turns constant; positive, in the units of `y_true`. The default has 95% efficiency for normal
        residuals of unit variance.

    See Also
    --------
    Welsch : A similar shape that is never exactly constant.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for
    :math:`c / \sqrt 5 < |r| < c`.

    Numerics: it is evaluated as :math:`r^2 (1 - u + u^2 / 3) / 2`, which does not cancel near 0; :math:`1 - u` counts
    the rounding error of the residual.

    References
    ----------
    .. [1] A. E. Beaton and J. W. Tukey, "The fitting of power series, meaning polynomials, illustrated on
       band-spectroscopic data", Technometrics 16 (1974), doi:10.1080/00401706.1974.10489171.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Tukey(c=2.0).grad([0.0, 0.0], [1.0, 100.0], reduction="none")
    array([0.5625, 0.    ])
    """

    kernel = "tukey"
    scores = "values"
    hessian_approximation = "constant"
    reweighted = True
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=4.685)


@loss("leclerc", "welsch_loss")
class Welsch(Loss):
    r"""Welsch or Leclerc loss: bounded, with a gradient that falls as a bell curve.

    With the residual :math:`r = \hat y - y` and :math:`u = (r / c)^2`,

    .. math:: \ell = \frac{c^2}{2} (1 - e^{-u}) \qquad \ell' = r e^{-u} \qquad \ell'' = (1 - 2 u) e^{-u}

    Parameters
    ----------
    c : float, default=2.985
        Scale of the residuals; positive, in the units of `y_true`. The default has 95% efficiency for normal residuals
        of unit variance.

    See Also
    --------
    Tukey : A similar shape that is exactly constant far out.
    Barron : This loss of :math:`\sqrt 2 c` over the square of `c` is the limit of ``alpha`` to minus infinity.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for
    :math:`|r| > c / \sqrt 2`.

    Numerics: :math:`u` is kept in twice the precision with the rounding error of the residual, which the exponential
    would amplify.

    References
    ----------
    .. [1] J. E. Dennis and R. E. Welsch, "Techniques for nonlinear least squares and robust regression", Communications
       in Statistics, Simulation and Computation 7 (1978), doi:10.1080/03610917808812083.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.Welsch(c=1.0)([0.0, 0.0], [1e-10, 10.0], reduction="none")
    array([5.e-21, 5.e-01])
    """

    kernel = "welsch"
    scores = "values"
    hessian_approximation = "constant"
    reweighted = True
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=2.985)


@loss("geman_mcclure_loss", name="geman_mcclure")
class GemanMcClure(Loss):
    r"""Geman-McClure loss: bounded, with a gradient that falls as the inverse cube.

    With the residual :math:`r = \hat y - y` and :math:`u = (r / c)^2`,

    .. math::

        \ell = \frac{r^2 / 2}{1 + u} \qquad \ell' = \frac{r}{(1 + u)^2} \qquad \ell'' = \frac{1 - 3 u}{(1 + u)^3}

    Parameters
    ----------
    c : float, default=1.0
        Scale of the residuals; positive, in the units of `y_true`. The loss stays below :math:`c^2 / 2`.

    See Also
    --------
    Barron : With ``alpha=-2`` this loss of :math:`2 c` over the square of `c`.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Not convex: the curvature is negative for
    :math:`|r| > c / \sqrt 3`.

    Numerics: everything is in the ratio of the smaller of :math:`|r|` and :math:`c` to the larger, which cannot
    overflow, and :math:`1 - 3 u` counts the rounding errors of the residual and of its square.

    References
    ----------
    .. [1] S. Geman and D. E. McClure, "Statistical methods for tomographic image reconstruction", Bulletin of the
       International Statistical Institute 52 (1987), 5-21.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GemanMcClure()([0.0, 0.0], [1.0, 1e200], reduction="none")
    array([0.25, 0.5 ])
    """

    kernel = "geman_mcclure"
    scores = "values"
    hessian_approximation = "constant"
    reweighted = True
    variants = ({"c": 0.3}, {"c": 70.0})
    c: float = number(POSITIVE, default=1.0)


@loss("adaptive_robust_loss", "general_robust_loss")
class Barron(Loss):
    r"""General robust loss: one shape parameter leads from the squared to the Welsch loss.

    With the residual :math:`r = \hat y - y`, :math:`u = (r / c)^2`, :math:`k = |\alpha - 2|` and
    :math:`B = 1 + u / k`,

    .. math::

        \ell = \frac{k}{\alpha} (B^{\alpha / 2} - 1)
        \qquad \ell' = \frac{r}{c^2} B^{\alpha / 2 - 1}
        \qquad \ell'' = \frac{1}{c^2} B^{\alpha / 2 - 2} \left(1 + (\alpha - 1) \frac{u}{k}\right)
        \quad (\alpha < 2)

    and for :math:`\alpha > 2` the last factor is :math:`1 + (\alpha - 1) u / k` as well. The limits are
    :math:`u / 2` at :math:`\alpha = 2` and :math:`\log(1 + u / 2)` at :math:`\alpha = 0`.

    Parameters
    ----------
    alpha : float, default=1.0
        Shape, any finite number: 2 is the squared error, 1 the pseudo-Huber, 0 the Cauchy, -2 the Geman-McClure loss.
        Lower is more robust.
    c : float, default=1.0
        Scale of the residuals; positive, in the units of `y_true`. The loss near 0 is :math:`(r / c)^2 / 2`.

    See Also
    --------
    PseudoHuber, Cauchy, GemanMcClure : Members of this family, times the square of `c`.
    Welsch : The limit of `alpha` to minus infinity.

    Notes
    -----
    Domain: `y_true` and `y_pred` are any real numbers. Convex for :math:`\alpha \ge 1`.

    Numerics: the powers are exponentials of a logarithm of twice the precision, so that the loss is accurate near 0
    and continuous in `alpha`; 0 and 2 have their own formulas.

    References
    ----------
    .. [1] J. T. Barron, "A general and adaptive robust loss function", CVPR 2019, arXiv:1701.03077.

    Examples
    --------
    >>> import fastloss as fl
    >>> [round(fl.Barron(alpha=alpha)([0.0], [2.0]), 6) for alpha in (2.0, 1.0, 0.0, -2.0)]
    [2.0, 1.236068, 1.098612, 1.0]
    """

    kernel = "barron"
    scores = "values"
    variants = (
        {"alpha": 2.0, "c": 0.3}, {"alpha": 0.0, "c": 3.0}, {"alpha": -2.0, "c": 0.3}, {"alpha": 1.7, "c": 70.0},
        {"alpha": 5.5}, {"alpha": -1e9}, {"alpha": 1e-9}, {"alpha": 2.0 - 1e-9},
    )  # fmt: skip
    alpha: float = number(default=1.0)
    c: float = number(POSITIVE, default=1.0)

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "constant" if self.alpha < 1 else "own"

    @property
    def reweighted(self) -> bool:  # type: ignore[override]
        return self.alpha < 2

    def _kernel(self) -> tuple[str, dict[str, float]]:
        if self.alpha == 2:
            return "barron_quadratic", {"c": self.c}
        if abs(self.alpha) < 2.0**-70:  # less than a rounding from the limit
            return "student_t", {"c": self.c, "k": 2.0, "factor": 1.0, "rate": 1.0}
        return self.kernel, {"alpha": self.alpha, "c": self.c}
