"""
Classes, with wrong labels
==========================

A linear model reads digits, and part of the labels of its lesson are wrong. The cross-entropy believes every label; the
generalized cross-entropy has a bound, and gives up on those that it cannot explain.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastloss as fl

images, digits = load_digits(return_X_y=True)
seen, unseen, truth, digits_unseen = train_test_split(images / 16, digits, random_state=0)
rng = np.random.default_rng(0)
losses = {
    "cross-entropy": fl.CrossEntropy(),
    "smoothed labels": fl.CrossEntropy(label_smoothing=0.2),
    "focal": fl.SoftmaxFocal(gamma=2.0),
    "generalized": fl.GeneralizedCrossEntropy(q=0.7),
}

# %%
# Train on labels of which a share is wrong
# -----------------------------------------
# The gradient in the weights is the images times the gradient in the logits.


def accuracy(loss, share):
    labels = truth.copy()
    wrong = np.random.default_rng(1).random(len(labels)) < share
    labels[wrong] = np.random.default_rng(2).integers(0, 10, wrong.sum())
    weights = np.zeros((64, 10))
    for _ in range(500):
        weights -= 1.0 * (seen.T @ loss.grad(labels, seen @ weights))
    return np.mean((unseen @ weights).argmax(axis=1) == digits_unseen)


shares = [0.0, 0.2, 0.4, 0.6, 0.7]
found = {name: [accuracy(loss, share) for share in shares] for name, loss in losses.items()}
for name, scores in found.items():
    print(f"{name}: " + ", ".join(f"{score:.1%}" for score in scores))

# %%
# The accuracy on unseen images, whose labels are right

figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, scores in found.items():
    axis.plot(shares, scores, "o-", label=name)
axis.set(xlabel="share of labels drawn at random", ylabel="accuracy on unseen images")
axis.legend()
plt.show()
