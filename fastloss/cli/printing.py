"""What the command shows: text for people, JSON for programs, progress for the patient."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from fastloss.arrow.scoring import Task
from fastloss.cli.ending import printable, tell
from fastloss.cli.scoring import Numbers, Scores

PATIENCE = 1.0  # seconds before a progress bar is worth its lines
MOST = 50  # groups that a terminal shows
INDENT = 24  # of what follows the name of a loss
AUTHORS_WIDTH = 112  # of docstrings


def print_json(value: Any) -> None:
    """One JSON object, of what `plain` made or left."""
    print(json.dumps(value, allow_nan=False))


def plain(value: Any) -> Any:
    """A value as JSON has it; NaN is null, and infinities are the strings that it has no numbers for."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, (np.generic, complex)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


# Scores -------------------------------------------------------------------------------------------


def scores_as_values(scores: Scores) -> dict[str, Any]:
    """The scores as values fit for JSON."""
    values: dict[str, Any] = {"total": _as_values(scores.total)[0]}
    if scores.labels is not None:
        values["groups"] = _as_values(scores.groups, group=plain(scores.labels))
    values["nan"] = [{"column": name, "count": n.count, "first_row": n.first} for name, n in scores.nans.items()]
    return values


def _as_values(compared: Sequence[Numbers], **labels: list[Any]) -> list[dict[str, Any]]:
    """The numbers of each group; where predictions are compared, with those of the others and of the differences."""
    first, *others = compared
    further = {name: _rows(_columns(numbers)) for name, numbers in zip(("other", "difference"), others, strict=False)}
    return _rows(labels | _columns(first) | further)


def _columns(numbers: Numbers) -> dict[str, list[Any]]:
    """There may be millions of groups: a column is looked through number by number only where one is not finite."""
    columns = {name: np.atleast_1d(column) for name, column in vars(numbers).items() if column is not None}
    columns["count"] = columns["count"].astype(np.int64)
    lists = {name: column.tolist() for name, column in columns.items()}
    return {name: lists[name] if np.isfinite(columns[name]).all() else plain(lists[name]) for name in lists}


def _rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def print_scores(title: str, task: Task, level: float | None, scores: Scores) -> None:
    """The numbers of each group and its label, last since it may be of any length."""
    print(printable(title))
    shown = scores
    if scores.labels is not None and sys.stdout.isatty() and len(scores.labels) > MOST:
        what = "difference" if task.compare else "mean loss"
        print(f"the {MOST} of {len(scores.labels)} groups with the greatest {what} (--json and a pipe get all)")
        shown = scores.worst(MOST)
    labels = [printable(", ".join(task.groups)), *map(label_text, shown.labels or ()), "total"]
    parts = [_cells(numbers) for numbers in (shown.groups, shown.total) if numbers]
    columns = [
        [header, *chain.from_iterable(column)]
        for header, *column in zip(_headers(task, level), *parts, strict=True)
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in columns]
    room = max(_width() - sum(widths) - 2 * len(widths), 8)
    aligned = [[cell.rjust(width) for cell in column] for column, width in zip(columns, widths, strict=True)]
    lines = ("  ".join(row).rstrip() for row in zip(*aligned, (_fitting(label, room) for label in labels), strict=True))
    print("\n".join(lines))


def _headers(task: Task, level: float | None) -> list[str]:
    interval = [] if level is None else [f"{100 * level:.6g}% from", "to"]
    compared = ["mean loss", f"of {', '.join(task.compare)}", "difference"]
    means = compared if task.compare else ["mean loss", "standard error"]
    return [*map(printable, means), *interval, "sum of weights", "count"]


def _cells(compared: Sequence[Numbers]) -> list[list[str]]:
    """The columns of the numbers of groups, as text."""
    first, last = compared[0], compared[-1]
    errors = [] if len(compared) > 1 else [(first.standard_error, ".3g")]
    errors += [(end, ".6g") for end in (last.low, last.high) if end is not None]
    return [
        *(_written(numbers.mean, ".6g", "nan") for numbers in compared),
        *(_written(column, form, "-") for column, form in errors),
        _written(first.weight, ".10g"),
        _written(first.count, ".0f"),
    ]


