"""The instruction-set flag table and what is compiled with it; all metadata is in pyproject.toml."""

import os
import platform
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup


def is_clang() -> bool:
    """Whether the C compiler is clang, by whatever name."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    return "clang" in subprocess.run([*command, "--version"], capture_output=True, text=True, check=False).stdout


CLANG = is_clang()
APPLE = sys.platform == "darwin"
WINDOWS = sys.platform == "win32"  # by clang for MinGW, with CC=clang: the sources are GNU C with the threads of POSIX

# What is left of a block after its last whole vector is done one by one, not by loops of narrower vectors, which would
# be a fifth of the code: blocks are whole but for the last. Clang has no such loops.
ONE_WIDTH = [] if CLANG else ["--param", "vect-epilogues-nomask=0"]
# Apple's clang has OpenMP's pragmas, but neither the option nor the library.
OPENMP = (
    {"cflags": ["-Xpreprocessor", "-fopenmp"], "ldflags": ["-lomp"]}
    if APPLE
    else {"cflags": ["-fopenmp"], "ldflags": ["-fopenmp"]}
)
# The kernels are compiled once for each row; `fastloss/_core/isa.py` picks the best the processor runs.
MACHINE = os.environ.get("_PYTHON_HOST_PLATFORM", "").rpartition("-")[2] or platform.machine()  # set by cross builds
X86_64 = MACHINE.lower() in {"x86_64", "amd64"}
LEVELS = {
    "baseline": ["-march=x86-64"] if X86_64 else [],
    "x86_64_v3": ["-march=x86-64-v3", *ONE_WIDTH],
    "x86_64_v4": ["-march=x86-64-v4", "-mprefer-vector-width=512", *ONE_WIDTH],
}

# The -fno flags are value-safe and let branches become selects, and selects that follow each other stay what they are;
# contraction is off so that every loop compiled from one formula rounds alike. Never -ffast-math: it would flush
# subnormals process-wide.
SELECTS = ["-fno-math-errno", "-fno-trapping-math", *([] if CLANG else ["-fno-thread-jumps"])]
OPTIMISED = ["-O3", *SELECTS, "-ffp-contract=off", "-g0"]
# A formula that the compiler's size limits leave as a call stops the vectoriser: inlining is not left to them.
INLINE = [("CYTHON_INLINE", "inline __attribute__((always_inline, unused))")]
SANITIZERS = "-fsanitize=address,undefined,float-cast-overflow"
# FASTLOSS_BUILD chooses one: what ships, one that checks bounds and invariants, one under the sanitizers.
BUILDS: dict[str, dict] = {
    "": {"cflags": OPTIMISED, "ldflags": [] if APPLE else ["-s"], "directives": {}},
    "debug": {
        "cflags": ["-O1", "-g", "-ffp-contract=off", "-UNDEBUG"],
        "ldflags": [],
        "directives": {"boundscheck": True, "initializedcheck": True, "nonecheck": True},
    },
    "sanitize": {
        "cflags": ["-O1", "-g", "-ffp-contract=off", "-fno-omit-frame-pointer", "-fno-sanitize-recover", SANITIZERS],
        "ldflags": [SANITIZERS],
        "directives": {},
    },
}
chosen_build = os.environ.get("FASTLOSS_BUILD", "")
build = BUILDS[chosen_build]

DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "initializedcheck": False,
    "cdivision": True,
    "embedsignature": False,
    "auto_pickle": False,
}


FAMILIES = ("elementwise", "rowwise", "vectors", "boxes", "regions", "alignment", "linear", "groups", "vecmath")


def extension(name: str, flags: list[str]) -> Extension:
    return Extension(
        name,
        [name.replace(".", "/") + ".pyx"],
        include_dirs=["fastloss/_kernels"],
        depends=HEADERS,
        define_macros=INLINE,
        extra_compile_args=[*build["cflags"], *flags, *OPENMP["cflags"]],
        extra_link_args=[*build["ldflags"], *OPENMP["ldflags"]],
    )


HEADERS = [str(file) for file in Path("fastloss/_kernels").rglob("*.h")]
# FASTLOSS_LEVELS=x86_64_v4 compiles that one alone, for a quick turn while developing.
chosen = os.environ.get("FASTLOSS_LEVELS", " ".join(LEVELS) if X86_64 else "baseline").split()
extensions = [extension(f"fastloss._core.{name}", LEVELS["baseline"]) for name in ("runtime", "states", "joining")]
extensions += [extension(f"fastloss._kernels.{isa}.{family}", LEVELS[isa]) for isa in chosen for family in FAMILIES]

setup(
    ext_modules=cythonize(
        extensions,
        include_path=[".", "fastloss/_kernels"],
        build_dir=os.path.join("build", f"cython-{chosen_build or 'release'}"),  # C of one build is not for another
        compiler_directives={**DIRECTIVES, **build["directives"]},
        nthreads=os.cpu_count() or 1,
    ),
    options={"build_ext": {"parallel": os.cpu_count() or 1} | ({"compiler": "mingw32"} if WINDOWS else {})},
)
