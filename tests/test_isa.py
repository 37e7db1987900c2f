"""One build of the kernels for each instruction set: every one can be forced, and they agree."""

import ast
import pickle
import platform
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

from fastloss import registry
from fastloss._core import isa as _isa
from fastloss._core import runtime as _runtime
from tests.support import ROOT, fresh

BUILDS = _isa.installed()

COMPUTE = """
import pickle, sys
import numpy as np
from tests.inputs import draw
from tests.support import LOSSES, generator, reductions
results = {{}}
for loss in LOSSES:
    for dtype in (np.float32, np.float64):
        y, x = draw(loss, 3001, dtype, generator(loss, "builds"))
        for reduction in reductions(loss):
            results[repr(loss), np.dtype(dtype).name, reduction] = loss.value_and_grad(y, x, reduction=reduction)
        if loss.signature.additive:
            results[repr(loss), np.dtype(dtype).name, "curvature"] = loss.grad_and_hess(y, x)
with open({path!r}, "wb") as file:
    pickle.dump(results, file)
"""


@pytest.mark.parametrize("build", BUILDS)
def test_the_variable_forces_a_build(build):
    out = fresh(
        "from fastloss._core import isa; print(isa.isa, isa.kernels('rowwise').__name__, isa.reason)",
        FASTLOSS_ISA=build,
    )
    assert out.split(maxsplit=2) == [build, f"fastloss._kernels.{build}.rowwise", "forced by FASTLOSS_ISA\n"]


def test_the_best_build_is_the_default():
    assert fresh("from fastloss._core import isa as _isa; print(_isa.isa)").strip() == BUILDS[0]
    assert "baseline" in BUILDS
    assert set(BUILDS) <= set(_runtime.instruction_sets())


@pytest.mark.parametrize("bad", ["avx2", "baseline ", "BASELINE", "../baseline", "0"])
def test_an_unknown_build_is_an_import_error_that_names_the_known_ones(bad):
    code = "try:\n    import fastloss\nexcept ImportError as error:\n    print(error)\nelse:\n    raise SystemExit(1)"
    wanted = f"FASTLOSS_ISA is {bad!r}, must be one of x86_64_v4, x86_64_v3, baseline"
    assert fresh(code, FASTLOSS_ISA=bad).strip() == wanted


def test_an_empty_variable_is_none():
    assert fresh("from fastloss._core import isa as _isa; print(_isa.isa)", FASTLOSS_ISA="").strip() == BUILDS[0]


def test_a_build_that_the_processor_does_not_run_is_an_import_error():
    with pytest.raises(ImportError, match=r"^FASTLOSS_ISA is 'x86_64_v4', but .* only x86_64_v3, baseline$"):
        _isa.choose("x86_64_v4", ("x86_64_v3", "baseline"))
    assert _isa.choose("x86_64_v3", ("x86_64_v3", "baseline"))[0] == "x86_64_v3"
    assert _isa.choose(None, ("baseline",))[0] == "baseline"


def test_the_builds_agree_on_every_loss(tmp_path):
    found = {}
    for build in BUILDS:
        path = tmp_path / build
        fresh(COMPUTE.format(path=str(path)), FASTLOSS_ISA=build)
        found[build] = pickle.loads(path.read_bytes())
    base = found.pop("baseline")
    for build, results in found.items():
        assert results.keys() == base.keys()
        for key, pair in results.items():
            eps = np.finfo(key[1]).eps
            for one, other in zip(pair, base[key], strict=True):
                # Each is within a few units of the true result, or of the terms that it is a difference of.
                one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
                atol = 8 * eps * np.max(np.abs(other[np.isfinite(other)]), initial=0)
                np.testing.assert_allclose(one, other, rtol=8 * eps, atol=atol, err_msg=f"{build}: {key}")


# Imports ------------------------------------------------------------------------------------------


@pytest.mark.timing
def test_the_import_is_quick_after_numpy(tmp_path):
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path)}  # as an installed package is
    code = (
        "import time, numpy, numpy.typing\nstart = time.perf_counter()\nimport fastloss\n"
        "print(time.perf_counter() - start)"
    )
    fresh(code, **compiled)  # the files are in the page cache from here on
    times = [float(fresh(code, **compiled)) for _ in range(5)]
    assert min(times) < 0.06, times


