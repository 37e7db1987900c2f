"""Names of losses and metrics in other libraries: what they are here, as data for the documentation and the tests.

A name that a library has for a loss or metric computes that library's number here for that library's usual call, with
the targets first; or it is not here, and a row says what computes the number.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A name as a library has it, and two expressions of one number: the library's and this package's.

    `arrays` says what `y_true` and `y_pred` are drawn as; values that the library leaves for each element or row are
    averaged. Without `ours` the name is called here with the targets and the predictions.
    """

    name: str
    library: str
    theirs: str
    arrays: str
    ours: str = ""
    note: str = ""

    @property
    def here(self) -> str:
        """The expression of this package."""
        return self.ours or f"fl.{self.name}(y_true, y_pred)"

    @property
    def public(self) -> bool:
        """Whether the name is one of this package."""
        return self.here.startswith(f"fl.{self.name}(")


PYTORCH, KERAS, SKLEARN, SCIPY, OPTAX, XGBOOST = "PyTorch", "Keras", "scikit-learn", "SciPy", "optax", "XGBoost"
TORCHVISION, LIGHTGBM, MONAI = "torchvision", "LightGBM", "MONAI"

ROWS = (
    # Of regions
    Row("dice", KERAS, "keras.losses.dice(y_true, y_pred)", "probabilities"),
    Row("Dice", KERAS, "keras.losses.Dice()(y_true, y_pred)", "probabilities", ours="fl.Dice()(y_true, y_pred)"),
    Row("tversky", KERAS, "keras.losses.tversky(y_true, y_pred)", "probabilities"),
    Row(
        "Tversky", KERAS, "keras.losses.Tversky()(y_true, y_pred)", "probabilities", ours="fl.Tversky()(y_true, y_pred)"
    ),
    Row(
        "dice",
        SCIPY,
        "distance.dice(y_true > 0.5, y_pred > 0.5)",
        "probabilities",
        ours="fl.dice(y_true > 0.5, y_pred > 0.5)",
    ),
    Row(
        "jaccard",
        SCIPY,
        "distance.jaccard(y_true > 0.5, y_pred > 0.5)",
        "probabilities",
        ours="fl.jaccard(y_true > 0.5, y_pred > 0.5)",
    ),
    # Of values
    Row("mse_loss", PYTORCH, "F.mse_loss(y_pred, y_true)", "values"),
    Row("l1_loss", PYTORCH, "F.l1_loss(y_pred, y_true)", "values"),
    Row(
        "huber_loss",
        PYTORCH,
        "F.huber_loss(y_pred, y_true, delta=0.5)",
        "values",
        ours="fl.huber_loss(y_true, y_pred, delta=0.5)",
    ),
    Row(
        "smooth_l1_loss",
        PYTORCH,
        "F.smooth_l1_loss(y_pred, y_true, beta=0.5)",
        "values",
        ours="fl.smooth_l1_loss(y_true, y_pred, beta=0.5)",
    ),
    Row("mean_squared_error", KERAS, "keras.losses.mean_squared_error(y_true, y_pred)", "columns"),
    Row("mean_squared_error", SKLEARN, "metrics.mean_squared_error(y_true, y_pred)", "columns"),
    Row("mean_absolute_error", KERAS, "keras.losses.mean_absolute_error(y_true, y_pred)", "columns"),
    Row("mean_absolute_error", SKLEARN, "metrics.mean_absolute_error(y_true, y_pred)", "columns"),
    Row("mae", XGBOOST, "xgboost_metric('mae', y_true, y_pred)", "values"),
    Row(
        "huber",
        KERAS,
        "keras.losses.huber(y_true, y_pred, delta=0.5)",
        "values",
        ours="fl.huber(y_true, y_pred, delta=0.5)",
    ),
    Row("Huber", KERAS, "keras.losses.Huber()(y_true, y_pred)", "columns", ours="fl.Huber()(y_true, y_pred)"),
    Row(
        "huber",
        SCIPY,
        "special.huber(0.5, y_pred - y_true)",
        "values",
        ours="fl.huber(y_true, y_pred, delta=0.5)",
        note="SciPy takes `delta` and the residual.",
    ),
    Row(
        "pseudo_huber",
        SCIPY,
        "special.pseudo_huber(0.5, y_pred - y_true)",
        "values",
        ours="fl.pseudo_huber(y_true, y_pred, delta=0.5)",
        note="SciPy takes `delta` and the residual.",
    ),
    Row("log_cosh", KERAS, "keras.losses.log_cosh(y_true, y_pred)", "values"),
    Row("LogCosh", KERAS, "keras.losses.LogCosh()(y_true, y_pred)", "columns", ours="fl.LogCosh()(y_true, y_pred)"),
    Row("log_cosh", OPTAX, "optax.losses.log_cosh(y_pred, y_true)", "values"),
    Row(
        "huber_loss",
        OPTAX,
        "optax.losses.huber_loss(y_pred, y_true, delta=0.5)",
        "values",
        ours="fl.huber_loss(y_true, y_pred, delta=0.5)",
    ),
    Row("squared_error", OPTAX, "optax.losses.squared_error(y_pred, y_true)", "values"),
    Row(
        "l2_loss",
        OPTAX,
        "optax.losses.l2_loss(y_pred, y_true)",
        "values",
        ours="fl.squared_error(y_true, y_pred, half=True)",
    ),
    Row(
        "mean_pinball_loss",
        SKLEARN,
        "metrics.mean_pinball_loss(y_true, y_pred, alpha=0.2)",
        "columns",
        ours="fl.mean_pinball_loss(y_true, y_pred, alpha=0.2)",
    ),
    Row(
        "root_mean_squared_error",
        SKLEARN,
        "metrics.root_mean_squared_error(y_true, y_pred)",
        "values",
        note="Of several outputs scikit-learn has the mean of their roots; they are refused here.",
    ),
    Row(
        "RootMeanSquaredError",
        KERAS,
        "keras.metrics.RootMeanSquaredError()(y_true, y_pred)",
        "values",
        ours="fl.RootMeanSquaredError()(y_true, y_pred)",
        note="Of several outputs Keras has one root; they are refused here.",
    ),
    Row("rmse", XGBOOST, "xgboost_metric('rmse', y_true, y_pred)", "values"),
    Row("r2_score", SKLEARN, "metrics.r2_score(y_true, y_pred)", "columns"),
    Row("R2Score", KERAS, "keras.metrics.R2Score()(y_true, y_pred)", "columns", ours="fl.r2_score(y_true, y_pred)"),
    Row("explained_variance_score", SKLEARN, "metrics.explained_variance_score(y_true, y_pred)", "columns"),
    Row("median_absolute_error", SKLEARN, "metrics.median_absolute_error(y_true, y_pred)", "columns"),
    # Of amounts
    Row("mean_squared_log_error", SKLEARN, "metrics.mean_squared_log_error(y_true, y_pred)", "amounts"),
    Row(
        "mean_squared_logarithmic_error",
        KERAS,
        "keras.losses.mean_squared_logarithmic_error(y_true, y_pred)",
        "amounts",
        note="Keras raises amounts below 1e-7 to that.",
    ),
    Row(
        "root_mean_squared_log_error",
        SKLEARN,
        "metrics.root_mean_squared_log_error(y_true, y_pred)",
        "amounts",
        note="As `root_mean_squared_error`.",
    ),
    Row("rmsle", XGBOOST, "xgboost_metric('rmsle', y_true, y_pred)", "amounts"),
    Row(
        "mean_absolute_percentage_error",
        SKLEARN,
        "metrics.mean_absolute_percentage_error(y_true, y_pred)",
        "amounts",
        ours="fl.absolute_percentage_error(y_true, y_pred, epsilon=2.220446049250313e-16)",
        note="A fraction there.",
    ),
    Row(
        "mean_absolute_percentage_error",
        KERAS,
        "keras.losses.mean_absolute_percentage_error(y_true, y_pred)",
        "amounts",
        ours="fl.absolute_percentage_error(y_true, y_pred, epsilon=1e-7, scale=100)",
        note="Percent there.",
    ),
    Row(
        "mape",
        XGBOOST,
        "xgboost_metric('mape', y_true, y_pred)",
        "amounts",
        ours="fl.absolute_percentage_error(y_true, y_pred)",
        note="Keras has it in percent.",
    ),
    Row("mean_poisson_deviance", SKLEARN, "metrics.mean_poisson_deviance(y_true, y_pred)", "amounts"),
    Row("mean_gamma_deviance", SKLEARN, "metrics.mean_gamma_deviance(y_true, y_pred)", "amounts"),
    Row(
        "mean_tweedie_deviance",
        SKLEARN,
        "metrics.mean_tweedie_deviance(y_true, y_pred, power=1.5)",
        "amounts",
        ours="fl.mean_tweedie_deviance(y_true, y_pred, power=1.5)",
    ),
    Row(
        "poisson_nll_loss",
        PYTORCH,
        "F.poisson_nll_loss(y_pred, y_true, full=True)",
        "log_means",
        ours="fl.poisson_nll_loss(y_true, y_pred, full=True)",
    ),
    Row(
        "poisson_nll_loss",
        PYTORCH,
        "F.poisson_nll_loss(y_pred, y_true, log_input=False)",
        "amounts",
        ours="fl.poisson_nll_loss(y_true, y_pred, log_input=False)",
    ),
    Row(
        "poisson",
        KERAS,
        "keras.losses.poisson(y_true, y_pred)",
        "amounts",
        ours="fl.poisson_nll(y_true, y_pred, log_input=False, eps=1e-7)",
        note="PyTorch's `poisson_nll_loss` is of the logarithm of the mean.",
    ),
    Row(
        "Poisson",
        KERAS,
        "keras.losses.Poisson()(y_true, y_pred)",
        "amounts",
        ours="fl.PoissonNLL(log_input=False, eps=1e-7)(y_true, y_pred)",
    ),
    Row(
        "gaussian_nll_loss",
        PYTORCH,
        "F.gaussian_nll_loss(y_pred[..., 0], y_true, y_pred[..., 1])",
        "means_and_variances",
        ours="fl.gaussian_nll(y_true, y_pred)",
        note="PyTorch takes the variance as a third array.",
    ),
    # Of a probability, a logit or a score for each target
    Row(
        "binary_cross_entropy",
        PYTORCH,
        "F.binary_cross_entropy(y_pred, y_true)",
        "probabilities",
        note="PyTorch bounds logarithms at -100, as `log_clamp=-100` does.",
    ),
    Row(
        "binary_crossentropy",
        KERAS,
        "keras.losses.binary_crossentropy(y_true, y_pred)",
        "probabilities",
        note="Keras clips to [1e-7, 1 - 1e-7], as `eps=1e-7` does.",
    ),
    Row(
        "BinaryCrossentropy",
        KERAS,
        "keras.losses.BinaryCrossentropy()(y_true, y_pred)",
        "probabilities",
        ours="fl.BinaryCrossEntropy()(y_true, y_pred)",
    ),
    Row(
        "log_loss",
        SKLEARN,
        "metrics.log_loss(y_true, y_pred)",
        "probabilities",
        note="scikit-learn clips by the precision of the type. Several classes: `per_example_log_loss`.",
    ),
    Row(
        "brier_score_loss",
        SKLEARN,
        "metrics.brier_score_loss(y_true, y_pred)",
        "probabilities",
        note="Labels are 0 and 1 here.",
    ),
    Row("binary_cross_entropy_with_logits", PYTORCH, "F.binary_cross_entropy_with_logits(y_pred, y_true)", "logits"),
    Row("sigmoid_binary_cross_entropy", OPTAX, "optax.losses.sigmoid_binary_cross_entropy(y_pred, y_true)", "logits"),
    Row(
        "sigmoid_focal_loss",
        OPTAX,
        "optax.losses.sigmoid_focal_loss(y_pred, y_true)",
        "logits",
        ours="fl.sigmoid_focal(y_true, y_pred, alpha=-1)",
        note="torchvision's has `alpha=0.25`, as `sigmoid_focal` has.",
    ),
    Row(
        "binary_focal_crossentropy",
        KERAS,
        "keras.losses.binary_focal_crossentropy(y_true, y_pred)",
        "probabilities",
        ours="fl.sigmoid_focal(y_true, np.log(y_pred / (1 - y_pred)), alpha=-1)",
    ),
    Row(
        "zero_one_loss",
        SKLEARN,
        "metrics.zero_one_loss(y_true, y_pred > 0)",
        "logits",
        ours="fl.zero_one(y_true, y_pred)",
        note="scikit-learn takes labels for predictions. Several classes: `multiclass_zero_one`.",
    ),
    Row("hinge", KERAS, "keras.losses.hinge(y_true, y_pred)", "logits"),
    Row("Hinge", KERAS, "keras.losses.Hinge()(y_true, y_pred)", "signs", ours="fl.Hinge()(y_true, y_pred)"),
    Row("squared_hinge", KERAS, "keras.losses.squared_hinge(y_true, y_pred)", "logits"),
    Row(
        "SquaredHinge",
        KERAS,
        "keras.losses.SquaredHinge()(y_true, y_pred)",
        "signs",
        ours="fl.SquaredHinge()(y_true, y_pred)",
    ),
    Row(
        "hinge_loss",
        SKLEARN,
        "metrics.hinge_loss(y_true, y_pred)",
        "logits",
        note="Several classes: `multiclass_hinge`.",
    ),
    Row("hinge_loss", OPTAX, "optax.losses.hinge_loss(y_pred, y_true)", "signs"),
    Row("perceptron_loss", OPTAX, "optax.losses.perceptron_loss(y_pred, y_true)", "signs"),
    Row("soft_margin_loss", PYTORCH, "F.soft_margin_loss(y_pred, y_true)", "signs"),
    Row("hinge_embedding_loss", PYTORCH, "F.hinge_embedding_loss(y_pred, y_true)", "signs"),
    Row(
        "margin_ranking_loss",
        PYTORCH,
        "F.margin_ranking_loss(y_pred[..., 0], y_pred[..., 1], y_true, margin=0.5)",
        "pairs",
        ours="fl.margin_ranking(y_true, y_pred, margin=0.5)",
        note="PyTorch takes the scores as two arrays.",
    ),
    # Of rows of classes
    Row(
        "cross_entropy",
        PYTORCH,
        "F.cross_entropy(y_pred, y_true, label_smoothing=0.1)",
        "classes",
        ours="fl.cross_entropy(y_true, y_pred, label_smoothing=0.1)",
        note="PyTorch's `weight` is `class_weight`.",
    ),
    Row(
        "cross_entropy",
        PYTORCH,
        "F.cross_entropy(y_pred, y_true)",
        "distributions",
        note="With class weights PyTorch divides by the number of rows, as `reduction='batch_mean'` does.",
    ),
    Row("softmax_cross_entropy", OPTAX, "optax.losses.softmax_cross_entropy(y_pred, y_true)", "distributions"),
    Row(
        "softmax_cross_entropy_with_integer_labels",
        OPTAX,
        "optax.losses.softmax_cross_entropy_with_integer_labels(y_pred, y_true)",
        "classes",
    ),
    Row(
        "sparse_categorical_crossentropy",
        KERAS,
        "keras.losses.sparse_categorical_crossentropy(y_true, y_pred)",
        "class_probabilities",
        ours="fl.negative_log_likelihood(y_true, np.log(y_pred))",
    ),
    Row(
        "categorical_crossentropy",
        KERAS,
        "keras.losses.categorical_crossentropy(y_true, y_pred)",
        "two_distributions",
        ours="fl.cross_entropy(y_true, np.log(y_pred))",
    ),
    Row(
        "nll_loss",
        PYTORCH,
        "F.nll_loss(y_pred, y_true)",
        "classes",
        note="Neither checks that scores are logarithms of probabilities.",
    ),
    Row(
        "multi_margin_loss",
        PYTORCH,
        "F.multi_margin_loss(y_pred, y_true, p=2, margin=0.5)",
        "classes",
        ours="fl.multi_margin_loss(y_true, y_pred, p=2, margin=0.5)",
        note="With class weights PyTorch divides by the number of rows, as `reduction='batch_mean'` does.",
    ),
    Row("multiclass_hinge_loss", OPTAX, "optax.losses.multiclass_hinge_loss(y_pred, y_true)", "classes"),
    Row("multiclass_perceptron_loss", OPTAX, "optax.losses.multiclass_perceptron_loss(y_pred, y_true)", "classes"),
    Row("multiclass_sparsemax_loss", OPTAX, "optax.losses.multiclass_sparsemax_loss(y_pred, y_true)", "classes"),
    Row(
        "sparsemax_loss",
        OPTAX,
        "optax.losses.sparsemax_loss(y_pred, y_true)",
        "logits",
        ours="fl.multiclass_sparsemax(y_true, np.stack([-y_pred / 2, y_pred / 2], -1))",
        note="optax's is of one logit for two classes.",
    ),
    Row(
        "categorical_hinge",
        KERAS,
        "keras.losses.categorical_hinge(y_true, y_pred)",
        "one_hot_probabilities",
        ours="fl.multiclass_hinge(y_true.argmax(-1), y_pred)",
        note="Keras takes one-hot targets, and no other score below 0 counts.",
    ),
    Row("multilabel_soft_margin_loss", PYTORCH, "F.multilabel_soft_margin_loss(y_pred, y_true)", "labels"),
    Row(
        "multilabel_margin_loss",
        PYTORCH,
        "F.multilabel_margin_loss(y_pred, indices_of(y_true))",
        "labels",
        ours="fl.multilabel_margin(y_true, y_pred)",
        note="PyTorch takes the indices of the true classes, ended by -1.",
    ),
    Row(
        "kl_div",
        PYTORCH,
        "F.kl_div(y_pred, y_true, reduction='batchmean')",
        "log_distributions",
        ours="fl.forward_kl(y_true, y_pred, scores='log_probabilities')",
        note="Its `reduction='mean'` divides by the number of elements, not of rows.",
    ),
    Row(
        "kl_div",
        SCIPY,
        "special.kl_div(y_true, y_pred).sum(-1)",
        "two_distributions",
        ours="fl.generalized_kl(y_true, np.log(y_pred))",
        note="SciPy has a number for each element.",
    ),
    Row(
        "kl_divergence",
        KERAS,
        "keras.losses.kl_divergence(y_true, y_pred)",
        "two_distributions",
        ours="fl.forward_kl(y_true, np.log(y_pred), scores='log_probabilities')",
    ),
    Row(
        "KLDivergence",
        KERAS,
        "keras.losses.KLDivergence()(y_true, y_pred)",
        "two_distributions",
        ours="fl.ForwardKL(scores='log_probabilities')(y_true, np.log(y_pred))",
    ),
    Row(
        "kl_divergence",
        OPTAX,
        "optax.losses.kl_divergence(y_pred, y_true)",
        "log_distributions",
        ours="fl.forward_kl(y_true, y_pred, scores='log_probabilities')",
    ),
    Row(
        "generalized_kl_divergence",
        OPTAX,
        "optax.losses.generalized_kl_divergence(y_pred, y_true)",
        "log_distributions",
        ours="fl.generalized_kl(y_true, y_pred)",
    ),
    # Of sequences
    Row("ctc", KERAS, "keras.losses.ctc(y_true, y_pred)", "sequences", note="Keras takes 0 for the end of a target."),
    Row("CTC", KERAS, "keras.losses.CTC()(y_true, y_pred)", "sequences", ours="fl.CTC()(y_true, y_pred)"),
    Row(
        "ctc_loss",
        PYTORCH,
        "F.ctc_loss(F.log_softmax(y_pred, -1).swapaxes(0, 1), y_true, [len(y_pred[0])] * 4, [3] * 4)",
        "sequences",
        ours="fl.ctc(y_true, y_pred, per_label=True)",
        note="PyTorch takes log-probabilities, frames first: `layout='TNC'`, and divides each loss by its labels.",
    ),
    Row(
        "ctc_loss",
        OPTAX,
        "optax.losses.ctc_loss(y_pred, 0 * y_pred[..., 0], y_true, 0.0 * y_true)",
        "sequences",
        ours="fl.ctc(y_true, y_pred)",
        note="optax takes paddings for lengths.",
    ),
    # Of boxes
    Row(
        "generalized_box_iou_loss",
        TORCHVISION,
        "ops.generalized_box_iou_loss(y_pred, y_true, reduction='mean')",
        "boxes",
    ),
    Row("distance_box_iou_loss", TORCHVISION, "ops.distance_box_iou_loss(y_pred, y_true, reduction='mean')", "boxes"),
    Row("complete_box_iou_loss", TORCHVISION, "ops.complete_box_iou_loss(y_pred, y_true, reduction='mean')", "boxes"),
    *(
        Row(
            name,
            TORCHVISION,
            f"ops.{name}(y_true, y_pred)",
            "boxes",
            ours=f"fl.{name}(y_true, y_pred).mean()",
            note="Of all pairs of two sets.",
        )
        for name in ("box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou")
    ),
    # Of a batch
    Row("ntxent", OPTAX, "optax.losses.ntxent(y_pred, y_true)", "batches"),
    Row(
        "circle",
        KERAS,
        "keras.losses.circle(y_true, y_pred)",
        "batches",
        note="Of rows of unit norm; the gradient goes through its weights, as with `detach=False`.",
    ),
    Row("Circle", KERAS, "keras.losses.Circle()(y_true, y_pred)", "batches", ours="fl.Circle()(y_true, y_pred)"),
    # Of a linear layer
    Row(
        "linear_cross_entropy",
        PYTORCH,
        "F.linear_cross_entropy(hidden, weight, y_true)",
        "linear",
        ours="fl.linear_cross_entropy(hidden, weight, y_true)",
        note="The targets come last, as in PyTorch.",
    ),
    # Of vectors
    Row(
        "cosine_embedding_loss",
        PYTORCH,
        "F.cosine_embedding_loss(left, right, y_true, margin=0.2)",
        "labelled_vectors",
        ours="fl.cosine_embedding_loss(y_true, left, right, margin=0.2)",
        note="PyTorch adds 1e-12 to the squared norms.",
    ),
    Row(
        "triplet_margin_loss",
        PYTORCH,
        "F.triplet_margin_loss(anchor, positive, negative, margin=0.5, swap=True)",
        "triplets",
        ours="fl.triplet_margin_loss(anchor, positive, negative, margin=0.5, swap=True)",
    ),
    Row(
        "triplet_margin_with_distance_loss",
        PYTORCH,
        "F.triplet_margin_with_distance_loss(anchor, positive, negative)",
        "triplets",
        ours="fl.triplet_margin_with_distance_loss(anchor, positive, negative)",
        note="`distance` names one of three distances.",
    ),
    Row(
        "triplet_margin_loss",
        OPTAX,
        "optax.losses.triplet_margin_loss(anchor, positive, negative, eps=0.0)",
        "triplets",
        ours="fl.triplet_margin_loss(anchor, positive, negative, eps=0)",
        note="optax adds `eps` to the sum under the root.",
    ),
    Row(
        "pairwise_distance",
        PYTORCH,
        "F.pairwise_distance(left, right, p=3.0)",
        "vectors",
        ours="fl.pairwise_distance(left, right, p=3)",
    ),
    Row(
        "PairwiseDistance",
        PYTORCH,
        "nn.PairwiseDistance()(left, right)",
        "vectors",
        ours="fl.PairwiseDistance()(left, right)",
    ),
    Row(
        "cosine_distance",
        OPTAX,
        "optax.losses.cosine_distance(left, right)",
        "vectors",
        ours="fl.cosine_distance(left, right)",
    ),
    Row(
        "cosine_similarity",
        PYTORCH,
        "F.cosine_similarity(left, right)",
        "vectors",
        ours="-fl.negative_cosine_similarity(left, right)",
    ),
    Row(
        "CosineSimilarity",
        PYTORCH,
        "nn.CosineSimilarity()(left, right)",
        "vectors",
        ours="-fl.NegativeCosineSimilarity()(left, right)",
    ),
    Row(
        "cosine_similarity",
        KERAS,
        "keras.losses.cosine_similarity(left, right)",
        "vectors",
        ours="fl.negative_cosine_similarity(left, right)",
    ),
    Row(
        "CosineSimilarity",
        KERAS,
        "keras.losses.CosineSimilarity()(left, right)",
        "vectors",
        ours="fl.NegativeCosineSimilarity()(left, right)",
        note="The loss; the metric of that name is the cosine itself.",
    ),
    Row(
        "cosine_similarity",
        OPTAX,
        "optax.losses.cosine_similarity(left, right)",
        "vectors",
        ours="-fl.negative_cosine_similarity(left, right)",
    ),
)

