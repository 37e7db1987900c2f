"""Every loss of the registry, alone and with its gradient, against everyone who can compute it, in turns."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.contenders import contenders, prepared
from benchmarks.scope import LIMIT, RESULTS, Scope
from benchmarks.turns import Turns
from benchmarks.workload import WORKS, Call, LeftOut, Work, workload
from fastloss import registry

pytestmark = pytest.mark.filterwarnings("default")  # the warnings of peers are not ours


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    cases = [
        pytest.param(name, work, size, id=f"{name}-{work}-{size}")
        for name in registry
        for size in Scope.of(metafunc.config).sizes
        for work in WORKS
    ]
    metafunc.parametrize("name, work, size", cases)


def test_loss(benchmark: Any, pytestconfig: pytest.Config, name: str, work: Work, size: str) -> None:
    scope = Scope.of(pytestconfig)
    if scope.over:
        pytest.skip(f"{LIMIT:.0f} seconds are over; --full measures everything")
    load = workload(name, scope.sizes[size])
    calls: dict[str, Call] = {}
    left_out = {}
    for who, bind in contenders(name, work, limit=size == "large", others=scope.full).items():
        try:
            calls[who] = prepared(bind, load, work)
        except LeftOut as reason:
            if who.startswith("fastloss"):
                raise
            left_out[who] = str(reason)

    # The engine measures the rounds of fastloss; the others take their turns between them.
    turns = Turns(calls, scope.settle)
    rounds = scope.rounds(size, turns.seconds)

    def others() -> None:
        for who in calls:
            if who != "fastloss":
                turns.take(who)
        turns.wake("fastloss")

    turns.wake("fastloss")
    benchmark.pedantic(calls["fastloss"], rounds=rounds, iterations=turns.calls["fastloss"], teardown=others)
    turns.times["fastloss"] = list(benchmark.stats.stats.data)
    benchmark.extra_info.update(
        loss=name,
        work=work,
        size=size,
        elements=scope.sizes[size],
        threads=load.threads,
        times={who: seconds[:rounds] for who, seconds in turns.times.items()},
        left_out=left_out,
    )
    pytestconfig.stash[RESULTS].append(benchmark.extra_info)
