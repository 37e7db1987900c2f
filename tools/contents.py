"""Say what the distributions lack or hold too much: ``python -m tools.contents dist/*``.

An sdist holds what git tracks, a wheel what runs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent
WHEEL_BYTES = 8 * 2**20
RUNS = {".so", ".py", ".pyi"}
OPENMP = re.compile(r"fastloss\.libs/libgomp-[0-9a-f]+\.so[.0-9]*")  # the library that a repaired wheel brings along
ADDED = re.compile(r"PKG-INFO|setup\.cfg|[^/]+\.egg-info/.*")  # by setuptools, to an sdist


def tracked() -> set[str]:
    """The files of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(listed.stdout.splitlines())


def faults_of_sdist(names: Iterable[str], tracked: set[str]) -> list[str]:
    """What is wrong with an sdist of these files below its folder."""
    held = {name for name in names if not ADDED.fullmatch(name)}
    return [f"lacks {name}" for name in sorted(tracked - held)] + [
        f"holds {name}, which is not tracked" for name in sorted(held - tracked)
    ]


def faults_of_wheel(names: Iterable[str], size: int, tracked: set[str]) -> list[str]:
    """What is wrong with a wheel of so many bytes and these files."""
    held = {name for name in names if ".dist-info/" not in name and not OPENMP.fullmatch(name)}
    wanted = {name for name in tracked if name.startswith("fastloss/") and _runs(name)}
    modules = {name.removesuffix(".pyx") for name in tracked if name.endswith(".pyx")}
    compiled = {name.partition(".")[0] for name in held if name.endswith(".so")}
    return [
        *(f"lacks {name}" for name in sorted(wanted - held)),
        *(f"lacks what is compiled from {name}.pyx" for name in sorted(modules - compiled)),
        *(f"holds {name}, which does not run" for name in sorted(held) if not _runs(name)),
        *(f"holds {name}, which is not of the package" for name in sorted(held) if not name.startswith("fastloss/")),
        *([f"has {size:,} bytes, must have fewer than {WHEEL_BYTES:,}"] if size >= WHEEL_BYTES else []),
    ]


def _runs(name: str) -> bool:
    path = PurePosixPath(name)
    return path.suffix in RUNS or path.name == "py.typed"


def main(files: list[str]) -> int:
    faulty = False
    for path in map(Path, files):
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                names = [name for name in wheel.namelist() if not name.endswith("/")]
            faults = faults_of_wheel(names, path.stat().st_size, tracked())
        else:
            with tarfile.open(path) as sdist:
                names = [member.name.partition("/")[2] for member in sdist if member.isfile()]
            faults = faults_of_sdist(names, tracked())
        print(f"{path.name}: {len(names)} files, {path.stat().st_size / 2**20:.1f} MB")
        for fault in faults:
            print(f"{path.name} {fault}")
            faulty = True
    return int(faulty)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