# LightGBM's metrics, of scores as its objectives have them, with the parameters that it takes by default.
ROWS += tuple(
    Row(name, LIGHTGBM, f"lightgbm_metric({name!r}, y_true, y_pred{of})", arrays, ours=f"fl.{ours}", note=note)
    for name, of, arrays, ours, note in (
        ("l1", "", "values", "mae(y_true, y_pred)", ""),
        ("l2", "", "values", "mse(y_true, y_pred)", ""),
        ("rmse", "", "values", "rmse(y_true, y_pred)", ""),
        ("huber", "", "values", "huber(y_true, y_pred, delta=0.9)", "Its `alpha` is `delta`."),
        ("fair", "", "values", "fair(y_true, y_pred, c=1.0)", "Its `fair_c` is `c`; ours is 1.3998 by default."),
        ("quantile", ", 'quantile'", "values", "quantile(y_true, y_pred, alpha=0.9)", ""),
        ("poisson", ", 'poisson'", "log_means", "poisson_nll(y_true, y_pred)", "Of the logarithm of the mean."),
        ("gamma", ", 'gamma'", "amounts", "gamma_nll(y_true, y_pred)", "Of the logarithm of the mean."),
        ("tweedie", ", 'tweedie'", "log_means", "tweedie(y_true, y_pred)", "Of the logarithm of the mean."),
        (
            "binary_logloss",
            ", 'binary'",
            "logits",
            "binary_cross_entropy_with_logits(y_true, y_pred)",
            "Of raw scores, as an objective has them.",
        ),
        ("cross_entropy_lambda", ", 'cross_entropy_lambda'", "logits", "cross_entropy_lambda(y_true, y_pred)", ""),
        ("binary_error", ", 'binary'", "logits", "zero_one(y_true, y_pred)", ""),
        ("r2", "", "values", "r2_score(y_true, y_pred)", ""),
    )
)

