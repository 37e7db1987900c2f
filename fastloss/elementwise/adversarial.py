"""Losses of adversarial games: what a generator and a discriminator play for."""

from __future__ import annotations

from fastloss._core.loss import HessianApproximation, Loss, choice, loss
from fastloss._core.parameters import SIGN


@loss(name="gan_discriminator")
class GANDiscriminator(Loss):
    r"""What the discriminator of an adversarial game lowers.

    With :math:`s = 1` for real samples and -1 for generated ones,

    .. math::

        \ell_\text{bce} &= \log(1 + e^{-s \hat y}) & \ell' &= -s \, \sigma(-s \hat y)
        & \ell'' &= \sigma(\hat y) \, \sigma(-\hat y) \\
        \ell_\text{ls} &= (\hat y - [s = 1])^2 / 2 & \ell' &= \hat y - [s = 1] & \ell'' &= 1 \\
        \ell_\text{wgan} &= -s \hat y & \ell' &= -s & \ell'' &= 0 \\
        \ell_\text{hinge} &= \max(0, 1 - s \hat y) & \ell' &= -s \, [s \hat y < 1] & \ell'' &= 0

    Parameters
    ----------
    mode : {"bce", "ls", "wgan", "hinge"}, default="bce"
        The game: the original one, least squares, Wasserstein, or hinge.

    See Also
    --------
    GANGenerator : The other side.

    Notes
    -----
    Domain: `y_true` is 1 for real samples and 0 or -1 for generated ones; `y_pred` is the discriminator's raw score,
    any real number. At the kink of the hinge the derivative is 0.

    Numerics: as for `SoftMargin` and `Hinge`.

    References
    ----------
    .. [1] I. Goodfellow et al., "Generative adversarial nets", NIPS 2014, arXiv:1406.2661.
    .. [2] X. Mao et al., "Least squares generative adversarial networks", ICCV 2017, arXiv:1611.04076.
    .. [3] M. Arjovsky et al., "Wasserstein GAN", ICML 2017, arXiv:1701.07875.
    .. [4] J. H. Lim, J. C. Ye, "Geometric GAN", 2017, arXiv:1705.02894.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GANDiscriminator(mode="hinge")([1, 0], [0.5, 0.5], reduction="none")
    array([0.5, 1.5])
    """

    target = SIGN
    scores = "scores"
    variants = ({"mode": "ls"}, {"mode": "wgan"}, {"mode": "hinge"})
    mode: str = choice("bce", "ls", "wgan", "hinge", default="bce")

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "own" if self.mode == "bce" else "constant"

    def _kernel(self) -> tuple[str, dict[str, float]]:
        kernel = {"bce": "soft_margin", "ls": "least_squares_score", "wgan": "wasserstein", "hinge": "hinge"}[self.mode]
        return kernel, {"margin": 1.0} if self.mode == "hinge" else {}


@loss(name="gan_generator")
class GANGenerator(Loss):
    r"""What the generator of an adversarial game lowers.

    With :math:`s = 1` for samples that shall be taken for real ones (-1 turns the aim around),

    .. math::

        \ell_\text{bce} &= \log(1 + e^{-s \hat y}) & \ell' &= -s \, \sigma(-s \hat y)
        & \ell'' &= \sigma(\hat y) \, \sigma(-\hat y) \\
        \ell_\text{minimax} &= -\log(1 + e^{s \hat y}) & \ell' &= -s \, \sigma(s \hat y)
        & \ell'' &= -\sigma(\hat y) \, \sigma(-\hat y) \\
        \ell_\text{ls} &= (\hat y - [s = 1])^2 / 2 & \ell' &= \hat y - [s = 1] & \ell'' &= 1 \\
        \ell_\text{wgan} = \ell_\text{hinge} &= -s \hat y & \ell' &= -s & \ell'' &= 0

    Parameters
    ----------
    mode : {"bce", "minimax", "ls", "wgan", "hinge"}, default="bce"
        The game: the original one in its form that does not saturate or as the minimax game itself, least squares,
        Wasserstein, or hinge.

    See Also
    --------
    GANDiscriminator : The other side, and the references.

    Notes
    -----
    Domain: `y_true` is what the generator wants a sample to be taken for, 1 for real, 0 or -1 for generated; `y_pred`
    is the discriminator's raw score of that sample, any real number.

    Numerics: as for `SoftMargin`.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.GANGenerator(mode="minimax")([1, 1], [0.0, -2.0], reduction="none")
    array([-0.69314718, -0.12692801])
    """

    target = SIGN
    scores = "scores"
    variants = ({"mode": "minimax"}, {"mode": "ls"}, {"mode": "wgan"}, {"mode": "hinge"})
    mode: str = choice("bce", "minimax", "ls", "wgan", "hinge", default="bce")

    @property
    def hessian_approximation(self) -> HessianApproximation:  # type: ignore[override]
        return "own" if self.mode == "bce" else "constant"

    def _kernel(self) -> tuple[str, dict[str, float]]:
        return {
            "bce": "soft_margin",
            "minimax": "saturating",
            "ls": "least_squares_score",
            "wgan": "wasserstein",
            "hinge": "wasserstein",
        }[self.mode], {}
