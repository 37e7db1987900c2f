"""Train models on scikit-learn's bundled data sets and write their out-of-fold predictions.

python examples/train.py [FOLDER]  writes to `predictions` unless told otherwise.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.neural_network import MLPClassifier
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
    write(
        folder / "breast_cancer.parquet",
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
    write(folder / "diabetes.parquet", **columns)
    csv.write_csv(pa.table(columns), folder / "diabetes.csv")


def digits(folder: Path) -> None:
    """Logits of the ten digits by two models, one row for each image."""
    data = load_digits()
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    network = make_pipeline(StandardScaler(), MLPClassifier(alpha=1.0, max_iter=1000, tol=1e-3, random_state=0))
    of_linear = cross_val_predict(linear, data.data, data.target, cv=FOLDS, method="decision_function")
    of_network = cross_val_predict(network, data.data, data.target, cv=FOLDS, method="predict_log_proba")
    write(folder / "digits.parquet", y_true=data.target, linear=of_linear, network=of_network)


def quarters(values: np.ndarray, names: list[str]) -> np.ndarray:
    """The name of the quarter, by rank, that each value lies in."""
    return np.array(names)[np.searchsorted(np.quantile(values, [0.25, 0.5, 0.75]), values)]


def write(path: Path, **columns: np.ndarray) -> None:
    """A Parquet file, in which the rows of a matrix are lists."""
    lists = {name: column.astype(np.float32).tolist() for name, column in columns.items() if column.ndim > 1}
    types = {name: pa.list_(pa.float32()) for name in lists}
    arrays = {name: pa.array(column, types.get(name)) for name, column in (columns | lists).items()}
    parquet.write_table(pa.table(arrays), path)


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "predictions")
    folder.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):  # on matrices this small a second thread costs more than it does
        for predict in (breast_cancer, diabetes, digits):
            predict(folder)
    print(f"wrote {', '.join(str(path) for path in sorted(folder.iterdir()))}")


if __name__ == "__main__":
    main()
