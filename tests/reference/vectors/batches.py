"""What the twins of losses of a batch share: all similarities at once."""

import numpy as np


def unit(x):
    norm = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(norm > 0, norm, 1)


def through_unit(grad, x):
    """From the gradient in unit rows to that in the rows."""
    norm, u = np.linalg.norm(x, axis=1, keepdims=True), unit(x)
    return np.where(norm > 0, (grad - u * np.sum(u * grad, axis=1, keepdims=True)) / np.where(norm > 0, norm, 1), 0)


def sides(labels, reference_labels=None):
    """Which candidates are positive and which are negative."""
    same = np.equal.outer(labels, labels if reference_labels is None else reference_labels)
    positive = same & ~np.eye(len(labels), dtype=bool) if reference_labels is None else same
    return positive, ~same


def log_sum(x, where):
    """The logarithm of the sum of some exponentials of each row, -inf of none, and their shares of it."""
    x = np.where(where, x, -np.inf)
    top = np.max(x, axis=1, keepdims=True)
    top = np.where(top > -np.inf, top, 0)
    e = np.exp(x - top)
    total = np.sum(e, axis=1, keepdims=True)
    return (np.log(total) + top)[:, 0], e / np.where(total > 0, total, 1)


def softplus(x):
    return np.logaddexp(0, x).astype(np.asarray(x).dtype)


def sigmoid(x):
    return np.exp(-softplus(-x))


def of_labels(rule):
    """The twin of a loss of a labelled batch, and its gradient, of a rule for cosines: losses and their derivatives."""

    def value(labels, embeddings, reference_labels=None, references=None, **parameters):
        candidates = embeddings if references is None else references
        cosines = unit(embeddings) @ unit(candidates).T
        return rule(cosines, *sides(labels, reference_labels), **parameters)[0]

    def grad(labels, embeddings, reference_labels=None, references=None, **parameters):
        candidates = embeddings if references is None else references
        u, v = unit(embeddings), unit(candidates)
        slopes = rule(u @ v.T, *sides(labels, reference_labels), **parameters)[1]
        if references is None:
            return through_unit((slopes + slopes.T) @ u, embeddings)
        return through_unit(slopes @ v, embeddings), through_unit(slopes.T @ u, references)

    return value, grad
