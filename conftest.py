"""What `pytest` collects: the tests, and with ``--benchmark-only`` the benchmarks instead."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="benchmarks: all sizes, and the other libraries installed")
    parser.addoption(
        "--size", type=int, help="benchmarks: elements of the large arrays (default: 8388608, with --full 16777216)"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if collection_path.is_relative_to(config.rootpath / "benchmarks" / "peers"):
        return True  # doctests would import what may not be installed
    benchmark = collection_path.is_relative_to(config.rootpath / "benchmarks")
    return None if benchmark == config.getoption("benchmark_only", False) else True
