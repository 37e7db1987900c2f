"""What a run of the benchmarks measures, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import pytest

from benchmarks.workload import SIZES

QUICK = 1 << 23  # elements of large arrays in a run that is not full
LIMIT = 270.0  # seconds after which such a run starts nothing new: it ends within five minutes
ROUNDS = 3, 15  # at least, where a round takes less than a second, and at most
SETTLE = 0.1  # seconds for which the threads of another library's last call may go on spinning
SHARES = {"small": 0.05, "cache": 0.1, "large": 1.0}  # of --benchmark-max-time, which is a second by default


@dataclass(frozen=True)
class Scope:
    """All sizes and all contenders, or large arrays against NumPy and the memory."""

    full: bool
    sizes: dict[str, int]
    seconds: float  # for all rounds of large arrays
    started: float

    @classmethod
    def of(cls, config: pytest.Config) -> Scope:
        if SCOPE not in config.stash:
            full = config.getoption("full")
            large = {"large": config.getoption("size") or (SIZES["large"] if full else QUICK)}
            seconds = float(config.getoption("benchmark_max_time"))
            config.stash[SCOPE] = cls(
                full, SIZES | large if full else large, seconds if full else seconds / 4, perf_counter()
            )
        return config.stash[SCOPE]

    @property
    def settle(self) -> float:
        return SETTLE if self.full else 0.0

    @property
    def over(self) -> bool:
        return not self.full and perf_counter() - self.started > LIMIT

    def rounds(self, size: str, seconds: float) -> int:
        """How many rounds of so many seconds there are."""
        least, most = ROUNDS if seconds < 1 else (1, 1)
        return max(least, min(most, int(self.seconds * SHARES[size] / seconds)))


SCOPE = pytest.StashKey[Scope]()
RESULTS = pytest.StashKey[list[dict[str, Any]]]()  # the extra information of each benchmark
