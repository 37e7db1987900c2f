"""Three exercises on real data: squared error of a regression, cross-entropy of samples, a support vector machine.

python examples/exercises.py
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

import fastloss as fl
from fastloss.penalties import L2, structural_risk


def squared_error() -> None:
    """The mean squared error of a regression: the mean of the squares of what it is off by."""
    X, y = load_diabetes(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    predicted = LinearRegression().fit(X, y).predict(X_test)
    constant = np.full_like(y_test, y.mean())

    loss = fl.SquaredError()
    by_hand = sum((ours - true) ** 2 for ours, true in zip(predicted, y_test, strict=True)) / len(y_test)
    state = loss.state(y_test, predicted)
    print("1. Progression of diabetes, a linear regression")
    print(f"   mean squared error {loss(y_test, predicted):.1f} (by hand {by_hand:.1f})")
    print(f"   its standard error {state.standard_error:.1f}, its root {fl.rmse(y_test, predicted):.1f}")
    print(f"   mean squared error of a constant {loss(y_test, constant):.1f}")


def cross_entropy() -> None:
    """The cross-entropy of a set of samples: minus the mean logarithm of the probability of what came out."""
    X, y = load_breast_cancer(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    probability, logit = model.predict_proba(X_test)[:, 1], model.decision_function(X_test)

    print("2. Breast cancer, a logistic regression")
    for i in range(3):
        one = fl.binary_cross_entropy_with_logits(y_test[i], logit[i])
        print(f"   sample {i}: label {y_test[i]}, probability {probability[i]:.4f}, cross-entropy {one:.4f}")
    mean = fl.binary_cross_entropy(y_test, probability)
    by_hand = -np.mean(y_test * np.log(probability) + (1 - y_test) * np.log(1 - probability))
    print(
        f"   mean cross-entropy {mean:.6f} (by hand {by_hand:.6f}, of logits {fl.bce_with_logits(y_test, logit):.6f})"
    )
    likelihood = np.prod(np.where(y_test == 1, probability, 1 - probability))
    print(f"   likelihood of the {len(y_test)} labels {likelihood:.3e}, e^-sum {np.exp(-mean * len(y_test)):.3e}")


def hinge_by_hand(y: np.ndarray, score: np.ndarray) -> float:
    """The mean hinge loss of labels -1 and 1: what their margins lack to 1."""
    return float(np.mean(np.maximum(0, 1 - y * score)))


def support_vector_machine(steps: int = 20_000, strength: float = 0.01) -> None:
    """A linear support vector machine: the hinge loss, an L2 penalty, and subgradient descent."""
    X, y = load_breast_cancer(return_X_y=True)
    X = np.column_stack((StandardScaler().fit_transform(X), np.ones(len(X))))
    sign = np.where(y == 1, 1, -1)

    loss, penalty = fl.Hinge(), L2(strength)
    theta, mean = np.zeros(X.shape[1]), np.zeros(X.shape[1])
    for step in range(1, steps + 1):
        _, grad_pred, grad_theta = structural_risk(loss, penalty, sign, X @ theta, theta)
        theta -= (X.T @ grad_pred + grad_theta) / (strength * step)
        mean += (theta - mean) * 2 / (step + 1)  # later steps count more

    svc = LinearSVC(loss="hinge", C=1 / (strength * len(y)), fit_intercept=False, max_iter=10**6, tol=1e-8).fit(X, sign)
    theirs = svc.coef_[0]
    print("3. Breast cancer, a linear support vector machine")
    for who, coefficients in (("trained with the hinge loss", mean), ("scikit-learn's LinearSVC", theirs)):
        score = X @ coefficients
        risk = structural_risk(loss, penalty, sign, score, coefficients)[0]
        accuracy = 1 - fl.zero_one(sign, score)
        print(
            f"   {who}: structural risk {risk:.5f}, accuracy {accuracy:.4f},"
            f" hinge loss {loss(sign, score):.5f} (by hand {hinge_by_hand(sign, score):.5f})"
        )
    print(f"   coefficients differ by {np.linalg.norm(mean - theirs) / np.linalg.norm(theirs):.2%}")


if __name__ == "__main__":
    with threadpool_limits(1):  # on matrices this small a second thread costs more than it does
        squared_error()
        cross_entropy()
        support_vector_machine()
