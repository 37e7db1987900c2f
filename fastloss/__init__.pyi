# Written by tools/generate.py from the registry; do not edit.
from typing import Any, Literal, overload

from numpy.typing import ArrayLike

from fastloss import penalties as penalties
from fastloss import testing as testing
from fastloss._base import Loss as Loss
from fastloss._base import registry as registry
from fastloss._call import Floats, NanPolicy, Reduction
from fastloss._config import config as config
from fastloss._config import show_config as show_config
from fastloss._linear_cross_entropy import LinearGrads as LinearGrads
from fastloss._linear_cross_entropy import linear_cross_entropy as linear_cross_entropy
from fastloss._linear_cross_entropy import linear_cross_entropy_value_and_grads as linear_cross_entropy_value_and_grads
from fastloss.elementwise.residual import SquaredError as SquaredError
from fastloss.elementwise.residual import AbsoluteError as AbsoluteError
from fastloss.elementwise.residual import MeanBias as MeanBias
from fastloss.elementwise.residual import Lp as Lp
from fastloss.elementwise.residual import Quantile as Quantile
from fastloss.elementwise.residual import Expectile as Expectile
from fastloss.elementwise.residual import EpsilonInsensitive as EpsilonInsensitive
from fastloss.elementwise.residual import SquaredEpsilonInsensitive as SquaredEpsilonInsensitive
from fastloss.elementwise.residual import Linex as Linex
from fastloss.elementwise.robust import Huber as Huber
from fastloss.elementwise.robust import SmoothL1 as SmoothL1
from fastloss.elementwise.robust import LogCosh as LogCosh
from fastloss.elementwise.robust import PseudoHuber as PseudoHuber
from fastloss.elementwise.robust import Fair as Fair
from fastloss.elementwise.robust import Wing as Wing
from fastloss.elementwise.redescending import Cauchy as Cauchy
from fastloss.elementwise.redescending import Tukey as Tukey
from fastloss.elementwise.redescending import Welsch as Welsch
from fastloss.elementwise.redescending import GemanMcClure as GemanMcClure
from fastloss.elementwise.redescending import Barron as Barron
from fastloss.elementwise.redescending import StudentTNLL as StudentTNLL
from fastloss.elementwise.relative import SquaredLogError as SquaredLogError
from fastloss.elementwise.relative import AbsolutePercentageError as AbsolutePercentageError
from fastloss.elementwise.relative import SquaredPercentageError as SquaredPercentageError
from fastloss.elementwise.relative import SymmetricAbsolutePercentageError as SymmetricAbsolutePercentageError
from fastloss.elementwise.likelihood import Poisson as Poisson
from fastloss.elementwise.likelihood import Gamma as Gamma
from fastloss.elementwise.likelihood import Tweedie as Tweedie
from fastloss.elementwise.binary import BinaryCrossEntropy as BinaryCrossEntropy
from fastloss.elementwise.binary import BinaryCrossEntropyProbability as BinaryCrossEntropyProbability
from fastloss.elementwise.binary import SigmoidFocal as SigmoidFocal
from fastloss.elementwise.binary import ReducedFocal as ReducedFocal
from fastloss.elementwise.binary import AsymmetricLoss as AsymmetricLoss
from fastloss.elementwise.binary import Brier as Brier
from fastloss.elementwise.binary import CrossEntropyLambda as CrossEntropyLambda
from fastloss.elementwise.binary import ZeroOne as ZeroOne
from fastloss.elementwise.binary import Slide as Slide
from fastloss.elementwise.margin import Hinge as Hinge
from fastloss.elementwise.margin import SquaredHinge as SquaredHinge
from fastloss.elementwise.margin import SmoothedHinge as SmoothedHinge
from fastloss.elementwise.margin import ModifiedHuber as ModifiedHuber
from fastloss.elementwise.margin import Perceptron as Perceptron
from fastloss.elementwise.margin import SoftMargin as SoftMargin
from fastloss.elementwise.margin import Exponential as Exponential
from fastloss.elementwise.margin import Savage as Savage
from fastloss.elementwise.margin import SigmoidLoss as SigmoidLoss
from fastloss.elementwise.margin import HingeEmbedding as HingeEmbedding
from fastloss.elementwise.margin import GANDiscriminator as GANDiscriminator
from fastloss.elementwise.margin import GANGenerator as GANGenerator
from fastloss.elementwise.margin import DPO as DPO
from fastloss.elementwise.margin import IPO as IPO
from fastloss.elementwise.margin import KTO as KTO
from fastloss.elementwise.pair import GaussianNLL as GaussianNLL
from fastloss.elementwise.pair import GaussianNLLLogSigma as GaussianNLLLogSigma
from fastloss.elementwise.pair import LaplaceNLL as LaplaceNLL
from fastloss.elementwise.pair import MarginRanking as MarginRanking
from fastloss.elementwise.pair import MultiQuantile as MultiQuantile
from fastloss.elementwise.aggregate import RootMeanSquaredError as RootMeanSquaredError
from fastloss.elementwise.aggregate import RootMeanSquaredLogError as RootMeanSquaredLogError
from fastloss.elementwise.aggregate import FractionOfVarianceUnexplained as FractionOfVarianceUnexplained
from fastloss.elementwise.aggregate import UnexplainedVariance as UnexplainedVariance
from fastloss.rowwise.divergence import KLDivergence as KLDivergence
from fastloss.rowwise.divergence import ReverseKL as ReverseKL
from fastloss.rowwise.divergence import JensenShannon as JensenShannon
from fastloss.rowwise.divergence import GeneralizedKL as GeneralizedKL
from fastloss.rowwise.divergence import TotalVariation as TotalVariation
from fastloss.rowwise.divergence import Distillation as Distillation
from fastloss.rowwise.multiclass import MultiMargin as MultiMargin
from fastloss.rowwise.multiclass import WestonWatkins as WestonWatkins
from fastloss.rowwise.multiclass import CrammerSinger as CrammerSinger
from fastloss.rowwise.multiclass import MulticlassPerceptron as MulticlassPerceptron
from fastloss.rowwise.multiclass import SparsemaxLoss as SparsemaxLoss
from fastloss.rowwise.multilabel import MultilabelSoftMargin as MultilabelSoftMargin
from fastloss.rowwise.multilabel import MultilabelMargin as MultilabelMargin
from fastloss.rowwise.simplex import NegativeLogLikelihood as NegativeLogLikelihood
from fastloss.rowwise.simplex import MulticlassZeroOne as MulticlassZeroOne
from fastloss.rowwise.simplex import MulticlassBrier as MulticlassBrier
from fastloss.rowwise.simplex import ListNet as ListNet
from fastloss.rowwise.simplex import ListMLE as ListMLE
from fastloss.rowwise.softmax import CrossEntropy as CrossEntropy
from fastloss.rowwise.softmax import SoftmaxFocal as SoftmaxFocal
from fastloss.rowwise.softmax import Poly1CrossEntropy as Poly1CrossEntropy
from fastloss.rowwise.softmax import GeneralizedCrossEntropy as GeneralizedCrossEntropy
from fastloss.rowwise.softmax import CosFace as CosFace
from fastloss.rowwise.softmax import ArcFace as ArcFace
from fastloss.rowwise.softmax import DistributionFocalLoss as DistributionFocalLoss
from fastloss.rowwise.softmax import SoftmaxEntropy as SoftmaxEntropy
from fastloss.linear import LinearFit as LinearFit
from fastloss.linear import LinearObjective as LinearObjective
from fastloss.sequence import SequenceScores as SequenceScores
from fastloss.sequence import TokenScores as TokenScores
from fastloss.sequence import segment_sum as segment_sum
from fastloss.sequence import sequence_logprobs as sequence_logprobs
from fastloss.sequence import token_logprobs as token_logprobs
from fastloss.shards import ShardState as ShardState
from fastloss.state import LossState as LossState

