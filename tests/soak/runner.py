"""Run the parts, as many at once as there are processors, and record what they did."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.record import described, machine, markdown
from fastloss._core import isa
from tests.soak.report import Done
from tests.soak.tables import NAMES
from tests.support import ROOT

FILE = Path(__file__).parent / "record.json"
GROWTH = 1_000_000  # calls of each kind
FORKS = 10_000
INTERRUPTS = 1000
RELEASE, SANITIZED = 100_000_000, 1_000_000  # random calls that are wanted in sum
UNTIL = 0.6  # of the time, random calls under the sanitizers go on, whose build takes a part of it
LEAST = 0.25  # of the time, and of each processor, for those without, however long the other parts took

# What is measured is the commit: the sanitizers' build is made of a clone, for the instruction set that is chosen.
UNDER_SANITIZERS = """
set -e
export FASTLOSS_LEVELS=$6
git clone -q "$1" "$2/sanitized" && cd "$2/sanitized"
python3 -m venv .venv && . .venv/bin/activate
tools/sanitize true > "$2/build.log" 2>&1 || { cat "$2/build.log"; exit 1; }
minutes=$(( ($3 - $(date +%s)) / 60 ))
tools/sanitize python -m tests.fuzz --jobs 1 --calls "$4" --minutes "$minutes" --seed "$5"
"""


@dataclass(frozen=True)
class Part:
    """A process: what it is for, and what is run."""

    what: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """What a part, or several of one name, came to."""

    what: str
    did: str
    count: int
    seconds: int
    failures: int


def parts(start: float, minutes: float, jobs: int, folder: str) -> Iterator[Part]:
    """What takes longest first; random calls last, for the time that is left."""
    seed = int(start)
    module = (sys.executable, "-m")
    made_of = (str(ROOT), folder, str(int(start + UNTIL * 60 * minutes)), str(SANITIZED), str(seed), isa.isa)
    yield Part("random calls under the sanitizers", ("bash", "-c", UNDER_SANITIZERS, "bash", *made_of))
    yield Part("memory", (*module, "tests.soak.growth", str(GROWTH)))
    yield Part("interrupts", (*module, "tests.soak.interrupts", str(INTERRUPTS)))
    yield Part("forks", (*module, "tests.soak.forks", str(FORKS)))
    for build in isa.installed():
        for name in NAMES:
            yield Part(f"every float32 number, kernels for {build}", (*module, "tests.soak.tables", name, build))
    for job in range(1, jobs + 1):
        options = ("--jobs", "1", "--calls", str(RELEASE), "--seed", str(seed + job))
        yield Part("random calls", (*module, "tests.fuzz", *options))


def run(part: Part, start: float, minutes: float) -> Done:
    """Run a part, and say how it went."""
    command = part.command
    if part.what == "random calls":
        left = minutes - (time.time() - start) / 60
        command = (*command, "--minutes", str(max(left, LEAST * minutes)))
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, check=False)
    try:
        found = Done.read(done.stdout)
    except ValueError as error:
        found = Done(0, str(error), round(time.monotonic() - began), 1)
    if done.returncode and not found.failures:
        found = found._replace(failures=1)
    print(f"{part.what}: {found}", flush=True)
    if found.failures:
        print(done.stdout, flush=True)
    return found


def entries(of_parts: list[tuple[str, Done]]) -> list[Entry]:
    """One for each name, in the order of their ends."""
    by_name: defaultdict[str, list[Done]] = defaultdict(list)
    for what, done in of_parts:
        by_name[what].append(done)
    return [
        Entry(
            what, done[0].of.partition(",")[0], sum(one.count for one in done), sum(one.seconds for one in done),
            sum(one.failures for one in done),
        )
        for what, done in by_name.items()
    ]  # fmt: skip


def load() -> dict[str, Any]:
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {}


def record(began: str, minutes: float, found: list[Entry]) -> None:
    """Keep the run, and how many random calls there were in all recorded ones."""
    so_far = load().get("random calls in sum", {})
    in_sum = {entry.what: so_far.get(entry.what, 0) + entry.count for entry in found if "random" in entry.what}
    content = {
        "began": began, "minutes": round(minutes), "machine": machine(), "parts": [asdict(entry) for entry in found],
        "random calls in sum": in_sum,
    }  # fmt: skip
    FILE.write_text(json.dumps(content, indent=1) + "\n")


def table() -> str:
    """The last recorded run in Markdown."""
    kept = load()
    if not kept:
        return "Not run yet."
    in_sum, wanted = kept["random calls in sum"], {"random calls": RELEASE}
    lines = []
    for part in (Entry(**part) for part in kept["parts"]):
        asked = wanted.get(part.what, SANITIZED)
        of_all = f" ({in_sum[part.what]:,} of {asked:,} in all runs)" if part.what in in_sum else ""
        lines.append((part.what, f"{part.count:,} {part.did}{of_all}", f"{part.seconds / 60:.0f}", str(part.failures)))
    header = ("part", "what it did", "minutes of a processor", "failures")
    return (
        f"{markdown(header, lines)}\n\nOn {kept['began']}, in {kept['minutes']} minutes: {described(kept['machine'])}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="how long random calls go on (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once (default: processors)")
    parser.add_argument("--record", action="store_true", help="keep what was found in record.json")
    given = parser.parse_args()
    began, start = f"{datetime.now():%Y-%m-%d %H:%M}", time.time()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(given.jobs) as pool:
        chosen = list(parts(start, given.minutes, given.jobs, folder))
        done = pool.map(lambda part: run(part, start, given.minutes), chosen)
        found = entries(list(zip([part.what for part in chosen], done, strict=True)))
    if given.record:
        record(began, (time.time() - start) / 60, found)
    sys.exit(1 if any(entry.failures for entry in found) else 0)
