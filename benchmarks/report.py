"""Turn what `pytest --benchmark-only` measured into tables and a picture.

The run itself ends with the table, and writes the picture and a report beside it; of results that were kept with
``--benchmark-json=results.json``, ``python -m benchmarks.report results.json -o REPORT.md --plot REPORT.svg`` makes
them again, and ``--record`` puts them into `measured.json` and the documentation.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.record import FILE, described, markdown, record
from benchmarks.turns import Ratio, compare, duration

if TYPE_CHECKING:
    from rich.console import RenderableType

OURS = ("fastloss", "fastloss_reused")
WIDTH = 100  # columns of the terminal at most
NOTES = 5  # doubtful ratios that are explained there at most
PICTURE = FILE.parent.parent / "docs" / "speed.svg"
WORKS = {"value": "value", "value_and_grad": "value and gradient"}
CONDITIONS = (
    "{elements:,} float32 elements, of rowwise losses in rows of up to 1,000 classes; the mean of each loss, or the"
    " mean and its gradient. Medians of rounds in which the contenders take turns, each warm, after all results were"
    " found equal. NumPy evaluates the usual expressions in float32 and makes new arrays; compared with it and with"
    " other libraries, fastloss's gradient is a new array too. The limit is the time of plain loops, in as many"
    " threads, that read the arrays and write as much as the gradient past the caches; compared with it, the gradient"
    " goes into a reused array (`grad_out`)."
)


@dataclass(frozen=True)
class Line:
    """One loss in one work at one size: the seconds that it takes, and its ratios to others."""

    loss: str
    work: str
    size: str
    elements: int
    seconds: float
    reused: float | None
    numpy: Ratio | None
    peer: Ratio | None
    memory: Ratio | None
    left_out: dict[str, str]  # who, and why


def lines(results: Iterable[dict[str, Any]]) -> list[Line]:
    """What the benchmarks say of themselves, as ratios."""
    found = []
    for result in results:
        times, reused = result["times"], "fastloss_reused" if "fastloss_reused" in result["times"] else None
        peers = [who for who in times if who not in {*OURS, "numpy", "memory"}]
        found.append(
            Line(
                *(result[key] for key in ("loss", "work", "size", "elements")),
                seconds=median(times["fastloss"]),
                reused=median(times[reused]) if reused else None,
                numpy=compare(times, "fastloss", ["numpy"]) if "numpy" in times else None,
                peer=compare(times, "fastloss", peers) if peers else None,
                memory=compare(times, reused or "fastloss", ["memory"]) if "memory" in times else None,
                left_out=result["left_out"],
            )
        )
    return found


def line_of(kept: dict[str, Any]) -> Line:
    """A line that was kept in the file."""
    ratios = {name: kept[name] and Ratio(**kept[name]) for name in ("numpy", "peer", "memory")}
    return Line(**kept | ratios)


def worst_first(lines: Iterable[Line]) -> list[tuple[str, dict[str, Line]]]:
    """The works of each loss on large arrays, those first that gain least over NumPy."""
    losses: dict[str, dict[str, Line]] = {}
    for line in lines:
        if line.size == "large":
            losses.setdefault(line.loss, {})[line.work] = line

    def gain(of: tuple[str, dict[str, Line]]) -> float:
        return min((line.numpy.value for line in of[1].values() if line.numpy), default=0.0)

    return sorted(losses.items(), key=gain)


def doubts(lines: Iterable[Line]) -> Iterator[str]:
    """What is not to be believed, and why."""
    for line in lines:
        for against, ratio in (("NumPy", line.numpy), ("the limit", line.memory), ("other libraries", line.peer)):
            if ratio and ratio.doubt:
                yield f"{_where(line)}, against {against}: {ratio.doubt}"


def _where(line: Line) -> str:
    return f"{line.loss}, {WORKS[line.work]}, {line.elements:,} elements"


def _times(ratio: Ratio | None) -> str:
    return "" if ratio is None else "?" if ratio.doubt else f"{ratio.value:.3g}×"


def _percent(ratio: Ratio | None) -> str:
    return "" if ratio is None else "?" if ratio.doubt else f"{ratio.value:.0%}"


def cells(works: dict[str, Line]) -> list[str]:
    """Time, ratio to NumPy and share of the limit, of each work."""
    found = []
    for work in WORKS:
        line = works.get(work)
        found += [duration(line.seconds), _times(line.numpy), _percent(line.memory)] if line else [""] * 3
    return found


# For people at a terminal -------------------------------------------------------------------------


def summary(lines: Sequence[Line]) -> list[RenderableType]:
    """The one table that a run ends with, and what to know of it."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("loss", no_wrap=True)
    for work in ("value", "value and\ngradient"):
        for header in (work, "times\nNumPy", "of the\nlimit"):
            table.add_column(header, justify="right", no_wrap=True)
    losses = worst_first(lines)
    for name, works in losses:
        table.add_row(name, *cells(works))
    elements = next((line.elements for line in lines if line.size == "large"), 0)
    notes = [CONDITIONS.format(elements=elements)]
    refused = list(doubts(lines))
    if refused:
        shown = [*refused[:NOTES], *([f"and {len(refused) - NOTES} more, in the report"] if refused[NOTES:] else [])]
        notes.append("Not to be believed, and shown as ?:\n" + "\n".join(f"  {doubt}" for doubt in shown))
    return [table, *notes] if losses else notes[1:]


