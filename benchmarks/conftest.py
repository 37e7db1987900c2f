"""How a run of the benchmarks ends: with one table, and a picture and a report beside it."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest

from benchmarks import report
from benchmarks.record import machine
from benchmarks.scope import LIMIT, RESULTS, Scope


def pytest_configure(config: pytest.Config) -> None:
    config.stash[RESULTS] = []


def pytest_benchmark_update_machine_info(machine_info: dict[str, Any]) -> None:
    machine_info["fastloss"] = machine()


def pytest_benchmark_group_stats(config: pytest.Config) -> list[Any] | None:
    """No tables of the plugin's own, unless runs are compared."""
    return None if config.getoption("benchmark_compare") else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    from rich.console import Console

    lines = report.lines(config.stash[RESULTS])
    if not lines:
        return
    console = Console(file=StringIO(), width=report.WIDTH, highlight=False, markup=False)
    console.print(*report.summary(lines), sep="\n")
    folder = config.rootpath / ".benchmarks"
    folder.mkdir(exist_ok=True)
    (folder / "report.md").write_text(report.report(lines, machine()))
    report.picture(lines, folder / "speed.svg")
    if Scope.of(config).over:
        console.print(f"The losses missing were left out after {LIMIT:.0f} seconds; --full measures everything.")
    console.print(f"wrote {folder / 'speed.svg'}\nwrote {folder / 'report.md'}", soft_wrap=True)
    terminalreporter.section("fastloss")
    terminalreporter.write(console.file.getvalue())