# MONAI's losses; it adds 1e-5 to both terms of a ratio.
ROWS += tuple(
    Row(name, MONAI, f"losses.{theirs}", arrays, ours=ours, note=note)
    for name, theirs, arrays, ours, note in (
        (
            "DiceLoss",
            "DiceLoss(sigmoid=True)(y_pred, y_true)",
            "masks",
            "fl.Dice(from_logits=True, groups='image')(y_true, y_pred)",
            "Its `smooth_nr` and `smooth_dr` are `smooth` and `eps`; with `batch=True` leave out `groups`.",
        ),
        (
            "DiceLoss",
            "DiceLoss(sigmoid=True, jaccard=True, batch=True)(y_pred, y_true)",
            "masks",
            "fl.Jaccard(from_logits=True)(y_true, y_pred)",
            "",
        ),
        (
            "TverskyLoss",
            "TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, batch=True)(y_pred, y_true)",
            "masks",
            "fl.Tversky(alpha=0.3, beta=0.7, from_logits=True)(y_true, y_pred)",
            "",
        ),
        (
            "GeneralizedDiceLoss",
            "GeneralizedDiceLoss(sigmoid=True, smooth_nr=0, smooth_dr=0)(y_pred, y_true)",
            "masks",
            "fl.GeneralizedDice(from_logits=True, groups='image')(y_true, y_pred)",
            "Its `smooth_nr` and `smooth_dr` are one `smooth` here.",
        ),
        (
            "MCCLoss",
            "MCCLoss(sigmoid=True, batch=True)(y_pred, y_true)",
            "masks",
            "fl.MCC(from_logits=True)(y_true, y_pred)",
            "",
        ),
        (
            "DiceCELoss",
            "DiceCELoss(sigmoid=True, batch=True)(y_pred, y_true)",
            "masks",
            "fl.dice(y_true, y_pred, from_logits=True) + fl.bce_with_logits(y_true, y_pred)",
            "",
        ),
        (
            "FocalLoss",
            "FocalLoss(alpha=0.25)(y_pred, y_true)",
            "masks",
            "fl.sigmoid_focal(y_true, y_pred)",
            "MONAI's default is no `alpha`: twice the loss with `alpha=0.5`.",
        ),
        (
            "ContrastiveLoss",
            "ContrastiveLoss(temperature=0.5)(left, right)",
            "vectors",
            "fl.nt_xent(np.tile(np.arange(len(left)), 2), np.concatenate([left, right]), temperature=0.5)",
            "",
        ),
        ("BoxGIoULoss", "BoxGIoULoss()(y_pred, y_true)", "boxes", "fl.giou(y_true, y_pred)", ""),
    )
)

# What the same name is elsewhere that is no loss of targets and predictions: a call of theirs is an error here.
OTHER_THINGS = {
    "Loss": "the base class of Keras's losses",
    "quantile": "a quantile of data in PyTorch, NumPy and SciPy",
    "expectile": "an expectile of data in SciPy",
    "cauchy": "a distribution in SciPy",
    "IoU": "a metric of masks in Keras",
}


def advice(name: str) -> str:
    """What to say of a name that is not here: what computes the numbers that libraries have under it."""
    return "; ".join(f"{row.library}'s is {row.here}" for row in ROWS if row.name == name and not row.public)
