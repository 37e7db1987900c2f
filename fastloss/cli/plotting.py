"""A picture of the groups: a bar of each, its confidence interval, and the mean of all."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from fastloss._core.extras import missing
from fastloss.arrow.scoring import Task
from fastloss.cli.ending import Refused
from fastloss.cli.printing import label_text
from fastloss.cli.scoring import Scores

SUFFIXES = (".html", ".svg", ".png", ".pdf")
MOST = 50  # groups that are drawn
LONGEST = 40  # characters of a label
BAR, BETTER, INTERVAL, LINE = "#9db8d9", "#a3c9a8", "#33415c", "#c1440e"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: sans-serif; margin: 2em auto; max-width: 60em">
<h1 style="font-size: 1.2em; overflow-wrap: anywhere">{title}</h1>
<p>{summary}</p>
{picture}
</body>
</html>
"""


def check(path: Path, by: Sequence[str] | None) -> None:
    """Refuse what cannot be drawn before anything is scored."""
    if not by:
        raise Refused("--plot: it draws groups, must be given with --by")
    if path.suffix.lower() not in SUFFIXES:
        raise Refused(f"--plot: {path} must end in {', '.join(SUFFIXES)}")
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise missing("--plot", "Matplotlib", "plot") from error


def draw(file: BinaryIO, suffix: str, title: str, task: Task, level: float | None, scores: Scores) -> None:
    """Draw the groups, or those of the greatest losses if there are many, in the format of a suffix."""
    shown = scores.worst(MOST)
    what = f"mean loss of {', '.join(task.pred)}"
    what += f" less that of {', '.join(task.compare)}" if task.compare else ""
    summary = _summary(what, level, scores)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of signs that a font does not have
        figure = _figure(what, ", ".join(task.groups), shown)
        if suffix != ".html":
            figure.suptitle(_plain(f"{title}\n{summary}"), fontsize="medium", wrap=True)
            figure.savefig(file, format=suffix[1:], dpi=150)
            return
        picture = BytesIO()
        figure.savefig(picture, format="svg")
    svg = picture.getvalue().decode()
    page = PAGE.format(title=escape(title), summary=escape(summary), picture=svg[svg.index("<svg") :])
    file.write(page.encode())


def _summary(what: str, level: float | None, scores: Scores) -> str:
    total, number = scores.total[-1], len(scores.labels or ())
    interval = (
        "" if level is None or total.low is None else f" ({100 * level:.6g}%: {total.low:.6g} to {total.high:.6g})"
    )
    most = f"; the {MOST} greatest of {number:,} groups" if number > MOST else ""
    return f"{what}, of {int(total.count):,} rows: {total.mean:.6g}{interval}{most}"


def _figure(what: str, by: str, shown: Scores) -> Any:
    from matplotlib.figure import Figure

    numbers, total = shown.groups[-1], shown.total[-1]
    labels, places = shown.labels or [], np.arange(len(shown.labels or ()))
    mean = np.asarray(numbers.mean, np.float64)
    finite = np.isfinite(mean)
    figure = Figure(figsize=(9, 1.4 + 0.25 * max(len(labels), 3)), layout="constrained")
    axes = figure.subplots()
    better = (mean < 0) & (len(shown.total) > 1)
    axes.barh(places[finite], mean[finite], color=np.where(better, BETTER, BAR)[finite], height=0.7)
    if numbers.low is not None:
        known = finite & np.isfinite(numbers.low) & np.isfinite(numbers.high)
        ends = np.abs(np.stack([numbers.low, numbers.high]) - mean)[:, known]
        axes.errorbar(mean[known], places[known], xerr=ends, fmt="none", ecolor=INTERVAL, elinewidth=1.2, capsize=2)
    for place in places[~finite]:
        axes.annotate(f"{mean[place]:g}", (0, place), xytext=(3, 0), textcoords="offset points", va="center")
    if np.isfinite(total.mean):
        axes.axvline(total.mean, color=LINE, linestyle="--", linewidth=1.2)
        where = axes.get_xaxis_transform()
        axes.text(total.mean, 1.0, f"all rows: {total.mean:.6g}", transform=where, ha="center", va="bottom", color=LINE)
    axes.set_yticks(places, [_tick(label, count) for label, count in zip(labels, numbers.count, strict=True)])
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel(_plain(what))
    axes.set_title(_plain(f"{by}  (rows)"), loc="left", fontsize="medium", pad=16)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _tick(label: Any, count: float) -> str:
    text = label_text(label)
    return _plain(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…") + f"  ({count:,.0f})"


def _plain(text: str) -> str:
    """Text in which nothing is a formula to Matplotlib."""
    return text.replace("$", r"\$")
