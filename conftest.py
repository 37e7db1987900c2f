"""What `pytest` collects: the tests and the documentation's code; with ``--benchmark-only`` the benchmarks instead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent
os.environ.setdefault("KERAS_BACKEND", "numpy")  # its default, TensorFlow, may not be there
INSTALLED_ALONG = ("dask", "jax", "keras", "ray", "torch")  # whose parts of the package are not imported without them


@pytest.fixture(scope="session")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the first example fills, as the documentation has it."""
    folder = tmp_path_factory.mktemp("examples") / "predictions"
    subprocess.run([sys.executable, ROOT / "examples" / "train.py", folder], check=True, timeout=300)
    return folder


def run_commands(example: Example) -> None:
    """Run a block of commands beside the predictions."""
    if "pip install" in example.parsed:
        raise SkipTest("installs; continuous integration runs it")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["bash", "-euo", "pipefail", "-c", example.parsed]
    folder = example.namespace["predictions"].parent
    done = subprocess.run(command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


# The blocks of a document run in order and share their names.
pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), CodeBlockParser("sh", run_commands), SkipParser()],
    pattern="*.md",
    setup=lambda namespace: namespace.update(find_spec=find_spec),
    fixtures=["predictions"],
).pytest()


def pytest_configure() -> None:
    """What a shell runs in the background ignores interrupts; tests of them would wait for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="benchmarks: all sizes, and the other libraries installed")
    parser.addoption(
        "--size", type=int, help="benchmarks: elements of the large arrays (default: 8388608, with --full 16777216)"
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    needy = config.rootpath / "benchmarks" / "peers", config.rootpath / "fastloss" / "integrations" / "_hflm.py"
    if any(map(collection_path.is_relative_to, needy)):
        return True  # doctests would import what may not be installed
    if _is_of_documents(collection_path, config.rootpath):
        return True
    if _is_of_missing(collection_path, config.rootpath / "fastloss"):
        return True
    benchmark = collection_path.is_relative_to(config.rootpath / "benchmarks")
    return None if benchmark == config.getoption("benchmark_only", False) else True


def _is_of_documents(path: Path, root: Path) -> bool:
    """Whether it is a script of the gallery or a setting of the site, which `python -m tools.docs` runs."""
    return path.suffix == ".py" and any(path.is_relative_to(root / folder) for folder in ("docs", "examples"))


def _is_of_missing(path: Path, package: Path) -> bool:
    """Whether it is a part of the package that is not imported without a library that is not installed."""
    if not path.is_relative_to(package):
        return False
    parts = (*path.relative_to(package).parts[:-1], path.stem)
    return any(library in parts and find_spec(library) is None for library in INSTALLED_ALONG)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("benchmark_only", False):  # documents are named in testpaths, which is never ignored
        items[:] = [item for item in items if item.path.suffix == ".py"]
