"""Pictures of what was measured: every target, reached or missed, and the largest errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks import record
from tools.generate import TITLES

REACHED, MISSED = "#1f6fb4", "#d1495b"


def draw_all(folder: Path) -> None:
    """Write the pictures of speed and accuracy."""
    import matplotlib

    matplotlib.use("agg")
    folder.mkdir(parents=True, exist_ok=True)
    sections = record.load()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fastloss", "font.size": 9}):
        _targets(sections, folder / "targets.svg")
        _errors(sections, folder / "errors.svg")


def _targets(sections: dict[str, Any], target: Path) -> None:
    """What was measured over what was asked, a point for each target, a line for each part."""
    from matplotlib import pyplot

    parts = [(title, record.rows_of(sections[name])) for name, title in TITLES.items() if name in sections]
    found = [
        (title, asked) for title, rows in parts if (asked := [row for row in rows if row.reached and row.at_least])
    ]
    figure, axis = pyplot.subplots(figsize=(6.4, 0.42 * len(found) + 1.2), layout="constrained")
    for place, (_, rows) in enumerate(found):
        for reached, colour in (("yes", REACHED), ("no", MISSED)):
            ratios = [row.measured / (row.at_least or 1) for row in rows if row.reached == reached]
            axis.plot(ratios, [place] * len(ratios), "o", color=colour, alpha=0.55, markersize=5)
    axis.axvline(1, color="gray", linewidth=1)
    axis.set(xscale="log", xlabel="measured over asked for; left of 1 is missed")
    axis.set_yticks(range(len(found)), [title for title, _ in found])
    axis.xaxis.set_major_formatter("{x:g}")
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)


def _errors(sections: dict[str, Any], target: Path) -> None:
    """The largest error of any loss beside what is allowed."""
    from matplotlib import pyplot

    rows = sections["accuracy"]["rows"]
    figure, axis = pyplot.subplots(figsize=(6.4, 2.8), layout="constrained")
    for place, row in enumerate(rows):
        within = row["largest"] <= row["at_most"]
        axis.barh(place, row["largest"], color=REACHED if within else MISSED, height=0.6)
        axis.plot([row["at_most"]] * 2, [place - 0.4, place + 0.4], color="black", linewidth=2)
    axis.set_yticks(range(len(rows)), [f"{row['dtype']}, {row['of']}" for row in rows])
    axis.set(xlabel="largest error, in units in the last place; black: the most allowed")
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, metadata={"Date": None})
    pyplot.close(figure)
