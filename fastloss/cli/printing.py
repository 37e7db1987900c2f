"""What the command shows: text for people, JSON for programs, progress for the patient."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from fastloss.cli.ending import printable, tell
from fastloss.cli.reading import Chunk
from fastloss.cli.scoring import Score, Scores

PATIENCE = 1.0  # seconds before a progress bar is worth its lines
MOST = 50  # groups that a terminal shows
INDENT = 24  # of what follows the name of a loss
AUTHORS_WIDTH = 112  # of docstrings


def print_json(value: Any) -> None:
    """One JSON object; NaN is null, and infinities are the strings that JSON has no numbers for."""
    print(json.dumps(_plain(value), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, (np.generic, complex)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


# Scores -------------------------------------------------------------------------------------------


def scores_as_values(scores: Scores) -> dict[str, Any]:
    values: dict[str, Any] = {"total": _score_as_values(scores.total)}
    if scores.groups is not None:
        values["groups"] = [{"group": label, **_score_as_values(part)} for label, part in scores.groups.items()]
    values["nan"] = [{"column": name, "count": n.count, "first_row": n.first} for name, n in scores.nans.items()]
    return values


def _score_as_values(part: Score) -> dict[str, Any]:
    return {"mean": part.mean, "standard_error": part.standard_error, "weight": part.weight, "count": int(part.count)}


def print_scores(title: str, by: str | None, scores: Scores) -> None:
    """The numbers of each group and its label, last since it may be of any length."""
    groups = list((scores.groups or {}).items())
    print(printable(title))
    if sys.stdout.isatty() and len(groups) > MOST:
        print(f"the {MOST} of {len(groups)} groups with the greatest mean loss (--json and a pipe get all)")
        groups = sorted(groups, key=_worst_first)[:MOST]
    rows = [("mean loss", "standard error", "sum of weights", "count", by or "")]
    rows += [(*_cells(part), _label(label)) for label, part in groups]
    rows.append((*_cells(scores.total), "total"))
    mean, error, weight, count, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    room = max(_width() - mean - error - weight - count - 8, 8)
    for row in rows:
        label = printable(row[4])
        label = label if len(label) <= room else f"{label[: room - 1]}…"
        print(f"{row[0]:>{mean}}  {row[1]:>{error}}  {row[2]:>{weight}}  {row[3]:>{count}}  {label}".rstrip())


def _worst_first(group: tuple[Any, Score]) -> tuple[bool, bool, float]:
    mean, weight = group[1].mean, group[1].weight
    return not weight, not math.isnan(mean), -mean


def _cells(part: Score) -> tuple[str, str, str, str]:
    error = "-" if math.isnan(part.standard_error) else f"{part.standard_error:.3g}"
    return f"{part.mean:.6g}", error, f"{part.weight:.10g}", f"{part.count:.0f}"


def _label(label: Any) -> str:
    value = _plain(label)
    if value is None:
        return "(missing)"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def tell_nans(scores: Scores) -> None:
    """Say on standard error why a mean is NaN."""
    for name, nans in scores.nans.items():
        tell(f"column {name!r} is NaN in {nans.count} row{'s' * (nans.count > 1)}, first in row {nans.first} (from 0)")


def with_progress(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks, with a bar on a terminal's standard error once they take their time."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield from chunks
        return
    from rich.console import Console
    from rich.progress import Progress

    begun = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("scoring", total=1.0, visible=False)
        for chunk in chunks:
            yield chunk
            late = time.monotonic() - begun > PATIENCE
            progress.update(task, completed=chunk.done, visible=late, refresh=late)


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
