"""Train models on scikit-learn's bundled data sets and write their out-of-fold predictions.

python examples/train.py [FOLDER]  writes to `predictions` unless told otherwise.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import threadpool_limits

FOLDS = 5


def breast_cancer(folder: Path) -> None:
    """Logits of malignancy, with weights that balance the classes, grouped by the size of the tumor."""
    data = load_breast_cancer()
    malignant = (data.target == 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression())
    logit = cross_val_predict(model, data.data, malignant, cv=FOLDS, method="decision_function")
    radius = data.data[:, list(data.feature_names).index("mean radius")]
    write_csv(
        folder / "breast_cancer.csv",
        y_true=malignant,
        logit=logit,
        weight=compute_sample_weight("balanced", malignant),
        size=quarters(radius, ["small", "medium", "large", "very large"]),
    )


def diabetes(folder: Path) -> None:
    """Progression of the disease by two models, grouped by body mass index."""
    data = load_diabetes()
    index = data.data[:, data.feature_names.index("bmi")]
    columns = {
        "y_true": data.target,
        "linear": cross_val_predict(RidgeCV(), data.data, data.target, cv=FOLDS),
        "boosted": cross_val_predict(GradientBoostingRegressor(random_state=0), data.data, data.target, cv=FOLDS),
        "bmi": quarters(index, ["lowest", "low", "high", "highest"]),
    }
    write_csv(folder / "diabetes.csv", **columns)
    np.savez(folder / "diabetes.npz", **columns)


def digits(folder: Path) -> None:
    """Logits of the ten digits, one row for each image."""
    data = load_digits()
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    logits = cross_val_predict(model, data.data, data.target, cv=FOLDS, method="decision_function")
    np.savez(folder / "digits.npz", y_true=data.target, logits=logits.astype(np.float32))


def quarters(values: np.ndarray, names: list[str]) -> np.ndarray:
    """The name of the quarter, by rank, that each value lies in."""
    return np.array(names)[np.searchsorted(np.quantile(values, [0.25, 0.5, 0.75]), values)]


def write_csv(path: Path, **columns: np.ndarray) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(column.tolist() for column in columns.values()), strict=True))


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "predictions")
    folder.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):  # on matrices this small a second thread costs more than it does
        for write in (breast_cancer, diabetes, digits):
            write(folder)
    print(f"wrote {', '.join(str(path) for path in sorted(folder.iterdir()))}")


if __name__ == "__main__":
    main()