def test_the_import_brings_in_no_other_package():
    code = (
        "import sys, numpy, numpy.typing\nbefore = set(sys.modules)\nimport fastloss\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    found = set(fresh(code).split()) - set(sys.stdlib_module_names)
    assert {name for name in found if not name.startswith("_cython")} <= {"fastloss", "cython_runtime"}


def test_the_import_brings_in_the_losses_of_elements_and_rows_alone():
    code = "import sys, fastloss\nprint(*(name for name in sys.modules if name.startswith('fastloss.')))"
    parts = {name.split(".")[1] for name in fresh(code).split()}
    assert parts == {"_catalogue", "_core", "_kernels", "aggregate", "columns", "elementwise", "rowwise", "state"}


def test_a_loss_brings_in_its_family():
    for name in ("Dice", "dice", "InfoNCE", "CTC", "Chained", "registry"):
        code = f"import fastloss as fl\nprint(fl.{name} is fl.{name}, list(fl.registry)[:2], len(fl.registry))"
        assert fresh(code) == f"True ['squared_error', 'absolute_error'] {len(registry)}\n"


def test_no_import_is_circular():
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in (ROOT / "fastloss").rglob("*.py")}
    paths = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph = {}
    for name, path in paths.items():
        tree, found = ast.parse(path.read_text()), set()
        for node in ast.walk(tree):
            match node:
                case ast.Import():
                    found |= {alias.name for alias in node.names}
                case ast.ImportFrom(module=module):
                    inner = [f"{module}.{alias.name}" for alias in node.names]
                    found |= {each if each in paths else module for each in inner}
        graph[name] = found & paths.keys()
    assert "fastloss._core.loss" in graph["fastloss.elementwise.residual"]
    TopologicalSorter(graph).prepare()


def extension_modules():
    package = Path(_runtime.__file__).parent
    return sorted({Path(_runtime.__file__), *package.parent.glob("_kernels/*/*.so")})


@pytest.mark.parametrize("module", extension_modules(), ids=lambda path: path.name.partition(".")[0])
def test_no_module_uses_numpys_c_interface(module):
    content = module.read_bytes()
    for symbol in (b"_ARRAY_API", b"_multiarray_umath", b"PyArray_"):
        assert symbol not in content


MODES = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("0fae1f" "c3"))  # stmxcsr [rdi]
save = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
def mode():
    word = ctypes.c_uint32()
    save(ctypes.byref(word))
    return word.value & ~0x3f  # the flags of past operations aside
import numpy
before = mode()
import fastloss
assert mode() == before == 0x1f80, (hex(before), hex(mode()))
import importlib
for build in fastloss._core.isa.installed():
    for family in ("elementwise", "rowwise", "alignment", "linear", "groups"):
        importlib.import_module(f"fastloss._kernels.{build}.{family}")
        assert mode() == before, (build, family)
fastloss.SquaredError().grad(numpy.ones(100_000), numpy.zeros(100_000), num_threads=2)
assert mode() == before
assert numpy.float64(5e-324) * 1 == 5e-324
"""


@pytest.mark.skipif("x86_64_v3" not in BUILDS or sys.platform != "linux", reason="machine code of x86-64")
def test_the_import_leaves_the_floating_point_mode():
    fresh(MODES)


UPWARD = {"x86_64": 0x800, "aarch64": 0x400000}  # FE_UPWARD of <fenv.h>
ROUNDED = """
import ctypes
import numpy as np
import fastloss as fl
libm = ctypes.CDLL("libm.so.6")
y, x = np.random.default_rng(0).normal(size=(2, 50_000)).astype("f")
def results(threads):
    value, grad = fl.LogCosh().value_and_grad(y, x, num_threads=threads)
    of_rows, grad_of_rows = fl.CrossEntropy().value_and_grad(np.arange(5000) % 10, x.reshape(-1, 10))
    return value, grad.tobytes(), of_rows, grad_of_rows.tobytes()
wanted = results(1)
assert libm.fesetround({upward}) == 0
found = results(1), results(2)
assert libm.fegetround() == {upward}
assert np.float64(1) + np.float64(1e-20) > 1
assert found == (wanted, wanted)
"""


@pytest.mark.skipif(
    platform.machine() not in UPWARD or platform.libc_ver()[0] != "glibc", reason="the numbers of another <fenv.h>"
)
def test_results_do_not_depend_on_the_rounding_mode():
    fresh(ROUNDED.format(upward=UPWARD[platform.machine()]))
