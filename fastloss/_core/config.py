"""What this installation runs on: the build of the kernels, OpenMP, threads."""

from __future__ import annotations

import platform
import re
from pathlib import Path
from typing import Any

import numpy as np

from fastloss._core import VERSION, isa, runtime
from fastloss._core.threads import available

OPENMP_VERSIONS = {
    200805: "3.0", 201107: "3.1", 201307: "4.0", 201511: "4.5", 201811: "5.0", 202011: "5.1", 202111: "5.2",
    202411: "6.0",
}  # fmt: skip


def config() -> dict[str, Any]:
    """What this installation runs on, as values.

    Returns
    -------
    dict
        From names to strings, integers, None and lists of strings: everything that `show_config` prints, fit
        for JSON.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.config()["kernels"] in fl.config()["kernels_available"]
    True
    """
    threads, limit = available()
    return {
        "fastloss": VERSION,
        "kernels": isa.isa,
        "kernels_reason": isa.reason,
        "kernels_available": list(isa.installed()),
        "compiler": runtime.compiler,
        "openmp": OPENMP_VERSIONS.get(runtime.openmp_version, str(runtime.openmp_version)),
        "openmp_libraries": openmp_libraries(),
        "threads": threads,
        "threads_reason": limit,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def show_config() -> None:
    """Print what this installation runs on, as a bug report wants it.

    Examples
    --------
    >>> import fastloss as fl
    >>> fl.show_config()  # doctest: +ELLIPSIS
    fastloss:           ...
    kernels:            ...
    """
    values = config()
    reasons = {name: values.pop(f"{name}_reason") for name in ("kernels", "threads")}
    for name, value in values.items():
        text = ", ".join(value) or "none found" if isinstance(value, list) else value
        reason = f" ({reasons[name]})" if name in reasons else ""
        print(f"{name.replace('_', ' ') + ':':<20}{text}{reason}")


def openmp_libraries(maps: Path = Path("/proc/self/maps")) -> list[str]:
    """Paths of the OpenMP runtimes that this process has loaded; more than one compete for the processors."""
    try:
        mapped = maps.read_text(errors="replace")
    except OSError:
        return []
    return sorted(set(re.findall(r"\S*/lib(?:gomp|i?omp)\S*\.so\S*", mapped)))
