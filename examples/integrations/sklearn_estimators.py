"""
Estimators of scikit-learn
==========================

A loss is a parameter like others: `GridSearchCV` chooses among losses and penalties, by a score that is a loss as well.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastloss as fl
from fastloss.integrations.sklearn import LossRegressor, scorer

X, y = load_diabetes(return_X_y=True)
rng = np.random.default_rng(0)
y = y + 400 * (rng.random(len(y)) < 0.05)

# %%
# A search over losses and penalties
# ----------------------------------
# The score is the absolute error, which the wrong targets do not rule.

losses = [fl.SquaredError(), fl.Huber(delta=30.0), fl.AbsoluteError(), fl.Tukey(c=200.0)]
alphas = [1e-3, 1e-2, 1e-1, 1.0]
search = GridSearchCV(
    make_pipeline(StandardScaler(), LossRegressor()),
    {"lossregressor__loss": losses, "lossregressor__alpha": alphas},
    scoring=scorer(fl.AbsoluteError()),
    cv=5,
).fit(X, y)
print("best:", {name.rpartition("_")[2]: value for name, value in search.best_params_.items()})

# %%
# The score of each

parameters, scores = search.cv_results_["params"], -search.cv_results_["mean_test_score"]
figure, axis = plt.subplots(figsize=(6.5, 4), layout="constrained")
for loss in losses:
    mine = [score for one, score in zip(parameters, scores, strict=True) if one["lossregressor__loss"] == loss]
    axis.plot(alphas, mine, "o-", label=repr(loss))
axis.set(xscale="log", xlabel="alpha", ylabel="mean absolute error, cross-validated")
axis.legend()
plt.show()
