"""Packages that bring OpenMP's library along, in one process: imported in every order, computing in turn.

``python -m tools.beside`` needs PyTorch, scikit-learn and XGBoost, and tests the fastloss that is installed; run by its
path from a folder without the sources, a wheel.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import permutations

PACKAGES = ("fastloss", "torch", "sklearn", "xgboost")
PATIENCE = 120  # seconds for what takes three

# Each package imports and makes its work; then all work in turn, and in a child that was forked.
PROGRAM = """
import hashlib, os, signal, sys, warnings
import numpy as np

rng = np.random.default_rng(0)
X, y = rng.normal(size=(4000, 10)), rng.normal(size=4000) > 0
labels, logits = rng.normal(size=300_000) > 0, rng.normal(size=300_000).astype("f")

def of_fastloss():
    import fastloss as fl
    def work():
        value, grad = fl.BinaryCrossEntropyWithLogits().value_and_grad(labels, logits, num_threads=2)
        return hashlib.sha256(np.float64(value).tobytes() + grad.tobytes()).hexdigest()
    return work

def of_torch():
    import torch
    a = torch.ones(500, 500)
    return lambda: float((a @ a).softmax(1).sum())

def of_sklearn():
    from sklearn.ensemble import HistGradientBoostingClassifier
    return lambda: HistGradientBoostingClassifier(max_iter=5).fit(X, y).score(X, y)

def of_xgboost():
    import xgboost
    data = xgboost.DMatrix(X, y)
    return lambda: xgboost.train({"nthread": 2}, data, 5).predict(data).sum()

makers = {"fastloss": of_fastloss, "torch": of_torch, "sklearn": of_sklearn, "xgboost": of_xgboost}
works = {name: makers[name]() for name in sys.argv[1:]}
found = set()
for _ in range(5):
    for work in works.values():
        work()
        found.add(works["fastloss"]())
warnings.simplefilter("ignore", DeprecationWarning)  # of a fork where there are threads
child = os.fork()
if child == 0:
    signal.alarm(60)
    os._exit(0 if {works["fastloss"]()} == found else 1)
assert os.waitpid(child, 0)[1] == 0, "a forked child hung, or computed other bits"
(bits,) = found
import fastloss
print(bits, len(fastloss.config()["openmp_libraries"]))
"""


def main(packages: Sequence[str] = PACKAGES) -> int:
    wanted, failures = None, 0
    for order in permutations(packages):
        command = [sys.executable, "-c", PROGRAM, *order]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
            found, code, errors = done.stdout.split(), done.returncode, done.stderr
        except subprocess.TimeoutExpired:
            found, code, errors = [], -1, f"it did not end in {PATIENCE} s"
        wanted = wanted or (found[0] if found else None)
        right = code == 0 and found[0] == wanted
        failures += not right
        print(
            f"{', '.join(order)}: {f'{found[1]} OpenMP libraries, same bits' if right else errors or found}", flush=True
        )
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or PACKAGES))
