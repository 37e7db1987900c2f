"""What the results say of where they come from."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import fastloss

LIBRARIES = ("numpy", "torch", "jax", "numexpr", "scikit-learn")


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    machine_info["libraries"] = found = {"fastloss": fastloss.__version__}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
