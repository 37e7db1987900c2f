"""What the command shows: tables for people, JSON for programs, progress for the patient."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from fastloss.cli.reading import Chunk
from fastloss.cli.scoring import Score, Scores

PATIENCE = 1.0  # seconds before a progress bar is worth its lines
PIPE_WIDTH = 200  # columns where no terminal sets them


def print_json(value: Any) -> None:
    """One JSON object; NaN is null, and infinities are the strings that JSON has no numbers for."""
    print(json.dumps(_plain(value), allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, np.generic):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def scores_as_values(scores: Scores) -> dict[str, Any]:
    values: dict[str, Any] = {"total": _score_as_values(scores.total)}
    if scores.groups is not None:
        values["groups"] = [{"group": label, **_score_as_values(part)} for label, part in scores.groups.items()]
    return values


def _score_as_values(part: Score) -> dict[str, Any]:
    return {"mean": part.mean, "standard_error": part.standard_error, "weight": part.weight, "count": int(part.count)}


def print_scores(title: str, by: str | None, scores: Scores) -> None:
    table = _table(by or "", title=title)
    for heading in ("mean loss", "standard error", "sum of weights", "count"):
        table.add_column(heading, justify="right", overflow="fold")
    for label, part in (scores.groups or {}).items():
        table.add_row(_printable(label), *_cells(part))
    table.add_section()
    table.add_row("total", *_cells(scores.total), style="bold")
    _console().print(table)


def _cells(part: Score) -> list[str]:
    error = "" if math.isnan(part.standard_error) else f"{part.standard_error:.3g}"
    return [f"{part.mean:.6g}", error, f"{part.weight:.10g}", f"{part.count:.0f}"]


def print_losses(losses: list[dict[str, Any]]) -> None:
    table = _table("loss", "parameters", "also called", "what it is")
    for described in losses:
        options = "\n".join(f"{p['option']} {_default(p['default'])}: {p['domain']}" for p in described["parameters"])
        cells = (described["name"], options, ", ".join(described["aliases"]), described["summary"])
        table.add_row(*map(Text, cells))
    _console().print(table)


def _default(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _table(*headings: str, title: str | None = None) -> Table:
    table = Table(box=box.SIMPLE, title=None if title is None else _printable(title), title_justify="left")
    for heading in headings:
        table.add_column(_printable(heading), overflow="fold")
    return table


def _printable(label: Any) -> Text:
    """Text without markup or escape sequences, which names in a file could smuggle to a terminal."""
    text = str(label)
    return Text(text if text.isprintable() else repr(text))


def _console() -> Console:
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def with_progress(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The chunks, with a bar on a terminal's standard error once they take their time."""
    if not sys.stderr.isatty():
        yield from chunks
        return
    begun = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True, auto_refresh=False) as progress:
        task = progress.add_task("scoring", total=1.0, visible=False)
        for chunk in chunks:
            yield chunk
            late = time.monotonic() - begun > PATIENCE
            progress.update(task, completed=chunk.done, visible=late, refresh=late)
