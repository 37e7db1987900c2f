"""Which build of the kernels this processor gets."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

UNBUILT = (
    f"{Path(__file__).parents[1]} is not built for this Python and processor: run `pip install -e .` in the folder"
    " above it, or start Python elsewhere to import the fastloss that is installed"
)

try:
    from fastloss._core import runtime
except ImportError:
    if find_spec("fastloss._core.runtime"):
        raise
    raise ImportError(UNBUILT) from None

BUILDS = ("x86_64_v4", "x86_64_v3", "baseline")


def choose(requested: str | None, runnable: tuple[str, ...]) -> tuple[str, str]:
    """The build to import and the reason; the processor is asked first, since importing may already trap."""
    if not runnable:
        raise ImportError(UNBUILT)
    if requested is None:
        return runnable[0], "best build that this processor runs"
    if requested not in BUILDS:
        raise ImportError(f"FASTLOSS_ISA is {requested!r}, must be one of {', '.join(BUILDS)}")
    if requested not in runnable:
        raise ImportError(f"FASTLOSS_ISA is {requested!r}, but this processor runs only {', '.join(runnable)}")
    return requested, "forced by FASTLOSS_ISA"


def installed() -> tuple[str, ...]:
    """The builds that were compiled and that this processor runs, best first."""
    return tuple(isa for isa in runtime.instruction_sets() if find_spec(f"fastloss._kernels.{isa}.elementwise"))


isa, reason = choose(os.environ.get("FASTLOSS_ISA") or None, installed())


def kernels(family: str) -> ModuleType:
    """The kernels of a family in the build that was chosen."""
    return import_module(f"fastloss._kernels.{isa}.{family}")
