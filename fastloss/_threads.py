"""How many threads a call may use, and why."""

from __future__ import annotations

import os
import time
from pathlib import Path

from fastloss import _runtime

# Elements a thread must have before another one pays: waking it costs about two microseconds (and far more
# where another process holds its processor), and a thread does this many of the cheapest loss in four.
GRAIN = 32_768

# What a call is given at most, even if it asks for more: a thread without a block of elements does nothing,
# and libgomp ends the process where it cannot start a thread.
BLOCK = 512
MOST = 1024

_forked = False
_threads_at_fork = 1


def _before_fork() -> None:
    global _threads_at_fork
    try:
        _threads_at_fork = len(os.listdir("/proc/self/task"))
    except OSError:
        _threads_at_fork = 2


def _after_fork_in_child() -> None:
    # libgomp's pool does not survive a fork, and its next parallel region would wait for it for ever.
    # No omp_* call here: only a flag. A parent without other threads had no pool.
    global _forked
    _forked = _forked or _threads_at_fork > 1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork_in_child)


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


def available() -> tuple[int, str]:
    """The number of threads that this process may use now, and what sets it."""
    if _forked:
        return 1, "this is a forked child of a process with threads, where OpenMP cannot start again"
    limits = [(_runtime.openmp_threads(), "OpenMP (OMP_NUM_THREADS, threadpoolctl, or a surrounding parallel region)")]
    if hasattr(os, "sched_getaffinity"):
        limits.append((len(os.sched_getaffinity(0)), "the processors this process may run on"))
    quota = _current_quota()
    if quota is not None:
        limits.append((max(1, -int(-quota // 1)), "the CPU quota of the control group"))
    return min(limits, key=lambda limit: limit[0])


def choose(num_threads: int | None, work: int) -> int:
    """Threads for `work` elements: what is asked for or available, and no more than the work feeds."""
    if num_threads is None:
        useful = work // GRAIN
        if useful < 2 or time.monotonic() < _alone_until:
            return 1
        return min(available()[0], useful)
    return 1 if _forked else max(1, min(num_threads, -(-work // BLOCK), MOST))


# A thread that waits for another whose processor is taken spins on its own: on a busy machine a call of ten
# microseconds then takes ten milliseconds. One that took so long is followed by a second of calls on one thread.
STALLED = 1e-3  # seconds, and more than any loss takes for each element:
SLOWEST = 2e-8
PAUSE = 1.0
_alone_until = float("-inf")


def observe(work: int, seconds: float) -> None:
    """Take note of how long a call on several threads took."""
    global _alone_until
    if seconds > STALLED and seconds > work * SLOWEST:
        _alone_until = time.monotonic() + PAUSE
