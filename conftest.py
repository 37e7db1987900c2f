"""What `pytest` collects: the tests, and with ``--benchmark-only`` the benchmarks instead."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--size",
        type=int,
        default=int(os.environ.get("FASTLOSS_BENCHMARK_SIZE", 1 << 24)),
        help="elements of the large benchmarks (default: FASTLOSS_BENCHMARK_SIZE or 16777216)",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.is_relative_to(config.rootpath / "benchmarks" / "peers"):
        return True  # doctests would import what may not be installed
    benchmark = collection_path.is_relative_to(config.rootpath / "benchmarks")
    return None if benchmark == config.getoption("benchmark_only", False) else True
