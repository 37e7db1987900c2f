"""How many threads a call may use, and why."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from fastloss._core import runtime

# Elements a thread must have before another one pays: calling it costs about two microseconds, and a thread does
# this many of the cheapest loss in four.
GRAIN = 32_768

# Elements of a block. A call is given no more threads than blocks, even if it asks for more.
BLOCK = 512


def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")) -> float | None:
    """CPUs that the control groups of this process and of all their ancestors allow, or None where unlimited."""
    try:
        lines = os.fsdecode(membership.read_bytes()).splitlines()
    except OSError:
        return None
    quotas = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers == "":
            base, read = root, _read_v2
        elif "cpu" in controllers.split(","):
            base, read = root / controllers, _read_v1
            if not base.is_dir():
                base = root / "cpu"
        else:
            continue
        group = Path(path.lstrip("/"))
        for ancestor in (group, *group.parents):
            quota = read(base / ancestor)
            if quota is not None:
                quotas.append(quota)
    return min(quotas, default=None)


def _read_v2(group: Path) -> float | None:
    try:
        quota, period = (group / "cpu.max").read_text().split()
        return None if quota == "max" else _ratio(quota, period)
    except (OSError, ValueError, OverflowError):
        return None


def _read_v1(group: Path) -> float | None:
    try:
        quota = (group / "cpu.cfs_quota_us").read_text()
        return _ratio(quota, (group / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError, OverflowError):
        return None


def _ratio(quota: str, period: str) -> float | None:
    limit, every = int(quota), int(period)
    return limit / every if limit > 0 and every > 0 else None


_quota: float | None = None
_quota_read = float("-inf")


def _current_quota() -> float | None:
    global _quota, _quota_read
    now = time.monotonic()
    if now - _quota_read > 1:
        _quota, _quota_read = cgroup_quota(), now
    return _quota


_caller = threading.local()


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """Within this context calls of this Python thread share their work among so many threads at most."""
    before = getattr(_caller, "threads", None)
    _caller.threads = threads
    try:
        yield
    finally:
        _caller.threads = before


def available() -> tuple[int, str]:
    """The number of threads that this process may use now, and what sets it."""
    if runtime.computes_alone():
        return 1, "a child of fork, where an OpenMP runtime would wait for threads that it does not have"
    limits = [(runtime.openmp_threads(), "OpenMP (OMP_NUM_THREADS, threadpoolctl, or a surrounding parallel region)")]
    if hasattr(os, "sched_getaffinity"):
        limits.append((len(os.sched_getaffinity(0)), "the processors this process may run on"))
    quota = _current_quota()
    if quota is not None:
        limits.append((max(1, -int(-quota // 1)), "the CPU quota of the control group"))
    asked = getattr(_caller, "threads", None)
    if asked is not None:
        limits.append((asked, "the library that calls"))
    return min(limits, key=lambda limit: limit[0])


def check_number(owner: str, num_threads: int | None) -> None:
    """Refuse what is no number of threads."""
    if num_threads is not None and (not isinstance(num_threads, (int, np.integer)) or num_threads < 1):
        raise ValueError(f"{owner}: num_threads is {num_threads!r}, must be a positive integer")


def threads_for(num_threads: int | None, work: int) -> int:
    """Threads for `work` elements: what is asked for or available, and no more than the work feeds."""
    if num_threads is None:
        useful = work // GRAIN
        return min(available()[0], useful) if useful > 1 else 1
    return max(1, min(num_threads, -(-work // BLOCK)))
