"""Turn the results of the benchmarks into a Markdown table and a plot.

``pytest --benchmark-only --benchmark-json=results.json``, then
``python -m benchmarks.report results.json -o REPORT.md --plot REPORT.png``.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

OURS = ("fastloss", "fastloss_reused")
UNITS = ((1e-6, "µs", 1e6), (1e-3, "µs", 1e6), (1.0, "ms", 1e3), (float("inf"), "s", 1.0))

# What the plot shows of each loss: the label and Matplotlib's code of color and marker.
SERIES = {
    "numpy": ("NumPy", "C7s"),
    "best": ("best other library", "C1^"),
    "fastloss_reused": ("fastloss, grad_out reused", "C9D"),
    "fastloss": ("fastloss", "C0o"),
}

# The medians in seconds of the contenders of each (size, loss, work).
Results: TypeAlias = dict[tuple[str, str, str], dict[str, float]]


def medians(document: dict[str, Any]) -> Results:
    """What was measured, in the order in which it was."""
    found: Results = {}
    for entry in document["benchmarks"]:
        info = entry["extra_info"]
        group = found.setdefault((info["size"], info["loss"], info["work"]), {})
        group[info["contender"]] = entry["stats"]["median"]
    return {key: group for key, group in found.items() if "fastloss" in group}


def best_peer(group: dict[str, float]) -> str | None:
    """The fastest of the other libraries than NumPy."""
    return min(group.keys() - {*OURS, "numpy", "memory"}, key=group.__getitem__, default=None)


def duration(seconds: float) -> str:
    unit, factor = next((unit, factor) for limit, unit, factor in UNITS if seconds < limit)
    return f"{seconds * factor:.3g} {unit}"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(loss: str, work: str, group: dict[str, float]) -> list[str]:
    fresh, peer = group["fastloss"], best_peer(group)
    reused = group.get("fastloss_reused")
    return [
        f"`{loss}`",
        work.replace("_", " "),
        duration(fresh),
        duration(reused) if reused else "",
        f"{group['numpy'] / fresh:.3g}×" if "numpy" in group else "",
        f"{group[peer] / fresh:.3g}× {peer}" if peer else "",
        f"{group['memory'] / (reused or fresh):.0%}" if "memory" in group else "",
    ]


def report(document: dict[str, Any]) -> str:
    """The results as Markdown, one table for each size."""
    results, machine = medians(document), document["machine_info"]
    infos = [entry["extra_info"] for entry in document["benchmarks"]]
    elements = {info["size"]: info["elements"] for info in infos}
    processor = machine.get("cpu", {}).get("brand_raw", machine["machine"])
    libraries = ", ".join(f"{name} {version}" for name, version in machine.get("libraries", {}).items())
    header = ("loss", "work", "fastloss", "`grad_out` reused", "NumPy takes", "best peer takes", "of memory bandwidth")
    parts = [
        "# Benchmarks",
        f"{processor}, threads: {infos[0]['threads']}; Python {machine['python_version']}, {libraries}.",
        "Medians, float32, of the mean of each loss, or of the mean and its gradient in a new array. The times of"
        " others are multiples of fastloss's. The memory bandwidth was measured in the same run: reading both arrays,"
        " and with the gradient, which then goes into a reused array, writing one.",
    ]
    for size, n in elements.items():
        rows = [_row(loss, work, group) for (at, loss, work), group in results.items() if at == size]
        parts += [f"## {n:,} elements", markdown(header, rows)]
    return "\n\n".join(parts) + "\n"


def plot(document: dict[str, Any], target: Path) -> None:
    """Draw the time of each loss as a multiple of what the memory allows."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    # One panel for each work: the groups by loss, each with its best peer under that name.
    panels: dict[str, dict[str, dict[str, float]]] = {}
    for (_, loss, work), group in medians(document).items():
        if "memory" in group:
            peer = best_peer(group)
            panels.setdefault(work, {})[loss] = group | ({"best": group[peer]} if peer else {})
    if not panels:
        raise SystemExit("nothing to plot: the results have no large arrays with the memory measured")
    names = list(dict.fromkeys(loss for groups in panels.values() for loss in groups))
    size = 5 * len(panels) + 1, 0.22 * len(names) + 2
    figure, axes = pyplot.subplots(1, len(panels), sharey=True, squeeze=False, layout="constrained", figsize=size)
    for axis, (work, groups) in zip(axes[0], panels.items(), strict=True):
        for who, (label, style) in SERIES.items():
            places = [
                (group[who] / group["memory"], names.index(loss)) for loss, group in groups.items() if who in group
            ]
            axis.plot([x for x, _ in places], [y for _, y in places], style, label=label)
        axis.axvline(1, color="black", linewidth=1)
        axis.set(xscale="log", title=work.replace("_", " "), xlabel="time, in units of what the memory takes")
        axis.set_yticks(range(len(names)), names)
        axis.grid(alpha=0.3)
    axes[0][0].invert_yaxis()
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(SERIES))
    figure.savefig(target, dpi=150)
    pyplot.close(figure)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description=__doc__)
    parser.add_argument("results", type=Path, help="what `pytest --benchmark-json` wrote")
    parser.add_argument("-o", "--output", type=Path, help="the Markdown file to write (default: standard output)")
    parser.add_argument("--plot", type=Path, help="the picture to draw")
    options = parser.parse_args(arguments)
    document = json.loads(options.results.read_text())
    text = report(document)
    if options.output:
        options.output.write_text(text)
    else:
        sys.stdout.write(text)
    if options.plot:
        plot(document, options.plot)


if __name__ == "__main__":
    main()