__version__: str

@overload
def squared_error(y_true: ArrayLike, y_pred: ArrayLike, *, half: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def squared_error(y_true: ArrayLike, y_pred: ArrayLike, *, half: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
mse = squared_error
mse_loss = squared_error
l2_loss = squared_error
mean_squared_error = squared_error
@overload
def absolute_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def absolute_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
mae = absolute_error
l1_loss = absolute_error
mean_absolute_error = absolute_error
@overload
def mean_bias(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def mean_bias(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
mbe = mean_bias
mean_bias_error = mean_bias
@overload
def lp(y_true: ArrayLike, y_pred: ArrayLike, *, p: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def lp(y_true: ArrayLike, y_pred: ArrayLike, *, p: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
lp_loss = lp
lq_loss = lp
@overload
def quantile(y_true: ArrayLike, y_pred: ArrayLike, *, quantile: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def quantile(y_true: ArrayLike, y_pred: ArrayLike, *, quantile: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
pinball = quantile
quantile_loss = quantile
pinball_loss = quantile
@overload
def expectile(y_true: ArrayLike, y_pred: ArrayLike, *, alpha: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def expectile(y_true: ArrayLike, y_pred: ArrayLike, *, alpha: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
expectile_loss = expectile
@overload
def epsilon_insensitive(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def epsilon_insensitive(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
epsilon_insensitive_loss = epsilon_insensitive
@overload
def squared_epsilon_insensitive(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def squared_epsilon_insensitive(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
squared_epsilon_insensitive_loss = squared_epsilon_insensitive
@overload
def linex(y_true: ArrayLike, y_pred: ArrayLike, *, a: float = 1.0, b: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def linex(y_true: ArrayLike, y_pred: ArrayLike, *, a: float = 1.0, b: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
linex_loss = linex
@overload
def huber(y_true: ArrayLike, y_pred: ArrayLike, *, delta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def huber(y_true: ArrayLike, y_pred: ArrayLike, *, delta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
huber_loss = huber
@overload
def smooth_l1(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def smooth_l1(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
smooth_l1_loss = smooth_l1
@overload
def log_cosh(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def log_cosh(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
logcosh = log_cosh
@overload
def pseudo_huber(y_true: ArrayLike, y_pred: ArrayLike, *, delta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def pseudo_huber(y_true: ArrayLike, y_pred: ArrayLike, *, delta: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
pseudo_huber_loss = pseudo_huber
@overload
def fair(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 1.3998, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def fair(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 1.3998, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
fair_loss = fair
@overload
def wing(y_true: ArrayLike, y_pred: ArrayLike, *, width: float = 10.0, curvature: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def wing(y_true: ArrayLike, y_pred: ArrayLike, *, width: float = 10.0, curvature: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
wing_loss = wing
@overload
def cauchy(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 2.3849, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def cauchy(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 2.3849, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
cauchy_loss = cauchy
lorentzian = cauchy
@overload
def tukey(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 4.685, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def tukey(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 4.685, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
tukey_biweight = tukey
bisquare = tukey
tukey_loss = tukey
@overload
def welsch(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 2.985, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def welsch(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 2.985, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
leclerc = welsch
welsch_loss = welsch
@overload
def geman_mcclure(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def geman_mcclure(y_true: ArrayLike, y_pred: ArrayLike, *, c: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
geman_mcclure_loss = geman_mcclure
@overload
def barron(y_true: ArrayLike, y_pred: ArrayLike, *, alpha: float = 1.0, c: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def barron(y_true: ArrayLike, y_pred: ArrayLike, *, alpha: float = 1.0, c: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
adaptive_robust_loss = barron
general_robust_loss = barron
@overload
def student_t_nll(y_true: ArrayLike, y_pred: ArrayLike, *, df: float = 3.0, scale: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def student_t_nll(y_true: ArrayLike, y_pred: ArrayLike, *, df: float = 3.0, scale: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def squared_log_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def squared_log_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
msle = squared_log_error
mean_squared_logarithmic_error = squared_log_error
squared_logarithmic_error = squared_log_error
@overload
def absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 1e-08, scale: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 1e-08, scale: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
mape = absolute_percentage_error
mean_absolute_percentage_error = absolute_percentage_error
@overload
def squared_percentage_error(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 1e-08, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def squared_percentage_error(y_true: ArrayLike, y_pred: ArrayLike, *, epsilon: float = 1e-08, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
spe = squared_percentage_error
mspe = squared_percentage_error
mean_squared_percentage_error = squared_percentage_error
@overload
def symmetric_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def symmetric_absolute_percentage_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
smape = symmetric_absolute_percentage_error
symmetric_mean_absolute_percentage_error = symmetric_absolute_percentage_error
@overload
def poisson(y_true: ArrayLike, y_pred: ArrayLike, *, log_input: bool = True, full: bool = False, eps: float = 1e-08, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def poisson(y_true: ArrayLike, y_pred: ArrayLike, *, log_input: bool = True, full: bool = False, eps: float = 1e-08, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
poisson_nll = poisson
poisson_nll_loss = poisson
@overload
def gamma(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def gamma(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
gamma_nll = gamma
@overload
def tweedie(y_true: ArrayLike, y_pred: ArrayLike, *, power: float = 1.5, link: str = 'log', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def tweedie(y_true: ArrayLike, y_pred: ArrayLike, *, power: float = 1.5, link: str = 'log', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def binary_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, pos_weight: float = 1.0, label_smoothing: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def binary_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, pos_weight: float = 1.0, label_smoothing: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
bce = binary_cross_entropy
bce_with_logits = binary_cross_entropy
binary_cross_entropy_with_logits = binary_cross_entropy
binary_crossentropy = binary_cross_entropy
log_loss_with_logits = binary_cross_entropy
@overload
def binary_cross_entropy_probability(y_true: ArrayLike, y_pred: ArrayLike, *, eps: float = 0.0, log_clamp: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def binary_cross_entropy_probability(y_true: ArrayLike, y_pred: ArrayLike, *, eps: float = 0.0, log_clamp: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
log_loss = binary_cross_entropy_probability
bce_loss = binary_cross_entropy_probability
bce_prob = binary_cross_entropy_probability
@overload
def sigmoid_focal(y_true: ArrayLike, y_pred: ArrayLike, *, alpha: float = 0.25, gamma: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def sigmoid_focal(y_true: ArrayLike, y_pred: ArrayLike, *, alpha: float = 0.25, gamma: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
focal = sigmoid_focal
focal_loss = sigmoid_focal
sigmoid_focal_loss = sigmoid_focal
binary_focal_crossentropy = sigmoid_focal
@overload
def reduced_focal(y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 0.5, gamma: float = 2.0, alpha: float = -1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def reduced_focal(y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 0.5, gamma: float = 2.0, alpha: float = -1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
reduced_focal_loss = reduced_focal
@overload
def asymmetric_loss(y_true: ArrayLike, y_pred: ArrayLike, *, gamma_neg: float = 4.0, gamma_pos: float = 1.0, clip: float = 0.05, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def asymmetric_loss(y_true: ArrayLike, y_pred: ArrayLike, *, gamma_neg: float = 4.0, gamma_pos: float = 1.0, clip: float = 0.05, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
asl = asymmetric_loss
@overload
def brier(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def brier(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
brier_score = brier
brier_score_loss = brier
@overload
def cross_entropy_lambda(y_true: ArrayLike, y_pred: ArrayLike, *, exposure: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def cross_entropy_lambda(y_true: ArrayLike, y_pred: ArrayLike, *, exposure: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
xentlambda = cross_entropy_lambda
@overload
def zero_one(y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def zero_one(y_true: ArrayLike, y_pred: ArrayLike, *, threshold: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
zero_one_loss = zero_one
@overload
def slide(y_true: ArrayLike, y_pred: ArrayLike, *, mu: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def slide(y_true: ArrayLike, y_pred: ArrayLike, *, mu: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
slide_loss = slide
@overload
def hinge(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def hinge(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
hinge_loss = hinge
@overload
def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def squared_hinge(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
squared_hinge_loss = squared_hinge
@overload
def smoothed_hinge(y_true: ArrayLike, y_pred: ArrayLike, *, gamma: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def smoothed_hinge(y_true: ArrayLike, y_pred: ArrayLike, *, gamma: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
smooth_hinge = smoothed_hinge
@overload
def modified_huber(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def modified_huber(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
modified_huber_loss = modified_huber
@overload
def perceptron(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def perceptron(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
perceptron_loss = perceptron
@overload
def soft_margin(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def soft_margin(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
soft_margin_loss = soft_margin
logistic = soft_margin
@overload
def exponential(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def exponential(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
exponential_loss = exponential
@overload
def savage(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def savage(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
savage_loss = savage
@overload
def sigmoid_loss(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def sigmoid_loss(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
tanh_loss = sigmoid_loss
@overload
def hinge_embedding(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def hinge_embedding(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 1.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
hinge_embedding_loss = hinge_embedding
@overload
def gan_discriminator(y_true: ArrayLike, y_pred: ArrayLike, *, mode: str = 'bce', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def gan_discriminator(y_true: ArrayLike, y_pred: ArrayLike, *, mode: str = 'bce', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def gan_generator(y_true: ArrayLike, y_pred: ArrayLike, *, mode: str = 'bce', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def gan_generator(y_true: ArrayLike, y_pred: ArrayLike, *, mode: str = 'bce', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def dpo(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 0.1, label_smoothing: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def dpo(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 0.1, label_smoothing: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
dpo_loss = dpo
@overload
def ipo(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def ipo(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
ipo_loss = ipo
@overload
def kto(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def kto(y_true: ArrayLike, y_pred: ArrayLike, *, beta: float = 0.1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
kto_loss = kto
@overload
def gaussian_nll(y_true: ArrayLike, y_pred: ArrayLike, *, full: bool = False, eps: float = 1e-06, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def gaussian_nll(y_true: ArrayLike, y_pred: ArrayLike, *, full: bool = False, eps: float = 1e-06, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
gaussian_nll_loss = gaussian_nll
@overload
def gaussian_nll_log_sigma(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def gaussian_nll_log_sigma(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
rmse_with_uncertainty = gaussian_nll_log_sigma
@overload
def laplace_nll(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def laplace_nll(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def margin_ranking(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def margin_ranking(y_true: ArrayLike, y_pred: ArrayLike, *, margin: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
margin_ranking_loss = margin_ranking
@overload
def multi_quantile(y_true: ArrayLike, y_pred: ArrayLike, *, quantiles: tuple[float, ...] = (0.1, 0.5, 0.9), sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def multi_quantile(y_true: ArrayLike, y_pred: ArrayLike, *, quantiles: tuple[float, ...] = (0.1, 0.5, 0.9), sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
multi_quantile_loss = multi_quantile
multi_pinball_loss = multi_quantile
@overload
def root_mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def root_mean_squared_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
rmse = root_mean_squared_error
root_mean_square_error = root_mean_squared_error
@overload
def root_mean_squared_log_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def root_mean_squared_log_error(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
rmsle = root_mean_squared_log_error
root_mean_squared_logarithmic_error = root_mean_squared_log_error
@overload
def fraction_of_variance_unexplained(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def fraction_of_variance_unexplained(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
r2_loss = fraction_of_variance_unexplained
fvu = fraction_of_variance_unexplained
@overload
def unexplained_variance(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def unexplained_variance(y_true: ArrayLike, y_pred: ArrayLike, *, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
explained_variance_loss = unexplained_variance
@overload
def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, from_logits: bool = True, log_target: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def kl_divergence(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, from_logits: bool = True, log_target: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
kl_div = kl_divergence
kullback_leibler_divergence = kl_divergence
@overload
def reverse_kl(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, from_logits: bool = True, log_target: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def reverse_kl(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, from_logits: bool = True, log_target: bool = False, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def jensen_shannon(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, from_logits: bool = True, log_target: bool = False, beta: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def jensen_shannon(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, from_logits: bool = True, log_target: bool = False, beta: float = 0.5, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
jsd = jensen_shannon
generalized_jsd = jensen_shannon
jensen_shannon_divergence = jensen_shannon
@overload
def generalized_kl(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def generalized_kl(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def total_variation(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def total_variation(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
tvd = total_variation
total_variation_distance = total_variation
@overload
def distillation(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, temperature: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def distillation(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, temperature: float = 2.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
distillation_loss = distillation
@overload
def multi_margin(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, margin: float = 1.0, class_weight: tuple[float, ...] | None = None, p: int = 1, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def multi_margin(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, margin: float = 1.0, class_weight: tuple[float, ...] | None = None, p: int = 1, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
multi_margin_loss = multi_margin
@overload
def weston_watkins(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def weston_watkins(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def crammer_singer(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def crammer_singer(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
multiclass_hinge = crammer_singer
categorical_hinge = crammer_singer
@overload
def multiclass_perceptron(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def multiclass_perceptron(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def sparsemax_loss(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, temperature: float = 1.0, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def sparsemax_loss(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, temperature: float = 1.0, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
sparsemax = sparsemax_loss
@overload
def multilabel_soft_margin(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def multilabel_soft_margin(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
multilabel_soft_margin_loss = multilabel_soft_margin
@overload
def multilabel_margin(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def multilabel_margin(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
multilabel_margin_loss = multilabel_margin
@overload
def negative_log_likelihood(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def negative_log_likelihood(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
nll_loss = negative_log_likelihood
@overload
def multiclass_zero_one(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def multiclass_zero_one(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
@overload
def multiclass_brier(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def multiclass_brier(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
brier_multi = multiclass_brier
@overload
def list_net(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def list_net(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
listnet = list_net
@overload
def list_mle(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def list_mle(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
listmle = list_mle
@overload
def cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, label_smoothing: float = 0.0, temperature: float = 1.0, softcap: float = 0.0, z_loss: float = 0.0, hessian: str = 'exact', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, label_smoothing: float = 0.0, temperature: float = 1.0, softcap: float = 0.0, z_loss: float = 0.0, hessian: str = 'exact', sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
softmax_cross_entropy = cross_entropy
sparse_categorical_crossentropy = cross_entropy
categorical_crossentropy = cross_entropy
@overload
def softmax_focal(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, gamma: float = 2.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def softmax_focal(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, gamma: float = 2.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
focal_cross_entropy = softmax_focal
@overload
def poly1_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, epsilon: float = 1.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def poly1_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, epsilon: float = 1.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
poly1 = poly1_cross_entropy
@overload
def generalized_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, q: float = 0.7, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def generalized_cross_entropy(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, q: float = 0.7, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
gce = generalized_cross_entropy
@overload
def cos_face(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, margin: float = 0.35, scale: float = 64.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def cos_face(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, margin: float = 0.35, scale: float = 64.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
cosface = cos_face
am_softmax = cos_face
@overload
def arc_face(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, margin: float = 0.5, scale: float = 64.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def arc_face(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, margin: float = 0.5, scale: float = 64.0, class_weight: tuple[float, ...] | None = None, ignore_index: int | None = -100, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
arcface = arc_face
@overload
def distribution_focal_loss(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def distribution_focal_loss(y_true: ArrayLike, y_pred: ArrayLike, *, axis: int = -1, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
dfl = distribution_focal_loss
@overload
def softmax_entropy(y_true: ArrayLike | None, y_pred: ArrayLike, *, axis: int = -1, ignore_index: int | None = -100, temperature: float = 1.0, softcap: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["mean", "batch_mean", "sum"] = ..., nan_policy: NanPolicy = 'propagate', out: None = None, num_threads: int | None = None) -> float: ...
@overload
def softmax_entropy(y_true: ArrayLike | None, y_pred: ArrayLike, *, axis: int = -1, ignore_index: int | None = -100, temperature: float = 1.0, softcap: float = 0.0, sample_weight: ArrayLike | None = None, mask: ArrayLike | None = None, reduction: Literal["none"], nan_policy: NanPolicy = 'propagate', out: Floats | None = None, num_threads: int | None = None) -> Floats: ...
