"""What was measured, on which machine, against which targets: `measured.json`, which docs show.

Each benchmark writes its own section of that file, and nothing else writes it.
"""

from __future__ import annotations

import json
import math
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import fastloss
from benchmarks import bandwidth
from benchmarks.turns import Ratio
from benchmarks.workload import LeftOut
from fastloss._core import isa
from fastloss._core.threads import available

FILE = Path(__file__).parent / "measured.json"
HOURS = 5  # of which the worst counts
LIBRARIES = (
    "numpy", "torch", "jax", "numexpr", "scikit-learn", "xgboost-cpu", "lightgbm", "transformers", "lm_eval", "dask",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One thing measured: the ratio asked for, if any, and the one found, if any."""

    what: str
    at_least: float | None
    measured: float | None
    how: str
    doubt: str = ""
    front: bool = False  # stands on the front page
    hours: dict[str, float] = field(default_factory=dict)  # what the last recorded runs found, by their hour

    @classmethod
    def of(cls, what: str, at_least: float | None, ratio: Ratio | None, *, front: bool = False) -> Row:
        if ratio is None:
            return cls(what, at_least, None, "not measured", front=front)
        return cls(what, at_least, ratio.value, ratio.how, ratio.doubt, front)

    @property
    def reached(self) -> str:
        if self.measured is None or self.at_least is None:
            return ""
        return "?" if self.doubt else "yes" if self.worst >= self.at_least else "no"

    @property
    def worst(self) -> float:
        """The least that any of the hours found: memory is not as fast in one as in another."""
        return min([*self.hours.values(), math.inf if self.measured is None else self.measured])

    def after(self, earlier: Row | None, hour: str) -> Row:
        """The same with what earlier runs found."""
        if self.measured is None or self.doubt:
            return replace(self, hours=earlier.hours if earlier else {})
        found = {**(earlier.hours if earlier else {}), hour: self.measured}
        return replace(self, hours={when: found[when] for when in sorted(found)[-HOURS:]})


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    cells = []
    for row in rows:
        asked = "" if row.at_least is None else f"{row.at_least:.3g}"
        found = "" if row.measured is None else f"{row.measured:.3g}"
        worst = f"{row.worst:.3g} of {len(row.hours)}" if len(row.hours) > 1 else ""
        cells.append((row.what, asked, found, worst, row.reached, f"{row.how}; {row.doubt}" if row.doubt else row.how))
    return markdown(("what", "at least", "measured", "worst hour", "reached", "of which"), cells)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def machine() -> dict[str, Any]:
    """What was measured, and on what."""
    from cpuinfo import get_cpu_info

    config = fastloss.config()
    libraries = {}
    for library in LIBRARIES:
        try:
            libraries[library] = version(library)
        except PackageNotFoundError:
            continue
    return {
        "fastloss": fastloss.__version__,
        "commit": _commit("fastloss"),
        "sources": _commit("fastloss/_kernels"),
        "processor": get_cpu_info().get("brand_raw", platform.machine()),
        "kernels": config["kernels"],
        "threads": config["threads"],
        "python": config["python"],
        "libraries": libraries,
    }


def _commit(folder: str) -> str | None:
    """The last commit that changed a folder, with a plus where it has been changed since."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments, "--", folder]
        done = subprocess.run(command, cwd=FILE.parent.parent, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    commit = git("log", "-1", "--format=%h")
    return f"{commit}+" if commit and git("status", "--porcelain") else commit or None


def described(machine: dict[str, Any]) -> str:
    """The machine in a sentence."""
    commit = f" ({machine['commit']})" if machine["commit"] else ""
    versions = {"fastloss": machine["fastloss"] + commit, "Python": machine["python"]} | machine["libraries"]
    return (
        f"{machine['processor']}, {machine['kernels']} kernels, threads: {machine['threads']};"
        f" {', '.join(f'{name} {version}' for name, version in versions.items())}"
    )


def record(section: str, **content: Any) -> None:
    """Replace a section of the file."""
    sections = load()
    sections[section] = {"machine": machine(), **content}
    FILE.write_text(json.dumps(dict(sorted(sections.items())), indent=1, ensure_ascii=False) + "\n")


def load() -> dict[str, Any]:
    """The sections of the file."""
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {}


def rows_of(section: dict[str, Any]) -> list[Row]:
    return [Row(**row) for row in section["rows"]]


def _memory() -> str:
    try:
        return bandwidth.state(available()[0])
    except LeftOut as reason:
        return f"not measured, as {reason}"


def publish(section: str, conditions: str, rows: Iterable[Row], *, keep: bool) -> int:
    """Print the table; keep it in the file if asked to, else return 1 where a target is missed.

    Kernels that are not the best of this processor have sections of their own. Earlier hours stay as long as the
    kernels are those that they measured.
    """
    if isa.isa != isa.installed()[0]:
        section = f"{section} {isa.isa}"
    before = _memory()
    rows = list(rows)
    conditions += f" Memory before: {before}; after: {_memory()}."
    if keep:
        kept = load().get(section, {"rows": [], "machine": {}})
        same = kept["machine"].get("sources") == machine()["sources"]
        earlier = {row.what: row for row in rows_of(kept)} if same else {}
        hour = f"{datetime.now():%Y-%m-%d %H}h"
        rows = [row.after(earlier.get(row.what), hour) for row in rows]
    print(f"{conditions}\n\n{table(rows)}\n")
    if keep:
        record(section, conditions=conditions, rows=[asdict(row) for row in rows])
        return 0
    return int(any(row.reached == "no" for row in rows))
