"""Every loss of the registry, alone or with its gradient, on arrays of three sizes, by everyone who can compute it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.contenders import Binder, contenders, prepared
from benchmarks.workload import SIZES, WORKS, LeftOut, Work, workload
from fastloss import registry

pytestmark = pytest.mark.filterwarnings("default")  # the warnings of peers are not ours

SHARES = {"small": 0.05, "cache": 0.1, "large": 1.0}  # of --benchmark-max-time, which is a second by default


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    seconds = float(metafunc.config.getoption("benchmark_max_time"))
    cases = [
        pytest.param(
            name, work, size, who, bind,
            id=f"{name}-{work}-{size}-{who}",
            marks=pytest.mark.benchmark(group=f"{name} {work} {size}", max_time=seconds * SHARES[size], min_rounds=3),
        )
        for name in registry
        for size in SIZES
        for work in WORKS
        for who, bind in contenders(name, work, limit=size == "large").items()
    ]  # fmt: skip
    metafunc.parametrize("name, work, size, who, bind", cases)


def test_loss(
    benchmark: Any, pytestconfig: pytest.Config, name: str, work: Work, size: str, who: str, bind: Binder
) -> None:
    n = pytestconfig.getoption("size") if size == "large" else SIZES[size]
    load = workload(name, n)
    try:
        call = prepared(bind, load, work)
    except LeftOut as reason:
        if who.startswith("fastloss"):
            raise
        pytest.skip(f"{name}: {who} is left out: {reason}")
    size_in_bytes = load.y.nbytes + load.x.nbytes * (2 if work == "value_and_grad" else 1)
    benchmark.extra_info.update(
        loss=name, work=work, size=size, elements=n, contender=who, threads=load.threads, bytes=size_in_bytes
    )
    benchmark(call)
