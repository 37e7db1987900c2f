"""The package as others get it: what the distributions hold, and what an unbuilt checkout says."""

import shutil
import subprocess
import sys

import pytest

from tests.support import ROOT
from tools import contents

FILES = {
    "setup.py",
    "fastloss/__init__.py",
    "fastloss/py.typed",
    "fastloss/_core/runtime.pyx",
    "fastloss/_kernels/engine/streams.h",
}
WHEEL = [
    "fastloss/__init__.py",
    "fastloss/py.typed",
    "fastloss/_core/runtime.cpython-313-x86_64-linux-gnu.so",
    "fastloss-0.1.0.dist-info/RECORD",
]


def test_an_sdist_holds_what_is_tracked():
    names = [*FILES, "PKG-INFO", "setup.cfg", "fastloss.egg-info/SOURCES.txt"]
    assert contents.faults_of_sdist(names, FILES) == []
    assert contents.faults_of_sdist([*names, "fastloss/_core/runtime.c"], FILES) == [
        "holds fastloss/_core/runtime.c, which is not tracked"
    ]
    assert contents.faults_of_sdist(names[1:], FILES) == [f"lacks {names[0]}"]


@pytest.mark.parametrize(
    "source", ["fastloss/_core/runtime.c", "fastloss/_core/runtime.pyx", "fastloss/_kernels/engine/streams.h"]
)
def test_a_wheel_holds_no_sources(source):
    assert contents.faults_of_wheel([*WHEEL, source], 1, FILES) == [f"holds {source}, which does not run"]


def test_a_wheel_holds_what_runs():
    assert contents.faults_of_wheel(WHEEL, 1, FILES) == []
    assert contents.faults_of_wheel([*WHEEL, "fastloss.libs/libgomp-a34b3233.so.1.0.0"], 1, FILES) == []
    for missing, fault in zip(
        WHEEL[:3],
        ["fastloss/__init__.py", "fastloss/py.typed", "what is compiled from fastloss/_core/runtime.pyx"],
        strict=True,
    ):
        assert contents.faults_of_wheel([name for name in WHEEL if name != missing], 1, FILES) == [f"lacks {fault}"]
    assert contents.faults_of_wheel([*WHEEL, "tests/__init__.py"], 1, FILES) == [
        "holds tests/__init__.py, which is not of the package"
    ]
    assert len(contents.faults_of_wheel(WHEEL, contents.WHEEL_BYTES, FILES)) == 1


@pytest.mark.parametrize("built", [[], ["runtime"]], ids=["nothing", "no kernel"])
def test_an_unbuilt_checkout_says_what_to_do(tmp_path, built):
    def left_out(_, names):
        return [name for name in names if name.endswith(".so") and name.partition(".")[0] not in built]

    shutil.copytree(ROOT / "fastloss", tmp_path / "fastloss", ignore=left_out)
    # Without site.py, since an editable installation would find what is missing here.
    path = [str(tmp_path), *(folder for folder in sys.path if folder.endswith("site-packages"))]
    code = f"import sys; sys.path += {path}; import fastloss"
    done = subprocess.run([sys.executable, "-ISc", code], capture_output=True, text=True, check=False)
    message = done.stderr.splitlines()[-1]
    assert message.startswith(f"ImportError: {tmp_path / 'fastloss'} is not built")
    assert "`pip install -e .`" in message
    assert "circular" not in done.stderr