# For files ----------------------------------------------------------------------------------------


def report(lines: Sequence[Line], machine: dict[str, Any]) -> str:
    """The results as Markdown, one table for each size."""
    header = ("loss", "work", "fastloss", "`grad_out` reused", "NumPy takes", "best other takes", "of the limit")
    sizes = {line.size: line.elements for line in lines}
    parts = ["# Benchmarks", f"{described(machine)}.", CONDITIONS.format(elements=sizes.get("large", 0))]
    for size, n in sizes.items():
        rows = [_row(line) for line in lines if line.size == size]
        parts += [f"## {n:,} elements", markdown(header, rows)]
    left_out = [f"{_where(line)}, {who}: {why}" for line in lines for who, why in line.left_out.items()]
    for title, notes in (("Not to be believed", list(doubts(lines))), ("Left out", left_out)):
        if notes:
            parts += [f"## {title}", "\n".join(f"- {note}" for note in notes)]
    return "\n\n".join(parts) + "\n"


def _row(line: Line) -> list[str]:
    peer = line.peer and line.peer.how.rpartition(", ")[2].partition(" ")[0]
    return [
        f"`{line.loss}`",
        WORKS[line.work],
        duration(line.seconds),
        duration(line.reused) if line.reused else "",
        _times(line.numpy),
        f"{_times(line.peer)} {peer}" if peer else "",
        _percent(line.memory),
    ]


def picture(lines: Sequence[Line], target: Path) -> None:
    """Draw how each loss compares with NumPy, and with the limit of the memory."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    losses = worst_first(lines)
    if not losses:
        raise ValueError("nothing to draw: no large arrays were measured")
    # Text as text and a fixed salt: the file is small, and the same for the same numbers.
    with pyplot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "fastloss", "font.size": 8}):
        _draw(losses, target)


def _draw(losses: list[tuple[str, dict[str, Line]]], target: Path) -> None:
    from matplotlib import pyplot
    from matplotlib.ticker import PercentFormatter

    figure, (gain, share) = pyplot.subplots(
        2, sharex=True, layout="constrained", figsize=(max(5.0, 0.14 * len(losses) + 1), 6), facecolor="white"
    )
    for work, style in zip(WORKS, ("o", "D"), strict=True):
        for axis, of in ((gain, "numpy"), (share, "memory")):
            ratios = [(i, getattr(works[work], of)) for i, (_, works) in enumerate(losses) if work in works]
            good = [(i, ratio.value) for i, ratio in ratios if ratio and not ratio.doubt]
            axis.plot([i for i, _ in good], [value for _, value in good], style, markersize=3.5, label=WORKS[work])
    gain.set(yscale="log", ylabel="times as fast as NumPy")
    gain.yaxis.set_major_formatter("{x:g}")
    figure.legend(*gain.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    share.set(ylim=(0, None), ylabel="of the speed of memory")
    share.yaxis.set_major_formatter(PercentFormatter(1))
    share.set_xticks(range(len(losses)), [name for name, _ in losses], rotation=90, fontsize=6.5)
    share.set_xlim(-1, len(losses))
    for axis in (gain, share):
        axis.axhline(1, color="black", linewidth=0.8)
        axis.grid(alpha=0.3)
    figure.savefig(target, dpi=150, metadata={"Date": None} if target.suffix == ".svg" else None)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("results", type=Path, help="what `pytest --benchmark-json` wrote")
    parser.add_argument("-o", "--output", type=Path, help="the Markdown file to write (default: standard output)")
    parser.add_argument("--plot", type=Path, help="the picture to draw")
    parser.add_argument(
        "--record", action="store_true", help="keep the results in measured.json and draw docs' picture"
    )
    options = parser.parse_args(arguments)
    document = json.loads(options.results.read_text())
    found = lines(entry["extra_info"] for entry in document["benchmarks"])
    text = report(found, document["machine_info"]["fastloss"])
    if options.output:
        options.output.write_text(text)
    else:
        sys.stdout.write(text)
    if options.plot:
        picture(found, options.plot)
    if options.record:
        large = [line for line in found if line.size == "large"]
        conditions = CONDITIONS.format(elements=large[0].elements)
        record("losses", conditions=conditions, lines=[asdict(line) for line in large])
        picture(large, PICTURE)


if __name__ == "__main__":
    main()