def _written(column: Any, form: str, missing: str = "") -> list[str]:
    return [f"{number:{form}}" if number == number else missing for number in np.atleast_1d(column).tolist()]


def label_text(label: Any) -> str:
    """The label of a group, as it is shown."""
    if isinstance(label, tuple):
        return ", ".join(map(label_text, label))
    value = plain(label)
    if value is None:
        return "(missing)"
    return printable(repr(value).removesuffix(".0") if isinstance(value, float) else str(value))


def _fitting(label: str, room: int) -> str:
    return label if len(label) <= room else f"{label[: room - 1]}…"


def tell_nans(scores: Scores) -> None:
    """Say on standard error why a mean is NaN."""
    for name, nans in scores.nans.items():
        tell(f"column {name!r} is NaN in {nans.count} row{'s' * (nans.count > 1)}, first in row {nans.first} (from 0)")


class Progress:
    """How much is scored, with a bar on a terminal's standard error once it takes its time."""

    def __init__(self) -> None:
        self.rows = 0
        self.done = math.nan
        self._begun = time.monotonic()
        self._bar: Any = None

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __str__(self) -> str:
        share = "" if math.isnan(self.done) else f" ({self.done:.0%})"
        return f"{self.rows:,} rows{share}"

    def show(self) -> None:
        """Show it, if there is one who looks."""
        seconds = time.monotonic() - self._begun
        if seconds < PATIENCE or sys.stderr is None or not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar, self._task = self._made(seconds)
        known = not math.isnan(self.done)
        self._bar.update(
            self._task, total=1.0 if known else None, completed=self.done if known else None,
            speed=f"{self.rows:,} rows, {self.rows / seconds:,.0f} rows/s",
        )  # fmt: skip
        self._bar.refresh()

    @staticmethod
    def _made(seconds: float) -> tuple[Any, Any]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = BarColumn(), TextColumn("{task.fields[speed]}"), TimeRemainingColumn(compact=True)
        bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        bar.start()
        return bar, bar.add_task("", total=None, speed="")


# Losses -------------------------------------------------------------------------------------------


def print_losses(losses: list[dict[str, Any]]) -> None:
    for described in losses:
        options, aliases = ", ".join(map(_option, described["parameters"])), ", ".join(described["aliases"])
        about = described["summary"].rstrip(".") + "."
        about += f" Options: {options}." if options else ""
        about += f" Also: {aliases}." if aliases else ""
        print(_filled(f"{described['name']:<{INDENT - 2}}  {about}", INDENT))


def print_loss(described: dict[str, Any]) -> None:
    names = ", ".join([*described["aliases"], f"fastloss.{described['class']}"])
    print(_filled(f"{described['name']}, also {names}", 4), end="\n\n")
    for parameter in described["parameters"]:
        print(_filled(f"  {_option(parameter):<{INDENT - 4}}  {parameter['domain']}", INDENT))
    print("\n" * bool(described["parameters"]) + _documentation(described["documentation"]))


def _documentation(text: str) -> str:
    """A docstring in lines that fit: those that its author had to break are put together first."""
    lines: list[str] = []
    before = ""
    for line in text.splitlines():
        words = line.split()
        same_margin = _margin(line) == _margin(before)
        if words and same_margin and len(before) + 1 + len(words[0]) > AUTHORS_WIDTH:
            lines[-1] += " " + " ".join(words)
        else:
            lines.append(line)
        before = line
    return "\n".join(_filled(line, _margin(line)) for line in lines)


def _margin(line: str) -> int:
    return len(line) - len(line.lstrip())


def _filled(line: str, indent: int) -> str:
    """A line broken between words where the terminal ends."""
    if len(line) <= _width():
        return line
    return textwrap.fill(
        line, _width(), subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip


def _width() -> int:
    """The columns of a terminal, or those that are asked for; a line of a pipe has no end."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() or "COLUMNS" in os.environ else sys.maxsize


def _option(parameter: dict[str, Any]) -> str:
    """An option with its default, where that is a value."""
    default = parameter["default"]
    if default is None or isinstance(default, bool):
        return str(parameter["option"])
    return f"{parameter['option']} {','.join(map(str, default)) if isinstance(default, tuple) else default}"
